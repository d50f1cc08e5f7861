"""Answers of the store of dictionaries about postings in a stretch of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import SETTLEMENTS, Order, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.costs import MonthMoney
from leasebook.ports.queries.read_repository import HistoryFilter, Numbered, Place, ReadRepository
from leasebook.ports.queries.spending import Spender, Spent


class BillQuestions(ReadRepository):
    """Questions about stretches of time, asked of all postings there are."""

    _all_postings: list[Posting]

    def _postings(self, wanted: HistoryFilter) -> list[Numbered]:
        return [
            Numbered(seq, row) for seq, row in enumerate(self._all_postings, start=1) if matches(wanted, row, row.at)
        ]

    def postings(self, wanted: HistoryFilter, *, after: Place | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        found = sorted(self._postings(wanted), key=lambda one: (one.row.at, one.seq), reverse=True)
        return [one for one in found if after is None or (one.row.at, one.seq) < after][:limit]

    def balance_at(self, account_id: str, until: Instant) -> int:
        """Sum up an account's postings before a moment."""
        found = self._postings(HistoryFilter(account_id=account_id, until=until))
        return sum(one.row.effect_on(wallet(account_id)) for one in found)

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Sum up what was paid in, and what was charged less refunds."""
        rows = [one.row for one in self._postings(HistoryFilter(account_id=account_id, since=since, until=until))]
        paid_in = sum(row.amount for row in rows if row.kind == "TopUp")
        return paid_in, -sum(
            row.effect_on(wallet(account_id)) for row in rows if row.kind not in {"TopUp", *SETTLEMENTS}
        )

    def charged_in_month(self, account: Account, since: Instant, until: Instant) -> int:
        """Sum up what was charged less refunds."""
        return self.turnover(account.id, since, until)[1]

    def month_money(self, account: Account, since: Instant, until: Instant) -> MonthMoney:
        """Sum up what there was before, and what came and went."""
        return MonthMoney(self.balance_at(account.id, since), *self.turnover(account.id, since, until))

    def settled(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Sum up what was paid out and written off at the end of an account."""
        rows = [one.row for one in self._postings(HistoryFilter(account_id=account_id, since=since, until=until))]
        paid_out, written_off = (sum(row.amount for row in rows if row.kind == kind) for kind in ("PayOut", "WriteOff"))
        return paid_out, written_off

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances that have postings in a stretch of time."""
        found = self._postings(HistoryFilter(account_id=account_id, since=since, until=until))
        return sorted({one.row.unit_id for one in found if (one.row.unit_id or "") > after})[:limit]

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a stretch of time."""
        return [row for row in self._all_postings if row.unit_id == unit_id and since <= row.at < until]

    def bills(self, unit_ids: Sequence[str], since: Instant, until: Instant) -> Iterator[tuple[str, list[Posting]]]:
        """Yield the bills of instances."""
        rows = [row for row in self._all_postings if since <= row.at < until]
        return ((unit_id, [row for row in rows if row.unit_id == unit_id]) for unit_id in unit_ids)

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a stretch of time or a paid term that reaches into it."""
        found: dict[str, Spender] = {}
        for row in self._all_postings:
            termed = row.at < until and row.since is not None and row.until is not None
            reaches = termed and row.kind != "Usage" and (row.since or 0) < until and (row.until or 0) > since
            if row.account_id == account_id and (row.unit_id or "") > after and (since <= row.at < until or reaches):
                known = found.get(str(row.unit_id), Spender(str(row.unit_id), prepaid=False, charges=0))
                charges = known.charges + (since <= row.at < until)
                found[known.unit_id] = Spender(known.unit_id, known.prepaid or row.kind != "Usage", charges)
        return [found[unit_id] for unit_id in sorted(found)][:limit]

    def spending(self, account_id: str, since: Instant, until: Instant, *, with_bills: bool = True) -> Iterator[Spent]:
        """Yield the instances that cost something in a stretch of time, with what it was."""
        for unit_id, prepaid, _ in self.spenders(account_id, since, until, after="", limit=len(self._all_postings)):
            unit = self.unit(unit_id)
            assert unit is not None
            bill = self.bill(unit_id, since, until) if with_bills else []
            yield Spent(unit, self.tags_of([unit_id]).get(unit_id), bill, self.terms(unit_id, until) if prepaid else [])

    def charged(self, unit: Instance) -> Micro:
        """Return what an instance was charged in all."""
        return unit.charged

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return what was paid in advance for an instance, or paid back, before a moment."""
        return [row for row in self._all_postings if row.unit_id == unit_id and row.kind != "Usage" and row.at < until]


def matches(wanted: HistoryFilter, row: Order | Posting, moment: Instant) -> bool:
    """Whether a row is one of those that a list shows."""
    return (
        row.account_id == wanted.account_id
        and wanted.kind in (None, row.kind)
        and wanted.unit_id in (None, row.unit_id)
        and (wanted.since is None or moment >= wanted.since)
        and (wanted.until is None or moment < wanted.until)
    )
