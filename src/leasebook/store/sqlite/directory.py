"""The data directory: one server at a time has it, and only its owner can read it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from leasebook.security.file_access import FILE, NoAccess, check_access
from leasebook.security.private_files import TooOpen, check_private
from leasebook.store.errors import BadStore, StoreInUse

STORE: Final = "leasebook.db"
LOG: Final = f"{STORE}-wal"
INDEX: Final = f"{STORE}-shm"
"""Of the log. SQLite recreates it, unless one lies there that may not be opened."""
LOCK: Final = "lock"
MARK: Final = "leasebook.mark"
FILES: Final = (STORE, LOG, INDEX, MARK, "master.key", "credentials.env", LOCK)
"""Files with the books, a secret or the right to write. Only their owner may read them."""


def prepare(directory: Path) -> None:
    """Create the directory if it does not exist. Raises BadStore if it cannot be used, or if others may read it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(directory, FILES)
    except OSError as error:
        raise BadStore(f"The data directory {directory} cannot be used: {error.strerror}.") from None
    except TooOpen as error:
        raise BadStore(str(error)) from None


def take(directory: Path) -> int:
    """Lock the directory for this process until the process ends; returns the lock's descriptor.

    Raises the errors of `prepare`, and StoreInUse if another server has it.
    """
    prepare(directory)
    try:
        check_access(directory / LOCK, FILE)
    except NoAccess as error:
        raise BadStore(str(error)) from None
    try:
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadStore(f"The data directory {directory} cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreInUse(
            f"Another server works on the data directory {directory}. Stop it, or give this one --data of its own."
        ) from None
    return descriptor


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep servers off a directory; raises the errors of `take`."""
    descriptor = take(directory)
    try:
        yield
    finally:
        os.close(descriptor)
