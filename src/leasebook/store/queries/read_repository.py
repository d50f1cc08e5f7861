"""All queries to the store outside a batch, in SQL for both stores."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec

from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNTS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    OFFERINGS,
    PRICES,
    SERVICES,
    USERS,
    Table,
)
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, UNITS_OF_COMPUTE, Offering, PriceList
from leasebook.domain.model.resource.project import DEFAULT_PROJECT
from leasebook.domain.model.service import Service
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import (
    EventPlace,
    HistoryFilter,
    Numbered,
    Place,
    ServiceFilter,
    UnitFilter,
)
from leasebook.store.queries.account.accounts import AccountQueries
from leasebook.store.queries.account.across import AcrossQueries, merged, of_accounts
from leasebook.store.queries.account.projects import ProjectQueries, in_project
from leasebook.store.queries.account.scans import ScanQueries
from leasebook.store.queries.account.spending import SpendingQueries
from leasebook.store.queries.audit_log import AuditQueries, Fetch, columns
from leasebook.store.queries.due import DueQueries
from leasebook.store.queries.events import EventQueries
from leasebook.store.queries.identities import IdentityQueries
from leasebook.store.queries.models import RepositoryQueries
from leasebook.store.queries.replicas import ReplicaQueries
from leasebook.store.queries.service_calls import CallQueries
from leasebook.store.queries.signatures import SignatureQueries
from leasebook.store.queries.subscriptions import OutboxQueries
from leasebook.store.rows.codec import CODECS, EVENTS, ORDERS, POSTINGS, Codec
from leasebook.store.rows.conditions import UNUSUAL
from leasebook.store.rows.postings import NUMBER_OF_ACCOUNT, OF_ACCOUNT, OF_UNIT
from leasebook.store.tags import having

__all__ = ["HALTED_TEXT", "Fetch", "Queries", "columns"]


def _select(table: Table[Any]) -> str:
    return f"SELECT {columns(CODECS[table])} FROM {table.name}"


HALTED_TEXT = (
    f"{_select(INSTANCES)} WHERE account_id = ? AND status = 'Stopped' AND payment_timing = 'Postpaid' "
    "AND status <> 'Running' AND status <> 'Released' ORDER BY id LIMIT ?"
)
"""An account's suspended instances (``loads.SuspendedInstances``); the extra conditions match a partial index."""
USERS_AT_ONCE = 100
"""Users whose keys one statement reads."""
NUMBERS_MAX = 4000
"""Instances that one statement looks up by their numbers: SQLite takes 32,766 parameters."""
KINDS = ("region", "type", "payment_timing")
ALL = 2**62
"""A number that no row reaches."""


WALKS_MAX = 100
"""Index scans that one statement merges: SQLite takes 500 parts."""
TIMINGS = ("Prepaid", "Postpaid")
_PLACES = f"SELECT region, type, {NUMBER_OF_ACCOUNT} FROM offerings WHERE kind = ? ORDER BY region, type"


def state_of(wanted: UnitFilter) -> str:
    """Return the condition of the partial index in which the instances of a list are."""
    return "status = 'Released'" if wanted.status == "Released" else "status <> 'Released'"


_INSTANCES = "prepaid_units + postpaid_units"
_RUN_STATUS = {
    "Serving": "(active AND replicas > 0 AND (ready > 0 OR NOT runs))",
    "Deploying": "(active AND CASE WHEN replicas > 0 THEN runs AND ready = 0 ELSE deploying > 0 END)",
    "Stopped": f"(NOT active OR (replicas = 0 AND deploying = 0 AND {_INSTANCES} > 0))",
    "New": f"(active AND {_INSTANCES} = 0)",
    "Failed": "1 = 0",
}
"""The same rules as ``Service.run_status``, in SQL."""


_SERVED = (
    "(thing.service_id = ? OR EXISTS (SELECT 1 FROM placements p WHERE p.unit_id = thing.id AND p.service_id = ?))"
)
"""The condition that an instance was bought for a service, or has replicas of it."""


class Queries(
    AccountQueries,
    ProjectQueries,
    ScanQueries,
    AcrossQueries,
    SpendingQueries,
    CallQueries,
    DueQueries,
    SignatureQueries,
    AuditQueries,
    EventQueries,
    IdentityQueries,
    OutboxQueries,
    RepositoryQueries,
    ReplicaQueries,
):
    """Queries on one connection, each answered from one consistent snapshot."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def _one(self, table: Table[Any], where: str, *params: Any) -> Any:
        rows = self._fetch(f"{_select(table)} WHERE {where}", params)
        return CODECS[table].read(rows[0]) if rows else None

    def fact(self, name: str) -> str | None:
        """Return a metadata value of the store."""
        rows = self._fetch("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key and its user."""
        key: AccessKey | None = self._one(ACCESS_KEYS, "id = ?", access_key_id)
        if key is None:
            return None
        user: User = self._one(USERS, "id = ?", key.user_id)
        return key, user

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        found: User | None = self._one(USERS, "id = ?", user_id)
        return found

    def holders(self, policy: str) -> list[str]:
        """Return the ids of all users who have a policy."""
        rows = self._fetch("SELECT id FROM users WHERE policies LIKE ? ORDER BY id", (f'%"{policy}"%',))
        return [str(row[0]) for row in rows]

    def users(
        self,
        account_id: str | Across,
        *,
        after: tuple[int, str] | None = None,
        limit: int | None = None,
        deleted: bool = True,
    ) -> list[tuple[User, list[AccessKey]]]:
        """Return users of accounts with their keys, oldest first, from after a time of creation and an id."""
        live, (whose, of) = "" if deleted else "AND deleted_at IS NULL ", of_accounts(account_id)
        where = f"{whose} {live}AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?"
        params = (*of, *(after or (-1, "")), ALL if limit is None else limit)
        users = [CODECS[USERS].read(row) for row in self._fetch(f"{_select(USERS)} WHERE {where}", params)]
        keys: dict[str, list[AccessKey]] = {user.id: [] for user in users}
        ids = list(keys)
        for begin in range(0, len(ids), USERS_AT_ONCE):
            some = ids[begin : begin + USERS_AT_ONCE]
            marks = ", ".join("?" for _ in some)
            for row in self._fetch(f"{_select(ACCESS_KEYS)} WHERE user_id IN ({marks}) ORDER BY created_at, id", some):
                key = CODECS[ACCESS_KEYS].read(row)
                keys[key.user_id].append(key)
        return [(user, keys[user.id]) for user in users]

    def is_answered(self, account_id: str, client_token: str) -> bool:
        """Return whether an answer is kept for a client token."""
        codec = CODECS[IDEMPOTENCY_RECORDS]
        text = f"SELECT 1 FROM {codec.name} WHERE account_id = ? AND value = ?"
        return bool(self._fetch(text, (account_id, client_token)))

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        found: Account | None = self._one(ACCOUNTS, "id = ?", account_id)
        return found

    def unit(self, unit_id: str) -> Instance | None:
        """Return an instance by id, released ones included (decision 17)."""
        found: Instance | None = self._one(INSTANCES, "id = ?", unit_id)
        return found

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return instances in the order in which they were bought; only live ones unless a status is asked for."""
        numbers = self._selected(wanted, after, limit)
        if numbers is not None:
            return self._of_numbers(INSTANCES, numbers)
        kinds = [(name, value) for name in KINDS if (value := getattr(wanted, name)) is not None]
        # Few instances have an unusual status or automatic renewal. Their indexes have the account's id and no other
        # columns of the list; the index of kinds has the account's number.
        is_rare = wanted.status not in (None, "Running", "Released") or wanted.auto_renew is True
        where = ["account_id = ?" if is_rare else OF_ACCOUNT, "seq > ?", *in_project(wanted.project_id)[0]]
        params: list[Any] = [wanted.account_id, after]
        is_usual = wanted.service_id is None and wanted.auto_renew is not True
        if is_usual and limit is not None and wanted.status in (None, "Running", "Released"):
            return self._merged(wanted, after, limit)
        if wanted.service_id is not None and wanted.status == "Released":
            # A released instance has no replicas.
            where.append("service_id = ?")
            params.append(wanted.service_id)
        elif wanted.service_id is not None:
            # Bought for the service, or with replicas of it.
            where.append(
                "seq IN (SELECT seq FROM units WHERE service_id = ? AND service_id IS NOT NULL "
                "AND status <> 'Released' "
                "UNION SELECT u.seq FROM placements p JOIN units u ON u.id = p.unit_id WHERE p.service_id = ?)"
            )
            params += [wanted.service_id, wanted.service_id]
        if wanted.auto_renew is not None:
            # Few instances are renewed automatically, so they have an index of their own.
            where.append("auto_renew" if wanted.auto_renew else "NOT auto_renew")
        if wanted.status is not None:
            where.append("status = ?")
            params.append(wanted.status)
        where.append("kind = ?")
        params.append(wanted.kind)
        # The same conditions as the partial indexes, so that they are used.
        where.append("status = 'Released'" if wanted.status == "Released" else "status <> 'Released'")
        if wanted.status not in (None, "Running", "Released"):
            where.append("status <> 'Running'")
        for name, value in kinds:
            where.append(f"{name} = ?")
            params.append(value)
        return self._numbered(CODECS[INSTANCES], where, params, "seq", limit)

    def _selected(self, wanted: UnitFilter, after: int, limit: int | None) -> list[int] | None:
        """Return the numbers of instances that are found by other indexes than those of their account; else None."""
        if wanted.across is not None:
            return self.units_across(wanted, after, limit)
        if wanted.tags or wanted.broken is not None:
            return self._units_tagged(wanted, after, limit)
        if wanted.project_id not in (None, DEFAULT_PROJECT):
            return self.units_in_project(wanted, after, limit)
        return None if wanted.created_by is None else self.units_of_buyer(wanted, after, limit)

    def _units_tagged(self, wanted: UnitFilter, after: int, limit: int | None) -> list[int]:
        """Return the numbers of an account's instances with some tags, or with tags that break a policy."""
        status = "= 'Released'" if wanted.status == "Released" else "<> 'Released'"
        where, params = in_project(wanted.project_id, "thing.project_id")
        where.append(f"thing.status {status}")
        for name in ("status", "kind", "created_by", *KINDS):
            if (value := getattr(wanted, name)) is not None:
                where.append(f"thing.{name} = ?")
                params.append(value)
        if wanted.auto_renew is not None:
            where.append("thing.auto_renew" if wanted.auto_renew else "NOT thing.auto_renew")
        if wanted.service_id is not None:
            where.append(_SERVED)
            params += [wanted.service_id, wanted.service_id]
        kind = "unit" if wanted.kind == UNITS_OF_COMPUTE else "tpm"
        if wanted.broken is not None:
            return self.breaking_numbers(wanted, wanted.broken, where, params, after, limit)
        return self.tagged_numbers(wanted.account_id, kind, wanted.tags, where, params, after, limit)

    def _merged(self, wanted: UnitFilter, after: int, limit: int) -> list[Numbered]:
        """Return a page of instances whose numbers are merged from scans of one index.

        Matching instances are looked up, never searched for: a page costs the same from any start and for any number of
        matches. Only for those that do not run, or are renewed automatically, numbers are read beyond the page.
        """
        more = ["status = 'Running'"] * (wanted.status == "Running") + ["NOT auto_renew"] * (wanted.auto_renew is False)
        more += in_project(wanted.project_id)[0]
        found: list[Numbered] = []
        size = min(limit, NUMBERS_MAX)
        while len(found) < limit and (numbers := self.walked(wanted, after, size)):
            where = [f"seq IN ({', '.join('?' for _ in numbers)})", *more]
            found += self._numbered(CODECS[INSTANCES], where, numbers, "seq", limit - len(found))
            if len(numbers) < size:
                break
            after, size = numbers[-1], min(2 * size, NUMBERS_MAX)
        return found

    def walked(self, wanted: UnitFilter, after: int, limit: int) -> list[int]:
        """Return the numbers of the first instances of a list after a number, in order.

        They are merged from scans of one index, one for each region, type and payment timing of the list. Only these,
        the account, the kind, and whether instances are released are considered.
        """
        # Without a limit or an order of its own each part goes only as far as the merging needs.
        walk = (
            "SELECT seq FROM units WHERE account = ? AND region = ? AND type = ? AND payment_timing = ? "
            f"AND {state_of(wanted)} AND seq > ?"
        )
        timings = TIMINGS if wanted.payment_timing is None else (wanted.payment_timing,)
        walks = [
            (account, region, unit_type, timing, after)
            for region, unit_type, account in self._fetch(_PLACES, (wanted.account_id, wanted.kind))
            if wanted.region in (None, region) and wanted.type in (None, unit_type)
            for timing in timings
        ]
        numbers: list[int] = []
        for begin in range(0, len(walks), WALKS_MAX):
            some = walks[begin : begin + WALKS_MAX]
            text = f"{' UNION ALL '.join([walk] * len(some))} ORDER BY seq LIMIT ?"
            numbers += [row[0] for row in self._fetch(text, [*chain.from_iterable(some), limit])]
        return sorted(numbers)[:limit]

    def _of_numbers(self, table: Table[Any], numbers: list[int]) -> list[Numbered]:
        """Return rows by their numbers, in that order."""
        where = [f"seq IN ({', '.join('?' for _ in numbers)})"] if numbers else ["1 = 0"]
        return self._numbered(CODECS[table], where, numbers, "seq", None)

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        found: Service | None = self._one(SERVICES, "id = ?", service_id)
        return found

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return services of accounts in the order of creation, or reversed."""
        whose, params = of_accounts(wanted.across or wanted.account_id)
        conditions, values = in_project(wanted.project_id)
        where = [whose, "deleted_at IS NULL", *conditions]
        params = [*params, *values]
        if after is not None:
            where.append("seq < ?" if reverse else "seq > ?")
            params.append(after)
        if wanted.name_part is not None:
            # Both in the store's own lower case: SQLite's covers only ASCII letters.
            where.append("lower(name) LIKE lower(?) ESCAPE '!'")
            params.append(f"%{_literal(wanted.name_part)}%")
        for name, some in (("service_type", wanted.service_types), ("created_by", wanted.creators)):
            if some is not None:
                where.append(f"{name} IN ({', '.join('?' for _ in some) or 'NULL'})")
                params += some
        if wanted.run_statuses is not None:
            where.append((" OR ".join(_RUN_STATUS[status] for status in wanted.run_statuses) or "1 = 0").join("()"))
        if wanted.payment_timing is not None:
            where.append("prepaid_units > 0" if wanted.payment_timing == "Prepaid" else "postpaid_units > 0")
        if wanted.protocol_version is not None:
            where.append("protocol_version = ?")
            params.append(wanted.protocol_version)
        for entry in wanted.tags.entries:
            text, given = having(None if wanted.across else wanted.account_id, "svco", entry, "services.seq")
            where.append(text)
            params += given
        return self._numbered(CODECS[SERVICES], where, params, "seq DESC" if reverse else "seq", limit)

    def offerings(self, *, removed: bool = False) -> list[Offering]:
        """Return the catalogue in its order, with ``removed`` also the offerings that were removed from it."""
        where = "" if removed else " WHERE removed_at IS NULL"
        rows = self._fetch(f"{_select(OFFERINGS)}{where} ORDER BY position, region, type", ())
        return [CODECS[OFFERINGS].read(row) for row in rows]

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        found: PriceList | None = self._one(PRICES, "region = ? AND type = ?", region, unit_type)
        return found

    def orders(self, wanted: HistoryFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        if wanted.across is not None:
            return self._history_across(ORDERS, wanted, None if after is None else (after,), limit)
        where, params = _history(wanted, "created_at", "Purchase")
        if after is not None:
            where.append("seq < ?")
            params.append(after)
        return self._numbered(ORDERS, where, params, "seq DESC", limit)

    def postings(self, wanted: HistoryFilter, *, after: Place | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        if wanted.across is not None:
            return self._history_across(POSTINGS, wanted, after, limit)
        where, params = _history(wanted, "at", "Usage")
        if after is not None:
            where.append("at <= ? AND (at < ? OR seq < ?)")
            params += [after.at, after.at, after.seq]
        # The numbers first: PostgreSQL reads all postings of a moment for a page, and would read what their view joins.
        page = f"SELECT seq FROM posting_rows WHERE {' AND '.join(where)} ORDER BY at DESC, seq DESC LIMIT ?"
        return self._numbered(POSTINGS, [f"seq IN ({page})"], [*params, limit], "at DESC, seq DESC", None)

    def _history_across(
        self, codec: Codec[Any], wanted: HistoryFilter, after: tuple[int, ...] | None, limit: int
    ) -> list[Numbered]:
        """Return orders or postings of several accounts, newest first."""
        assert wanted.across is not None  # noqa: S101 - asked only then
        is_order = codec is ORDERS
        key = "seq" if is_order else "at, seq"
        below = "seq < ?" if is_order else "at <= ? AND (at < ? OR seq < ?)"

        def walk(account_id: str, place: tuple[Any, ...] | None, few: int) -> tuple[str, list[Any]]:
            one = msgspec.structs.replace(wanted, account_id=account_id)
            where, params = _history(one, *(("created_at", "Purchase") if is_order else ("at", "Usage")))
            if place is not None:
                where.append(below)
                params += [place[0]] if is_order else [place[0], *place]
            order = ", ".join(f"{name} DESC" for name in key.split(", "))
            table = codec.name if is_order else "posting_rows"
            text = f"SELECT {key} FROM {table} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?"
            return text, [*params, few]

        keys = merged(self._fetch, self.account_ids(wanted.across), walk, after, limit)
        numbers = [found[-1] for found in keys]
        where = [f"seq IN ({', '.join('?' for _ in numbers)})"] if numbers else ["1 = 0"]
        rows = {one.seq: one for one in self._numbered(codec, where, numbers, "seq", None)}
        return [rows[number] for number in numbers]

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Instance]:
        """Return an account's live quota instances of a model."""
        rows = self._fetch(
            f"{_select(INSTANCES)} WHERE account_id = ? AND region = ? AND type = ? AND payment_timing IN "
            f"('Postpaid', 'Prepaid') AND kind = ? AND status <> 'Released'{' AND status = ?' if status else ''} "
            "ORDER BY seq",
            (account_id, EVERYWHERE, model, QUOTA, *((status,) if status else ())),
        )
        return [CODECS[INSTANCES].read(row) for row in rows]

    def accounts(self) -> list[Account]:
        """Return all accounts, oldest first."""
        rows = self._fetch(f"{_select(ACCOUNTS)} ORDER BY created_at, id", ())
        return [CODECS[ACCOUNTS].read(row) for row in rows]

    def guard(self, account_id: str) -> AccountLimits | None:
        """Return an account's limits and their usage."""
        found: AccountLimits | None = self._one(ACCOUNT_LIMITS, "account_id = ?", account_id)
        return found

    def last_event(self, account_id: str) -> EventPlace | None:
        """Return the position of an account's last event."""
        rows = self._fetch(
            "SELECT seq, events FROM event_pages WHERE account_id = ? ORDER BY seq DESC LIMIT 1", (account_id,)
        )
        return EventPlace(rows[0][0], len(EVENTS.read((account_id, 0, 0, 0, rows[0][1])).events) - 1) if rows else None

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        # Two counts along partial indexes: to group a million instances by status takes SQLite seconds.
        counts: dict[str, int] = dict(
            self._fetch(f"SELECT status, count(*) FROM units WHERE {UNUSUAL} GROUP BY status", ())
        )
        ((live,),) = self._fetch("SELECT count(*) FROM units WHERE status <> 'Released'", ())
        running = live - sum(counts.values())
        return counts | {"Running": running} if running else counts

    def _numbered(
        self, codec: Codec[Any], where: list[str], params: list[Any], order: str, limit: int | None
    ) -> list[Numbered]:
        text = f"SELECT seq, {columns(codec)} FROM {codec.name} WHERE {' AND '.join(where)} ORDER BY {order}"
        if limit is not None:
            text += " LIMIT ?"
            params = [*params, limit]
        return [Numbered(row[0], codec.read(row[1:])) for row in self._fetch(text, params)]


def _history(wanted: HistoryFilter, moment: str, usual: str) -> tuple[list[str], list[Any]]:
    """Return a filter's conditions and parameters; conditions on unusual kinds match a partial index."""
    # An account may have a million rows and an instance none, but SQLite, which has counted nothing, takes the index of
    # accounts because it is in the page's order. With an expression in place of the column it cannot.
    where = [OF_ACCOUNT if wanted.unit_id is None else f"account + 0 = {NUMBER_OF_ACCOUNT}"]
    params: list[Any] = [wanted.account_id]
    if wanted.unit_id is not None:
        where.append(OF_UNIT)
        params.append(wanted.unit_id)
    if wanted.kind is not None:
        where.append("kind = ?" if wanted.kind == usual else f"kind <> '{usual}' AND kind = ?")
        params.append(wanted.kind)
    for bound, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if bound is not None:
            where.append(f"{moment} {sign} ?")
            params.append(bound)
    return where, params


def _literal(part: str) -> str:
    """Escape the characters that LIKE takes for wildcards."""
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
