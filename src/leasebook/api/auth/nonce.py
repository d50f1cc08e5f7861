"""Signatures that are good once: a call whose signature covers a nonce uses it up with what it does."""

from __future__ import annotations

from typing import Final

from leasebook.batch import Sequencer
from leasebook.domain.commands.account.signature import UseNonce
from leasebook.domain.record.signature import REPLAYED_TEXT, Nonce
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal

SEEN_MAX: Final = 10_000


class SeenNonces:
    """A cache of signatures with used nonces, at most ``most``: a replay of one is refused without asking the store."""

    def __init__(self, most: int = SEEN_MAX) -> None:
        self._most = most
        self._seen: dict[str, None] = {}

    def add(self, signature: str) -> None:
        """Add the signature of a used nonce; the oldest one leaves a full cache."""
        if len(self._seen) >= self._most:
            del self._seen[next(iter(self._seen))]
        self._seen[signature] = None

    def has(self, signature: str) -> bool:
        """Whether its nonce is known to be used. Only the store can say that it is not."""
        return signature in self._seen


class CallNonce:
    """The nonce of one call's signature, and whether the call has used it up by now."""

    def __init__(self, nonce: Nonce, signature: str, seen: SeenNonces) -> None:
        self.nonce: Final = nonce
        self._signature = signature
        self._seen = seen
        self.is_spent = False

    def refuse_replay(self) -> None:
        """Raise Refusal where the nonce is known to be used by another call."""
        if not self.is_spent and self._seen.has(self._signature):
            raise Refusal(REPLAYED, REPLAYED_TEXT)

    async def spend(self, sequencer: Sequencer, party: str) -> None:
        """Use it up for a call that changes nothing; raises Refusal where another call did.

        Raises what ``Sequencer.submit`` raises: then it is not used up.
        """
        if self.is_spent:
            return
        try:
            await sequencer.submit(UseNonce(nonce=self.nonce), party=party)
        except Refusal as refusal:
            self.decided(refusal)
            raise
        self.decided(None)

    def decided(self, refusal: Refusal | None) -> None:
        """Take note of the decision on a command that has this nonce, and so uses it up."""
        if refusal is not None and refusal.reason == SIGNED_TOO_OFTEN:
            return
        self.is_spent = refusal is None or refusal.reason != REPLAYED
        self._seen.add(self._signature)
