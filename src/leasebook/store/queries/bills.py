"""What an account had, paid and was charged in a stretch of time: each question reads that stretch, and no history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Spender
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.queries.sums import parts_of, total
from leasebook.store.rows.codec import POSTINGS

BILLS_AT_ONCE: Final = 100
"""So many instances' bills are read by one statement, and are in memory at once."""
_EFFECT: Final = parts_of("CASE WHEN credit = ? THEN amount ELSE -amount END")
"""What postings did to the ledger account that is twice the parameter, in two parts of a sum."""
_PAID_IN: Final = "CASE WHEN kind = 'TopUp' THEN amount ELSE 0 END"
_TURNED: Final = "CASE WHEN kind = 'TopUp' THEN 0 WHEN debit = ? THEN amount ELSE -amount END"
_BILLS: Final = (
    f"SELECT {columns(POSTINGS)} FROM postings WHERE unit_id IN ({', '.join('?' * BILLS_AT_ONCE)}) "
    "AND seq >= ? AND seq <= ? AND at >= ? AND at < ? ORDER BY seq"
)


class BillQueries:
    """Questions about stretches of time."""

    _fetch: Fetch

    def balance_at(self, account_id: str, until: Instant) -> int:
        """Return what an account had before a moment.

        That is the sum of all before it, and as well today's balance less all since: read is what is less, by time.
        """
        ((first, last),) = self._fetch(
            "SELECT (SELECT at FROM postings WHERE account_id = ? ORDER BY at LIMIT 1), "
            "(SELECT at FROM postings WHERE account_id = ? ORDER BY at DESC LIMIT 1)",
            (account_id, account_id),
        )
        if first is None or until <= first:
            return 0
        own = wallet(account_id)
        if last - until < until - first:
            # In one statement, so that balance and postings are of one moment.
            today = self._fetch(
                f"SELECT a.balance, p.* FROM accounts a, (SELECT {_EFFECT} FROM postings "
                "WHERE account_id = ? AND at >= ?) AS p WHERE a.id = ?",
                (own, own, account_id, until, account_id),
            )
            if today:
                ((balance, *since),) = today
                return int(balance) - total(*since)
        (sums,) = self._fetch(
            f"SELECT {_EFFECT} FROM postings WHERE account_id = ? AND at < ?", (own, own, account_id, until)
        )
        return total(*sums)

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Sum up what was paid in, and what was charged less refunds, in a stretch of time."""
        own = wallet(account_id)
        (sums,) = self._fetch(
            f"SELECT {parts_of(_PAID_IN)}, {parts_of(_TURNED)} FROM postings "
            "WHERE account_id = ? AND at >= ? AND at < ?",
            (own, own, account_id, since, until),
        )
        return total(*sums[:2]), total(*sums[2:])

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances that have postings in a stretch of time, in order."""
        rows = self._fetch(
            "SELECT DISTINCT unit_id FROM postings WHERE account_id = ? AND at >= ? AND at < ? AND unit_id > ? "
            "ORDER BY unit_id LIMIT ?",
            (account_id, since, until, after, limit),
        )
        return [row[0] for row in rows]

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a stretch of time, in the order in which they were written."""
        rows = self._fetch(
            f"SELECT {columns(POSTINGS)} FROM postings WHERE unit_id = ? AND at >= ? AND at < ? ORDER BY seq",
            (unit_id, since, until),
        )
        return [POSTINGS.read(row) for row in rows]

    def bills(
        self, account_id: str, unit_ids: Sequence[str], since: Instant, until: Instant
    ) -> Iterator[tuple[str, list[Posting]]]:
        """Yield the bills of instances of an account, in the order in which they are named; see ``bill``."""
        # Postings are numbered as they are written, which is nearly the order of their times: between the first and
        # the last number of the month there is hardly anything else, and the index of an instance's goes by number.
        # The sum keeps PostgreSQL from looking for the least number in the order of numbers, through all history.
        ((first, last),) = self._fetch(
            "SELECT min(seq + 0), max(seq + 0) FROM postings WHERE account_id = ? AND at >= ? AND at < ?",
            (account_id, since, until),
        )
        for begin in range(0, len(unit_ids), BILLS_AT_ONCE):
            some = unit_ids[begin : begin + BILLS_AT_ONCE]
            found: dict[str, list[Posting]] = {unit_id: [] for unit_id in some}
            if first is not None:
                # As many marks each time, so that there is one statement and not a hundred.
                marks = [*some, *[some[-1]] * (BILLS_AT_ONCE - len(some))]
                for row in self._fetch(_BILLS, (*marks, first, last, since, until)):
                    posting = POSTINGS.read(row)
                    found[posting.unit_id or ""].append(posting)
            yield from found.items()

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a stretch of time or a paid term that reaches into it, by their ids."""
        rows = self._fetch(
            "SELECT unit_id, max(prepaid) FROM (SELECT unit_id, CASE WHEN kind = 'Usage' THEN 0 ELSE 1 END AS prepaid "
            "FROM postings WHERE account_id = ? AND at >= ? AND at < ? AND unit_id > ? "
            # Said in the words of the index of what is unusual.
            "UNION ALL SELECT unit_id, 1 AS prepaid FROM postings WHERE account_id = ? AND kind <> 'Usage' AND at < ? "
            "AND since < ? AND until > ? AND unit_id > ?) AS spent GROUP BY unit_id ORDER BY unit_id LIMIT ?",
            (account_id, since, until, after, account_id, until, until, since, after, limit),
        )
        return [Spender(unit_id, bool(prepaid)) for unit_id, prepaid in rows]

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return what was paid in advance for an instance, or paid back, before a moment, in the order of writing."""
        rows = self._fetch(
            f"SELECT {columns(POSTINGS)} FROM postings WHERE unit_id = ? AND kind <> 'Usage' AND at < ? ORDER BY seq",
            (unit_id, until),
        )
        return [POSTINGS.read(row) for row in rows]
