"""The rows that a batch works on: as the store had them, and as the commands of the batch left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.charged_tags import tags_at
from leasebook.domain.book.loads import NotLoaded, Usage, UsageTotals
from leasebook.domain.book.store_queries import Answers
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNTS,
    APPROVALS,
    DELIVERIES,
    ENGINE_CAPACITIES,
    FORMER_NONCES,
    INSTANCES,
    MODELS,
    NONCE_PAGES,
    OFFERINGS,
    REPLICAS,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICES,
    SUBSCRIPTIONS,
    TABLES,
    TOKEN_PACKAGES,
    USERS,
    Key,
    R,
    Table,
)
from leasebook.domain.model.account import AccessKey
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import month_name
from leasebook.domain.model.offering import Offering
from leasebook.domain.model.subscription import delivery_events, hook_events
from leasebook.domain.record.agenda import approval_due, soonest_new
from leasebook.domain.record.event import (
    OPERATOR_REASON,
    RENEWAL_FAILED,
    SERVICE_OFF,
    Event,
    account_events,
    approval_events,
    guard_events,
    model_events,
    moved_events,
    page_of,
    replica_events,
    service_events,
    supply_events,
    tag_events,
    unit_events,
    whose,
)
from leasebook.domain.record.identity_event import identity_events
from leasebook.domain.record.ledger import Order, Posting, wallet
from leasebook.domain.record.nonce import REPLAYED_TEXT, KnownNonces, Nonce, NoncePage, UsedNonces
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import REPLAYED, Refusal
from leasebook.domain.values.resource_tags import ResourceTags

if TYPE_CHECKING:
    from leasebook.domain.book.draft import Draft

EVENT_SOURCES: Final[dict[Table[Any], Callable[[Any, Any], Iterable[tuple[str, dict[str, Any]]]]]] = {
    INSTANCES: unit_events,
    ACCOUNTS: lambda before, after: (*identity_events(before, after), *account_events(before, after)),
    USERS: identity_events,
    ACCESS_KEYS: identity_events,
    SERVICE_KEYS: identity_events,
    ACCOUNT_LIMITS: guard_events,
    SUBSCRIPTIONS: hook_events,
    DELIVERIES: delivery_events,
    REPLICAS: replica_events,
    ENGINE_CAPACITIES: supply_events,
    MODELS: model_events,
    SERVICES: service_events,
    RESOURCE_TAGS: tag_events,
    APPROVALS: approval_events,
    TOKEN_PACKAGES: moved_events,
}
"""Tables that emit events, each with the function that compares two versions of a row and returns the events."""


class Book:
    """A batch's unit of work: rows in memory, as they were loaded and as the commands of the batch left them.

    ``load…`` takes what the store has; commands change it through a ``Draft``; ``changes`` returns what to write.
    """

    def __init__(self, known_nonces: KnownNonces | None = None) -> None:
        """``known_nonces``: those of earlier batches, to save time."""
        self.rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self._offerings_of: dict[str, list[Key]] = {}
        self._suspended: dict[str, dict[str, None]] = {}
        self._keys_of: dict[str, dict[str, None]] = {}
        self._usage_totals: dict[str, tuple[Usage, Instant]] = {}
        self._first: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []
        self.events: dict[str, list[Event]] = {}
        self.answers = Answers()
        self._nonces: dict[tuple[Instant, str], UsedNonces] = {}
        self._known_here: dict[tuple[Instant, str], UsedNonces] = {}
        """Those of ``known_nonces`` that the batch loads for, as long as it lasts."""
        self._known_nonces: Final = KnownNonces() if known_nonces is None else known_nonces

    def load(self, table: Table[R], key: Key, row: R | None) -> None:
        """Load a row from the store; None: the store has no row with this key."""
        self.rows[table][key] = row

    def load_offerings(self, unit_type: str, offerings: Iterable[Offering]) -> None:
        """Load every offering of one type."""
        keys: list[Key] = []
        for offering in sorted(offerings, key=lambda offering: (offering.position, offering.region)):
            key = (offering.region, offering.type)
            self.rows[OFFERINGS].setdefault(key, offering)
            keys.append(key)
        self._offerings_of[unit_type] = keys

    def load_suspended(self, account_id: str, units: Iterable[Instance]) -> None:
        """Load an account's suspended instances, and those whose renewal waits for money, the oldest first."""
        found = self._suspended.setdefault(account_id, {})
        for unit in units:
            self.rows[INSTANCES].setdefault((unit.id,), unit)
            found[unit.id] = None

    def load_usage_totals(self, need: UsageTotals, usage: Usage) -> None:
        """Load what an account's users and projects hold, and what they were charged since ``need.since``."""
        known = self._usage_totals.get(need.account_id)
        if known is None or known[0].by_tags is None:
            self._usage_totals[need.account_id] = usage, need.since

    def load_keys(self, user_id: str, keys: Iterable[AccessKey]) -> None:
        """Load every access key of a user."""
        found = self._keys_of.setdefault(user_id, {})
        for key in keys:
            self.rows[ACCESS_KEYS].setdefault((key.id,), key)
            found[key.id] = None

    def load_rows(self, table: Table[R], rows: Iterable[R]) -> None:
        """Load rows that the store found; those that were loaded already stay."""
        for row in rows:
            self.rows[table].setdefault(table.key_of(row), row)

    def key_ids(self, user_id: str) -> list[str]:
        """Return the ids of a user's access keys in order, keys of this batch included; raises NotLoaded."""
        try:
            return sorted(self._keys_of[user_id])
        except KeyError:
            raise NotLoaded(f"access keys of {user_id}") from None

    def usage_totals(self, account_id: str) -> Usage:
        """Return what users and projects of an account hold and were charged, by the batch too; raises NotLoaded."""
        try:
            return self._usage_totals[account_id][0]
        except KeyError:
            raise NotLoaded(f"what {account_id} holds") from None

    @property
    def tag_counters(self) -> set[str]:
        """The accounts whose charges are counted by tag: they have budgets by tag, or may get some in this batch."""
        found = {account_id for account_id, (usage, _) in self._usage_totals.items() if usage.by_tags is not None}
        for guard in self.rows[ACCOUNT_LIMITS].values():
            if guard is not None and guard.rules.tag_budgets:
                found.add(guard.account_id)
        return found

    def waiting_ids(self, account_id: str) -> list[str]:
        """Return the ids of instances that wait for money, as loaded and then as the batch added; raises NotLoaded."""
        try:
            return list(self._suspended[account_id])
        except KeyError:
            raise NotLoaded(f"halted instances of {account_id}") from None

    def suspended_ids(self, account_id: str) -> list[str]:
        """Return the ids of ``waiting_ids`` in order."""
        return sorted(self.waiting_ids(account_id))

    def _add_offering(self, offering: Offering) -> None:
        """Show a new offering to later commands of the batch."""
        keys = self._offerings_of.get(offering.type)
        key = (offering.region, offering.type)
        if keys is not None and key not in keys:
            keys.append(key)
            keys.sort(key=lambda key: (self.rows[OFFERINGS][key].position, key))

    def has(self, table: Table[Any], key: Key) -> bool:
        """Whether that row was loaded; it need not exist in the store."""
        return key in self.rows[table]

    def get(self, table: Table[R], *key: Any) -> R | None:
        """Return a row, or None if there is none; raises NotLoaded if no command of the batch named it as needed."""
        try:
            row: R | None = self.rows[table][key]
        except KeyError:
            raise NotLoaded(f"{table.name} {key}") from None
        return row

    def offering_keys(self, unit_type: str) -> list[Key]:
        """Return the keys of every offering of a type, in catalogue order."""
        try:
            return self._offerings_of[unit_type]
        except KeyError:
            raise NotLoaded(f"offerings of type {unit_type}") from None

    def accept(self, draft: Draft, now: Instant, user_id: str | None, why: str | None = None) -> None:
        """Make a command's changes part of the book, count them against limits, and emit events.

        ``why`` is an operator's reason, which the events of instances tell.
        """
        self._count(draft)
        known = {} if why is None else {account: len(events) for account, events in self.events.items()}
        self.take(draft, now, user_id)
        if why is not None:
            self._give_reason(known, why)

    def take(self, draft: Draft, now: Instant, user_id: str | None) -> None:
        """Make changes part of the book without counting them against limits; events name ``user_id``."""
        for place, row in draft.changed.items():
            table, key = place
            rows = self.rows[table]
            before = rows.get(key)
            self._first.setdefault(place, before)
            rows[key] = row
            self.answers.changed(before, row)
            if table in EVENT_SOURCES:
                found = EVENT_SOURCES[table](before, row)
                if before is None and table is INSTANCES:
                    if (RESOURCE_TAGS, key) in draft.changed:
                        found = _with_tags(found, draft.changed[RESOURCE_TAGS, key])
                    # Later charges of the batch ask for its tags, and no command has them loaded.
                    self.rows[RESOURCE_TAGS].setdefault(key, None)
                by = user_id
                if draft.asked_by is not None and table is INSTANCES:
                    # It is the purchase of the user who asked for it, and the approver is in the data.
                    found, by = _approved(found, user_id), draft.asked_by
                self._emit(found, row, now, by)
            if table is OFFERINGS:
                self._add_offering(row)
            elif table is ACCESS_KEYS and row.user_id in self._keys_of:
                self._keys_of[row.user_id][row.id] = None
            elif self._suspended and table is INSTANCES and row.waits_for_money and row.account_id in self._suspended:
                self._suspended[row.account_id][row.id] = None
        self.orders += draft.orders
        self.postings += draft.postings

    def use_nonces(self, nonces: Iterable[tuple[int, Nonce]]) -> dict[int, Refusal]:
        """Use up the nonces of a batch; returns a refusal for each that was used before, or has too many beside it.

        The numbers are the callers'. No event tells of a nonce and no limit counts it, so it needs no draft.
        """
        refusals: dict[int, Refusal] = {}
        by_second: dict[tuple[Instant, str], list[tuple[int, str]]] = {}
        for number, nonce in nonces:
            if nonce.may_be_former and self.get(FORMER_NONCES, nonce.access_key_id, nonce.value) is not None:
                refusals[number] = Refusal(REPLAYED, REPLAYED_TEXT)
            else:
                by_second.setdefault((nonce.until, nonce.access_key_id), []).append((number, nonce.value))
        for key, values in by_second.items():
            used = self._nonces.get(key)
            if used is None:
                used = self._nonces_of(key)
                used.loaded(self._nonce_pages(key, used))
                self._nonces[key] = used
            refusals.update(used.use(values))
        return refusals

    def nonce_needs(self, until: Instant, access_key_id: str) -> Iterator[tuple[Table[Any], Key]]:
        """Yield the pages that a use of a nonce needs and that are not loaded.

        Only a page that is loaded and full shows that the next one is needed too. After full pages that were not known
        as many more are loaded at once, so that many pages take few round trips.
        """
        numbers, pages = self._nonces_of((until, access_key_id)).numbers, self.rows[NONCE_PAGES]
        number, page = numbers.start, None
        while number in numbers or (page is not None and page.is_full):
            key = (until, access_key_id, number)
            page = pages.get(key)
            if key not in pages:
                more = 1 if number in numbers else number - numbers.start
                for ahead in range(number, number + more):
                    yield NONCE_PAGES, (until, access_key_id, ahead)
            number += 1

    def _nonces_of(self, key: tuple[Instant, str]) -> UsedNonces:
        used = self._known_here.get(key)
        if used is None:
            used = self._known_here[key] = self._known_nonces.of(*key)
        return used

    def _nonce_pages(self, key: tuple[Instant, str], used: UsedNonces) -> list[NoncePage]:
        """Return the pages that the store has of a key and second, from the first that is loaded on."""
        found: list[NoncePage] = []
        while not found or found[-1].is_full:
            page = self.get(NONCE_PAGES, *key, used.numbers.start + len(found))
            if page is None:
                break
            found.append(page)
        return found

    def _give_reason(self, known: Mapping[str, int], why: str) -> None:
        """Add a reason to the events of instances and of services taken off, after those that are known."""
        for account_id, events in self.events.items():
            first = known.get(account_id, 0)
            events[first:] = [
                event
                if event.unit_id is None and event.type != SERVICE_OFF
                else msgspec.structs.replace(event, data=event.data | {OPERATOR_REASON: why})
                for event in events[first:]
            ]

    def _emit(self, found: Iterable[tuple[str, dict[str, Any]]], row: Any, now: Instant, user_id: str | None) -> None:
        for kind, data in found:
            account_id, unit_id = whose(row)
            if kind == RENEWAL_FAILED:
                account = self.rows[ACCOUNTS].get((account_id,))
                if account is not None and account.status != "Active":
                    data |= {"accountStatus": account.status, "reason": account.status_reason}
            if account_id is not None:
                self.events.setdefault(account_id, []).append(Event(now, kind, unit_id, user_id, data))

    def _count(self, draft: Draft) -> None:
        """Count the units and the money of a command against the limits of their account and user."""
        for after in [row for row in draft.changed.values() if type(row) is Instance]:
            before = self.rows[INSTANCES].get((after.id,))
            added = after.reserved - (0 if before is None else before.reserved)
            if added:
                self._count_units(draft, after, added)
            if before is not None and before.project_id != after.project_id:
                self._count_in_project(draft, before, before.project_id, -before.reserved)
                self._count_in_project(draft, after, after.project_id, after.reserved)
            elif added:
                self._count_in_project(draft, after, after.project_id, added)
        for posting in draft.postings:
            if posting.unit_id is not None:
                self._count_spent(draft, posting, draft.require(INSTANCES, posting.unit_id).created_by)

    def _count_units(self, draft: Draft, unit: Instance, added: int) -> None:
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        if guard is not None:
            draft.put(ACCOUNT_LIMITS, guard.plus_units(unit.created_by, unit.type, added))
        elif unit.account_id in self._usage_totals:
            # The account gets its first limits in this batch: their sums start with this command's units included.
            self._usage_totals[unit.account_id][0].add_units("units", unit.created_by, unit.type, added)

    def _count_in_project(self, draft: Draft, unit: Instance, project_id: str | None, added: int) -> None:
        """Count units of a project; the default project has the rest of the account's."""
        if project_id is None or not added:
            return
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        if guard is not None:
            draft.put(ACCOUNT_LIMITS, guard.plus_project_units(project_id, unit.type, added))
        elif unit.account_id in self._usage_totals:
            self._usage_totals[unit.account_id][0].add_units("project_units", project_id, unit.type, added)

    def _count_spent(self, draft: Draft, posting: Posting, user_id: str) -> None:
        guard, amount = draft.get(ACCOUNT_LIMITS, posting.account_id), -posting.effect_on(wallet(posting.account_id))
        usage, since = self._usage_totals.get(posting.account_id, (None, None))
        if usage is not None and since is not None and posting.at < since:
            # Late work may charge for an earlier month, which the sums do not include.
            usage = None
        tags: Mapping[str, str] = {}
        if (guard is not None and guard.rules.tag_budgets) or (usage is not None and usage.by_tags is not None):
            tags = tags_at(draft, posting.unit_id or "", posting.at)
        if usage is not None:
            usage.add_tags(tags, amount)
        if guard is not None:
            month = month_name(posting.at, draft.require(ACCOUNTS, posting.account_id).time_zone)
            draft.put(ACCOUNT_LIMITS, guard.plus_spent(user_id, month, amount, posting.project_id, tags))
        elif usage is not None:
            usage.add_spent(user_id, posting.project_id, amount)

    def part(self) -> Changes:
        """Return changes since the last part that can be written while more commands are decided.

        These are instances, with their orders and postings: an instance belongs to one command, most often, and they
        are most of what a batch writes. New accounts go with them, because a posting has an account's number. The rest
        waits for the end: rows that every command changes, idempotency records, whose locks batches of other servers
        wait for in one order, and events, which are put in pages.
        """
        return self._collected([place for place, before in self._first.items() if _goes_first(place[0], before)])

    def changes(self) -> Changes:
        """Return what the batch changed and no part had, for the store to write."""
        pages = self.rows[NONCE_PAGES]
        for key, used in self._nonces.items():
            for page in used.written(*key):
                place = (*key, page.number)
                self._first.setdefault((NONCE_PAGES, place), pages.get(place))
                pages[place] = page
        self._nonces.clear()
        changes = self._collected(list(self._first))
        changes.events = [page_of(account_id, events) for account_id, events in sorted(self.events.items())]
        self.events = {}
        return changes

    def _collected(self, places: Iterable[tuple[Table[Any], Key]]) -> Changes:
        """Return the changes of some rows, and forget them: a row that changes again is another change."""
        changes = Changes(self.orders, self.postings)
        self.orders, self.postings = [], []
        for place in places:
            table, key = place
            before, after = self._first.pop(place), self.rows[table][key]
            if after == before:
                continue
            if before is None:
                changes.inserted.setdefault(table, []).append(after)
            else:
                changes.updated.setdefault(table, []).append(after)
                changes.before.setdefault(table, []).append(before)
            if table is INSTANCES:
                if (due := soonest_new(before, after)) is not None:
                    changes.due_new.append(due)
                changes.place(before, after)
            elif table is RESOURCE_TAGS:
                changes.tagged.append((before, after))
            elif table is APPROVALS and (due := approval_due(after)) not in (None, approval_due(before)):
                changes.due_new.append(due)
        return changes


def _with_tags(found: Iterable[tuple[str, dict[str, Any]]], row: ResourceTags) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a new instance with the name and the tags that it was bought with."""
    return [(kind, data | {"name": row.name, "tags": row.tags}) for kind, data in found]


def _approved(found: Iterable[tuple[str, dict[str, Any]]], approver: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of an instance with the approver of what was done."""
    return [(kind, data | {"approvedBy": approver}) for kind, data in found]


def _goes_first(table: Table[Any], before: Any) -> bool:
    return table is INSTANCES or (table is ACCOUNTS and before is None)
