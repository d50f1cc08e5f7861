"""Balances, payments and charges of an account in a period: each query reads that period only, not the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.spending import Spender
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import POSTINGS
from leasebook.store.rows.postings import IN_DAYS, OF_ACCOUNT, OF_UNIT, days, units_in
from leasebook.store.rows.sums import parts_of, total

POSTINGS_MAX: Final = 100_000
"""Postings of a period whose instances are gathered from them, in some hundredths of a second.

With more, each instance of the account is asked for one: 100,000 that were charged hourly have 70 million in a month.
"""
BILLS_AT_ONCE: Final = 100
"""Instances whose bills one statement reads; they are in memory at once."""
EFFECT: Final = "CASE WHEN credit = ? THEN amount ELSE -amount END"
"""The effect of a posting on a ledger account, which is the parameter."""
_PAID_IN: Final = "CASE WHEN kind = 'TopUp' THEN amount ELSE 0 END"
BILLED: Final = "CASE WHEN kind IN ('TopUp', 'PayOut', 'WriteOff') THEN 0 WHEN debit = ? THEN amount ELSE -amount END"
"""The amount that a posting charged to the ledger account of an account, which is the parameter."""
_BILLS: Final = f"SELECT {columns(POSTINGS)} FROM postings WHERE {units_in(BILLS_AT_ONCE)} AND {IN_DAYS} ORDER BY seq"
# With a limit PostgreSQL makes no join of it, which may read all postings of the instances.
_OF_POSTINGS: Final = (
    f"SELECT id FROM units WHERE seq IN (SELECT unit FROM posting_rows WHERE {OF_ACCOUNT} AND at >= ? AND at < ? "
    f"LIMIT {2**62}) AND id || '' > ? ORDER BY id || '' LIMIT ?"
)
_WITH_POSTINGS: Final = (
    f"SELECT id FROM (SELECT id, seq FROM units WHERE {OF_ACCOUNT} AND status <> 'Released' "
    f"UNION ALL SELECT id, seq FROM units WHERE {OF_ACCOUNT} AND status = 'Released') AS u WHERE id || '' > ? "
    f"AND EXISTS (SELECT 1 FROM posting_rows p WHERE p.unit = u.seq AND p.unit IS NOT NULL AND {IN_DAYS}) "
    "ORDER BY id || '' LIMIT ?"
)


def padded(unit_ids: Sequence[str]) -> list[str]:
    """Return BILLS_AT_ONCE ids, the last one repeated: so there is one statement, and not one for each number."""
    return [*unit_ids, *[unit_ids[-1]] * (BILLS_AT_ONCE - len(unit_ids))]


class BillQueries:
    """Queries about periods."""

    _fetch: Fetch

    def balance_at(self, account_id: str, until: Instant) -> int:
        """Return an account's balance before an instant.

        It is the sum of all postings before, and also today's balance less all postings since. The shorter part of the
        account's history is read.
        """
        ((first, last),) = self._fetch(
            f"SELECT (SELECT at FROM posting_rows WHERE {OF_ACCOUNT} ORDER BY at LIMIT 1), "
            f"(SELECT at FROM posting_rows WHERE {OF_ACCOUNT} ORDER BY at DESC LIMIT 1)",
            (account_id, account_id),
        )
        if first is None or until <= first:
            return 0
        own = wallet(account_id)
        if last - until < until - first:
            # One statement, so that balance and postings are of the same instant.
            today = self._fetch(
                f"SELECT a.balance, p.* FROM accounts a, (SELECT {parts_of(EFFECT)} FROM postings "
                f"WHERE {OF_ACCOUNT} AND at >= ?) AS p WHERE a.id = ?",
                (own, own, account_id, until, account_id),
            )
            if today:
                ((balance, *since),) = today
                return int(balance) - total(*since)
        (sums,) = self._fetch(
            f"SELECT {parts_of(EFFECT)} FROM postings WHERE {OF_ACCOUNT} AND at < ?", (own, own, account_id, until)
        )
        return total(*sums)

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Return the sum of top-ups, and the sum of charges less refunds, in a period."""
        own = wallet(account_id)
        (sums,) = self._fetch(
            f"SELECT {parts_of(_PAID_IN)}, {parts_of(BILLED)} FROM postings WHERE {OF_ACCOUNT} AND at >= ? AND at < ?",
            (own, own, account_id, since, until),
        )
        return total(*sums[:2]), total(*sums[2:])

    def settled(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Return the sums paid out and written off in a period: amounts of the account's end, otherwise zero."""
        # The same condition as the partial index posting_rows_unusual, so that it is used.
        found = self._fetch(
            f"SELECT kind, amount FROM posting_rows WHERE {OF_ACCOUNT} AND kind <> 'Usage' AND at >= ? AND at < ? "
            "AND kind IN ('PayOut', 'WriteOff')",
            (account_id, since, until),
        )
        paid_out, written_off = (sum(int(row[1]) for row in found if row[0] == kind) for kind in ("PayOut", "WriteOff"))
        return paid_out, written_off

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances with postings in a period, in order."""
        count = (
            f"SELECT count(*) FROM (SELECT 1 FROM posting_rows WHERE {OF_ACCOUNT} AND at >= ? AND at < ? LIMIT ?) AS p"
        )
        ((postings,),) = self._fetch(count, (account_id, since, until, POSTINGS_MAX + 1))
        if postings <= POSTINGS_MAX:
            # The numbers alone are gathered from the postings. As an expression the id cannot be looked up in an index,
            # along which all instances of the store would be walked.
            rows = self._fetch(_OF_POSTINGS, (account_id, since, until, after, limit))
        else:
            period = days(since, until)
            rows = self._fetch(_WITH_POSTINGS, (account_id, account_id, after, *period, limit))
        return [row[0] for row in rows]

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a period, in the order in which they were written."""
        rows = self._fetch(
            f"SELECT {columns(POSTINGS)} FROM postings WHERE {OF_UNIT} AND {IN_DAYS} ORDER BY seq",
            (unit_id, *days(since, until)),
        )
        return [POSTINGS.read(row) for row in rows]

    def bills(self, unit_ids: Sequence[str], since: Instant, until: Instant) -> Iterator[tuple[str, list[Posting]]]:
        """Yield the bills of instances, in the order of ``unit_ids``; see ``bill``."""
        for begin in range(0, len(unit_ids), BILLS_AT_ONCE):
            yield from self.some_bills(unit_ids[begin : begin + BILLS_AT_ONCE], since, until).items()

    def some_bills(self, unit_ids: Sequence[str], since: Instant, until: Instant) -> dict[str, list[Posting]]:
        """Return the bills of at most BILLS_AT_ONCE instances."""
        found: dict[str, list[Posting]] = {unit_id: [] for unit_id in unit_ids}
        if unit_ids:
            for row in self._fetch(_BILLS, (*padded(unit_ids), *days(since, until))):
                posting = POSTINGS.read(row)
                found[posting.unit_id or ""].append(posting)
        return found

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a period, or with a paid term that reaches into it, by their ids."""
        rows = self._fetch(
            "SELECT unit_id, max(prepaid), sum(charges) FROM (SELECT unit_id, "
            "CASE WHEN kind = 'Usage' THEN 0 ELSE 1 END AS prepaid, 1 AS charges "
            f"FROM postings WHERE {OF_ACCOUNT} AND at >= ? AND at < ? AND unit_id > ? "
            # The same condition as the partial index posting_rows_unusual, so that it is used.
            "UNION ALL SELECT unit_id, 1 AS prepaid, 0 AS charges FROM postings "
            f"WHERE {OF_ACCOUNT} AND kind <> 'Usage' AND at < ? AND since < ? AND until > ? AND unit_id > ?) AS spent "
            "GROUP BY unit_id ORDER BY unit_id LIMIT ?",
            (account_id, since, until, after, account_id, until, until, since, after, limit),
        )
        return [Spender(unit_id, bool(prepaid), int(charges)) for unit_id, prepaid, charges in rows]

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return the advance payments of an instance and their refunds before an instant, in the order of writing."""
        rows = self._fetch(
            f"SELECT {columns(POSTINGS)} FROM postings WHERE {OF_UNIT} AND kind <> 'Usage' AND at < ? ORDER BY seq",
            (unit_id, until),
        )
        return [POSTINGS.read(row) for row in rows]
