"""Migrations of a store to this version's schema."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, delete, insert, select

from leasebook.ports.progress import Progress, unseen
from leasebook.store import revisions
from leasebook.store.newer import MIGRATION_LOCK, WRITABLE_FROM
from leasebook.store.rows.schema import facts


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


def upgrade(engine: Engine, name: str, progress: Progress = unseen) -> None:
    """Apply every migration that the store lacks; raises NewerStore or BadStore, and then changes nothing."""
    with engine.connect() as connection:
        if current(connection, name) == revisions.latest():
            return
    # All in one transaction: an interrupted upgrade leaves the store as it was.
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Waits for the batches of every server, and they for it: each batch sees one schema.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        before = current(connection, name)
        if before != revisions.latest():
            config = _config(connection)
            config.attributes["applied"] = _counting(before, progress)
            command.upgrade(config, "head")
            _say_who_may_write(connection, config, before)


def _counting(before: str | None, progress: Progress) -> Callable[..., None]:
    """Return a function that reports each migration when it has been applied."""
    ahead = [one for one in revisions.known() if before is None or one > before]
    applied: list[str] = []

    def count(**step: Any) -> None:
        applied.append(str(step["step"].up_revision_id))
        progress("migrations", len(applied), len(ahead))

    return count


def _say_who_may_write(connection: Connection, config: Config, before: str | None) -> None:
    """Record the oldest revision whose servers may go on writing, according to the migrations just applied.

    A migration names it as ``writable_from``; without that it is the migration's own revision. The newest one counts.
    """
    if before is None:
        return
    made = ScriptDirectory.from_config(config).iterate_revisions("head", before)
    said = [getattr(script.module, "writable_from", script.revision) for script in made]
    kept = connection.execute(select(facts.c.value).where(facts.c.name == WRITABLE_FROM)).scalar()
    oldest = max([*said, kept or before])
    connection.execute(delete(facts).where(facts.c.name == WRITABLE_FROM))
    if oldest != revisions.latest():
        connection.execute(insert(facts).values(name=WRITABLE_FROM, value=oldest))
