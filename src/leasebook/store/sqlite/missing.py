"""Creating a store only where none was: a directory that held a store does not silently get an empty one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from leasebook.security.file_access import DIRECTORY, FILE, NoAccess, check_access
from leasebook.security.private_files import create_private
from leasebook.store.errors import BadStore
from leasebook.store.sqlite.directory import INDEX, LOCK, LOG, MARK, STORE, prepare
from leasebook.store.sqlite.former_files import rename

KEY: Final = "master.key"
CREDENTIALS: Final = "credentials.env"
LEFT: Final = (KEY, f"{KEY}.next", f"{KEY}.before", CREDENTIALS, LOCK, MARK, LOG, INDEX, "replicas")
"""Files of a server's directory besides the store."""
AFTER_FOUNDING: Final = (KEY, CREDENTIALS, MARK)
"""Files created after the store's file has its tables. Beside an empty file they show that the file was emptied."""


def make_ready(directory: Path, *, new: bool = False) -> None:
    """Prepare a data directory for the embedded store, with an empty file if a new store is to be created.

    Raises BadStore if the directory or a file in it cannot be used; if a store was there and its file is gone or empty,
    unless ``new``; and if ``new`` is given and a store is there.
    """
    try:
        check_access(directory, DIRECTORY)
        rename(directory)
        prepare(directory)
        for name in (STORE, LOG, INDEX, LOCK, MARK):
            check_access(directory / name, FILE)
    except NoAccess as error:
        raise BadStore(str(error)) from None
    path = directory / STORE
    if path.exists() and path.stat().st_size:
        if new:
            raise BadStore(
                f"--new founds a store where there is none, and {path} is one. Leave --new out to serve it, or give "
                "another --data."
            )
        return
    if path.is_symlink() and not path.exists():
        raise BadStore(
            f"{path} is a link to {path.readlink()}, which is not there. Mount or put back what it leads to."
        )
    _refuse_lost(directory, path, new=new)
    try:
        create_private(path)
    except OSError as error:
        raise BadStore(f"{path} cannot be made: {error.strerror}.") from None


def check_log(directory: Path) -> None:
    """Raise BadStore if a store's log is there without the store's file: SQLite would delete the log."""
    path, log = directory / STORE, directory / LOG
    if (path.exists() and path.stat().st_size) or not log.exists() or not log.stat().st_size:
        return
    raise BadStore(
        f"{log} is the log of a store whose file, {path}, is {_absence(path)}. It may hold the newest writes, and a "
        "new store would delete it: move it elsewhere, and keep it, before a store is made here."
    )


def _refuse_lost(directory: Path, path: Path, *, new: bool) -> None:
    """Raise BadStore if a store was there: its file is gone or empty, and other files of it are left."""
    # The store's file is created first: it is empty if the creation of a store was interrupted.
    names = AFTER_FOUNDING if path.exists() else LEFT
    left = [name for name in names if os.path.lexists(directory / name)]
    if left and not new:
        raise BadStore(
            f"There is {_listed(left)} in {directory}, and the store that belongs to it, {path}, is {_absence(path)}. "
            f"Mount or put back what is missing, restore a backup into an empty directory, or name the database with "
            "--store if that is where the store is. To found a new, empty store here, run: leasebook serve --new"
        )
    check_log(directory)


def _absence(path: Path) -> str:
    return "empty" if path.exists() else "missing"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
