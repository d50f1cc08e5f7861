"""Bounds of waiting for a shared store; after them a caller gets the answer that it does not respond."""

from __future__ import annotations

from typing import Final

import msgspec

LONG_MAX_S: Final = 60.0
"""Upper bound of a long read, such as the export of a year, in seconds. Long reads have their own readers."""
GRACE_S: Final = 1.0
"""Seconds after the database's own timeout until the server gives up a statement without an answer."""
DOUBT_S: Final = 1.5
"""Further seconds for asking the database about a commit whose answer is lost."""


class Patience(msgspec.Struct, frozen=True):
    """Bounds of waiting, in seconds.

    ``connect_s``: until a host accepts a connection. ``answer_s``: until a statement of a batch, or of a short read, is
    done. ``away_s``: for a database that cannot be reached. ``keepalive_s``: until a silent connection is probed.
    ``unacknowledged_s``: until sent data is acknowledged. ``lock_wait_s``: for a lock of another session.
    """

    connect_s: float = 3
    answer_s: float = 7
    away_s: float = 5
    keepalive_s: int = 5
    unacknowledged_s: float = 7
    lock_wait_s: float = 8

    @property
    def silent_s(self) -> float:
        """Seconds to wait for an answer before the connection is closed."""
        return self.answer_s + GRACE_S

    @property
    def doubt_s(self) -> float:
        """Seconds after a commit was sent in which its outcome is asked for."""
        return self.silent_s + DOUBT_S

    @property
    def in_the_way_ms(self) -> int:
        """Milliseconds to wait for a lock at a batch's start: below the statement timeout, so errors name the lock."""
        return int(min(self.lock_wait_s, max(self.answer_s - 1, self.answer_s / 2)) * 1000)
