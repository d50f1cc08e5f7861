"""Random histories: what holds after every step of each, and what must not depend on how it is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from leasebook.batch import BatchLimits, Sequencer
from leasebook.domain.book.tables import INSTANCES, METADATA, TABLES
from leasebook.domain.commands.command import Decision
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.clock import VirtualClock
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, ReadRepository
from leasebook.scheduler.worker import Scheduler
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.opening import OpenStore
from leasebook.store.queries.read_repository import Fetch, Queries, columns
from leasebook.store.rows.codec import CODECS, ORDERS, POSTINGS, Codec
from leasebook.store.sqlite.store import SqliteStore
from leasebook.store.verify.check import check, check_directory
from leasebook.store.verify.nouns.events import UNITS_BEFORE_EVENTS
from tests.contract.stores import KINDS
from tests.depth import ROUNDS, few
from tests.simulation.history import History, histories
from tests.simulation.invariants import check_books
from tests.simulation.memory_books import Books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.meters import MINUTE
from tests.simulation.office import StoreHarness
from tests.simulation.playing import played, watched
from tests.simulation.witness import Witness

T = TypeVar("T")
MASTER_KEY = bytes(32)


@settings(max_examples=few(10, 50) * ROUNDS, deadline=None)
@given(histories(), st.booleans())
def test_after_every_step_the_books_are_right(history: History, twice: bool) -> None:  # noqa: FBT001
    asyncio.run(watched(history, twice=twice))


@settings(max_examples=few(4, 15) * ROUNDS, deadline=None)
@given(histories(new_regions=False))
def test_the_same_history_in_batches_of_other_sizes_gives_the_same_books(history: History) -> None:
    async def scene() -> None:
        one, three, all_at_once = MemoryStore(), MemoryStore(), MemoryStore()
        answers = await played(history, one, batch=1)
        assert await played(history, three, batch=3) == answers
        assert await played(history, all_at_once, batch=64) == answers
        assert one.books() == three.books() == all_at_once.books()

    asyncio.run(scene())


def _without_said(books: Books) -> Books:
    """The same but for what was said last: of a deadline that has passed nothing is said late, even if it moved since.

    That is so where a renewal that had failed is paid after the reminder and before the deadline.
    """
    sorted_books = books.without_order
    units = {key: msgspec.structs.replace(unit, reminded_at=None) for key, unit in sorted_books.rows["units"].items()}
    return sorted_books._replace(rows=sorted_books.rows | {"units": units})


@settings(max_examples=few(4, 15) * ROUNDS, deadline=None)
@given(histories(), st.sampled_from((1, 2, 7, 64)))
def test_an_agenda_that_stopped_for_a_while_writes_the_same_books_as_one_that_was_on_time(
    history: History, batch: int
) -> None:
    async def scene() -> None:
        on_time, late = MemoryStore(), MemoryStore()
        answers = await played(history, on_time)
        office = StoreHarness(late, history.rules, history.engine)
        stopping = StoreHarness(late, history.rules, history.engine, batch=batch)
        late_answers = []
        for at, commands in history.rounds:
            # Nothing was done since the last round, and no caller asked for anything.
            await stopping.catch_up(at)
            late_answers += await office.say(commands, at)
        assert late_answers == answers
        assert _without_said(late.books()) == _without_said(on_time.books())

    asyncio.run(scene())


@settings(max_examples=few(4, 15) * ROUNDS, deadline=None)
@given(histories(), st.sets(st.integers(0, 12), max_size=3), st.sampled_from((1, 7, 64)))
def test_while_the_agenda_stops_the_books_stay_right_and_nobody_pays_beyond_the_release_time(
    history: History, working: set[int], batch: int
) -> None:
    async def scene() -> None:
        # The witness wants to see each piece of work by itself; that it is done in batches must make no difference.
        store, batched, witness = MemoryStore(), MemoryStore(), Witness(history.rules, history.engine, on_time=False)
        office = StoreHarness(store, history.rules, history.engine, witness=witness.committed)
        other, agenda = (StoreHarness(batched, history.rules, history.engine, batch=size) for size in (1, batch))
        for number, (at, commands) in enumerate(history.rounds):
            if number in working:
                await office.catch_up(at)
                await agenda.catch_up(at)
                check_books(store.books(), history.rules, at, on_time=False)
                assert all(due.at > at for due in store.books().agenda)
            for command in commands:
                (decided,) = await office.say([command], at)
                assert [decided] == await other.say([command], at)
                witness.answered(command, decided)
                check_books(store.books(), history.rules, at, on_time=False)
        end = history.rounds[-1].at
        await office.catch_up(end)
        await agenda.catch_up(end)
        books = store.books()
        check_books(books, history.rules, end, on_time=False)
        witness.check_bills(books)
        assert batched.books().without_order == books.without_order
        released = {unit.id: unit.release_at for unit in books.table(INSTANCES) if unit.release_at is not None}
        for posting in books.postings:
            if posting.kind == "Usage" and posting.unit_id in released:
                last = (posting.since or 0) + MINUTE * ((posting.minutes or 0) - 1)
                assert last < released[posting.unit_id], "paid beyond the release time"

    asyncio.run(scene())


# The parts that run the service: the sequencer, the agenda, the embedded store


class NoMetrics:
    """These tests do not count."""

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Count no batch."""

    def due_done(self, kind: str, lateness_seconds: float) -> None:
        """Count no due work."""


@settings(max_examples=few(4, 12) * ROUNDS, deadline=None)
@given(histories(new_regions=False), st.sampled_from((None, 1, 3)))
def test_the_sequencer_and_the_agenda_write_the_same_books(history: History, part: int | None) -> None:
    async def scene() -> None:
        expected, store = MemoryStore(), MemoryStore()
        answers = await played(history, expected)
        clock = VirtualClock(history.start)
        sequencer = Sequencer(
            store,
            clock,
            history.rules,
            engine=history.engine,
            limits=BatchLimits(16, 8, 100, part_size=part),
            meter=NoMetrics(),
        )
        scheduler = Scheduler(store, sequencer, clock, NoMetrics())
        sequencer.watch(scheduler)
        sequencer.start()
        got: list[Decision] = []
        for at, commands in history.rounds:
            await scheduler.advance(at)
            results = await asyncio.gather(*map(sequencer.submit, commands), return_exceptions=True)
            for result in results:
                refused = isinstance(result, Refusal)
                assert refused or not isinstance(result, BaseException), repr(result)
                got.append(Decision(refusal=result) if isinstance(result, Refusal) else Decision(answer=result))
        await sequencer.close()
        assert got == answers
        assert store.books() == expected.books()

    with capture_logs():  # rendering a traceback takes longer than a history
        asyncio.run(scene())


def fetched(store: OpenStore, use: Callable[[Fetch], T]) -> T:
    """Read with plain SQL, whatever the store speaks it to."""

    def question(ask: ReadRepository) -> T:
        return use(cast("Queries", ask)._fetch)

    return store.ask(question)


def books_of(store: OpenStore) -> Books:
    """Read everything."""

    def everything(fetch: Fetch) -> Books:
        def rows(codec: Codec[Any]) -> Iterator[Any]:
            return map(codec.read, fetch(f"SELECT {columns(codec)} FROM {codec.name}", ()))

        tables = {table.name: {table.key_of(row): row for row in rows(CODECS[table])} for table in TABLES}
        # Only stores that several servers share keep one.
        tables[METADATA.name].pop((IDENTITY_EPOCH,), None)
        # Written by a migration, and the store in memory has none.
        tables[METADATA.name].pop((UNITS_BEFORE_EVENTS,))
        due = Queries(fetch).due(Instant(2**62), 2**30)
        return Books(tables, list(rows(ORDERS)), list(rows(POSTINGS)), sorted(due))

    return fetched(store, everything)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@settings(max_examples=few(2, 8) * ROUNDS, deadline=None)
@given(
    history=histories(rounds=8, terms=False),
    batch=st.sampled_from((1, 3, 64)),
    part=st.sampled_from((None, 1, 2)),
)
def test_every_store_ends_in_the_same_books_and_its_check_finds_nothing(
    kind: str, history: History, batch: int, part: int | None
) -> None:
    async def scene(store: OpenStore) -> None:
        expected = MemoryStore()
        answers = await played(history, expected, batch=batch, key=MASTER_KEY)
        assert await played(history, store, batch=batch, part=part, key=MASTER_KEY) == answers
        assert books_of(store).without_order == expected.books().without_order
        assert fetched(store, lambda fetch: check(fetch, AuditKeys(MASTER_KEY))).findings == []
        if isinstance(store, SqliteStore):
            assert check_directory(store.path.parent).findings == []

    async def whole(opener: Callable[[], OpenStore]) -> None:
        store = opener()
        try:
            await scene(store)
        finally:
            await store.close()

    with KINDS[kind]() as opener:
        asyncio.run(whole(opener))
