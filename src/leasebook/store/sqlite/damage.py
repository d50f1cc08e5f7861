"""Damaged database files: the reason why one cannot be opened, and the operator's remedy."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from leasebook.store.errors import BadStore

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_WITHOUT_LOG: Final = 1
"""The header's format version of a database without a log; with a log it is 2."""
_LOG_HEADER: Final = 32
"""Upper bound of an empty SQLite log, in bytes."""
_BEYOND: Final = ("unable to open", "locked", "readonly", "disk i/o", "full")
"""Messages of SQLite that leave it open whether the file itself is sound."""
UNREADABLE: Final = (ValueError, TypeError, LookupError, OverflowError, msgspec.MsgspecError)
"""Errors that reading a row raises if a column holds a value that the store never writes."""
REMEDY: Final = "Nothing was changed. Restore a backup, or see with leasebook check what is damaged"


def check_header(path: Path) -> None:
    """Raise BadStore if a file has no database header, or is shorter than its header says.

    If there is a log, pages may be in the log and not yet in the file.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
        size = path.stat().st_size
    except OSError as error:
        raise BadStore(f"{path} cannot be read: {error.strerror}.") from None
    if not header.startswith(_MAGIC) or len(header) < _HEADER:
        what = "only zeros" if not any(header) else "something else"
        raise BadStore(f"{path} is not a database: where its header belongs there is {what}. {REMEDY}.")
    log = path.resolve().with_name(f"{path.resolve().name}-wal")
    if log.exists() and log.stat().st_size > _LOG_HEADER:
        if header[18] == _WITHOUT_LOG:
            raise BadStore(
                f"{path} was written without a log, as backups are, and {log} is the log of another file, which would "
                "be written into it. Put the backup into an empty directory, with the master key beside it."
            )
        return
    page = int.from_bytes(header[16:18])
    page_size, pages = 1 << 16 if page == 1 else page, int.from_bytes(header[28:32])
    # The header's number of pages is valid only if these two fields agree.
    if header[24:28] == header[92:96] and size < pages * page_size:
        raise BadStore(f"{path} was cut off: it has {size} of {pages * page_size} bytes. {REMEDY}.")


def unusable(path: Path, error: Exception) -> BadStore:
    """Return the BadStore for an error of the driver, or of reading its rows."""
    text = str(error).rstrip(".")
    if isinstance(error, sqlite3.Error) and not any(word in text.lower() for word in _BEYOND):
        return BadStore(f"{path} is not a usable store, it is damaged: {text}. {REMEDY}.")
    if isinstance(error, sqlite3.Error):
        return BadStore(
            f"{path} is not a usable store: {text}. See that no other program holds it, that the disk is sound and has "
            "room, and that this process may write in its directory."
        )
    return BadStore(f"{path} is damaged: a row of it cannot be read ({type(error).__name__}: {text}). {REMEDY}.")
