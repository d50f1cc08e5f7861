"""Writing rows into a new file, which has its name once it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from leasebook.export.focus.columns import COLUMNS, Column
from leasebook.export.focus.formats import BadMarkError, Form, NoParquetError, Written, check_form, write_rows
from leasebook.export.focus.versions import VERSION
from leasebook.security.private_files import opened_private


class CannotWriteError(Exception):
    """The file cannot be written; the message says why, and what to do."""


class WrongNameError(CannotWriteError):
    """No file of that name could be what was asked for, wherever it is written."""


def form_of(goal: Path) -> Form:
    """Return the format of a file of that name; raises CannotWriteError."""
    if goal.suffix == ".csv":
        return "csv"
    if goal.suffix != ".parquet":
        raise WrongNameError(f"{goal}: the name of the file has to end in .csv or .parquet")
    return "parquet"


def write(
    goal: Path, rows: Iterable[Any], columns: Sequence[Column] = COLUMNS[VERSION], *, bom: bool = False
) -> Written:
    """Write rows into a new file, which has its name once it is complete and on the disk.

    ``bom``: let a CSV begin with the mark by which spreadsheets know UTF-8.

    Raises CannotWriteError where it exists already or cannot be written; then nothing is left of it.
    """
    form = form_of(goal)
    try:
        check_form(form, bom=bom)
    except BadMarkError as error:
        raise WrongNameError(f"{goal}: {error}; leave --bom out") from None
    except NoParquetError as error:
        raise CannotWriteError(f"{error}, or write a .csv") from None
    if goal.exists():
        raise CannotWriteError(f"{goal} exists already; an export never writes over another file")
    part = goal.with_name(f"{goal.name}.part")
    try:
        try:
            with open(part, "wb", opener=opened_private) as file:
                done = write_rows(file, rows, columns, form, bom=bom)
                file.flush()
                os.fsync(file.fileno())
            part.rename(goal)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWriteError(f"{goal} cannot be written: {error.strerror or error}") from None
    return done
