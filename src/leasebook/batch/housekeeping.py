"""What a batch does besides, now and then: forgetting what was kept for a time only, and noting the use of keys."""

from __future__ import annotations

import time
from typing import Final

from leasebook.batch.key_uses import KeyUses
from leasebook.batch.ports import Transaction
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, NONCES
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Mode, wall_us

CLEAR_EVERY_S: Final = 0.5
CLEAR_MAX: Final = 2000
"""So many deliveries are forgotten in so long a time at most: more than are ever made in it."""
PRUNE_EVERY_S: Final = 0.25
PRUNE_MIN: Final = 50
"""Besides these, twice as many old client tokens are forgotten as new ones came: a crowd leaves no heap."""
FORGET_EVERY_S: Final = 10.0
FORGET_MIN: Final = 1000
"""The same of used nonces and of old rows of the log of refused calls, less often: these may stay for longer."""


class Pruner:
    """Decides with which batch what is forgotten."""

    def __init__(self, rules: Rules, uses: KeyUses | None = None, *, mode: Mode = "real") -> None:
        self._rules = rules
        self._mode = mode
        self._uses = uses
        self._pruned_at = self._cleared_at = self._forgot_at = time.monotonic()
        self._remembered = self._used = 0

    async def prune(self, transaction: Transaction, now: Instant, changes: Changes) -> None:
        """Forget what may be forgotten by now, and write when keys were last used."""
        if self._uses is not None:
            await self._uses.write(transaction)
        self._remembered += len(changes.inserted.get(IDEMPOTENCY_RECORDS, ()))
        self._used += len(changes.inserted.get(NONCES, ()))
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
            # Signatures go by the machine's clock, whatever clock leases go by. An hour more, for a server whose clock
            # is behind. One that was set ahead must not have used nonces forgotten: once it is put right, signatures
            # would be good for a second time.
            wall = wall_us() if self._mode == "virtual" else min(wall_us(), now)
            keep_us = self._rules.refused_keep_us
            await transaction.prune_signatures(Instant(wall - HOUR_US), Instant(wall - keep_us), limit)
