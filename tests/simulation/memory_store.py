"""A store of dictionaries: the simplest thing that keeps the promises of a store."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due, DueKind
from leasehold.domain.book import (
    ACCOUNTS,
    FACTS,
    KEYS,
    OFFERINGS,
    PRICES,
    REMEMBERED,
    SERVICES,
    TABLES,
    UNITS,
    USERS,
    Book,
    Changes,
    Key,
    Need,
    Shelf,
    Table,
)
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering, PriceList
from leasehold.domain.ledger import Order, Posting
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit
from leasehold.questions import Numbered, Questions, ServiceFilter, UnitFilter

T = TypeVar("T")

PRUNE_MAX = 1000


class Books(NamedTuple):
    """Everything that a store holds, rows in the order in which they were written."""

    rows: dict[str, dict[Key, Any]]
    orders: list[Order]
    postings: list[Posting]
    agenda: list[Due]

    def table(self, table: Table[Any]) -> list[Any]:
        """The rows of one table."""
        return list(self.rows[table.name].values())

    @property
    def without_order(self) -> Books:
        """The same, whatever the order in which rows were written."""
        rows = {name: dict(sorted(rows.items())) for name, rows in self.rows.items()}
        return Books(rows, sorted(self.orders, key=repr), sorted(self.postings, key=repr), self.agenda)


class MemoryStore:
    """Rows by key, and an agenda that is always sorted."""

    def __init__(self) -> None:
        self.rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []
        self.agenda: list[Due] = []
        self.open: MemoryTransaction | None = None

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:  # noqa: ARG002 - it is alone
        """Open the one transaction that may be open."""
        assert self.open is None, "a batch begins before the last one has ended"
        self.open = MemoryTransaction(self)
        return self.open

    def ask(self, question: Callable[[Questions], T]) -> T:
        """Answer from what is committed."""
        return question(MemoryQuestions(self))

    async def read(self, question: Callable[[Questions], T], *, long: bool = False) -> T:  # noqa: ARG002
        """Answer from what is committed."""
        return self.ask(question)

    async def close(self) -> None:
        """Nothing to close."""

    def books(self) -> Books:
        """Return a copy of everything."""
        return Books(
            {table.name: dict(rows) for table, rows in self.rows.items()},
            list(self.orders),
            list(self.postings),
            list(self.agenda),
        )


class MemoryTransaction:
    """Keeps what is saved aside until it is committed, and takes no change that does not fit the rows."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._saved: list[Changes] = []
        self._prune_before: Instant | None = None
        self.identity_epoch: str | None = None

    def now(self) -> Instant | None:
        """Keep no time."""
        return None

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:  # noqa: ARG002 - nobody else is here
        """Return work that is due by then, in order."""
        return self._store.ask(lambda ask: ask.due(until, limit))

    async def load(self, needs: Iterable[Need | Shelf], book: Book) -> None:
        """Put down the rows, or that there is none."""
        for need in needs:
            if isinstance(need, Shelf):
                offerings = self._store.rows[OFFERINGS].values()
                book.load_shelf(need.type, [row for row in offerings if row.type == need.type])
            else:
                table, key = need
                book.load(table, key, self._store.rows[table].get(key))

    async def save(self, changes: Changes) -> None:
        """Check that the changes fit, and keep them."""
        rows = self._store.rows
        for table, inserted in changes.inserted.items():
            taken = [row for row in inserted if table.key_of(row) in rows[table]]
            assert not taken, f"{table.name}: these exist already: {taken}"
        for table, updated in changes.updated.items():
            lost = [row for row in updated if table.key_of(row) not in rows[table]]
            assert not lost, f"{table.name}: these do not exist: {lost}"
        gone, new = set(changes.due_gone), set(changes.due_new)
        assert gone <= set(self._store.agenda), "due work goes that is not there"
        assert not new & (set(self._store.agenda) - gone), "due work comes that is there already"
        assert len(gone) == len(changes.due_gone)
        assert len(new) == len(changes.due_new)
        self._saved.append(changes)

    async def prune_tokens(self, before: Instant, limit: int) -> None:  # noqa: ARG002 - it is small
        """Remember to forget."""
        self._prune_before = before

    async def commit(self, *, alone: bool = False) -> None:  # noqa: ARG002 - nobody has to wait
        """Make it so."""
        store = self._store
        for changes in self._saved:
            for changed in (changes.inserted, changes.updated):
                for table, rows in changed.items():
                    store.rows[table].update({table.key_of(row): row for row in rows})
            store.orders += changes.orders
            store.postings += changes.postings
            for due in changes.due_gone:
                store.agenda.remove(due)
            for due in changes.due_new:
                insort(store.agenda, due)
        if self._prune_before is not None:
            tokens = store.rows[REMEMBERED]
            old = sorted((row.created_at, key) for key, row in tokens.items() if row.created_at < self._prune_before)
            for _, key in old[:PRUNE_MAX]:
                del tokens[key]
        store.open = None

    async def rollback(self) -> None:
        """Forget it."""
        self._store.open = None


class MemoryQuestions(Questions):
    """Questions asked of the dictionaries. Nothing but tokens is ever deleted, so a row's place is its number."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        return self._store.rows[table]

    def fact(self, name: str) -> str | None:
        """Return a value that the store remembers about itself."""
        found = self._rows(FACTS).get((name,))
        return None if found is None else found.value

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        key = self._rows(KEYS).get((access_key_id,))
        return None if key is None else (key, self._rows(USERS)[(key.user_id,)])

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        return self._rows(USERS).get((user_id,))

    def users(self, account_id: str) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users, oldest first, each with its keys."""

        def oldest_first(table: Table[Any]) -> list[Any]:
            rows = [row for row in self._rows(table).values() if row.account_id == account_id]
            return sorted(rows, key=lambda row: (row.created_at, row.id))

        keys = oldest_first(KEYS)
        return [(user, [key for key in keys if key.user_id == user.id]) for user in oldest_first(USERS)]

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        return self._rows(ACCOUNTS).get((account_id,))

    def unit(self, unit_id: str) -> Unit | None:
        """Return an instance by id."""
        return self._rows(UNITS).get((unit_id,))

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return instances in the order in which they were bought; live ones unless a status is asked for."""
        fields = ("account_id", "service_id", "status", "payment_timing", "region", "type")
        asked = {name: value for name in fields if (value := getattr(wanted, name)) is not None}
        found = [
            Numbered(seq, row)
            for seq, row in enumerate(self._rows(UNITS).values(), start=1)
            if (row.status != "Released" or wanted.status is not None)
            and seq > after
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
            if row.account_id == wanted.account_id
            and (after is None or (seq < after if reverse else seq > after))
            and (wanted.name_part is None or wanted.name_part in row.name)
            and (wanted.running is None or wanted.running is (row.replicas > 0))
            and (wanted.creators is None or row.created_by in wanted.creators)
        ]
        return (found[::-1] if reverse else found)[:limit]

    def offerings(self) -> list[Offering]:
        """Return the catalogue in its order."""
        return sorted(self._rows(OFFERINGS).values(), key=lambda row: (row.position, row.region, row.type))

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        return self._rows(PRICES).get((region, unit_type))

    def orders(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        return _newest(self._store.orders, account_id, after, limit)

    def postings(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        return _newest(self._store.postings, account_id, after, limit)

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        agenda = self._store.agenda
        return agenda[: min(limit, bisect_right(agenda, until, key=lambda due: due.at))]

    def next_due(self) -> Instant | None:
        """Return when the next work falls due."""
        agenda = self._store.agenda
        return agenda[0].at if agenda else None

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return since when the oldest release that should have been done by then is due."""
        releases = [due.at for due in self._store.agenda if due.kind is DueKind.RELEASE and due.at <= until]
        return min(releases, default=None)

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        counts: dict[str, int] = {}
        for row in self._rows(UNITS).values():
            if row.status != "Released":
                counts[row.status] = counts.get(row.status, 0) + 1
        return counts


def _newest(rows: list[Any], account_id: str, after: int | None, limit: int) -> list[Numbered]:
    numbered = [Numbered(seq, row) for seq, row in enumerate(rows, start=1) if row.account_id == account_id]
    return [row for row in reversed(numbered) if after is None or row.seq < after][:limit]
