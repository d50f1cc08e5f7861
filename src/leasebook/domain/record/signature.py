"""Records of signatures: nonces that were used, and calls whose signature was refused."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import HOUR_US, Instant

Requirement = Literal["SignedBody", "Nonce"]
"""The parts that a signature can be required to cover: the body's hash, and a nonce, which makes it valid only once."""
REQUIREMENTS: Final[tuple[Requirement, ...]] = ("SignedBody", "Nonce")


class Nonce(msgspec.Struct, frozen=True):
    """A nonce that was used with an access key.

    ``hour`` is the first full hour after the last instant at which the signature could have been accepted, in
    microseconds since 1970 UTC by the machine's clock. The row may be deleted an hour after it.
    """

    access_key_id: str
    value: str
    hour: Instant


def hour_after(at_us: int) -> Instant:
    """Return the first full hour that is not before an instant."""
    return Instant(-(-at_us // HOUR_US) * HOUR_US)


class RefusedCalls(msgspec.Struct, frozen=True):
    """Refused calls of one minute without a verified caller: their origin, their key, and their number.

    ``address`` and ``access_key_id`` are both "" in the row that counts the calls beyond the bound of rows;
    ``access_key_id`` alone is "" where the call named no key. ``account_id`` is the account of the key, if that key
    exists. ``codes`` are the calls by error code. Times are the machine's.
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
        """Whether it counts the calls beyond the bound of rows a minute."""
        return not self.address and not self.access_key_id
