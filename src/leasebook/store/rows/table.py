"""What tables are written with. Amounts are micro-units, times microseconds since 1970 UTC, 64-bit on every store."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.schema import SchemaItem

metadata = MetaData()

# SQLite numbers rows by itself only where the key is spelled INTEGER.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


def numbered() -> Column[int]:
    """Number the rows in the order in which they were written: what pages are cut by."""
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def table(name: str, *items: SchemaItem, without_rowid: bool = False) -> Table:
    """Make a table; on SQLite, ``without_rowid`` keeps its rows in the order of the key."""
    return Table(name, metadata, *items, sqlite_with_rowid=not without_rowid)


def word(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """Make a column of text."""
    return Column(name, Text, nullable=null, primary_key=key)


def big(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    """Make a column of 64-bit numbers."""
    return Column(name, BigInteger, nullable=null, primary_key=key)


def named(name: str, default: str) -> Column[str]:
    """Make a column of words that older rows have one of."""
    return Column(name, Text, nullable=False, server_default=default)


def count(name: str, default: str = "0") -> Column[int]:
    """Make a column of numbers that older rows have none of."""
    return Column(name, BigInteger, nullable=False, server_default=default)


def where(name: str, condition: str, *columns: str) -> Index:
    """Index only the rows for which the condition holds."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
