"""When access keys were last used: kept in memory, and written with batches that are committed anyway."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from leasebook.domain.values.calendar import Instant

EVERY_S: Final = 300.0
"""Lower bound on the time between two writes of one key's use."""
LOOK_EVERY_S: Final = 1.0
"""Lower bound on the time between two looks for uses that are to be written."""
TAKEN_MAX: Final = 500
"""Upper bound on uses that one batch writes."""
KNOWN_MAX: Final = 100_000
"""Upper bound on keys in memory. One more, and all are forgotten."""

Use = tuple[str, Instant]
"""An access key, and when it signed a request."""


class Writes(Protocol):
    """A batch's transaction."""

    async def note_uses(self, uses: Sequence[Use]) -> None:
        """Write when keys were last used. Rows that another session has locked are skipped and not waited for."""


class KeyUses:
    """Remembers when each key signed last. A server that dies loses the uses of five minutes at most."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: dict[str, Instant] = {}
        self._new: dict[str, None] = {}
        """Keys whose use was never written; the values mean nothing, and the order is that of their first use."""
        self._unwritten: dict[str, None] = {}
        self._written_at: dict[str, float] = {}
        self._looked_at = float("-inf")

    def used(self, access_key_id: str, at: Instant) -> None:
        """Record that a key signed a request."""
        if len(self._last) >= KNOWN_MAX and access_key_id not in self._last:
            self._last.clear()
            self._new.clear()
            self._unwritten.clear()
            self._written_at.clear()
        self._last[access_key_id] = at
        if access_key_id in self._written_at:
            self._unwritten[access_key_id] = None
        else:
            self._new[access_key_id] = None

    def last(self, access_key_id: str) -> Instant | None:
        """Return when a key last signed a request here; None: it did not, or it is forgotten."""
        return self._last.get(access_key_id)

    async def write(self, transaction: Writes) -> None:
        """Write the uses whose last write is long enough ago."""
        uses = self._take()
        if uses:
            await transaction.note_uses(uses)

    def _take(self) -> list[Use]:
        now = self._monotonic()
        due = list(self._new)
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            due += [key for key in self._unwritten if now - self._written_at[key] >= EVERY_S]
        taken = sorted(due[:TAKEN_MAX])
        for key in taken:
            self._new.pop(key, None)
            self._unwritten.pop(key, None)
            self._written_at[key] = now
        return [(key, self._last[key]) for key in taken]
