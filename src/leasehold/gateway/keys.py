"""Who calls: service keys, looked up once and forgotten the moment they change."""

from __future__ import annotations

from typing import Final

from leasehold.domain.book import SERVICE_KEYS, Changes
from leasehold.domain.service_key import ServiceKey, read_key
from leasehold.facts import Facts
from leasehold.questions import IDENTITY_EPOCH, Reader

KNOWN_MAX: Final = 100_000


class Keys:
    """The keys that were seen, each as the store has it now.

    A commit here that touches a key throws it out before its caller is answered. Where other servers write, every
    call asks the store whether anybody's key has changed (the identity epoch), and looks it up again if so.
    """

    def __init__(self, reader: Reader, facts: Facts, *, alone: bool) -> None:
        self._reader = reader
        self._facts = facts
        self._alone = alone
        self._known: dict[str, ServiceKey] = {}
        self._turn = 0
        self._epoch: str | None = None

    def committed(self, changes: Changes) -> None:
        """Forget the keys that a batch changed."""
        for row in (*changes.updated.get(SERVICE_KEYS, ()), *changes.inserted.get(SERVICE_KEYS, ())):
            self._turn += 1
            self._known.pop(row.id, None)

    async def find(self, text: str) -> ServiceKey | None:
        """Return the active key with that text; None where there is none."""
        given = read_key(text)
        if given is None:
            return None
        key = self._known.get(given.id) if self._alone else await self._current(given.id)
        if key is None:
            key = await self._look_up(given.id)
        return key if key is not None and key.is_that(given.text) else None

    async def holds(self, key: ServiceKey) -> bool:
        """Whether a key that was found is still active."""
        now = self._known.get(key.id) if self._alone else await self._current(key.id)
        if now is None:
            now = await self._look_up(key.id)
        return now is not None and now.status == "Active" and now.digest == key.digest

    async def _current(self, key_id: str) -> ServiceKey | None:
        """Return what is remembered, unless another server has changed a key since."""
        if key_id not in self._known:
            return None
        if (await self._facts.now()).identity_epoch != self._epoch:
            self._turn += 1
            self._known.clear()
        return self._known.get(key_id)

    async def _look_up(self, key_id: str) -> ServiceKey | None:
        turn = self._turn
        epoch, key = await self._reader.read(lambda ask: (ask.fact(IDENTITY_EPOCH), ask.service_key(key_id)))
        if epoch != self._epoch:
            self._known.clear()
            self._epoch = epoch
        # What was read before a change must not be remembered after it.
        if key is not None and turn == self._turn:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key_id] = key
        return key
