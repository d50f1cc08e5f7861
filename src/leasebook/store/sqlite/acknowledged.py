"""What the embedded store may acknowledge: only what is in the right files, and never without moving the mark."""

from __future__ import annotations

import sqlite3

from leasebook.ports.clock import wall_us
from leasebook.store.rows.epochs import first_page
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.mark import Mark, Seals, position


class Acknowledged:
    """How far the store's record goes, as the one writer knows it. A batch's pages count once it is committed."""

    def __init__(self, writer: sqlite3.Connection, mark: Mark, files: FileWatch) -> None:
        self._mark = mark
        self._files = files
        self._events, self._audit = position(lambda text: writer.execute(text).fetchall())
        self._next = (self._events, self._audit)
        self.epoch = first_page(self._events, wall_us())
        """The number from which on pages of events are written since the store was opened."""

    @property
    def pages(self) -> int:
        """How many pages are committed."""
        return self._events + self._audit

    def prove(self, seals: Seals) -> None:
        """See that nothing acknowledged is missing, and move the mark from now on; raises BadStore."""
        self._mark.prove(seals, self.pages)

    def begin(self) -> None:
        """Begin a batch; raises Unavailable where the files are not the store's any more."""
        self._files.before_batch()
        self._next = (self._events, self._audit)

    def events_until(self, page: int) -> None:
        """Take note of the batch's last page of events."""
        self._next = (page, self._next[1])

    def audit_until(self, page: int | None) -> None:
        """Take note of the batch's last page of the audit log; None: it has none."""
        if page is not None:
            self._next = (self._next[0], page)

    def committed(self) -> None:
        """Count the batch, which is durable now. Raises OutcomeUnknown where it may be in files that are gone."""
        self._files.before_answer()
        if self._next != (self._events, self._audit):
            self._events, self._audit = self._next
            self._mark.move(self.pages)
