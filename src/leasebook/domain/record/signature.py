"""What is remembered of signatures: nonces that were used, and calls whose signature was refused."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import HOUR_US, Instant

Requirement = Literal["SignedBody", "Nonce"]
"""What a key or a user may be made to sign: the body's hash, and a nonce, by which a signature is good once."""
REQUIREMENTS: Final[tuple[Requirement, ...]] = ("SignedBody", "Nonce")


class Nonce(msgspec.Struct, frozen=True):
    """A nonce that a signature under this key had, used.

    ``hour`` is the first full hour after the last moment at which the signature could have been accepted, in
    microseconds since 1970 UTC by the machine's clock: the row may go an hour after it.
    """

    access_key_id: str
    value: str
    hour: Instant


def hour_after(at_us: int) -> Instant:
    """Return the first full hour that is not before a moment."""
    return Instant(-(-at_us // HOUR_US) * HOUR_US)


class RefusedCalls(msgspec.Struct, frozen=True):
    """Calls of one minute that were refused before anybody knew who called: from where, with which key, how many.

    ``address`` and ``access_key_id`` are "" both in the row that counts what was too much to be told apart, and
    ``access_key_id`` is "" where none was named. ``account_id`` is whose key it is, where there is such a key.
    ``codes`` are the calls by error code. Times are the machine's.
    """

    id: str
    minute: Instant
    address: str
    access_key_id: str
    account_id: str
    calls: int
    codes: dict[str, int]
    first_at: Instant
    last_at: Instant

    @property
    def is_overflow(self) -> bool:
        """Whether it counts what was too much to be told apart."""
        return not self.address and not self.access_key_id
