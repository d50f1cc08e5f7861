"""Queries about costs, from rows in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from leasebook.domain.book.tables import (
    ACCOUNTS,
    COST_GROUPS,
    COST_PERIODS,
    FORMER_TAGS,
    INSTANCES,
    METADATA,
    RESOURCE_TAGS,
    Key,
    Table,
)
from leasebook.domain.costs.folding import Charge, Payment
from leasebook.domain.costs.rows import COSTS_SUMMED, Alike, CostGroup, CostPeriod, Level
from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.costs import PostingEdge, Span
from leasebook.ports.queries.read_repository import ReadRepository


class CostsOfMemory(ReadRepository):
    """The queries about costs; postings are numbered from 1."""

    _all_postings: list[Posting]
    _all_events: list[Any]

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    @contextmanager
    def at_one_instant(self) -> Iterator[None]:
        """Nothing changes meanwhile."""
        yield

    def costs_within(self) -> frozenset[str] | None:
        """Return None: questions of memory are about every project."""
        return None

    def costs_summed(self) -> int:
        """Return the number of the last posting that is part of the sums."""
        row = self._rows(METADATA).get((COSTS_SUMMED,))
        return 0 if row is None else int(row.value)

    def posting_edge(self) -> PostingEdge:
        """Return where the postings end."""
        return PostingEdge(len(self._all_postings), 0, 0)

    def event_edge(self) -> PostingEdge:
        """Return where the pages of events end; one batch is under way at a time, so no number matters."""
        return PostingEdge(len(self._all_events), 0, 0)

    def postings_after(self, number: int, limit: int) -> int | None:
        """Return the number of the last of the next postings."""
        last = min(len(self._all_postings), number + limit)
        return last if last > number else None

    def charges(
        self, span: Span, account_id: str | None = None, since: Instant | None = None, until: Instant | None = None
    ) -> list[Charge]:
        """Return metered use."""
        found: Counter[tuple[str, Instant, Alike]] = Counter()
        for _, posting in self._between(span, account_id):
            early, late = since is not None and posting.at < since, until is not None and posting.at >= until
            if posting.kind == "Usage" and not early and not late:
                amount = -posting.effect_on(wallet(posting.account_id))
                found[posting.account_id, posting.at, self._alike(posting)] += amount
        return [Charge(*key, amount) for key, amount in sorted(found.items())]

    def payments(self, span: Span, account_id: str | None = None) -> list[Payment]:
        """Return payments in advance and refunds."""
        return [
            Payment(seq, posting, self._alike(posting))
            for seq, posting in self._between(span, account_id)
            if posting.kind != "Usage"
        ]

    def payments_of(self, unit_ids: Sequence[str], until: int) -> dict[str, list[Payment]]:
        """Return those of instances."""
        found: dict[str, list[Payment]] = {unit_id: [] for unit_id in unit_ids}
        for payment in self.payments(Span(0, until)):
            if payment.posting.unit_id in found:
                found[payment.posting.unit_id].append(payment)
        return found

    def payments_reaching(self, account_id: str, since: Instant, until: Instant) -> Iterator[list[Payment]]:
        """Yield those of each instance that has some in a span."""
        payments = [one for one in self.payments(Span(0, 2**62), account_id) if one.posting.at < until]
        for unit_id in sorted({one.posting.unit_id or "" for one in payments}):
            own = [one for one in payments if one.posting.unit_id == unit_id]
            if any(one.posting.at >= since or (one.posting.until or 0) > since for one in own):
                yield own

    def cost_groups(self, account_id: str) -> dict[str, CostGroup]:
        """Return an account's groups."""
        rows: list[CostGroup] = list(self._rows(COST_GROUPS).values())
        return {row.id: row for row in rows if row.account_id == account_id}

    def cost_group_ids(self, account_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the ids of groups."""
        return {account_id: set(self.cost_groups(account_id)) for account_id in account_ids}

    def cost_periods(self, account_id: str, level: Level, since: Instant, until: Instant) -> list[CostPeriod]:
        """Return an account's sums."""
        rows: list[CostPeriod] = list(self._rows(COST_PERIODS).values())
        found = [row for row in rows if (row.account_id, row.level) == (account_id, level)]
        return sorted((row for row in found if since <= row.since < until), key=lambda row: row.since)

    def zones_of(self, account_ids: Collection[str]) -> dict[str, str]:
        """Return time zones."""
        accounts = self._rows(ACCOUNTS)
        return {account_id: accounts[account_id,].time_zone for account_id in account_ids}

    def _between(self, span: Span, account_id: str | None) -> list[tuple[int, Posting]]:
        return [
            (seq, posting)
            for seq, posting in enumerate(self._all_postings, 1)
            if span.after < seq <= span.until and posting.unit_id and account_id in (None, posting.account_id)
        ]

    def _alike(self, posting: Posting) -> Alike:
        unit = self._rows(INSTANCES)[posting.unit_id,]
        former = [row for row in self._rows(FORMER_TAGS).values() if row.id == unit.id and row.until >= posting.at]
        now = self._rows(RESOURCE_TAGS).get((unit.id,))
        tags = min(former, key=lambda row: row.until).tags if former else {} if now is None else now.tags
        written = msgspec.json.encode(tags).decode()
        return Alike(posting.kind, unit.region, unit.type, unit.created_by, unit.service_id, None, written)
