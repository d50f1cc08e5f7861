"""Due work: never early, each piece as of its own time, and in the order of those times, however late."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from leasebook.batch import DUE_DEFERRED, decide_in_parts, load
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.command import Decision
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, Instant, parse_time
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.simulation.asks import Ask, Buy, Offer, Wait
from tests.simulation.history import History
from tests.simulation.memory_books import Books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness

START = parse_time("2030-01-15T09:30:00Z", "UTC")
RULES, ENGINE = Rules(), InstantEngine()
BUY = Ask(Buy(0, "bj", "gpu-1", 1, 0, 3 * 3600 + 600), token=False)
CHARGE, RELEASE = DueKind.CHARGE, DueKind.RELEASE


def after(minutes: int) -> Instant:
    return Instant(START + minutes * MINUTE_US)


async def bought(*steps: Ask | Wait) -> MemoryStore:
    """A store in which these were bought, nothing of it done yet."""
    store = MemoryStore()
    office = StoreHarness(store, RULES, ENGINE)
    history = History(START, Micro(5_000_000_000), ("UTC", "UTC"), RULES, ENGINE, steps)
    for at, commands in history.rounds:
        await office.say(commands, at)
    return store


async def do(store: MemoryStore, due: Sequence[Due], now: Instant) -> list[Decision]:
    """Do due work in one batch at that time."""
    transaction = await store.begin()
    commands = [DoDue(due=item) for item in due]
    book = await load(transaction, commands)
    (outcomes,) = decide_in_parts(book, commands, RULES, now, ENGINE, None)
    await transaction.save(book.changes())
    await transaction.commit()
    return outcomes


def charges(books: Books) -> list[tuple[int, int]]:
    """When, after the start, how many minutes were charged."""
    return [
        ((posting.at - START) // MINUTE_US, posting.minutes or 0)
        for posting in books.postings
        if posting.kind == "Usage"
    ]


async def test_work_is_not_done_before_its_time_and_is_done_at_it() -> None:
    store = await bought(BUY)
    charge, release = store.books().agenda
    assert charge == Due(after(30), CHARGE, "unit-001")
    assert release == Due(after(190), RELEASE, "unit-001")
    before = store.books()
    assert await do(store, [charge, release], Instant(charge.at - 1)) == [DUE_DEFERRED, DUE_DEFERRED]
    assert store.books() == before
    assert await do(store, [charge, release], charge.at) == [Decision(answer=True), DUE_DEFERRED]
    assert charges(store.books()) == [(30, 30)]


async def test_late_work_is_put_off_behind_what_falls_due_before_it() -> None:
    store = await bought(BUY)
    now = after(24 * 60)
    # The first charge makes the next one due, which comes before the release.
    assert await do(store, store.books().agenda, now) == [Decision(answer=True), DUE_DEFERRED]
    assert store.books().agenda == [Due(after(90), CHARGE, "unit-001"), Due(after(190), RELEASE, "unit-001")]
    for _ in range(3):
        await do(store, store.books().agenda, now)
    assert store.books().agenda == []
    assert charges(store.books()) == [(30, 30), (90, 60), (150, 60), (190, 40)]
    (unit,) = store.books().table(INSTANCES)
    assert (unit.ended_at, unit.released_at, unit.end_reason) == (after(190), after(190), "Schedule")


async def test_late_work_on_one_instance_waits_for_earlier_work_on_another() -> None:
    late = Ask(Buy(1, "bj", "gpu-1", 1, 0, 100 * 60), token=False)  # released ten minutes after the second charge
    store = await bought(late, BUY)
    due = store.books().agenda
    assert [(item.kind, item.unit_id) for item in due] == [
        (CHARGE, "unit-001"),
        (CHARGE, "unit-002"),
        (RELEASE, "unit-001"),
        (RELEASE, "unit-002"),
    ]
    answers = await do(store, due, after(24 * 60))
    assert answers == [Decision(answer=True), Decision(answer=True), DUE_DEFERRED, DUE_DEFERRED]


@pytest.mark.parametrize("second", ["unit-000", "unit-999"])
async def test_late_work_of_one_moment_and_kind_waits_for_work_that_is_made_due_then(second: str) -> None:
    """The order of the two is that of the purchases, which ids do not tell."""
    store = await bought(BUY, Wait(40 * 60), BUY)
    units = store.rows[INSTANCES]
    unit = units.pop([*units][1])
    store.agenda = [due for due in store.agenda if due.unit_id != unit.id]
    renamed = msgspec.structs.replace(unit, id=second)
    store.project([renamed])
    units[second,] = renamed
    due = store.ask(lambda ask: ask.due(after(90), 99))
    assert [(item.at, item.unit_id) for item in due] == [(after(30), "unit-001"), (after(90), second)]
    assert await do(store, due, after(24 * 60)) == [Decision(answer=True), DUE_DEFERRED]
    due = store.ask(lambda ask: ask.due(after(90), 99))
    assert [(item.at, item.unit_id) for item in due] == [(after(90), "unit-001"), (after(90), second)]
    assert await do(store, due, after(24 * 60)) == [Decision(answer=True)] * 2


async def test_work_of_the_same_moment_is_done_together() -> None:
    store = await bought(BUY, BUY, BUY)
    due = [item for item in store.books().agenda if item.kind is CHARGE]
    assert len({item.at for item in due}) == 1
    assert await do(store, due, after(24 * 60)) == [Decision(answer=True)] * 3


async def test_a_release_goes_before_a_charge_of_the_same_moment_and_the_minutes_are_charged_once() -> None:
    store = await bought(Ask(Buy(0, "bj", "gpu-1", 1, 0, 1800), token=False))
    due = store.books().agenda
    assert [item.kind for item in due] == [RELEASE, CHARGE]
    assert await do(store, due, due[0].at) == [Decision(answer=True), Decision(answer=False)]
    assert charges(store.books()) == [(30, 30)]


async def test_the_same_work_handed_in_twice_is_done_once() -> None:
    for kind in (CHARGE, RELEASE):
        store = await bought(BUY)
        (item,) = (due for due in store.books().agenda if due.kind is kind)
        assert await do(store, [item, item], item.at) == [Decision(answer=True), Decision(answer=False)]
        before = store.books()
        assert await do(store, [item], Instant(item.at + HOUR_US)) == [Decision(answer=False)]
        assert store.books() == before


async def test_late_charges_have_the_prices_of_their_minutes() -> None:
    dearer = Ask(Offer("bj", "gpu-1", 2_000_000, None, None), token=False)
    # Half a minute after the 100th minute began: it keeps the old price of half a unit.
    store = await bought(BUY, Wait(100 * 60 + 30), dearer)
    office = StoreHarness(store, RULES, ENGINE, batch=64)
    await office.catch_up(after(24 * 60))
    (unit,) = store.books().table(INSTANCES)
    assert unit.metered_minutes == 190
    assert unit.charged == 101 * 500_000 + 89 * 2_000_000
