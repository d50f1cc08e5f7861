"""Faults that random histories once found in long lives of instances, each with its shortest history."""

from __future__ import annotations

import asyncio

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.command import Decision, Engine
from leasebook.domain.values.calendar import parse_time
from leasebook.domain.values.refusal import WRONG_STATE
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.asks import (
    Ask,
    AutoRenew,
    Buy,
    BuyQuoted,
    Offer,
    Quoted,
    Renew,
    Report,
    Resize,
    SwitchBilling,
    Wait,
)
from tests.simulation.history import DAY, HOUR, TERM_OVER, History
from tests.simulation.lives import MINUTELY, MONTH, MONTHLY, found, lived
from tests.simulation.memory_books import Books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness
from tests.simulation.playing import played

SLOW = Engine()


def lived_late(history: History, *, batch: int = 1) -> tuple[Books, list[Decision]]:
    """Play it with an agenda that does nothing until the end."""

    async def scene() -> tuple[Books, list[Decision]]:
        store = MemoryStore()
        office = StoreHarness(store, history.rules, history.engine)
        answers = [decided for at, commands in history.rounds for decided in await office.say(commands, at)]
        await StoreHarness(store, history.rules, history.engine, batch=batch).catch_up(history.rounds[-1].at)
        return store.books(), answers

    return asyncio.run(scene())


def test_a_month_that_begins_in_an_hour_which_comes_twice_is_a_whole_one_when_more_units_are_bought() -> None:
    # The second half past one of that night, when Lord Howe's clocks go back by half an hour.
    start = parse_time("2030-04-06T15:10:00Z", "UTC")
    (unit,) = lived(found(MONTHLY, Ask(Resize(0, 2)), Wait(1), start=start, zone="Australia/Lord_Howe"))
    assert unit.charged == 2 * MONTH


def test_a_price_that_was_quoted_for_a_month_does_not_hold_for_minutes() -> None:
    (unit,) = lived(
        found(
            Ask(Quoted(Buy(0, "bj", "gpu-1", 1, 1, None), keep=True)),
            Wait(60),
            Ask(Offer("bj", "gpu-1", 1, None, None)),
            Ask(BuyQuoted(0, "same")),
            Ask(SwitchBilling(0, 0)),
            Wait(31 * DAY + HOUR),
        )
    )
    assert unit.status == "Running"
    assert unit.charged == MONTH + unit.metered_minutes * 1
    assert unit.metered_minutes > 0


def test_what_was_paid_to_renew_units_that_could_not_be_had_goes_back() -> None:
    (unit,) = lived(
        found(MONTHLY, Report(), Ask(Resize(0, 3)), Ask(Renew(0, 1, None)), Wait(60), Report(failed=True), engine=SLOW)
    )
    assert (unit.status, unit.count, unit.charged) == ("ReconfigureFailed", 1, 2 * MONTH)


def test_a_resize_after_the_end_of_a_term_that_is_late_pays_nothing_back() -> None:
    books, answers = lived_late(found(MONTHLY, Wait(TERM_OVER), Ask(Resize(0, 2)), Wait(1)))
    assert answers[-1].refusal is None
    (unit,) = books.table(INSTANCES)
    assert unit.charged == MONTH
    assert {order.amount for order in books.orders} == {MONTH, 0}


def test_nobody_pays_beyond_a_release_time_that_is_late_by_resizing_then() -> None:
    buy = Ask(Buy(0, "bj", "gpu-1", 1, 0, HOUR + 30))
    for moment in (HOUR + 30, HOUR + 40, 2 * HOUR):
        books, answers = lived_late(found(buy, Wait(moment), Ask(Resize(0, 3)), Wait(DAY)))
        assert answers[-1].refusal is None
        (unit,) = books.table(INSTANCES)
        assert unit.metered_minutes == 61
        # At the very moment of the release the third unit is there, and for no time.
        assert unit.charged == 61 * 500_000


def test_an_instance_whose_release_is_late_does_not_become_prepaid() -> None:
    buy = Ask(Buy(0, "bj", "gpu-1", 1, 0, HOUR))
    books, answers = lived_late(found(buy, Wait(HOUR), Ask(SwitchBilling(0, 1)), Wait(1)))
    assert answers[-1].refusal is not None
    assert answers[-1].refusal.reason == WRONG_STATE
    (unit,) = books.table(INSTANCES)
    assert (unit.status, unit.charged) == ("Released", 60 * 500_000)


def test_what_stood_still_for_a_debt_runs_again_when_money_that_goes_back_pays_it() -> None:
    monthly = Ask(Buy(0, "bd", "gpu-1", 1, 1, None))
    rules = Rules(arrears_grace_us=0)
    history = found(
        *(MINUTELY, Report(), monthly, Wait(6 * HOUR), Report(0, failed=True), Wait(60)),
        engine=SLOW,
        funds=MONTH,
        rules=rules,
    )
    stopped, running = (lived(history._replace(steps=history.steps[:end])) for end in (4, 6))
    assert [unit.status for unit in stopped] == ["Stopped", "Creating"]
    assert [unit.status for unit in running] == ["Running", "CreateFailed"]


def test_which_instance_stops_for_a_debt_does_not_depend_on_how_much_late_work_is_done_together() -> None:
    two, one = Ask(Buy(0, "bj", "gpu-1", 2, 0, None)), MINUTELY
    history = found(two, one, Wait(HOUR), one, one, Wait(HOUR // 2), funds=150_000_000, rules=Rules(arrears_grace_us=0))

    async def on_time() -> Books:
        store = MemoryStore()
        await played(history, store)
        await StoreHarness(store, history.rules, history.engine).move(history.rounds[-1].at)
        return store.books()

    expected = asyncio.run(on_time())
    assert "Stopped" in {unit.status for unit in expected.table(INSTANCES)}
    for batch in (1, 7, 64):
        books, _ = lived_late(history, batch=batch)
        assert books.without_order == expected.without_order


def test_an_instance_that_cannot_be_renewed_for_longer_ends_like_any_other() -> None:
    longest = (Ask(Renew(0, 36, None)) for _ in range(33))
    history = found(
        MONTHLY, *longest, Ask(Renew(0, 11, None)), Ask(AutoRenew(0, 1)), Wait(101 * 366 * DAY), funds=10**12
    )
    (unit,) = lived(history)
    assert (unit.term_months, unit.status, unit.end_reason) == (1200, "Released", "Expiry")
