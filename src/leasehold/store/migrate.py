"""Bringing a store to this version's schema."""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

from leasehold.store import revisions


def _config(connection: Connection | None = None) -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def current(connection: Connection, name: str) -> str | None:
    """Return the revision that a store is at; None: it is empty. Raises NewerStore or BadStore (``revisions.look``)."""
    tables = revisions.SQLITE_TABLES if connection.dialect.name == "sqlite" else revisions.POSTGRES_TABLES
    return revisions.look(lambda text: connection.exec_driver_sql(text).fetchall(), tables, name)


def upgrade(engine: Engine, name: str) -> None:
    """Apply every migration that the store lacks; raises NewerStore or BadStore and then touches nothing."""
    with engine.connect() as connection:
        if current(connection, name) == revisions.latest():
            return
    # All of them or none: who is cut off in the middle leaves what was there before.
    with engine.begin() as connection:
        command.upgrade(_config(connection), "head")
