"""How long a shared store is waited for, before whoever waits is told that it does not answer."""

from __future__ import annotations

from typing import Final

import msgspec

LONG_MAX_S: Final = 60.0
"""So long may a question take that reads much, such as the export of a year: it has readers of its own."""
GRACE_S: Final = 1.0
"""So much later than the database itself, the server gives up a statement that is not answered."""
DOUBT_S: Final = 1.5
"""So much longer the database is asked what became of a commit whose answer is lost."""


class Patience(msgspec.Struct, frozen=True):
    """Bounds of waiting, in seconds.

    ``connect_s``: until a host lets us in. ``answer_s``: until a statement of a batch, or of a short read, is done.
    ``away_s``: for a database that cannot be had. ``keepalive_s``: until a silent connection is asked whether its other
    end is still there. ``unacknowledged_s``: until what was sent has arrived. ``lock_wait_s``: for a lock that another
    session holds.
    """

    connect_s: float = 3
    answer_s: float = 7
    away_s: float = 5
    keepalive_s: int = 5
    unacknowledged_s: float = 7
    lock_wait_s: float = 8

    @property
    def silent_s(self) -> float:
        """How long an answer is waited for, until the connection is given up."""
        return self.answer_s + GRACE_S

    @property
    def doubt_s(self) -> float:
        """How long after a commit was sent it is tried to find out what became of it."""
        return self.silent_s + DOUBT_S

    @property
    def in_the_way_ms(self) -> int:
        """How long a lock is waited for where a batch begins: the database says so before it gives up the statement."""
        return int(min(self.lock_wait_s, max(self.answer_s - 1, self.answer_s / 2)) * 1000)
