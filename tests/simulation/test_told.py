"""Random histories: events show every change once, and limits on units and charges count right and hold."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.tables import ACCOUNT_LIMITS, INSTANCES
from leasebook.domain.book.tables import ACCOUNTS as ACCOUNT_ROWS
from leasebook.domain.commands.account.limits import SetGuardRails
from leasebook.domain.model.instance import LEGAL
from leasebook.domain.model.limits import GuardRules, month_name
from leasebook.domain.record.event import STORY, TYPES
from leasebook.domain.rules.limits_change import GuardChange
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import Instant, to_datetime
from leasebook.domain.values.money import Micro
from tests.depth import ROUNDS, few
from tests.simulation.history import History, histories
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness
from tests.simulation.scribe import ACCOUNTS

MOST: Final = 4
RULES: Final = GuardRules(
    units={"gpu-1": MOST},
    user_units={"*": {"cpu": 1}},
    spend=Micro(2_500_000_000),
    budget=Micro(1_000_000_000),
    budget_warn_percent=(50, 100),
    release_default_us=7_200_000_000,
)


def setting(history: History, account: str, at: Instant) -> SetGuardRails:
    zone = history.zones[ACCOUNTS.index(account)]
    today = to_datetime(at, zone)
    return SetGuardRails(
        account_id=account,
        change=GuardChange(**msgspec.structs.asdict(RULES)),
        month_began=month_of(today.year, today.month, zone)[0],
    )


def check_events(store: MemoryStore) -> None:
    """Every status that an instance had is in one event, and the events together say what its row says."""
    stories: defaultdict[str, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(STORY))
    statuses: defaultdict[str, list[str | None]] = defaultdict(lambda: [None])
    for page in store.events:
        assert (page.first_at, page.last_at) == (
            min(event.at for event in page.events),
            max(event.at for event in page.events),
        )
        for event in page.events:
            assert event.type in TYPES
            if event.unit_id is None:
                continue
            stories[event.unit_id] |= {name: value for name, value in event.data.items() if name in STORY}
            if "status" in event.data:
                statuses[event.unit_id].append(event.data["status"])
    units = {unit.id: unit for unit in store.books().table(INSTANCES)}
    assert stories.keys() == units.keys()
    for unit_id, unit in units.items():
        assert stories[unit_id] == {name: getattr(unit, name) for name in STORY}
        # No step of the way is missing and none has two events: no status follows on itself.
        assert set(pairwise(statuses[unit_id])) <= LEGAL, statuses[unit_id]


def check_counted(store: MemoryStore) -> None:
    """The instances' units and the month's charged postings count against limits, and nothing else."""
    books = store.books()
    units = {unit.id: unit for unit in books.table(INSTANCES)}
    zones = {account.id: account.time_zone for account in books.table(ACCOUNT_ROWS)}
    for guard in books.table(ACCOUNT_LIMITS):
        held: Counter[tuple[str, str]] = Counter()
        for unit in units.values():
            if unit.account_id == guard.account_id and unit.status not in ("Released", "CreateFailed"):
                held[unit.created_by, unit.type] += max(unit.count, unit.target_count or 0)
        assert {(user, kind): count for user, kinds in guard.held.items() for kind, count in kinds.items()} == held
        spent: Counter[str] = Counter()
        for posting in books.postings:
            month = month_name(posting.at, zones[posting.account_id])
            if posting.account_id == guard.account_id and posting.unit_id is not None and month == guard.month:
                sign = 1 if posting.debit == f"wallet:{guard.account_id}" else -1
                spent[units[posting.unit_id].created_by] += sign * posting.amount
        assert {user: amount for user, amount in guard.spent.items() if amount} == {
            user: amount for user, amount in spent.items() if amount
        }


async def lived(history: History, late: int, batch: int) -> None:
    """Play a history with limits: of the first account from the start on, of the second from some later round on."""
    store = MemoryStore()
    office = StoreHarness(store, history.rules, history.engine, batch=batch)
    for number, (at, commands) in enumerate(history.rounds):
        await office.move(at)
        asked = list(commands)
        if number == 0:
            asked.append(setting(history, ACCOUNTS[0], at))
        if number == min(late, len(history.rounds) - 1):
            # Between others of the same batch.
            asked.insert(len(asked) // 2 if number else len(asked), setting(history, ACCOUNTS[1], at))
        await office.say(asked, at)
        check_events(store)
        check_counted(store)
        (first,) = [guard for guard in store.books().table(ACCOUNT_LIMITS) if guard.account_id == ACCOUNTS[0]]
        assert first.holds("gpu-1") <= MOST
        assert first.holds("cpu") <= 1


@settings(max_examples=few(6, 30) * ROUNDS, deadline=None)
@given(histories(new_regions=False), st.integers(0, 6), st.sampled_from((1, 5, 64)))
def test_events_tell_and_limits_count_what_the_books_say(history: History, late: int, batch: int) -> None:
    asyncio.run(lived(history, late, batch))
