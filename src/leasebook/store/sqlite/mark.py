"""The high-water mark of the embedded store: how far the server has acknowledged, kept in a small file beside it.

The mark is written after each commit and before its answers, and never synced: the kernel keeps it when the server is
killed. After a power cut it may be older than the store, which is no alarm. It is never newer than what was durable,
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
"""What distinguishes a sealed mark from other sealed messages; part of every seal, so it never changes."""

Fetch = Callable[[str], Sequence[Sequence[Any]]]


class Seals(Protocol):
    """The keys that are derived from the master key."""

    def seal(self, message: bytes) -> bytes:
        """Return the seal of a message, 32 bytes."""
        ...

    def was_sealed(self, message: bytes, seal: bytes) -> bool:
        """Whether that is the message's seal under this master key or any before it."""
        ...


def position(fetch: Fetch) -> tuple[int, int]:
    """Return the numbers of the store's last page of events and its last page of the audit log.

    Every acknowledged batch writes a page of one kind or the other. Numbers only grow, so their sum tells how far a
    store has come.
    """
    ((events, audit),) = fetch(POSITION_TEXT)
    return int(events), int(audit)


def pages_in(connection: sqlite3.Connection, path: Path) -> int:
    """Return how many pages a store has, and close the connection; raises BadStore."""
    try:
        return sum(position(lambda text: connection.execute(text).fetchall()))
    except sqlite3.Error as error:
        raise unusable(path, error) from None
    finally:
        connection.close()


class Marked(NamedTuple):
    """What a mark says: how many pages were acknowledged."""

    path: Path
    pages: int
    seal: bytes

    def shortfall(self, pages: int) -> str | None:
        """Return a sentence without its full stop where the store, with so many pages, lacks acknowledged ones."""
        if self.pages <= pages:
            return None
        return (
            f"{self.path} says that the server acknowledged up to page {self.pages} of its record, and "
            f"{self.path.with_name(STORE)} has {pages}: {_lost(self.pages - pages)}. Its "
            f"log ({STORE}-wal) may be missing or cut, or an older file was put in its place"
        )

    def check(self, pages: int) -> None:
        """Raise BadStore where the store, with so many pages, lacks acknowledged ones."""
        missing = self.shortfall(pages)
        if missing is not None:
            raise BadStore(
                f"{missing}. Put the right files back, or restore a backup; or accept the loss with: leasebook "
                f"accept-loss --data {self.path.parent}"
            )

    def unproved(self, seals: Seals) -> str | None:
        """Return a sentence without its full stop where the mark does not have the master key's seal."""
        if seals.was_sealed(_PURPOSE + _written(self.pages), self.seal):
            return None
        return f"{self.path} does not have the seal of the store's master key: it was altered, or is another store's"


class Mark:
    """The mark of one data directory. ``prove`` it before it is moved."""

    def __init__(self, directory: Path) -> None:
        self.path: Final = directory / MARK
        self._seals: Seals | None = None
        self._descriptor: int | None = None
        self._failed = False

    def read(self) -> Marked | None:
        """Return what the mark says; None: there is none. Raises BadStore where it cannot be read or is damaged."""
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
        """See that the mark is sealed and the store reaches it, and move it from now on; makes it where there is none.

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
            # Once, so that a power cut leaves a whole record, whatever it says.
            os.fsync(self._descriptor)
            if marked is None:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise BadStore(f"{self.path} cannot be written: {error.strerror}.") from None

    def move(self, pages: int) -> None:
        """Say that so many pages are acknowledged; call it only once they are durable. Takes a few microseconds."""
        if self._descriptor is None or self._seals is None:
            return
        try:
            _write(self._descriptor, self._seals, pages)
        except OSError as error:
            # The batch is durable all the same. An older mark proves less, and never raises an alarm.
            if not self._failed:
                log.warning("the high-water mark cannot be moved", file=str(self.path), error=error.strerror)
            self._failed = True
        else:
            self._failed = False

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def set_aside(self) -> Path | None:
        """Take the mark away, so that the next start makes one; returns where it is kept, None: there was none."""
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
    # All records are equally long, and one is less than a sector: it replaces the last one whole.
    os.pwrite(descriptor, SEALED + b"mark 1\npages %b\nseal %b\n" % (said, seal), 0)


def _written(pages: int) -> bytes:
    return b"%020d" % pages


def _lost(pages: int) -> str:
    if pages >= EPOCH_PAGES:
        # The store was opened in between, and numbers begin anew with that.
        return "pages of acknowledged writes lost"
    return f"{'1 page' if pages == 1 else f'{pages} pages'} of acknowledged writes lost"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
