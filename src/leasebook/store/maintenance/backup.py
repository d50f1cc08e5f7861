"""Backups of the embedded store while it is served."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from leasebook.security.private_files import create_private
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.still_copy import copy_whole
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.mark import Mark, position
from leasebook.store.sqlite.there import store_in


def back_up(directory: Path, goal: Path) -> int:
    """Copy the store into one file, as of one instant; returns its size in bytes.

    Servers keep working on it meanwhile. The file is written under another name and renamed when complete. Raises
    BadStore if there is no store, if it lacks acknowledged pages, which the backup would hide, and if the file exists
    already or cannot be written.
    """
    path = store_in(directory)
    if not path.stat().st_size:
        raise BadStore(f"There is no store in {directory}: {path} is empty.")
    # Read before the copy: a server moves the mark only after the pages are in the store, so the copy has them.
    marked = Mark(directory).read()
    if goal.exists():
        raise BadStore(f"{goal} exists already; a backup never writes over another.")
    part = goal.with_name(f"{goal.name}.part")
    source = sqlite.connect(path, read_only=True)
    try:
        # Left by a backup that was killed.
        _clear(part)
        create_private(part)
        copy = sqlite3.connect(part)
        try:
            copy_whole(source, copy)
            if marked is not None:
                marked.check(sum(position(lambda text: copy.execute(text).fetchall())))
            # The copy's header says that it has a log, as the store's does; a single file must have none.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(goal)
    except sqlite3.DatabaseError as error:
        # Damage is in the store; a full or read-only disk is the backup's. SQLite's message tells which.
        raise BadStore(f"{path} cannot be copied to {goal}: {error}") from None
    except OSError as error:
        raise BadStore(f"{goal} cannot be written: {error.strerror or error}") from None
    finally:
        source.close()
        with suppress(OSError):
            _clear(part)
    return goal.stat().st_size


def _clear(part: Path) -> None:
    """Remove an unfinished backup, and SQLite's files beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        part.with_name(f"{part.name}{ending}").unlink(missing_ok=True)
