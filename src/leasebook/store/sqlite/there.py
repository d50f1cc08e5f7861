"""The embedded store that a command works on: it exists, is a file, and this process may use it."""

from __future__ import annotations

from pathlib import Path

from leasebook.security.file_access import DIRECTORY, FILE, LOOK, READ, NoAccess, check_access
from leasebook.store.errors import BadStore
from leasebook.store.sqlite.directory import INDEX, LOG, MARK, STORE
from leasebook.store.sqlite.former_files import FORMER_STORE, is_former


def store_in(directory: Path, *, writing: bool = False) -> Path:
    """Return the file of the store in a directory; raises BadStore if there is none, or its files may not be opened.

    The file is not opened: opening a named pipe in its place would wait for ever.
    """
    path = directory / STORE
    try:
        check_access(directory, DIRECTORY if writing else LOOK)
        # Of a log that cannot be opened SQLite says only that it cannot open the store.
        for name in (STORE, LOG, INDEX, MARK):
            check_access(directory / name, FILE if writing else READ)
    except NoAccess as error:
        raise BadStore(str(error)) from None
    if is_former(directory):
        raise BadStore(
            f"{directory / FORMER_STORE} has the name from before this project was renamed. Serve or migrate the store "
            f"once: that renames it to {STORE}."
        )
    if not path.exists():
        raise BadStore(f"There is no store in {directory}: {path} does not exist.")
    return path
