"""How long a connection may take, and whether a caller sends and receives fast enough.

A listener looks at all connections once a second. So nothing here sets a timer: each answer depends on the time of that
look, and on what has happened since the one before.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """The time limits of a connection in seconds, and the lowest rate of a body in bytes a second."""

    head_s: float
    body_s: float
    body_rate: float
    idle_s: float
    write_s: float


class BodyPace:
    """Whether the body of a request comes fast enough.

    A body begins with ``body_s`` seconds of credit. Each byte pays for ``1 / body_rate`` seconds, and time that passes
    uses the credit up. There is never more than the first credit, so that a fast beginning buys no later silence.
    """

    __slots__ = ("_credit_s", "_limits", "arrived")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.arrived = 0
        """How many bytes came since the last look; the connection adds them."""
        self._credit_s = 0.0

    def begin(self) -> None:
        """Start with a new body."""
        self._credit_s, self.arrived = self._limits.body_s, 0

    def is_too_slow(self, passed_s: float) -> bool:
        """Charge the time since the last look; return whether the credit is used up.

        It is not asked about time in which the server did not read: that time is free.
        """
        limits = self._limits
        self._credit_s = min(limits.body_s, self._credit_s + self.arrived / limits.body_rate - passed_s)
        self.arrived = 0
        return self._credit_s <= 0


class SendPace:
    """Whether the caller receives what was sent to it."""

    __slots__ = ("_since", "unsent")

    def __init__(self) -> None:
        self.unsent = 0
        """How many bytes were waiting to be sent at the last look."""
        self._since = 0.0

    def is_stuck(self, unsent: int, now: float, write_s: float) -> bool:
        """Return whether the same number of bytes has been waiting for ``write_s`` seconds."""
        if unsent != self.unsent:
            self.unsent, self._since = unsent, now
            return False
        return unsent > 0 and now - self._since >= write_s
