"""All that the project needs to be tested against a real service."""

import pytest
from pool import Pool


@pytest.fixture
def pool(leasebook):
    leasebook.given(stock={"gpu-1": 3, "gpu-2": 2}, balance=1000)
    made = Pool("gpu-1", "gpu-2")
    yield made
    made.close()
