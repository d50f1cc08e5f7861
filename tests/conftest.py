"""What every test can ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leasehold.store.opening import Target
from tests import postgres

STORES = ("sqlite", "postgres")


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests use."""
    try:
        return f"postgres: {postgres.binaries()[1]}"
    except postgres.NoPostgresError as error:
        return f"postgres: {error}"


@pytest.fixture(params=STORES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """An empty store of each kind."""
    if request.param == "sqlite":
        yield Target(tmp_path / "data")
        return
    with postgres.shared_server().database() as url:
        yield Target(tmp_path / "data", url)


@pytest.fixture(params=STORES)
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A store of each kind, the database with its tables in it: where many tests ask for one, that is much quicker."""
    if request.param == "sqlite":
        yield Target(tmp_path / "data")
        return
    with postgres.shared_server().database(migrated=True) as url:
        yield Target(tmp_path / "data", url)
