"""Three servers on one database, for every test of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.fleet import (
    Fleet,
    FleetClient,
    books,
    fleet,
)
from tests.postgres import shared_server

PAUSED_ROLE = "paused_server"
"""The database user of the first server, which distinguishes its sessions from those of the others."""


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three servers on one database."""
    server = shared_server()
    with server.database(migrated=True) as url, books(url) as seen:
        if not seen.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", PAUSED_ROLE):
            seen._connection.execute(f"CREATE ROLE {PAUSED_ROLE} SUPERUSER LOGIN".encode())
        own = url.replace("//leasebook@", f"//{PAUSED_ROLE}@")
        with fleet(url, tmp_path_factory.mktemp("trio"), servers=3, urls=[own]) as servers:
            yield servers


@pytest.fixture
def root(trio: Fleet) -> Iterator[FleetClient]:
    with trio.root() as caller:
        yield caller
