"""Housekeeping that batches do beside their commands: deleting rows whose time is over, and noting the use of keys."""

from __future__ import annotations

import time
from typing import Final

from leasebook.batch.key_uses import KeyUses
from leasebook.batch.ports import Transaction
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, NONCE_PAGES
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Mode, wall_us

CLEAR_EVERY_S: Final = 0.5
CLEAR_MAX: Final = 2000
"""At most this many deliveries are deleted every ``CLEAR_EVERY_S``: more than are made in that time."""
PRUNE_EVERY_S: Final = 0.25
PRUNE_MIN: Final = 50
"""Old idempotency records deleted each time, besides two for each new one: so a burst of calls leaves no heap."""
FORGET_EVERY_S: Final = 10.0
FORGET_MIN: Final = 1000
"""The same bound for pages of nonces and for old rows of refused calls, which may stay longer and go less often."""


class Pruner:
    """Decides which batch deletes which kind of old rows."""

    def __init__(self, rules: Rules, uses: KeyUses | None = None, *, mode: Mode = "real") -> None:
        self._rules = rules
        self._mode = mode
        self._uses = uses
        self._pruned_at = self._cleared_at = self._forgot_at = time.monotonic()
        self._remembered = self._used = 0

    async def prune(self, transaction: Transaction, now: Instant, changes: Changes) -> None:
        """Delete rows that are old enough, and write when keys were last used. ``changes`` are those of the batch."""
        if self._uses is not None:
            await self._uses.write(transaction)
        self._remembered += len(changes.inserted.get(IDEMPOTENCY_RECORDS, ()))
        self._used += len(changes.inserted.get(NONCE_PAGES, ()))
        since = time.monotonic()
        if since - self._pruned_at > PRUNE_EVERY_S:
            limit, self._remembered = PRUNE_MIN + 2 * self._remembered, 0
            self._pruned_at = since
            await transaction.prune_tokens(Instant(now - self._rules.token_keep_us), limit)
        if since - self._cleared_at > CLEAR_EVERY_S:
            self._cleared_at = since
            await transaction.clear_deliveries(now, CLEAR_MAX)
        if since - self._forgot_at > FORGET_EVERY_S:
            limit, self._used = FORGET_MIN + 2 * self._used, 0
            self._forgot_at = since
            # Signatures go by the machine's clock, also where leases go by a virtual one. Nonces are kept one hour more
            # for servers whose clock is behind. A clock that was set ahead must not delete used nonces: once it is
            # corrected, the signatures would be valid a second time.
            wall = wall_us() if self._mode == "virtual" else min(wall_us(), now)
            keep_us = self._rules.refused_keep_us
            await transaction.prune_signatures(Instant(wall - HOUR_US), Instant(wall - keep_us), limit)
