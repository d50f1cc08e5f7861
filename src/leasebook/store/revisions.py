"""The schema that a store has, and the one that this version works with.

This module does not import the migration toolkit: that takes half a second, and mostly there is nothing to migrate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from leasebook.store.errors import BadStore, NewerStore

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs a statement on the store in question, and returns its rows."""

FOLDER: Final = Path(__file__).parent / "migrations" / "versions"
VERSIONS: Final = "alembic_version"
SQLITE_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
POSTGRES_TABLES: Final = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "AND n.nspname = current_schema() WHERE c.relkind IN ('r', 'p')"
)
"""The view pg_tables has the same rows. A new connection takes three times as long to read them there."""


@cache
def known() -> tuple[str, ...]:
    """Return the revisions that this version knows, oldest first, from the names of the migrations' files."""
    return tuple(sorted(file.stem.partition("_")[0] for file in FOLDER.glob("[0-9]*.py")))


def latest() -> str:
    """Return the revision that this version works with."""
    return known()[-1]


def look(ask: Ask, tables: str, name: str) -> str | None:
    """Return a store's revision; None: it is empty. ``tables`` is the query for the names of all tables.

    Raises NewerStore if this version does not know the revision, BadStore if it is no store.
    """
    found = sorted(table for (table,) in ask(tables))
    rows = ask(f"SELECT version_num FROM {VERSIONS}") if VERSIONS in found else []
    if not rows:
        if found:
            raise BadStore(
                f"{name} is the database of another program: it has the table {found[0]!r}, and no version of "
                "leasebook's. Give leasebook one of its own."
            )
        return None
    revision = str(rows[0][0])
    if revision not in known():
        raise NewerStore(
            f"{name} was written by a newer version of leasebook (schema {revision}; this version knows up to "
            f"{latest()}). Run the newer version, or restore a backup made before the upgrade."
        )
    return revision
