"""One batch, from its beginning to its commit, without queue, loop or replies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from leasebook.batch import BatchLimits, Blocked, Conflict, DueRequest, Unavailable
from leasebook.batch.executor import BatchExecutor
from leasebook.batch.housekeeping import Pruner
from leasebook.batch.locked_rows import LockedRows
from leasebook.batch.waiting import Batch
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.record.agenda import Due
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.batch.pieces import BatchRecord, SayCommand, audit_writer, call, line, written
from tests.life.lives import ACCOUNT, PER_MONTH, BillingOracle, opening
from tests.life.test_moving import START, ZONE
from tests.simulation.memory_store import MemoryStore, MemoryTransaction
from tests.simulation.office import StoreHarness

MINUTE = 60_000_000


class StepTransaction(MemoryTransaction):
    """Records the calls that it gets, and fails at the call that the test sets."""

    steps: list[str]
    errors: dict[str, Exception]
    is_idle: bool | None = None

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.errors:
            raise self.errors[name]

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        self._step("load")
        await super().load(needs, book)

    def save_part(self, changes: Changes) -> None:
        self._step("save")
        super().save_part(changes)

    async def commit(self, *, is_idle: bool = False) -> None:
        self._step(f"commit, {is_idle=}")
        await super().commit(is_idle=is_idle)

    async def rollback(self) -> None:
        self.steps.append("rollback")
        await super().rollback()


class StepStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.epoch: str | None = None
        self.is_shared = False

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:  # noqa: ARG002 - there is one server
        self.open = transaction = StepTransaction(self)
        transaction.steps, transaction.errors = self.steps, self.errors
        transaction.identity_epoch, transaction.has_concurrent_writers = self.epoch, self.is_shared
        return transaction


class Backlog:
    """The commands that wait for later batches."""

    is_empty = True
    since_last_call_s = 0.0


class ExecutorBench:
    """An executor on a store with one account that has funds."""

    def __init__(self, **limits: Any) -> None:
        self.store, self.clock, self.backlog = StepStore(), VirtualClock(START), Backlog()
        self.audit = audit_writer()
        rules, engine = Rules(), InstantEngine()
        self.life = BillingOracle(self.store, StoreHarness(self.store, rules, engine), ZONE, START)
        self.locked_rows = LockedRows(self.store, lambda *_: None, wait_s=60.0, length_max=10)
        self.executor = BatchExecutor(
            self.store,
            self.clock,
            rules,
            engine=engine,
            limits=BatchLimits(**limits),
            backlog=self.backlog,
            locked_rows=self.locked_rows,
            audit=self.audit,
            pruner=Pruner(rules),
            before_save=lambda: self.store.steps.append("before save"),
        )

    def balance(self) -> int:
        return int(self.store.rows[ACCOUNTS][ACCOUNT,].balance)


@asynccontextmanager
async def opened(**limits: Any) -> AsyncIterator[ExecutorBench]:
    bench = ExecutorBench(**limits)
    funds = TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH))
    await bench.life.office.say([*opening(ZONE, START), funds], START)
    bench.store.steps.clear()
    yield bench
    await bench.locked_rows.close()


def payment() -> TopUp:
    return TopUp(account_id=ACCOUNT, amount=Micro(1))


async def test_a_batch_is_loaded_decided_saved_and_committed_and_nobody_is_answered_yet() -> None:
    async with opened() as bench:
        callers = [call(payment()), call(payment())]
        done = await bench.executor.execute(Batch(callers), [])
        assert list(dict.fromkeys(bench.store.steps)) == ["load", "before save", "save", "commit, is_idle=False"]
        assert bench.balance() == PER_MONTH + 2
        assert (done.callers, done.commands, done.has_changes) == (callers, 2, True)
        assert [decision.refusal for decision in done.decisions] == [None, None]
        assert 0 <= done.commit_seconds <= done.seconds
        assert [row.id for row in done.changes.updated[ACCOUNTS]] == [ACCOUNT]
        assert not any(one.future.done() for one in callers)


async def test_the_store_knows_of_a_single_command_after_which_nothing_waits() -> None:
    async with opened() as bench:
        await bench.executor.execute(Batch([call(payment())]), [])
        bench.backlog.is_empty = False
        await bench.executor.execute(Batch([call(payment())]), [])
        commits = [step for step in bench.store.steps if step.startswith("commit")]
        assert commits == ["commit, is_idle=True", "commit, is_idle=False"]


async def test_a_batch_without_changes_is_not_saved() -> None:
    async with opened() as bench:
        done = await bench.executor.execute(Batch([call(SayCommand(number=7))]), [])
        assert "save" not in bench.store.steps
        assert not done.has_changes
        assert done.decisions[0].answer == 7


async def test_callers_whose_identity_has_changed_are_not_decided() -> None:
    async with opened() as bench:
        bench.store.epoch = "2"
        stale, current, own = call(payment(), epoch="1"), call(payment(), epoch="2"), call(payment())
        done = await bench.executor.execute(Batch([stale, current, own]), [])
        assert done.callers == [current, own]
        assert bench.balance() == PER_MONTH + 2


@pytest.mark.parametrize("step", ["load", "save", "commit, is_idle=True"])
@pytest.mark.parametrize("error", [Conflict("another server was first"), Unavailable("full"), RuntimeError("broken")])
async def test_whatever_fails_is_rolled_back_and_raised_and_leaves_nothing_behind(step: str, error: Exception) -> None:
    async with opened() as bench:
        bench.store.errors = {step: error}
        bench.audit.note(line("waiting"))
        batch, record = (
            Batch([call(payment(), record=BatchRecord("one"))], lines=bench.audit.take()),
            BatchRecord("two"),
        )
        with pytest.raises(type(error)):
            await bench.executor.execute(batch, [])
        assert bench.store.steps[-1] == "rollback"
        assert bench.balance() == PER_MONTH
        assert len(batch.lines) == 1, "its entry is not written"
        bench.store.errors = {}
        await bench.executor.execute(Batch([call(payment(), record=record)], lines=batch.lines), [])
        assert bench.balance() == PER_MONTH + 1
        assert written(bench.store) == ["waiting", "two"]


async def test_entries_are_committed_with_their_commands_and_calls_know_of_it_afterwards() -> None:
    async with opened() as bench:
        done, refused = BatchRecord("done"), BatchRecord("refused")
        calls = [call(payment(), record=done), call(SayCommand(is_refused=True), record=refused)]
        batch = Batch(calls, lines=[line("before")])
        decided = await bench.executor.execute(batch, [])
        assert isinstance(decided.decisions[1].refusal, Refusal)
        assert written(bench.store) == ["before", "done", "refused"]
        assert (done.written_codes, len(refused.written_codes)) == (["OK"], 1)
        assert batch.lines == []


async def test_rows_that_another_session_has_locked_are_found_out_and_the_next_try_leaves_them_out() -> None:
    async with opened() as bench:
        bench.store.locked_elsewhere = {(ACCOUNTS, (ACCOUNT,))}
        locked, free = call(payment()), call(SayCommand(number=7))
        batch = Batch([locked, free])
        with pytest.raises(Blocked) as blocked:
            await bench.executor.execute(batch, [])
        assert blocked.value.learned
        done = await bench.executor.execute(batch, [])
        assert done.callers == batch.callers == [free]
        assert len(bench.locked_rows) == 1


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_batch_says_whether_another_server_competes_for_its_rows(
    is_shared: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leasebook.batch.sizing.ROW_WAIT_S", -1.0)

    async with opened() as bench:
        bench.store.is_shared = is_shared
        batch = Batch([call(payment())])
        assert batch.is_contended is None
        await bench.executor.execute(batch, [])
        assert batch.is_contended is is_shared


async def released_at(bench: ExecutorBench, minutes: int) -> str:
    bought = await bench.life.ask(bench.life.buying(release_at=Instant(START + minutes * MINUTE)))
    return str(bought.unit_id)


async def test_due_work_is_claimed_by_its_batch_and_decided_before_the_callers() -> None:
    async with opened() as bench:
        name = await released_at(bench, 10)
        bench.clock.moved(Instant(START + 10 * MINUTE))
        due: list[Due] = []
        done = await bench.executor.execute(Batch([call(SayCommand(number=7))], request=DueRequest()), due)
        assert due
        assert {item.unit_id for item in due} == {name}
        assert done.commands == len(due) + 1
        assert [decision.answer for decision in done.decisions[len(due) :]] == [7]


async def test_a_batch_that_moves_the_clock_stops_at_the_first_moment_and_the_clock_is_there() -> None:
    async with opened() as bench:
        for minutes in (10, 20):
            await released_at(bench, minutes)
        due: list[Due] = []
        request = DueRequest(until=Instant(START + 60 * MINUTE), moving=True)
        done = await bench.executor.execute(Batch([], request=request), due)
        assert len({item.at for item in due}) == 1
        assert bench.clock.now() == due[0].at
        assert len(done.decisions) == len(due) + 1, "the move is a command, too"


async def test_it_keeps_nothing_between_batches() -> None:
    async with opened() as bench:
        before = dict(vars(bench.executor))
        await bench.executor.execute(Batch([call(payment())]), [])
        bench.store.errors = {"load": Conflict("another server was first")}
        with pytest.raises(Conflict):
            await bench.executor.execute(Batch([call(payment())]), [])
        assert vars(bench.executor) == before
