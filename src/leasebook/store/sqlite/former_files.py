"""A data directory of a version under the project's former name: the first start renames its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import structlog

from leasebook.domain.values.former_name import FORMER_NAME
from leasebook.store.errors import BadStore
from leasebook.store.sqlite.directory import MARK, STORE, locked

log = structlog.get_logger()

FORMER_STORE: Final = f"{FORMER_NAME}.db"
# The store comes last: if the rename is interrupted, the next start goes on, and the store is never opened without its
# log.
_NAMES: Final = (
    (f"{FORMER_STORE}-wal", f"{STORE}-wal"),
    (f"{FORMER_STORE}-shm", f"{STORE}-shm"),
    (f"{FORMER_NAME}.mark", MARK),
    (FORMER_STORE, STORE),
)


def is_former(directory: Path) -> bool:
    """Whether the directory has a store under the former name, and none under the present one."""
    return os.path.lexists(directory / FORMER_STORE) and not os.path.lexists(directory / STORE)


def rename(directory: Path) -> None:
    """Rename a store's files, and log it; nothing happens if that is done already.

    Raises StoreInUse if a server works on it, and BadStore if the directory cannot be written.
    """
    if not is_former(directory):
        return
    with locked(directory):
        try:
            for before, now in _NAMES:
                if os.path.lexists(directory / before):
                    (directory / before).rename(directory / now)
            descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BadStore(f"{directory / FORMER_STORE} cannot be renamed to {STORE}: {error.strerror}.") from None
    log.warning(
        "the store's files were renamed, as the project was; an older version does not find them any more",
        directory=str(directory),
        before=FORMER_STORE,
        now=STORE,
    )
