"""Queries about several accounts at once.

Live instances of all accounts are searched in the indexes of live instances, whose entries are read without the rows.
Histories have no bound, so a page of them is merged from scans of one index, one scan for each account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final

from leasebook.domain.book.tables import ACCOUNTS, DELIVERIES, SUBSCRIPTIONS
from leasebook.domain.model.account import Account
from leasebook.domain.model.offering import EVERYWHERE, UNITS_OF_COMPUTE
from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.queries.account.projects import in_project
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS

AT_ONCE: Final = 100
"""Accounts that one statement asks for: SQLite takes 500 parts of a statement."""

Key = tuple[Any, ...]


class AcrossQueries:
    """Queries about several accounts, on one connection."""

    _fetch: Fetch

    def accounts_by_id(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Return accounts by id; those that do not exist are left out."""
        codec, found = CODECS[ACCOUNTS], {}
        for some in _parts(account_ids):
            marks = ", ".join("?" for _ in some)
            for row in self._fetch(f"SELECT {columns(codec)} FROM accounts WHERE id IN ({marks})", some):
                account: Account = codec.read(row)
                found[account.id] = account
        return found

    def account_ids(self, across: Across) -> list[str]:
        """Return the ids of the accounts that are meant."""
        return _ids(self._fetch, across)

    def hooks_across(self, across: Across) -> list[Subscription]:
        """Return the subscriptions of several accounts, oldest first, without deleted ones."""
        codec, (whose, params) = CODECS[SUBSCRIPTIONS], of_accounts(across)
        where = f"status IN ('Active', 'Paused', 'Pending') AND {whose}"
        rows = self._fetch(f"SELECT {columns(codec)} FROM hooks WHERE {where} ORDER BY created_at, id", params)
        return [codec.read(row) for row in rows]

    def units_across(self, wanted: UnitFilter, after: int, limit: int | None) -> list[int]:
        """Return the numbers of instances of several accounts, in the order in which they were bought."""
        assert wanted.across is not None  # noqa: S101 - its caller asks only then
        where, params = ["seq + 0 > ?"], [after]
        is_rare = wanted.status not in (None, "Running", "Released")
        match wanted.status:
            case None:
                where.append("status <> 'Released'")
            case "Released":
                where.append("status = 'Released'")
            case "Running":
                # The indexes of live instances lack the status, and of those that are not running there are few.
                where.append("status <> 'Released'")
                where.append("seq NOT IN (SELECT seq FROM units WHERE status <> 'Running' AND status <> 'Released')")
            case unusual:
                where += ["status <> 'Running' AND status <> 'Released'", "status = ?"]
                params.append(unusual)  # type: ignore[arg-type]
        if wanted.across.ids is not None:
            marks = ", ".join("?" for _ in wanted.across.ids)
            # The index of rare statuses has the account's id, and those of all others its number.
            in_numbers = f"account IN (SELECT seq FROM account_numbers WHERE account_id IN ({marks}))"
            where.append(f"account_id IN ({marks})" if is_rare else in_numbers)
            params += wanted.across.ids  # type: ignore[arg-type]
        if wanted.auto_renew is not None:
            where.append("auto_renew" if wanted.auto_renew else "NOT auto_renew")
        # A sum of texts cannot be looked up in the index of kinds, where all live instances are.
        for name in ("region", "type", "payment_timing", "created_by"):
            if (value := getattr(wanted, name)) is not None:
                where.append(f"{name} || '' = ?" if is_rare else f"{name} = ?")
                params.append(value)
        conditions, values = in_project(wanted.project_id)
        where += conditions
        params += values
        # The indexes of live instances lack the kind. Quota is in a region of its own, where nothing else is.
        where.append(f"region {'<>' if wanted.kind == UNITS_OF_COMPUTE else '='} '{EVERYWHERE}'")
        for key, value in wanted.tags.entries:
            where.append(
                "EXISTS (SELECT 1 FROM tagged o WHERE o.account_id = units.account_id AND o.kind = ? AND o.key = ? "
                f"AND o.seq = units.seq{'' if value is None else ' AND o.value = ?'})"
            )
            params += ["unit" if wanted.kind == UNITS_OF_COMPUTE else "tpm", key]  # type: ignore[list-item]
            params += () if value is None else (value,)  # type: ignore[arg-type]
        # The sums keep SQLite from walking all instances, released ones too, in the order of their numbers.
        text = f"SELECT seq FROM units WHERE {' AND '.join(where)} ORDER BY seq + 0"
        if limit is not None:
            text, params = f"{text} LIMIT ?", [*params, limit]
        return [row[0] for row in self._fetch(text, params)]


def _parts(ids: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def of_accounts(of: str | Across, column: str = "account_id") -> tuple[str, list[Any]]:
    """Return the condition for rows of an account, or of several, and its parameters."""
    if isinstance(of, str):
        return f"{column} = ?", [of]
    if of.ids is None:
        return "1 = 1", []
    return f"{column} IN ({', '.join('?' for _ in of.ids) or 'NULL'})", list(of.ids)


def _ids(fetch: Fetch, across: Across) -> list[str]:
    if across.ids is not None:
        return list(across.ids)
    return [row[0] for row in fetch("SELECT id FROM accounts ORDER BY id", ())]


def deliveries_across(
    fetch: Fetch, wanted: DeliveryFilter, across: Across, after: DeliveryPlace | None, limit: int
) -> list[Delivery]:
    """Return deliveries of several accounts, those of the newest events first."""

    def walk(account_id: str, below: Key | None, few: int) -> tuple[str, list[Any]]:
        where, params = delivery_conditions(wanted, account_id)
        if below is not None:
            where.append("(page, line, hook_id) < (?, ?, ?)")
            params += below
        order = "ORDER BY page DESC, line DESC, hook_id DESC LIMIT ?"
        return f"SELECT page, line, hook_id FROM deliveries WHERE {' AND '.join(where)} {order}", [*params, few]

    keys = merged(fetch, _ids(fetch, across), walk, after, limit)
    codec, found = CODECS[DELIVERIES], {}
    for begin in range(0, len(keys), AT_ONCE):
        some = keys[begin : begin + AT_ONCE]
        which = " OR ".join(["(page = ? AND line = ? AND hook_id = ?)"] * len(some))
        values = [value for key in some for value in key]
        for row in fetch(f"SELECT {columns(codec)} FROM deliveries WHERE {which}", values):
            one: Delivery = codec.read(row)
            found[one.page, one.line, one.hook_id] = one
    return [found[key] for key in keys if key in found]


def delivery_conditions(wanted: DeliveryFilter, account_id: str) -> tuple[list[str], list[Any]]:
    """Return the conditions for an account's deliveries, and their parameters."""
    where, params = ["account_id = ?"], [account_id]
    for name in ("hook_id", "unit_id", "state"):
        if (value := getattr(wanted, name)) is not None:
            where.append(f"{name} = ?")
            params.append(value)
    if wanted.hidden:
        where.append(f"type NOT IN ({', '.join('?' for _ in wanted.hidden)})")
        params += sorted(wanted.hidden)
    if wanted.wide is not None:
        is_wide = "" if wanted.wide else "NOT "
        where.append(f"{is_wide}EXISTS (SELECT 1 FROM hooks h WHERE h.id = deliveries.hook_id AND h.accounts <> '[]')")
    return where, params


def merged(
    fetch: Fetch,
    account_ids: Sequence[str],
    walk: Callable[[str, Key | None, int], tuple[str, list[Any]]],
    after: Key | None,
    limit: int,
) -> list[Key]:
    """Return the first ``limit`` keys of all accounts, greatest first, merged from a scan for each.

    ``walk`` returns the statement and the parameters for an account's keys below a key (None: from the greatest),
    greatest first, and at most as many as its last argument says. At first each account is asked for a few keys only,
    and for more where all that it had are on the page.
    """
    found: dict[str, list[Key]] = {account_id: [] for account_id in account_ids}
    ended: set[str] = set()
    few = max(2, 2 * limit // max(len(account_ids), 1))
    asked = list(account_ids)
    while asked:
        for some in _parts(asked):
            walks, params = [], []
            for number, account_id in enumerate(some):
                below = found[account_id][-1] if found[account_id] else after
                text, given = walk(account_id, below, few)
                walks.append(f"SELECT {number} AS part, w{number}.* FROM ({text}) AS w{number}")
                params += given
            counts = dict.fromkeys(some, 0)
            for part, *key in fetch(" UNION ALL ".join(walks), params):
                found[some[part]].append(tuple(key))
                counts[some[part]] += 1
            for account_id in some:
                found[account_id].sort(reverse=True)
            ended |= {account_id for account_id, count in counts.items() if count < few}
        page = sorted((key for keys in found.values() for key in keys), reverse=True)[:limit]
        last = page[-1] if len(page) == limit else None
        asked = [
            account_id
            for account_id in asked
            if account_id not in ended and (last is None or found[account_id][-1] >= last)
        ]
        few = min(4 * few, limit)
    return page if account_ids else []
