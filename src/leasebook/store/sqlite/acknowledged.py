"""The rules by which the embedded store acknowledges: only batches in the right files, and with the mark moved."""

from __future__ import annotations

import sqlite3

from leasebook.ports.clock import wall_us
from leasebook.store.rows.epochs import first_page
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.mark import Mark, Seals, position


class Acknowledged:
    """The last pages in the embedded store, as its single writer knows them. A batch's pages count after its commit."""

    def __init__(self, writer: sqlite3.Connection, mark: Mark, files: FileWatch) -> None:
        self._mark = mark
        self._files = files
        self._events, self._audit = position(lambda text: writer.execute(text).fetchall())
        self._next = (self._events, self._audit)
        self.epoch = first_page(self._events, wall_us())
        """The number of the first page of events written since the store was opened."""

    @property
    def pages(self) -> int:
        """The number of committed pages."""
        return self._events + self._audit

    def prove(self, seals: Seals) -> None:
        """Check that no acknowledged page is missing, and move the mark from now on; raises BadStore."""
        self._mark.prove(seals, self.pages)

    def begin(self) -> None:
        """Begin a batch; raises Unavailable if the files are no longer the store's."""
        self._files.before_batch()
        self._next = (self._events, self._audit)

    def events_until(self, page: int) -> None:
        """Record the batch's last page of events."""
        self._next = (page, self._next[1])

    def audit_until(self, page: int | None) -> None:
        """Record the batch's last page of the audit log; None: it has none."""
        if page is not None:
            self._next = (self._next[0], page)

    def committed(self) -> None:
        """Count the batch, which is durable now. Raises OutcomeUnknown if it may be in files that were replaced."""
        self._files.before_answer()
        if self._next != (self._events, self._audit):
            self._events, self._audit = self._next
            self._mark.move(self.pages)
