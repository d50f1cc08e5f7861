"""Moving the clock: however much of a moment's work is taken at once, the same lives come of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from leasebook.batch import BatchLimits, DueRequest, Sequencer
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.scheduler.worker import Scheduler
from tests.life.lives import ACCOUNT, PER_MINUTE, PER_MONTH, BillingOracle, opening
from tests.life.reckoning import DAY, HOUR, MINUTE, moment
from tests.simulation.memory_books import Books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness

ZONE = "Asia/Shanghai"
START = Instant(moment("2030-01-31 10:30:00", ZONE))
END = Instant(START + 32 * DAY)
FUNDS = 3 * PER_MONTH + (6 * (21 * 24 * 60 - 30) + 30 + 2 * 330) * PER_MINUTE + PER_MONTH * 3 // 2
"""When renewals are tried first, after 21 days, there is enough for one of them; the meters use up the rest."""
TIE = 12
"""Most pieces of work that fall due at one moment: the charges and stops of six instances."""


class Sizes:
    """Notes how many commands the batches had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:  # noqa: ARG002
        """Note it."""
        self.sizes.append(size)

    def due_done(self, kind: str, lateness_seconds: float) -> None:
        """Count nothing."""


async def bought() -> tuple[MemoryStore, StoreHarness]:
    """A store with instances that come due together."""
    store = MemoryStore()
    office = StoreHarness(store, Rules(), InstantEngine())
    life = BillingOracle(store, office, ZONE, START)
    await office.say(opening(ZONE, START), START)
    await office.say([TopUp(account_id=ACCOUNT, amount=Micro(FUNDS))], START)
    commands: list[Command] = [
        *(life.buying(1) for _ in range(6)),
        *(life.buying(1, release_at=Instant(START + 30 * MINUTE + hours * HOUR)) for hours in (0, 5, 5)),
        *(life.buying(1, months=1, auto_renew=renewed) for renewed in (True, True, False)),
    ]
    assert all(decided.refusal is None for decided in await office.say(commands, START))
    return store, office


async def on_time() -> Books:
    store, office = await bought()
    await office.move(END)
    return store.books()


async def moved(limits: BatchLimits) -> tuple[Books, list[int]]:
    store, _ = await bought()
    clock, meter = VirtualClock(START), Sizes()
    sequencer = Sequencer(store, clock, Rules(), engine=InstantEngine(), limits=limits, meter=meter)
    scheduler = Scheduler(store, sequencer, clock, meter)
    sequencer.watch(scheduler)
    sequencer.start()
    await scheduler.advance(END)
    assert await sequencer.do_due(DueRequest()) == []
    await sequencer.close()
    assert clock.now() == END
    return store.books(), meter.sizes


@pytest.mark.parametrize(("due_max", "times"), [(1, 1), (1, 4), (3, 1), (2, 4), (256, 4)])
async def test_the_same_books_come_of_a_move_however_much_is_taken_at_once(due_max: int, times: int) -> None:
    expected = await on_time()
    books, sizes = await moved(BatchLimits(64, due_max, 100, times))
    # One command more: the one that moves the clock.
    assert max(sizes) == min(due_max * times, TIE) + 1
    assert books == expected


async def test_more_is_taken_at_once_while_nobody_calls_and_less_again_once_somebody_does() -> None:
    store, _ = await bought()
    clock, meter = VirtualClock(Instant(START + 30 * MINUTE)), Sizes()
    limits = BatchLimits(64, due_max=1, idle_times=3)
    sequencer = Sequencer(store, clock, Rules(), engine=InstantEngine(), limits=limits, meter=meter)
    sequencer.start()
    assert len(await sequencer.do_due(DueRequest())) == 3
    # In a batch of its own, with which no due work is done.
    await sequencer.submit(TopUp(account_id=ACCOUNT, amount=Micro(1)))
    assert len(await sequencer.do_due(DueRequest())) == 1
    call = sequencer.submit(TopUp(account_id=ACCOUNT, amount=Micro(1)))
    _, due = await asyncio.gather(call, sequencer.do_due(DueRequest()))
    assert len(due) == 1
    await sequencer.close()
    assert meter.sizes == [3, 1, 1, 2]


async def test_the_life_that_is_moved_through_has_something_of_everything() -> None:
    books = await on_time()
    units = list(books.rows["units"].values())
    assert Counter((unit.status, unit.end_reason) for unit in units) == {
        ("Released", "Schedule"): 3,
        ("Released", "Arrears"): 6,
        ("Running", None): 1,
        ("Stopped", None): 2,
    }
    kinds = Counter(posting.kind for posting in books.postings)
    assert (kinds["TopUp"], kinds["Purchase"], kinds["Renewal"]) == (1, 3, 1)
