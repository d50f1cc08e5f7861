"""Queries about the sums of costs, and about the postings that are not yet part of them, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.book.tables import COST_GROUPS, COST_PERIODS
from leasebook.domain.costs.folding import Charge, Payment
from leasebook.domain.costs.rows import COSTS_SUMMED, Alike, CostGroup, CostPeriod, Level
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.costs import PostingEdge, Span
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS, POSTINGS
from leasebook.store.rows.postings import NUMBER_OF_ACCOUNT, OF_ACCOUNT, units_in
from leasebook.store.rows.sums import parts_of, total

AT_ONCE: Final = 100
"""Ids that one statement looks up."""
NUMBERS_AT_ONCE: Final = 20_000
"""Numbers of instances that one walk through an account's payments finds."""
UNITS_AT_ONCE: Final = 500
"""Instances whose payments one statement reads."""
PROJECT: Final = "p.project_id"
"""The project of a posting; null: the default one."""
# The tags that the instance had when it was charged: those that it had until its next change, or else those of now.
TAGS: Final = (
    "coalesce((SELECT h.tags FROM tag_history h WHERE h.id = p.unit_id AND h.until >= p.at ORDER BY h.until LIMIT 1), "
    "(SELECT t.tags FROM tags t WHERE t.id = p.unit_id), '{}')"
)
_ALIKE: Final = f"p.kind, u.region, u.type, u.created_by, u.service_id, {PROJECT}, {TAGS}"
"""The columns of ``Alike``."""
_ALIKE_COUNT: Final = 7
CHARGED: Final = "CASE WHEN p.debit = 'wallet:' || p.account_id THEN p.amount ELSE -p.amount END"
_PAYMENT: Final = (
    f"SELECT {_ALIKE}, p.seq, {', '.join(f'p.{name}' for name in POSTINGS.columns)} "
    "FROM postings p JOIN units u ON u.seq = p.unit"
)
# SQLite would otherwise read all of the account's history by the index of accounts.
_OF_ACCOUNT: Final = f" AND p.account + 0 = {NUMBER_OF_ACCOUNT}"


class CostQueries:
    """Queries about costs, on one connection."""

    _fetch: Fetch

    @contextmanager
    def at_one_instant(self) -> Iterator[None]:
        """Have all queries in a block see the same rows."""
        self._fetch(self._begin_text(), ())
        try:
            yield
        except BaseException:
            # Of an error on a connection that is lost the first one counts.
            with suppress(Exception):
                self._fetch("ROLLBACK", ())
            raise
        self._fetch("COMMIT", ())

    def _begin_text(self) -> str:
        return "BEGIN"

    def costs_within(self) -> Projects | None:
        """Return None: the store answers about every project."""
        return None

    def costs_summed(self) -> int:
        """Return the number of the last posting that is part of the sums; 0: none is."""
        rows = self._fetch("SELECT value FROM facts WHERE name = ?", (COSTS_SUMMED,))
        return int(rows[0][0]) if rows else 0

    def posting_edge(self) -> PostingEdge:
        """Return where the postings end now. On the embedded store one transaction is under way at a time."""
        ((last,),) = self._fetch("SELECT coalesce(max(seq), 0) FROM posting_rows", ())
        return PostingEdge(int(last), 0, 0)

    def postings_after(self, number: int, limit: int) -> int | None:
        """Return the number of the last of the next ``limit`` postings after a number; None: there is none."""
        text = "SELECT max(seq) FROM (SELECT seq FROM posting_rows WHERE seq > ? ORDER BY seq LIMIT ?) AS next_ones"
        ((found,),) = self._fetch(text, (number, limit))
        return None if found is None else int(found)

    def charges(
        self, span: Span, account_id: str | None = None, since: Instant | None = None, until: Instant | None = None
    ) -> list[Charge]:
        """Return metered use, alike charges of one moment in one; with an account, only its own."""
        where, params = "p.seq > ? AND p.seq <= ? AND p.kind = 'Usage'", [*span]
        values: list[Any] = params
        for condition, value in ((_OF_ACCOUNT, account_id), (" AND p.at >= ?", since), (" AND p.at < ?", until)):
            if value is not None:
                where, values = where + condition, [*values, value]
        rows = self._fetch(
            f"SELECT kind, region, type, user_id, service_id, project_id, tags, account_id, at, {parts_of('amount')} "
            f"FROM (SELECT p.account_id, p.at, p.kind, u.region, u.type, u.created_by AS user_id, u.service_id, "
            f"{PROJECT} AS project_id, {TAGS} AS tags, {CHARGED} AS amount "
            f"FROM postings p JOIN units u ON u.seq = p.unit WHERE {where}) AS charged "
            "GROUP BY account_id, at, kind, region, type, user_id, service_id, project_id, tags",
            values,
        )
        return [
            Charge(account, Instant(at), Alike(*alike), total(high, low)) for *alike, account, at, high, low in rows
        ]

    def payments(self, span: Span, account_id: str | None = None) -> list[Payment]:
        """Return payments in advance and refunds in the order of writing; with an account, only its own."""
        # The same condition as the partial index posting_rows_unusual, so that it can be used.
        text, params = f"{_PAYMENT} WHERE p.seq > ? AND p.seq <= ? AND p.kind <> 'Usage'", [*span]
        values: list[Any] = params
        if account_id is not None:
            text, values = text + _OF_ACCOUNT, [*values, account_id]
        return [_payment(row) for row in self._fetch(f"{text} ORDER BY p.seq", values)]

    def payments_of(self, unit_ids: Sequence[str], until: int) -> dict[str, list[Payment]]:
        """Return the payments in advance and refunds of instances up to a number, in the order of writing."""
        found: dict[str, list[Payment]] = {unit_id: [] for unit_id in unit_ids}
        for begin in range(0, len(unit_ids), AT_ONCE):
            some = unit_ids[begin : begin + AT_ONCE]
            text = f"{_PAYMENT} WHERE p.{units_in(len(some))} AND p.kind <> 'Usage' AND p.seq <= ? ORDER BY p.seq"
            for row in self._fetch(text, [*some, until]):
                payment = _payment(row)
                found[payment.posting.unit_id or ""].append(payment)
        return found

    def payments_reaching(self, account_id: str, since: Instant, until: Instant) -> Iterator[list[Payment]]:
        """Yield, for each instance with a paid term or a refund in a span, all its payments and refunds before the end.

        Instances that were paid only after the span, or for a time before it, are left out.
        """
        after = 0
        while True:
            # As expressions the numbers cannot be walked along the index of instances, which has those of all accounts.
            rows = self._fetch(
                f"SELECT DISTINCT unit + 0 AS number FROM posting_rows WHERE {OF_ACCOUNT} AND kind <> 'Usage' "
                "AND at < ? AND (at >= ? OR until > ?) AND unit + 0 > ? ORDER BY number LIMIT ?",
                (account_id, until, since, since, after, NUMBERS_AT_ONCE),
            )
            numbers = [int(row[0]) for row in rows]
            for begin in range(0, len(numbers), UNITS_AT_ONCE):
                some = numbers[begin : begin + UNITS_AT_ONCE]
                marks = ", ".join("?" for _ in some)
                rows = self._fetch(
                    f"{_PAYMENT} WHERE p.unit IN ({marks}) AND p.kind <> 'Usage' AND p.at < ?", [*some, until]
                )
                found: dict[str, list[Payment]] = {}
                for payment in sorted(map(_payment, rows), key=_number):
                    found.setdefault(payment.posting.unit_id or "", []).append(payment)
                yield from found.values()
            if len(numbers) < NUMBERS_AT_ONCE:
                return
            after = numbers[-1]

    def cost_groups(self, account_id: str) -> dict[str, CostGroup]:
        """Return an account's groups of charges by id."""
        codec = CODECS[COST_GROUPS]
        rows = self._fetch(f"SELECT {columns(codec)} FROM {codec.name} WHERE account_id = ?", (account_id,))
        return {group.id: group for group in map(codec.read, rows)}

    def cost_group_ids(self, account_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the ids of the groups of some accounts."""
        found: dict[str, set[str]] = {account_id: set() for account_id in account_ids}
        for account_id, group_id in self._of_accounts("SELECT account_id, id FROM cost_groups WHERE account_id", found):
            found[account_id].add(group_id)
        return found

    def cost_periods(self, account_id: str, level: Level, since: Instant, until: Instant) -> list[CostPeriod]:
        """Return an account's sums by hour, day or month that begin in a span, oldest first."""
        codec = CODECS[COST_PERIODS]
        rows = self._fetch(
            f"SELECT {columns(codec)} FROM {codec.name} WHERE account_id = ? AND level = ? AND since >= ? "
            "AND since < ? ORDER BY since",
            (account_id, level, since, until),
        )
        return [codec.read(row) for row in rows]

    def zones_of(self, account_ids: Collection[str]) -> dict[str, str]:
        """Return the time zones of accounts."""
        return dict(self._of_accounts("SELECT id, time_zone FROM accounts WHERE id", account_ids))

    def _of_accounts(self, text: str, account_ids: Collection[str]) -> Iterator[tuple[Any, ...]]:
        ids = sorted(account_ids)
        for begin in range(0, len(ids), AT_ONCE):
            some = ids[begin : begin + AT_ONCE]
            yield from self._fetch(f"{text} IN ({', '.join('?' for _ in some)})", some)


def _number(payment: Payment) -> int:
    return payment.seq


def _payment(row: Sequence[Any]) -> Payment:
    return Payment(int(row[_ALIKE_COUNT]), POSTINGS.read(row[_ALIKE_COUNT + 1 :]), Alike(*row[:_ALIKE_COUNT]))
