"""Bringing a store to this version's schema."""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, inspect

from leasehold.store.errors import BadStore, NewerStore


def _config(connection: Connection | None = None) -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def latest() -> str:
    """Return the revision that this version works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the package ships its migrations
    return head


def current(connection: Connection) -> str | None:
    """Return the revision that a store is at; None: it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def check_known(connection: Connection, name: str) -> None:
    """Raise NewerStore where the store's revision is none of this version's, BadStore where it is no store."""
    revision = current(connection)
    if revision is None:
        strangers = inspect(connection).get_table_names()
        if strangers:
            raise BadStore(
                f"{name} is the database of another program: it has the table {strangers[0]!r}, and no version of "
                "leasehold's. Give leasehold one of its own."
            )
        return
    try:
        ScriptDirectory.from_config(_config()).get_revision(revision)
    except CommandError:
        raise NewerStore(
            f"{name} was written by a newer version of leasehold (schema {revision}; this version knows up to "
            f"{latest()}). Run the newer version, or restore a backup made before the upgrade."
        ) from None


def upgrade(engine: Engine, name: str) -> None:
    """Apply every migration that the store lacks; raises NewerStore or BadStore and then touches nothing."""
    with engine.connect() as connection:
        check_known(connection, name)
        if current(connection) == latest():
            return
    # All of them or none: who is cut off in the middle leaves what was there before.
    with engine.begin() as connection:
        command.upgrade(_config(connection), "head")
