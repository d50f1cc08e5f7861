"""Reminders in random histories: each once, at its own time, and never of an end that is past."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.record.agenda import DueKind, agenda_of
from leasebook.domain.record.event import RELEASE_CLEARED, RELEASE_MOVED, RELEASE_SET, REMINDED, Event
from leasebook.domain.values.calendar import DAY_US, HOUR_US, SECOND_US
from leasebook.domain.values.rule_settings import Rules
from tests.depth import ROUNDS, few
from tests.simulation.asks import Ask, Schedule, Wait
from tests.simulation.history import DAY, HOUR, TERM_OVER, History, histories
from tests.simulation.lives import MINUTELY, MONTHLY, found
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness
from tests.simulation.playing import played


def events_in(store: MemoryStore) -> list[Event]:
    """Every event, in the order in which they were written."""
    return [event for page in store.events for event in page.events]


def check(store: MemoryStore, rules: Rules) -> None:
    """Fail where a reminder is one too many, or not at its time, or of no deadline that was ever set."""
    reminders = [event for event in events_in(store) if event.type == REMINDED]
    given = Counter((event.unit_id, event.data["deadline"], event.data["offsetSeconds"]) for event in reminders)
    assert all(times == 1 for times in given.values()), given
    deadlines: dict[str, set[int]] = {}
    for event in events_in(store):
        for name in ("release_at", "expires_at"):
            at = event.data.get(name)
            if at is not None and event.unit_id is not None:
                deadlines.setdefault(event.unit_id, set()).add(at)
    for event in reminders:
        deadline, offset = event.data["deadline"], event.data["offsetSeconds"] * SECOND_US
        assert event.at == deadline - offset < deadline
        assert offset in rules.remind_before_us
        assert deadline in deadlines[event.unit_id or ""]
        assert event.user_id is None
    for unit in store.books().table(INSTANCES):
        due = [item for item in agenda_of(unit) if item.kind is DueKind.REMIND]
        if unit.remind_at is None:
            assert (due, unit.remind_before_us) == ([], ())
            continue
        deadline = unit.release_at if unit.payment_timing == "Postpaid" else unit.expires_at
        assert [item.at for item in due] == [unit.remind_at]
        assert deadline is not None
        assert deadline - unit.remind_before_us[0] == unit.remind_at < deadline
        assert unit.reminded_at is None or unit.reminded_at < unit.remind_at


@settings(max_examples=few(4, 15) * ROUNDS, deadline=None)
@given(histories(new_regions=False))
def test_each_reminder_is_given_once_at_its_own_time(history: History) -> None:
    async def scene() -> None:
        store = MemoryStore()
        await played(history, store)
        check(store, history.rules)

    asyncio.run(scene())


@settings(max_examples=few(4, 15) * ROUNDS, deadline=None)
@given(histories(new_regions=False), st.sets(st.integers(0, 12), max_size=4), st.sampled_from((1, 7, 64)))
def test_while_the_agenda_stops_none_is_given_twice_and_none_of_what_has_passed(
    history: History, working: set[int], batch: int
) -> None:
    async def scene() -> None:
        store = MemoryStore()
        office = StoreHarness(store, history.rules, history.engine, batch=batch)
        for number, (at, commands) in enumerate(history.rounds):
            if number in working:
                pages = len(store.events)
                await office.catch_up(at)
                late = [event for page in store.events[pages:] for event in page.events if event.type == REMINDED]
                assert all(event.data["deadline"] > at for event in late), "reminded of what has passed"
                nearest = Counter((event.unit_id, event.data["deadline"]) for event in late)
                assert all(times == 1 for times in nearest.values()), "a burst of old reminders"
            await office.say(commands, at)
            check(store, history.rules)

    asyncio.run(scene())


TWICE = Rules(remind_before_us=(DAY_US, HOUR_US))


async def test_histories_have_reminders_of_releases_and_of_expiries_in_them() -> None:
    """So that the properties above are about something."""
    store = MemoryStore()
    steps = (
        *(MINUTELY, Ask(Schedule(0, 25 * HOUR)), Wait(2 * HOUR), Ask(Schedule(0, 26 * HOUR)), Wait(25 * HOUR)),
        *(MONTHLY, Wait(TERM_OVER)),
    )
    await played(found(*steps, rules=TWICE), store)
    check(store, TWICE)
    found_types = [
        (event.type, event.data.get("offsetSeconds"), event.data.get("what"))
        for event in events_in(store)
        if event.type in (REMINDED, RELEASE_SET, RELEASE_MOVED, RELEASE_CLEARED)
    ]
    assert found_types == [
        (RELEASE_SET, None, None),
        (REMINDED, DAY, "release"),
        (RELEASE_MOVED, None, None),
        (REMINDED, DAY, "release"),
        (REMINDED, HOUR, "release"),
        (REMINDED, DAY, "expiry"),
        (REMINDED, HOUR, "expiry"),
    ]


async def test_an_instance_without_a_deadline_has_no_row_in_the_agenda_for_reminders() -> None:
    store = MemoryStore()
    await played(found(MINUTELY, MINUTELY, Wait(HOUR), rules=TWICE), store)
    assert {item.kind for item in store.books().agenda} == {DueKind.CHARGE}
    assert all(unit.remind_at is None and unit.reminded_at is None for unit in store.books().table(INSTANCES))
