"""Client tokens: the same request twice has one effect and one answer (decision 10)."""

from __future__ import annotations

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import TOKEN_MISMATCH, Refusal


class IdempotencyKey(msgspec.Struct, frozen=True):
    """The token that a request carries, and a digest of its other parameters.

    Both identify a repetition of the request. The token of a user with policies for projects is in ``value`` after the
    user's id and a space, which no client token has: it is no other user's.
    """

    account_id: str
    value: str
    digest: str


class IdempotencyRecord(msgspec.Struct, frozen=True):
    """The first decided answer to a request with a client token. ``answer`` is the result or the refusal, as JSON.

    It is kept for some time from ``created_at`` on: when it was decided or, for a purchase that waits for an approval,
    when its request lapses. An approval puts the result of the purchase in the place of the refusal.
    """

    account_id: str
    value: str
    digest: str
    refused: bool
    answer: bytes
    created_at: Instant

    def check(self, token: IdempotencyKey) -> None:
        """Raise Refusal (TOKEN_MISMATCH) if the token was first used with other parameters."""
        if token.digest != self.digest:
            raise Refusal(
                TOKEN_MISMATCH,
                f"The client token {token.value.rpartition(' ')[2]!r} was used with other parameters before. "
                "Send the same parameters again, or a new token for a new request.",
                field="clientToken",
            )
