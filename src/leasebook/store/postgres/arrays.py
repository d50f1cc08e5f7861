"""Columns as PostgreSQL array literals: one parameter a column, for any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.types import TypeEngine

from leasebook.store.rows.schema import metadata, views

Writer = Callable[[Iterable[Any]], str]


def _numbers(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def _booleans(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else ("t" if value else "f") for value in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _texts(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _bytes(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


# The first match counts: BigInteger and SmallInteger are subclasses of Integer.
_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], str, Writer], ...]] = (
    (BigInteger, "bigint", _numbers),
    (SmallInteger, "smallint", _numbers),
    (Integer, "integer", _numbers),
    (Boolean, "boolean", _booleans),
    (Float, "double precision", _numbers),
    (LargeBinary, "bytea", _bytes),
    (Text, "text", _texts),
)


class Arrays:
    """Some columns of a table, each written as one array."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        kinds = [_kind_of(table, column) for column in columns]
        self.columns = tuple(columns)
        self.unnest = "unnest(" + ", ".join(f"%s::{name}[]" for name, _ in kinds) + ")"
        self._writers = [writer for _, writer in kinds]

    def write(self, rows: Sequence[Sequence[Any]]) -> list[str]:
        """Return the parameters for ``unnest``; each row has all of the columns, in their order."""
        return [writer(values) for writer, values in zip(self._writers, zip(*rows, strict=True), strict=True)]


def _kind_of(table: str, column: str) -> tuple[str, Writer]:
    kind = (views if table in views.tables else metadata).tables[table].columns[column].type
    for known, name, writer in _KINDS:
        if isinstance(kind, known):
            return name, writer
    raise TypeError(f"{table}.{column} is of a kind that has no array")
