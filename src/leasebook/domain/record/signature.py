"""Records of signatures: what they can be required to cover, and calls whose signature was refused."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant

Requirement = Literal["SignedBody", "Nonce"]
"""The parts that a signature can be required to cover: the body's hash, and a nonce, which makes it valid only once."""
REQUIREMENTS: Final[tuple[Requirement, ...]] = ("SignedBody", "Nonce")


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
