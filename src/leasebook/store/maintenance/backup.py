"""Backups of the embedded store while it is served."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from leasebook.ports.progress import Progress, unseen
from leasebook.security.private_files import create_private
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.still_copy import copy_whole
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.mark import Mark, position
from leasebook.store.sqlite.there import store_in

LOOK_EVERY_S: Final = 0.5
"""Seconds between two looks at the copy's size."""


def back_up(directory: Path, goal: Path, progress: Progress = unseen) -> int:
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
            with _watched(part, path.stat().st_size, progress):
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


@contextmanager
def _watched(part: Path, total: int, progress: Progress) -> Iterator[None]:
    """Report how large the copy is. SQLite copies in one piece, so a thread looks meanwhile."""
    if progress is unseen:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while True:
            is_last = ended.wait(LOOK_EVERY_S)
            # The log may add pages to the store's file.
            done = part.stat().st_size
            progress("bytes", done, max(done, total))
            if is_last:
                return

    thread = threading.Thread(target=watch, name="progress of a backup")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _clear(part: Path) -> None:
    """Remove an unfinished backup, and SQLite's files beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        part.with_name(f"{part.name}{ending}").unlink(missing_ok=True)
