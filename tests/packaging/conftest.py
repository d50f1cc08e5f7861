"""The wheel of this working tree, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.installed import built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))
