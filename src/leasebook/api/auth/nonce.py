"""Signatures that are good once: a call whose signature covers a nonce uses it up with what it does."""

from __future__ import annotations

import msgspec

from leasebook.batch import Sequencer
from leasebook.domain.commands.account.signature import UseNonce
from leasebook.domain.record.nonce import Nonce
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal


class CallNonce(msgspec.Struct, gc=False):
    """The nonce of one call's signature, and whether the call has used it up by now."""

    nonce: Nonce
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
            self.refused(refusal)
            raise
        self.is_spent = True

    def refused(self, refusal: Refusal) -> None:
        """Take note of the refusal of a command that has this nonce: most of them use it up."""
        self.is_spent = refusal.reason not in (REPLAYED, SIGNED_TOO_OFTEN)
