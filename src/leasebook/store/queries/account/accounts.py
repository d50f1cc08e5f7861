"""Queries about many accounts, in SQL for both stores: each reads an index range for each account of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import AccountLimits
from leasebook.ports.queries.accounts import AccountFilter, Held, Holdings
from leasebook.store.costs.queries import CostQueries
from leasebook.store.queries.account.approvals import ApprovalQueries
from leasebook.store.queries.account.unit_counts import RESERVED, UnitCountQueries
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.conditions import UNUSUAL

ACCOUNTS_AT_ONCE: Final = 100
"""Accounts in one statement, so that its text is one of few."""
_MARKS: Final = ", ".join("?" * ACCOUNTS_AT_ONCE)
_NUMBERS: Final = f"SELECT seq FROM account_numbers WHERE account_id IN ({_MARKS})"
# In the order of the index of live instances, which has all of it: its entries are read one after the other, and never
# sorted. A failed purchase reserves nothing; its instance is among the few that do not run.
_HELD: Final = (
    "SELECT (SELECT n.account_id FROM account_numbers n WHERE n.seq = u.account) AS account_id, u.payment_timing, "
    f"{RESERVED}, 1 AS sign FROM units u WHERE u.account IN ({_NUMBERS}) AND u.status <> 'Released' "
    "GROUP BY u.account, u.region, u.type, u.payment_timing "
    f"UNION ALL SELECT account_id, payment_timing, {RESERVED}, -1 FROM units WHERE account_id IN ({_MARKS}) "
    f"AND {UNUSUAL} AND status = 'CreateFailed' GROUP BY account_id, payment_timing"
)
_SERVICES: Final = (
    f"SELECT account_id, count(*) FROM services WHERE account_id IN ({_MARKS}) AND deleted_at IS NULL "
    "GROUP BY account_id"
)
_LIMITS: Final = f"SELECT {columns(CODECS[ACCOUNT_LIMITS])} FROM guards WHERE account_id IN ({_MARKS})"


class AccountQueries(ApprovalQueries, CostQueries, UnitCountQueries):
    """Queries about accounts, their costs and their requests for approvals."""

    _fetch: Fetch

    def accounts_page(self, wanted: AccountFilter, *, after: tuple[int, str] | None, limit: int) -> list[Account]:
        """Return accounts, oldest first, from after a time of creation and an id."""
        where, params = ["(created_at, id) > (?, ?)"], [*(after or (-1, ""))]
        for text, value in (("name = ?", wanted.name), ("status = ?", wanted.status)):
            if value is not None:
                where.append(text)
                params.append(value)
        # LIKE takes both cases for one on SQLite and not on PostgreSQL, so the part is looked for here.
        text = f"SELECT {columns(CODECS[ACCOUNTS])} FROM accounts WHERE {' AND '.join(where)} ORDER BY created_at, id"
        if wanted.name_part is None:
            return [CODECS[ACCOUNTS].read(row) for row in self._fetch(f"{text} LIMIT ?", (*params, limit))]
        found: list[Account] = []
        while len(found) < limit:
            rows = [CODECS[ACCOUNTS].read(row) for row in self._fetch(f"{text} LIMIT ?", (*params, READ_AT_ONCE))]
            found += [row for row in rows if wanted.name_part in row.name]
            if len(rows) < READ_AT_ONCE:
                break
            params[:2] = rows[-1].created_at, rows[-1].id
        return found[:limit]

    def holdings(self, account_ids: Sequence[str]) -> dict[str, Holdings]:
        """Return what accounts hold; an account that holds nothing is missing."""
        found: dict[str, Holdings] = {}
        for some in _parts(account_ids):
            for account_id, timing, instances, units, sign in self._fetch(_HELD, [*some, *some]):
                found[account_id] = found.get(account_id, Holdings()).plus(
                    timing, Held(sign * int(instances), sign * int(units))
                )
            for account_id, services in self._fetch(_SERVICES, some):
                found[account_id] = found.get(account_id, Holdings())._replace(services=int(services))
        return {account_id: held for account_id, held in found.items() if held != Holdings()}

    def limits_of(self, account_ids: Sequence[str]) -> dict[str, AccountLimits]:
        """Return the limits and the usage of accounts; an account without limits is missing."""
        rows: list[tuple[Any, ...]] = []
        for some in _parts(account_ids):
            rows += self._fetch(_LIMITS, some)
        return {row.account_id: row for row in map(CODECS[ACCOUNT_LIMITS].read, rows)}


READ_AT_ONCE: Final = 1000
"""Accounts that one statement reads in the search for a part of a name."""


def _parts(account_ids: Sequence[str]) -> Iterator[list[str]]:
    """Cut ids into lists of ``ACCOUNTS_AT_ONCE``; the last id fills up the last list."""
    for begin in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        some = list(account_ids[begin : begin + ACCOUNTS_AT_ONCE])
        yield some + [some[-1]] * (ACCOUNTS_AT_ONCE - len(some))
