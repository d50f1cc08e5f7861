"""A service for each module and store, and people with browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser
from tests.api.console.test_pages import MANY, signed_in
from tests.api.scene import Caller, ServiceHarness
from tests.copies import STORES


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    with a_copy(request, tmp_path_factory.mktemp("subjects") / "data", environment=MANY) as made:
        made.sell(stock=1_000_000)
        yield made
        assert check_store(made.where).findings == []


@pytest.fixture
def owner(scene: ServiceHarness) -> Caller:
    """The root of an account of its own."""
    return scene.customer("100000")


@pytest.fixture
def browser(scene: ServiceHarness, owner: Caller) -> Browser:
    """That person's browser, signed in."""
    return signed_in(scene, owner)


@pytest.fixture
def house(scene: ServiceHarness) -> Browser:
    """The browser of the operator, signed in."""
    return signed_in(scene, scene.operator)
