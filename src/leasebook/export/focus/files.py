"""Writing rows into a file, as CSV or Parquet. Rows are written as they come; only a few thousand are ever held."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import amount_text
from leasebook.export.csv_table import Table, text_cell
from leasebook.export.focus.columns import COLUMNS, Kind, Row
from leasebook.security.private_files import create_private, opened_private

HELD: Final = 10_000
"""Rows that are put together before they are written: a row group of a Parquet file."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = 38
_EXACT: Final = Context(prec=_DIGITS)


class CannotWriteError(Exception):
    """The file cannot be written; the message says why, and what to do."""


class WrongNameError(CannotWriteError):
    """No file of that name could be what was asked for, wherever it is written."""


class Written(msgspec.Struct):
    """How many rows a file has, and what they come to in micro-units."""

    rows: int = 0
    billed: int = 0
    effective: int = 0


Format = Callable[[Path, Iterable[Row]], None]


def format_of(goal: Path) -> Format:
    """Return how a file of that name is written; raises CannotWriteError."""
    if goal.suffix == ".csv":
        return _write_csv
    if goal.suffix != ".parquet":
        raise WrongNameError(f"{goal}: the name of the file has to end in .csv or .parquet")
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise CannotWriteError(
            "Parquet needs pyarrow, which is not installed: pip install 'leasebook[focus]', or write a .csv"
        ) from None
    return _write_parquet


def write(goal: Path, rows: Iterable[Row], *, bom: bool = False) -> Written:
    """Write rows into a new file, which has its name once it is complete and on the disk.

    ``bom``: let a CSV begin with the mark by which spreadsheets know UTF-8.

    Raises CannotWriteError where it exists already or cannot be written; then nothing is left of it.
    """
    form = format_of(goal)
    if bom:
        if form is not _write_csv:
            raise WrongNameError(f"{goal}: only a CSV has a byte order mark; leave --bom out")
        form = _write_csv_marked
    if goal.exists():
        raise CannotWriteError(f"{goal} exists already; an export never writes over another file")
    part = goal.with_name(f"{goal.name}.part")
    done = Written()
    try:
        try:
            create_private(part)
            form(part, _counted(rows, done))
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(goal)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWriteError(f"{goal} cannot be written: {error.strerror or error}") from None
    return done


def _counted(rows: Iterable[Row], done: Written) -> Iterator[Row]:
    for row in rows:
        done.rows += 1
        done.billed += row.billed_cost
        done.effective += row.effective_cost
        yield row


def _write_csv_marked(part: Path, rows: Iterable[Row]) -> None:
    _write_csv(part, rows, bom=True)


def _write_csv(part: Path, rows: Iterable[Row], *, bom: bool = False) -> None:
    with open(part, "w", encoding="utf-8", newline="", opener=opened_private) as file:
        table = Table(file, bom=bom)
        table.put(column.name for column in COLUMNS)
        cells = [(column.field, _TEXTS[column.kind]) for column in COLUMNS]
        for row in rows:
            values = ((getattr(row, field), text) for field, text in cells)
            table.put("" if value is None else text(value) for value, text in values)


def _moment_text(at: Instant) -> str:
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%SZ}"


def _quantity_text(quantity: Decimal) -> str:
    """Write a quantity with a decimal place, so that a column of whole ones is read as decimal numbers too."""
    whole, _, decimals = f"{quantity:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


_TEXTS: Final[dict[Kind, Callable[[Any], str]]] = {
    "money": amount_text,
    "quantity": _quantity_text,
    "moment": _moment_text,
    "text": text_cell,
}


def _write_parquet(part: Path, rows: Iterable[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "money": pa.decimal128(_DIGITS, 6),
        "quantity": pa.decimal128(_DIGITS, 18),
        "moment": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
    }
    schema = pa.schema([(column.name, types[column.kind]) for column in COLUMNS])
    left = iter(rows)
    with parquet.ParquetWriter(part, schema) as writer:
        while held := list(islice(left, HELD)):
            columns = [[_value(column.kind, getattr(row, column.field)) for row in held] for column in COLUMNS]
            writer.write_batch(
                pa.record_batch(
                    [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
                )
            )


def _value(kind: Kind, value: Any) -> Any:
    return Decimal(value).scaleb(-6, _EXACT) if kind == "money" else value
