"""Data directories of the kit: one is founded for each kind of service, and each test gets a copy.

They are in memory where the machine has a folder there, else in the folder for temporary files.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders in it are made with mkdtemp
_LOCK: Final = threading.Lock()


class Founded(NamedTuple):
    """A founded store that no server has open, and the account of the tests in it."""

    folder: Path
    account_id: str
    access_key: str
    secret_key: str


_FOUNDED: Final[dict[Hashable, Founded]] = {}


@cache
def _base() -> Path:
    place = MEMORY if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="leasebook-testing-", dir=place))
    # A process that was forked from this one must not remove what this one still needs.
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    """Return a new folder for a data directory; it is removed when this process ends, if not before."""
    return Path(tempfile.mkdtemp(dir=_base()))


def founded(kind: Hashable, found: Callable[[Path], Founded]) -> Founded:
    """Return the founded store of a kind of service; ``found`` makes it in a folder if this process has none yet."""
    with _LOCK:
        if kind not in _FOUNDED:
            _FOUNDED[kind] = found(new_folder())
        return _FOUNDED[kind]


def copied(store: Founded) -> Path:
    """Copy a founded store; returns the new data directory."""
    folder = new_folder()
    shutil.copytree(store.folder, folder, dirs_exist_ok=True)
    return folder
