"""Queries about whole calendar months of an account, from the sums of costs.

They read one row a month, and the postings that are not part of the sums yet, however many charges the months have.
``leasebook check`` proves the sums.
"""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.costs.periods import end_of, is_start
from leasebook.domain.costs.rows import COSTS_SUMMED
from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import wallet
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.costs import MonthMoney
from leasebook.store.queries.bills import BILLED, EFFECT, BillQueries
from leasebook.store.rows.postings import NUMBER_OF_ACCOUNT, OF_ACCOUNT
from leasebook.store.rows.sums import parts_of, total

BEHIND_MAX: Final = 5_000
"""Postings of all accounts that are read one by one, in some milliseconds, because the sums lack them."""
_SUMS: Final = (
    "SELECT 'sums' AS part, sums AS text, 0 AS high, since AS low FROM costs "
    "WHERE account_id = ? AND level = 'Month' AND since >= ? AND since < ?"
)
# As an expression the account cannot be looked up in its index, which has all of its history: the numbers are fewer.
_REST: Final = (
    f"SELECT 'rest', '', {parts_of(BILLED)} FROM postings WHERE account + 0 = {NUMBER_OF_ACCOUNT} "
    f"AND seq > coalesce((SELECT CAST(value AS BIGINT) FROM facts WHERE name = '{COSTS_SUMMED}'), 0) "
    "AND at >= ? AND at < ?"
)
_CHARGED: Final = f"{_SUMS} UNION ALL {_REST}"
_LATER: Final = _REST.replace("'rest'", "'later'")
# The conditions on kinds are those of the partial index posting_rows_unusual, so that it is used.
_FUNDS: Final = (
    f"SELECT 'funds', '', {parts_of(EFFECT)} FROM postings WHERE {OF_ACCOUNT} AND kind <> 'Usage' AND at >= ? "
    "AND kind IN ('TopUp', 'PayOut', 'WriteOff')"
)
_PAID_IN: Final = (
    f"SELECT 'paid in', '', {parts_of('amount')} FROM posting_rows WHERE {OF_ACCOUNT} AND kind <> 'Usage' AND at >= ? "
    "AND at < ? AND kind = 'TopUp'"
)
_MONEY: Final = (
    f"{_CHARGED} UNION ALL {_LATER} "
    f"UNION ALL SELECT 'balance', '', 0, balance FROM accounts WHERE id = ? UNION ALL {_FUNDS} UNION ALL {_PAID_IN}"
)
_FAR: Final = Instant(2**62)
"""A time after every posting."""


class MonthQueries(BillQueries):
    """Queries about months, on one connection."""

    def charged_in_month(self, account: Account, since: Instant, until: Instant) -> int:
        """Return the charges less refunds of a calendar month on the account's clocks."""
        if not self._has_sums(account, since, until):
            return self.turnover(account.id, since, until)[1]
        own = wallet(account.id)
        params = (account.id, since, until, own, own, account.id, since, until)
        return sum(_amount(*row) for row in self._fetch(_CHARGED, params))

    def month_money(self, account: Account, since: Instant, until: Instant) -> MonthMoney:
        """Return an account's balance when a calendar month on its clocks begins, and what the month brings and costs.

        The balance is today's, less everything since.
        """
        if not self._has_sums(account, since, until):
            paid_in, charged = self.turnover(account.id, since, until)
            return MonthMoney(self.balance_at(account.id, since), paid_in, charged)
        own, charged, later = wallet(account.id), 0, 0
        rest = (own, own, account.id)
        params: list[Any] = [account.id, since, _FAR, *rest, since, until, *rest, until, _FAR, account.id]
        sums: dict[str, int] = {}
        for part, text, high, low in self._fetch(
            _MONEY, [*params, own, own, account.id, since, account.id, since, until]
        ):
            if part == "sums" and low < until:
                charged += _amount(part, text, high, low)
            elif part == "sums":
                later += _amount(part, text, high, low)
            else:
                sums[part] = total(high, low)
        charged, later = charged + sums["rest"], later + sums["later"]
        return MonthMoney(sums["balance"] - sums["funds"] + charged + later, sums["paid in"], charged)

    def _has_sums(self, account: Account, since: Instant, until: Instant) -> bool:
        """Whether a span is a month whose sums take less reading than its postings.

        While the sums are behind, after a full hour of very many instances, an account with few postings is summed up
        by these.
        """
        zone = account.time_zone
        if not is_start("Month", since, zone) or end_of("Month", since, zone) != until:
            return False
        text = "SELECT (SELECT max(seq) FROM posting_rows), (SELECT value FROM facts WHERE name = ?)"
        ((last, summed),) = self._fetch(text, (COSTS_SUMMED,))
        behind = int(last or 0) - int(summed or 0)
        if behind <= BEHIND_MAX:
            return True
        text = f"SELECT count(*) FROM (SELECT 1 FROM posting_rows WHERE {OF_ACCOUNT} AND at >= ? LIMIT ?) AS found"
        ((count,),) = self._fetch(text, (account.id, since, behind))
        return bool(count == behind)


def _amount(part: str, text: str, high: Any, low: Any) -> int:
    """Return what was charged by a row of the sums, of all groups together, or by the postings that they lack."""
    if part == "sums":
        return sum(int(group.split(":")[1]) for group in text.split())
    return total(high, low)
