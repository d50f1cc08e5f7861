"""Signatures that are good once: a call whose signature covers a nonce uses it up with what it does."""

from __future__ import annotations

from typing import Final

import msgspec

from leasebook.batch import Sequencer
from leasebook.domain.commands.account.signature import UseNonce
from leasebook.domain.record.signature import Nonce
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal

SEEN_MAX: Final = 10_000


class SeenNonces:
    """A cache of signatures with used nonces, at most ``most``: a replay of one is refused without asking the store.

    It forgets the older half at a time. Only the store can say that a nonce is not used.
    """

    __slots__ = ("_half", "_newer", "_older")

    def __init__(self, most: int = SEEN_MAX) -> None:
        self._half = most // 2
        self._newer: set[str] = set()
        self._older: set[str] = set()

    def add(self, signature: str) -> None:
        """Add the signature of a used nonce."""
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(signature)

    def __contains__(self, signature: str) -> bool:
        return signature in self._newer or signature in self._older


class CallNonce(msgspec.Struct, gc=False):
    """The nonce of one call's signature, and whether the call has used it up by now."""

    nonce: Nonce
    signature: str
    seen: SeenNonces
    is_spent: bool = False

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
        self.seen.add(self.signature)
