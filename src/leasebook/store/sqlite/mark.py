"""The high-water mark of the embedded store: the last page that the server has acknowledged, in a small file beside it.

The mark is written after each commit and before its answers, and never synced: the kernel keeps it when the server is
killed. After a power cut it may be older than the store, which is no alarm. It is never newer than the durable pages,
so a store that ends before its mark has lost acknowledged writes: its log is missing or cut, or it was replaced.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import structlog

from leasebook.domain.values.former_name import SEALED
from leasebook.security.private_files import opened_private
from leasebook.store.errors import BadStore
from leasebook.store.rows.epochs import EPOCH_PAGES
from leasebook.store.sqlite.damage import unusable
from leasebook.store.sqlite.directory import MARK, STORE

log = structlog.get_logger()

LOST: Final = f"{MARK}.lost"
POSITION_TEXT: Final = (
    "SELECT coalesce((SELECT max(seq) FROM event_pages), 0), coalesce((SELECT max(seq) FROM audit_pages), 0)"
)
_RECORD: Final = re.compile(SEALED + rb"mark 1\npages ([0-9]{20})\nseal ([0-9a-f]{64})\n")
_PURPOSE: Final = SEALED + b"high-water mark 1\n"
"""Distinguishes a sealed mark from other sealed messages. It is part of every seal, so it never changes."""

Fetch = Callable[[str], Sequence[Sequence[Any]]]


class Seals(Protocol):
    """The keys derived from the master key."""

    def seal(self, message: bytes) -> bytes:
        """Return the seal of a message, 32 bytes."""
        ...

    def was_sealed(self, message: bytes, seal: bytes) -> bool:
        """Whether a seal is the message's, under this master key or a former one."""
        ...


def position(fetch: Fetch) -> tuple[int, int]:
    """Return the numbers of the store's last page of events and its last page of the audit log.

    Every acknowledged batch writes a page of one kind or the other. Numbers only grow, so their sum is the store's
    position.
    """
    ((events, audit),) = fetch(POSITION_TEXT)
    return int(events), int(audit)


def pages_in(connection: sqlite3.Connection, path: Path) -> int:
    """Return a store's position, and close the connection; raises BadStore."""
    try:
        return sum(position(lambda text: connection.execute(text).fetchall()))
    except sqlite3.Error as error:
        raise unusable(path, error) from None
    finally:
        connection.close()


class Marked(NamedTuple):
    """The content of a mark: the position that was acknowledged."""

    path: Path
    pages: int
    seal: bytes

    def shortfall(self, pages: int) -> str | None:
        """Return a sentence without full stop if a store at position ``pages`` lacks acknowledged pages; else None."""
        if self.pages <= pages:
            return None
        return (
            f"{self.path} says that the server acknowledged up to page {self.pages} of its record, and "
            f"{self.path.with_name(STORE)} has {pages}: {_lost(self.pages - pages)}. Its "
            f"log ({STORE}-wal) may be missing or cut, or an older file was put in its place"
        )

    def check(self, pages: int) -> None:
        """Raise BadStore if a store at position ``pages`` lacks acknowledged pages."""
        missing = self.shortfall(pages)
        if missing is not None:
            raise BadStore(
                f"{missing}. Put the right files back, or restore a backup; or accept the loss with: leasebook "
                f"accept-loss --data {self.path.parent}"
            )

    def unproved(self, seals: Seals) -> str | None:
        """Return a sentence without its full stop if the mark lacks the master key's seal; else None."""
        if seals.was_sealed(_PURPOSE + _written(self.pages), self.seal):
            return None
        return f"{self.path} does not have the seal of the store's master key: it was altered, or is another store's"


class Mark:
    """The mark of one data directory. Call ``prove`` before ``move``."""

    def __init__(self, directory: Path) -> None:
        self.path: Final = directory / MARK
        self._seals: Seals | None = None
        self._descriptor: int | None = None
        self._failed = False

    def read(self) -> Marked | None:
        """Return the content of the mark; None: no mark exists. Raises BadStore if it cannot be read or is damaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadStore(f"{self.path} cannot be read: {error.strerror}.") from None
        found = _RECORD.fullmatch(content)
        if found is None:
            raise BadStore(f"{self.path} is damaged. {self._undecided()}")
        return Marked(self.path, int(found[1]), bytes.fromhex(found[2].decode()))

    def prove(self, seals: Seals, pages: int) -> None:
        """Check the mark's seal and the store's position, and move the mark from now on; creates a missing mark.

        Raises BadStore.
        """
        marked = self.read()
        if marked is not None:
            if (wrong := marked.unproved(seals)) is not None:
                raise BadStore(f"{wrong}. {self._undecided()}")
            marked.check(pages)
        self._seals = seals
        try:
            self._descriptor = opened_private(str(self.path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            _write(self._descriptor, seals, pages)
            # Synced once, so that a power cut leaves a complete record, old or new.
            os.fsync(self._descriptor)
            if marked is None:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise BadStore(f"{self.path} cannot be written: {error.strerror}.") from None

    def move(self, pages: int) -> None:
        """Record that ``pages`` are acknowledged; call it only after they are durable. Takes a few microseconds."""
        if self._descriptor is None or self._seals is None:
            return
        try:
            _write(self._descriptor, self._seals, pages)
        except OSError as error:
            # The batch is durable even so. An older mark proves less, and never raises a false alarm.
            if not self._failed:
                log.warning("the high-water mark cannot be moved", file=str(self.path), error=error.strerror)
            self._failed = True
        else:
            self._failed = False

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def set_aside(self) -> Path | None:
        """Move the mark away, so that the next start creates one; returns its new path, or None if there was none."""
        kept = self.path.with_name(LOST)
        try:
            self.path.replace(kept)
            _sync_folder(self.path.parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadStore(f"{self.path} cannot be moved to {kept}: {error.strerror}.") from None
        return kept

    def _undecided(self) -> str:
        return (
            "So nobody can tell whether acknowledged writes are missing: run leasebook check, and then leasebook "
            f"accept-loss --data {self.path.parent}"
        )


def _write(descriptor: int, seals: Seals, pages: int) -> None:
    said = _written(pages)
    seal = seals.seal(_PURPOSE + said).hex().encode()
    # All records have the same length, less than a sector, so a record replaces the former one in one piece.
    os.pwrite(descriptor, SEALED + b"mark 1\npages %b\nseal %b\n" % (said, seal), 0)


def _written(pages: int) -> bytes:
    return b"%020d" % pages


def _lost(pages: int) -> str:
    if pages >= EPOCH_PAGES:
        # The store was opened in between, and numbers jump then, so their difference is no count.
        return "pages of acknowledged writes lost"
    return f"{'1 page' if pages == 1 else f'{pages} pages'} of acknowledged writes lost"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
