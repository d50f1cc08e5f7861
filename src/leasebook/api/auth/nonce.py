"""Signatures that are good once: a call whose signature covers a nonce uses it up with what it does."""

from __future__ import annotations

from typing import Any, Final

from leasebook.batch import AuditContext, Sequencer
from leasebook.domain.commands.account.signature import UseNonce
from leasebook.domain.commands.command import REPLAYED_TEXT, Command
from leasebook.domain.record.signature import Nonce
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal

SEEN_MAX: Final = 10_000


class SeenNonces:
    """A cache of used nonces, at most ``most`` of them: a replay of one is refused without asking the store."""

    def __init__(self, most: int = SEEN_MAX) -> None:
        self._most = most
        self._seen: dict[tuple[str, str, int], None] = {}

    def add(self, nonce: Nonce) -> None:
        """Add a nonce; the oldest one leaves a full cache."""
        if len(self._seen) >= self._most:
            del self._seen[next(iter(self._seen))]
        self._seen[nonce.access_key_id, nonce.value, nonce.until] = None

    def has(self, nonce: Nonce) -> bool:
        """Whether it is known to be used. Only the store can say that it is not."""
        return (nonce.access_key_id, nonce.value, nonce.until) in self._seen


class CallNonce:
    """The nonce of one call's signature, and whether the call has used it up by now."""

    def __init__(self, nonce: Nonce, seen: SeenNonces) -> None:
        self.nonce: Final = nonce
        self._seen = seen
        self.is_spent = False

    def refuse_replay(self) -> None:
        """Raise Refusal where the nonce is known to be used by another call."""
        if not self.is_spent and self._seen.has(self.nonce):
            raise Refusal(REPLAYED, REPLAYED_TEXT)

    async def spend(self, sequencer: Sequencer, party: str) -> None:
        """Use it up for a call that changes nothing; raises Refusal where another call did.

        Raises what ``Sequencer.submit`` raises: then it is not used up.
        """
        if not self.is_spent:
            await self.submit(sequencer, UseNonce(nonce=self.nonce), None, None, party=party)

    async def submit(
        self,
        sequencer: Sequencer,
        command: Command,
        epoch: str | None,
        note: AuditContext | None,
        *,
        party: str | None = None,
    ) -> Any:
        """Have a command decided that has this nonce, and so uses it up."""
        try:
            answer = await sequencer.submit(command, epoch, note, party=party)
        except Refusal as refusal:
            if refusal.reason != SIGNED_TOO_OFTEN:
                self._used(by_this_call=refusal.reason != REPLAYED)
            raise
        self._used(by_this_call=True)
        return answer

    def _used(self, *, by_this_call: bool) -> None:
        self.is_spent = by_this_call
        self._seen.add(self.nonce)
