"""A store of dictionaries: the simplest thing that keeps the promises of a store."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from leasebook.batch import Blocked
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import (
    SUSPENDED_MAX,
    ChargedTags,
    KeysOfUser,
    Needed,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
    WholeAccount,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNTS,
    APPROVALS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    METADATA,
    OFFERINGS,
    PRICES,
    PROJECTS,
    RESOURCE_TAGS,
    SERVICES,
    TABLES,
    TOKEN_PACKAGES,
    USERS,
    Key,
    Table,
)
from leasebook.domain.model.account import Account
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.resource.project import Project, public_project
from leasebook.domain.model.service import Service
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.agenda import Due, agenda_of, approval_due
from leasebook.domain.record.audit_log import AuditPage, Head, Mark
from leasebook.domain.record.event import Event, EventPage
from leasebook.domain.record.identity_log import LOG_END, read_mark
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.across import Across, is_of
from leasebook.ports.queries.read_repository import (
    EventFilter,
    EventPlace,
    HistoryFilter,
    Numbered,
    ReadRepository,
    ServiceFilter,
    UnitFilter,
)
from leasebook.store.newer import Schema
from tests.simulation.memory_accounts import AccountsOfMemory
from tests.simulation.memory_asked import asked, load_offerings, load_tags, load_whole, usage_of
from tests.simulation.memory_audit import MemoryAudit, MemoryAuditQuestions
from tests.simulation.memory_bills import BillQuestions, matches
from tests.simulation.memory_books import Books
from tests.simulation.memory_calls import CallsOfMemory
from tests.simulation.memory_costs import CostsOfMemory
from tests.simulation.memory_due import DueOfMemory
from tests.simulation.memory_keys import KeyQuestions
from tests.simulation.memory_outbox import OutboxOfMemory, clear
from tests.simulation.memory_replicas import ReplicaQuestions
from tests.simulation.memory_repository import MemoryRepository
from tests.simulation.memory_signatures import SignaturesOfMemory, forget

T = TypeVar("T")

PRUNE_MAX = 1000


class MemoryStore:
    """Rows by key, and an agenda that is always sorted."""

    def __init__(self) -> None:
        self.rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []
        self.events: list[EventPage] = []
        self.audit = MemoryAudit()
        self.uses: dict[str, Instant] = {}
        self.agenda: list[Due] = []
        self.open: MemoryTransaction | None = None
        self.schema = Schema()
        self.locked_elsewhere: set[Needed] = set()
        """Rows that another session has locked."""

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:  # noqa: ARG002
        """Return the rows that another session has locked."""
        return frozenset(self.locked_elsewhere.intersection(needs))

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:  # noqa: ARG002 - it is alone
        """Open the one transaction that may be open."""
        assert self.open is None, "a batch begins before the last one has ended"
        self.open = MemoryTransaction(self)
        return self.open

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer from committed rows."""
        return question(MemoryQuestions(self))

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer."""
        return await self.read(question)

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:  # noqa: ARG002
        """Answer from committed rows."""
        return self.ask(question)

    async def close(self) -> None:
        """Nothing to close."""

    def project(self, units: Iterable[Instance]) -> None:
        """Let the agenda be what these instances say, instead of their former rows."""
        for unit in units:
            for due in agenda_of(self.rows[INSTANCES].get((unit.id,))):
                self.agenda.remove(due)
            for due in agenda_of(unit):
                insort(self.agenda, due)

    def project_requests(self, requests: Iterable[Approval]) -> None:
        """Let the agenda be what these requests for approvals say, instead of their former rows."""
        for request in requests:
            before, after = approval_due(self.rows[APPROVALS].get((request.id,))), approval_due(request)
            if before is not None:
                self.agenda.remove(before)
            if after is not None:
                insort(self.agenda, after)

    def books(self) -> Books:
        """Return a copy of everything."""
        return Books(
            {table.name: dict(rows) for table, rows in self.rows.items()},
            list(self.orders),
            list(self.postings),
            list(self.agenda),
        )


class MemoryTransaction:
    """Keeps saved changes aside until they are committed, and takes no change that does not fit the rows."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._saved: list[Changes] = []
        self._new: set[tuple[Table[Any], Key]] = set()
        self._prune_before: Instant | None = None
        self._clear: tuple[Instant, int] | None = None
        self._forget: tuple[Instant, Instant, int] | None = None
        self._uses: dict[str, Instant] = {}
        self.identity_epoch: str | None = None
        self.has_concurrent_writers = False

    def now(self) -> Instant | None:
        """Keep no time."""
        return None

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:  # noqa: ARG002 - no other server is here
        """Return work that is due by then, in order."""
        return self._store.ask(lambda ask: ask.due(until, limit))

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Put down the rows, or that there is none."""
        needs = list(needs)
        if not self._store.locked_elsewhere.isdisjoint(needs):
            raise Blocked("somebody else holds a row")
        for need in needs:
            if isinstance(need, OfferingsOfType):
                load_offerings(need, self._store.rows, book)
            elif isinstance(need, ChargedTags):
                load_tags(need, self._store.rows, book)
            elif isinstance(need, UsageTotals):
                book.load_usage_totals(need, usage_of(need, self._store.rows, self._store.postings))
            elif isinstance(need, KeysOfUser):
                keys = self._store.rows[ACCESS_KEYS].values()
                book.load_keys(need.user_id, [row for row in keys if row.user_id == need.user_id])
            elif isinstance(need, WholeAccount):
                load_whole(need, self._store.rows, book)
            elif isinstance(need, Asked):
                book.answers.load(need, asked(need, self._store.rows))
            elif isinstance(need, SuspendedInstances):
                units = self._store.rows[INSTANCES]
                account_id = need.account_id
                if account_id is None:
                    unit = units.get((need.unit_id,))
                    if unit is None:
                        continue
                    account_id = unit.account_id
                own = [row for row in units.values() if row.account_id == account_id]
                halted = sorted((row for row in own if row.is_halted), key=lambda row: row.id)
                unrenewed = [row for row in own if row.awaits_renewal]
                book.load_suspended(account_id, [*halted[:SUSPENDED_MAX], *unrenewed[:SUSPENDED_MAX]])
            else:
                table, key = need
                book.load(table, key, self._store.rows[table].get(key))

    async def save(self, changes: Changes) -> None:
        """Keep the changes, or the rest of them."""
        self.save_part(changes)

    def save_part(self, changes: Changes) -> None:
        """Check that the changes fit the rows, as earlier parts left them, and keep them."""
        rows, new = self._store.rows, self._new
        for table, inserted in changes.inserted.items():
            keys = [table.key_of(row) for row in inserted]
            taken = [key for key in keys if key in rows[table] or (table, key) in new]
            assert not taken, f"{table.name}: these exist already: {taken}"
            new.update((table, key) for key in keys)
        for table, updated in changes.updated.items():
            keys = [table.key_of(row) for row in updated]
            lost = [key for key in keys if key not in rows[table] and (table, key) not in new]
            assert not lost, f"{table.name}: these do not exist: {lost}"
        changed = changes.inserted.get(INSTANCES, []) + changes.updated.get(INSTANCES, [])
        found = {unit.id: agenda_of(unit) for unit in changed}
        for request in changes.inserted.get(APPROVALS, []) + changes.updated.get(APPROVALS, []):
            found[request.id] = frozenset(filter(None, [approval_due(request)]))
        assert all(due in found[due.unit_id] for due in changes.due_new), "work is due that no instance knows of"
        if changes.audit:
            self._store.audit.check(changes.audit)
        self._saved.append(changes)

    async def audit_heads(self) -> list[Head]:
        """Return the ends of all chains of the audit log."""
        return self._store.audit.heads()

    async def audit_mark(self) -> Mark:
        """Return how far the log of identities goes."""
        end = self._store.rows[METADATA].get((LOG_END,))
        return read_mark(None if end is None else end.value)

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log."""
        return self._store.audit.oldest(limit)

    async def prune_tokens(self, before: Instant, limit: int) -> None:  # noqa: ARG002 - it is small
        """Remember to forget."""
        self._prune_before = before

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Remember to forget."""
        self._forget = nonces_before, refused_before, limit

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Remember to write when keys were last used."""
        self._uses = dict(uses)

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Remember to forget."""
        self._clear = now, limit

    async def commit(self, *, is_idle: bool = False) -> None:  # noqa: ARG002 - no caller has to wait
        """Make it so."""
        store = self._store
        for name, at in self._uses.items():
            if (name,) in store.rows[ACCESS_KEYS]:
                store.uses[name] = max(at, store.uses.get(name, at))
        for changes in self._saved:
            for changed in (changes.inserted, changes.updated):
                store.project(changed.get(INSTANCES, ()))
                store.project_requests(changed.get(APPROVALS, ()))
                for table, rows in changed.items():
                    store.rows[table].update({table.key_of(row): row for row in rows})
            store.orders += changes.orders
            store.postings += changes.postings
            store.events += changes.events
            if changes.audit:
                store.audit.write(changes.audit, {unit.id: unit.account_id for unit in store.rows[INSTANCES].values()})
        if self._prune_before is not None:
            tokens = store.rows[IDEMPOTENCY_RECORDS]
            old = sorted((row.created_at, key) for key, row in tokens.items() if row.created_at < self._prune_before)
            for _, key in old[:PRUNE_MAX]:
                del tokens[key]
        if self._forget is not None:
            forget(store.rows, *self._forget)
        if self._clear is not None:
            clear(store.rows, *self._clear)
        store.open = None

    async def rollback(self) -> None:
        """Forget it."""
        self._store.open = None


class MemoryQuestions(
    AccountsOfMemory,
    MemoryAuditQuestions,
    BillQuestions,
    CallsOfMemory,
    CostsOfMemory,
    DueOfMemory,
    KeyQuestions,
    OutboxOfMemory,
    MemoryRepository,
    ReplicaQuestions,
    SignaturesOfMemory,
    ReadRepository,
):
    """Questions asked of the dictionaries. Numbered rows are never deleted, so a row's place is its number."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._audit = store.audit
        self._all_postings, self._all_events = store.postings, store.events
        self._uses = store.uses

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        return self._store.rows[table]

    def _agenda(self) -> list[Due]:
        return self._store.agenda

    def _pages(self) -> list[EventPage]:
        return self._store.events

    def fact(self, name: str) -> str | None:
        """Return a value that the store remembers about itself."""
        found = self._rows(METADATA).get((name,))
        return None if found is None else found.value

    def is_answered(self, account_id: str, client_token: str) -> bool:
        """Return whether an answer is kept for a client token."""
        return (account_id, client_token) in self._rows(IDEMPOTENCY_RECORDS)

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        return self._rows(ACCOUNTS).get((account_id,))

    def accounts_by_id(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Return accounts by id."""
        return {one: found for one in account_ids if (found := self.account(one)) is not None}

    def unit(self, unit_id: str) -> Instance | None:
        """Return an instance by id."""
        return self._rows(INSTANCES).get((unit_id,))

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return instances in the order in which they were bought; live ones unless a status is asked for."""
        fields = ("account_id", "kind", "status", "payment_timing", "region", "type", "auto_renew", "created_by")
        asked = {name: value for name in fields if (value := getattr(wanted, name)) is not None}
        found = [
            Numbered(seq, row)
            for seq, row in enumerate(self._rows(INSTANCES).values(), start=1)
            if (row.status != "Released" or wanted.status is not None)
            and seq > after
            and (wanted.service_id is None or row.serves(wanted.service_id))
            and wanted.tags.has(self._rows(RESOURCE_TAGS).get((row.id,)))
            and wanted.project_id in (None, public_project(row.project_id))
            and all(getattr(row, name) == value for name, value in asked.items())
        ]
        return found[:limit]

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        return self._rows(SERVICES).get((service_id,))

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return an account's services in the order in which they were created, or the other way round."""
        found = [
            Numbered(seq, row)
            for seq, row in enumerate(self._rows(SERVICES).values(), start=1)
            if is_of(row.account_id, wanted.across or wanted.account_id)
            and (after is None or (seq < after if reverse else seq > after))
            and row.deleted_at is None
            and (wanted.name_part is None or wanted.name_part.lower() in row.name.lower())
            and (wanted.service_types is None or row.service_type in wanted.service_types)
            and (wanted.run_statuses is None or row.run_status in wanted.run_statuses)
            and (wanted.creators is None or row.created_by in wanted.creators)
            and (
                wanted.payment_timing is None
                or {"Prepaid": row.prepaid_units, "Postpaid": row.postpaid_units}[wanted.payment_timing]
            )
            and wanted.protocol_version in (None, row.protocol_version)
            and wanted.tags.has(self._rows(RESOURCE_TAGS).get((row.id,)))
            and wanted.project_id in (None, public_project(row.project_id))
        ]
        return (found[::-1] if reverse else found)[:limit]

    def offerings(self, *, removed: bool = False) -> list[Offering]:
        """Return the catalogue in its order."""
        rows = [row for row in self._rows(OFFERINGS).values() if removed or row.removed_at is None]
        return sorted(rows, key=lambda row: (row.position, row.region, row.type))

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        return self._rows(PRICES).get((region, unit_type))

    def orders(self, wanted: HistoryFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        found = [
            Numbered(seq, row)
            for seq, row in enumerate(self._store.orders, start=1)
            if matches(wanted, row, row.created_at) and (after is None or seq < after)
        ]
        return found[::-1][:limit]

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Instance]:
        """Return an account's live quota instances of a model."""
        return [
            row
            for row in self._rows(INSTANCES).values()
            if (row.account_id, row.kind, row.type) == (account_id, "TPM", model)
            and row.status != "Released"
            and status in (None, row.status)
        ]

    def tags_of(self, ids: Sequence[str]) -> dict[str, ResourceTags]:
        """Return names and tags by the ids of their things."""
        rows = self._rows(RESOURCE_TAGS)
        return {one: rows[(one,)] for one in ids if (one,) in rows}

    def people_named(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the account and the name of users by their ids."""
        rows = self._rows(USERS)
        return {one: (rows[(one,)].account_id, rows[(one,)].name) for one in user_ids if (one,) in rows}

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        return self._rows(TOKEN_PACKAGES).get((package_id,))

    def packages(self, account_id: str | Across) -> list[TokenPackage]:
        """Return an account's packages, oldest first."""
        return [row for row in self._rows(TOKEN_PACKAGES).values() if is_of(row.account_id, account_id)]

    def project(self, project_id: str) -> Project | None:
        """Return a project by id."""
        return self._rows(PROJECTS).get((project_id,))

    def projects(self, account_id: str) -> list[Project]:
        """Return an account's projects, oldest first."""
        return [row for row in self._rows(PROJECTS).values() if row.account_id == account_id]

    def accounts(self) -> list[Account]:
        """Return all accounts, oldest first."""
        return sorted(self._rows(ACCOUNTS).values(), key=lambda row: (row.created_at, row.id))

    def events(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, Event]]:
        """Return an account's events, newest first or in the order in which they happened."""
        found = [
            (EventPlace(number, index), event)
            for number, page in enumerate(self._store.events, start=1)
            if page.account_id == wanted.account_id
            for index, event in enumerate(page.events)
            if wanted.has(event)
        ]
        if after is not None:
            found = [(place, event) for place, event in found if (place > after if oldest_first else place < after)]
        return (found if oldest_first else found[::-1])[:limit]

    def events_across(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, str, Event]]:
        """Return one account's events."""
        found = self.events(wanted, after=after, limit=limit, oldest_first=oldest_first)
        return [(place, wanted.account_id, event) for place, event in found]

    def guard(self, account_id: str) -> AccountLimits | None:
        """Return an account's limits, with the used part of each."""
        found: AccountLimits | None = self._rows(ACCOUNT_LIMITS).get((account_id,))
        return found

    def last_event(self, account_id: str) -> EventPlace | None:
        """Return the place of an account's last event."""
        found = self.events(EventFilter(account_id=account_id), after=None, limit=1, oldest_first=False)
        return found[0][0] if found else None

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        counts: dict[str, int] = {}
        for row in self._rows(INSTANCES).values():
            if row.status != "Released":
                counts[row.status] = counts.get(row.status, 0) + 1
        return counts
