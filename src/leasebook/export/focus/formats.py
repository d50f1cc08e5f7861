"""Writing rows into an open file, as CSV or Parquet. They are written as they come; a few thousand are ever held."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO, Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import amount_text
from leasebook.export.csv_table import Table, text_cell, written_cell
from leasebook.export.focus.columns import Column, Kind

Form = Literal["csv", "parquet"]
"""A file format."""
HELD: Final = 10_000
"""Rows of a Parquet file that are put together before they are written: a row group."""
TURNED: Final = 1000
"""Rows whose columns are turned into arrays at a time. Nothing else in the process runs while one is."""
KEPT: Final = 1000
"""Different cells of each kind whose texts are kept."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = 38
_EXACT: Final = Context(prec=_DIGITS)


class NoParquetError(Exception):
    """The library for Parquet is not installed; the message says how to install it."""


class BadMarkError(Exception):
    """A byte order mark was asked for in a format that has none."""


class Written(msgspec.Struct):
    """How many rows a file has, and what they come to in micro-units; 0 where rows have no cost of that kind."""

    rows: int = 0
    billed: int = 0
    effective: int = 0


def check_form(form: Form, *, bom: bool = False) -> None:
    """Raise NoParquetError or BadMarkError where a file of this format cannot be written."""
    if form == "csv":
        return
    if bom:
        raise BadMarkError("only a CSV has a byte order mark")
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise NoParquetError("Parquet needs pyarrow, which is not installed: pip install 'leasebook[focus]'") from None


def write_rows(
    file: BinaryIO, rows: Iterable[Any], columns: Sequence[Column], form: Form, *, bom: bool = False
) -> Written:
    """Write rows into a file that is open for writing bytes, from its beginning to its end; it stays open.

    ``bom``: begin a CSV with the mark by which spreadsheets know UTF-8. Raises what ``check_form`` raises, before
    anything is written, and what the file raises.
    """
    check_form(form, bom=bom)
    done = Written()
    if form == "csv":
        _write_csv(file, _counted(rows, done), columns, bom=bom)
    else:
        _write_parquet(file, _counted(rows, done), columns)
    return done


def _counted(rows: Iterable[Any], done: Written) -> Iterator[Any]:
    for row in rows:
        done.rows += 1
        done.billed += getattr(row, "billed_cost", 0)
        done.effective += getattr(row, "effective_cost", 0)
        yield row


def _write_csv(goal: BinaryIO, rows: Iterable[Any], columns: Sequence[Column], *, bom: bool) -> None:
    file = io.TextIOWrapper(goal, encoding="utf-8", newline="")
    try:
        Table(file, bom=bom).put(column.name for column in columns)
        fields, texts = attrgetter(*(column.field for column in columns)), [_TEXTS[column.kind] for column in columns]
        for row in rows:
            # A table's writer would search each cell for characters to quote, also those whose texts are kept.
            cells = ["" if value is None else text(value) for text, value in zip(texts, fields(row), strict=True)]
            file.write(",".join(cells) + "\n")
    finally:
        file.detach()


def _moment_text(at: Instant) -> str:
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%SZ}"


def _quantity_text(quantity: Decimal) -> str:
    """Write a quantity with a decimal place, so that a column of whole ones is read as decimal numbers too."""
    whole, _, decimals = f"{quantity:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


def _text_text(text: str) -> str:
    return written_cell(text_cell(text))


# Most cells of a row are those of the row before, and a text takes ten times as long to write as to look up.
_TEXTS: Final[dict[Kind, Callable[[Any], str]]] = {
    "money": lru_cache(KEPT)(amount_text),
    "quantity": _quantity_text,
    "moment": lru_cache(KEPT)(_moment_text),
    "text": lru_cache(KEPT)(_text_text),
}


def _write_parquet(file: BinaryIO, rows: Iterable[Any], columns: Sequence[Column]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "money": pa.decimal128(_DIGITS, 6),
        "quantity": pa.decimal128(_DIGITS, 18),
        "moment": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
    }
    schema = pa.schema([(column.name, types[column.kind]) for column in columns])
    left = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        group = []
        while held := list(islice(left, TURNED)):
            values = ([_value(column.kind, getattr(row, column.field)) for row in held] for column in columns)
            arrays = [pa.array(some, field.type) for some, field in zip(values, schema, strict=True)]
            group.append(pa.record_batch(arrays, schema=schema))
            if len(group) * TURNED == HELD:
                writer.write_table(pa.Table.from_batches(group))
                group.clear()
        if group:
            writer.write_table(pa.Table.from_batches(group))


def _value(kind: Kind, value: Any) -> Any:
    return Decimal(value).scaleb(-6, _EXACT) if kind == "money" else value
