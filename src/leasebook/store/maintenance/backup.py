"""Backing up the embedded store while it is served."""

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
    """Copy the store into one file, as it is at one moment; returns its size in bytes.

    Servers go on working on it meanwhile. The file is complete once it has its name: it is written under
    another one first. Raises BadStore where there is no store, or it lacks what was acknowledged, so that a backup
    would seem to have it; and where the file exists already or cannot be written.
    """
    path = store_in(directory)
    if not path.stat().st_size:
        raise BadStore(f"There is no store in {directory}: {path} is empty.")
    # Before the copy is made: a server moves it on only after what it stands for is in the store.
    marked = Mark(directory).read()
    if goal.exists():
        raise BadStore(f"{goal} exists already; a backup never writes over another.")
    part = goal.with_name(f"{goal.name}.part")
    source = sqlite.connect(path, read_only=True)
    try:
        # Of one that was killed.
        _clear(part)
        create_private(part)
        copy = sqlite3.connect(part)
        try:
            copy_whole(source, copy)
            if marked is not None:
                marked.check(sum(position(lambda text: copy.execute(text).fetchall())))
            # The copy is of a store that has a log, and says so.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(goal)
    except sqlite3.DatabaseError as error:
        # What is damaged is the store, and what is full or read-only is the backup's disk: SQLite says which.
        raise BadStore(f"{path} cannot be copied to {goal}: {error}") from None
    except OSError as error:
        raise BadStore(f"{goal} cannot be written: {error.strerror or error}") from None
    finally:
        source.close()
        with suppress(OSError):
            _clear(part)
    return goal.stat().st_size


def _clear(part: Path) -> None:
    """Remove what a backup has not finished, and whatever SQLite has made beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        part.with_name(f"{part.name}{ending}").unlink(missing_ok=True)
