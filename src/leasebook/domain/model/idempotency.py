"""Client tokens: the same request twice has one effect and one answer (decision 10)."""

from __future__ import annotations

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import TOKEN_MISMATCH, Refusal


class IdempotencyKey(msgspec.Struct, frozen=True):
    """What a request that carries a client token is recognised by: the token and a digest of the rest."""

    account_id: str
    value: str
    digest: str


class IdempotencyRecord(msgspec.Struct, frozen=True):
    """The first decided answer to a token. ``answer`` is the result, or the refusal, as JSON."""

    account_id: str
    value: str
    digest: str
    refused: bool
    answer: bytes
    created_at: Instant

    def check(self, token: IdempotencyKey) -> None:
        """Raise Refusal where the token came with other parameters the first time."""
        if token.digest != self.digest:
            raise Refusal(
                TOKEN_MISMATCH,
                f"The client token {token.value!r} was used with other parameters before. "
                "Send the same parameters again, or a new token for a new request.",
                field="clientToken",
            )
