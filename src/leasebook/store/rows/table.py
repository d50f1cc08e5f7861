"""Helpers that define tables. Amounts are micro-units, times microseconds since 1970 UTC, both 64-bit integers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.schema import SchemaItem

metadata = MetaData()
views = MetaData()
"""The views, as if they were tables. They are no part of the schema: no copy and no migration has them."""

# SQLite numbers rows by itself only if the key's type is spelled INTEGER.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


def numbered() -> Column[int]:
    """Return a column that numbers rows in the order of writing; pages of lists are cut by it."""
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def table(name: str, *items: SchemaItem, without_rowid: bool = False) -> Table:
    """Return a table; on SQLite, ``without_rowid`` stores its rows in the order of the key."""
    return Table(name, metadata, *items, sqlite_with_rowid=not without_rowid)


def word(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """Return a text column."""
    return Column(name, Text, nullable=null, primary_key=key)


def big(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    """Return a column of 64-bit integers."""
    return Column(name, BigInteger, nullable=null, primary_key=key)


def named(name: str, default: str) -> Column[str]:
    """Return a text column, with the default for older rows."""
    return Column(name, Text, nullable=False, server_default=default)


def count(name: str, default: str = "0") -> Column[int]:
    """Return a column of 64-bit integers, with the default for older rows."""
    return Column(name, BigInteger, nullable=False, server_default=default)


def where(name: str, condition: str, *columns: str) -> Index:
    """Return an index of only those rows for which the condition holds."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
