"""Moves between projects: the charges of projects add up to the bill, and each minute is its project's."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, PRICES, PROJECTS
from leasebook.domain.commands.project.move import MoveResource
from leasebook.domain.model.account import Account
from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.model.resource.project import Project
from leasebook.domain.rules.metering import charge_usage
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from tests.contract.rows import unit
from tests.depth import few

START: Final = Instant(1_900_000_000_000_000)
MINUTES: Final = 40
OTHERS: Final = (None, "prj-1", "prj-2")
MOMENTS: Final = st.integers(0, MINUTES * 4).map(lambda quarter: quarter * MINUTE_US // 4)
STEPS: Final = st.lists(st.tuples(MOMENTS, st.sampled_from(["charge", *OTHERS])), max_size=12)


def a_book() -> Book:
    """A running instance of two units for an account with two projects."""
    book = Book()
    metered = unit("unit-1", meter_from=START, charge_at=Instant(START + 60 * MINUTE_US), price_number=1)
    book.load(INSTANCES, ("unit-1",), metered)
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "team", "UTC", Micro(0), START))
    book.load(ACCOUNT_LIMITS, ("acc-1",), None)
    book.load(OFFERINGS, ("bj", "gpu-1"), Offering("bj", "gpu-1", 0, Micro(7), None, 9, 9))
    prices = PriceList("bj", "gpu-1", (PriceChange(Instant(START - 1), Micro(7)),))
    book.load(PRICES, ("bj", "gpu-1"), prices)
    for name in OTHERS:
        if name is not None:
            book.load(PROJECTS, (name,), Project(name, "acc-1", name, "", "user-1", START))
    return book


@settings(max_examples=few(25, 150), deadline=None)
@given(STEPS)
def test_however_often_it_is_moved_each_minute_is_charged_once_and_to_its_project(
    steps: list[tuple[int, str | None]],
) -> None:
    book = a_book()
    owner: dict[int, str | None] = {}
    project: str | None = None
    done = 0
    for after, what in [*sorted(steps, key=lambda step: step[0]), (MINUTES * MINUTE_US, "charge")]:
        now = Instant(START + after)
        begun = -(-after // MINUTE_US)
        draft = Draft(book, now)
        if what == "charge":
            charge_usage(draft, draft.require(INSTANCES, "unit-1"), now)
        else:
            MoveResource(account_id="acc-1", resource_id="unit-1", project_id=what).decide(draft, Rules(), now)
        book.accept(draft, now, None)
        owner |= dict.fromkeys(range(done, begun), project)
        done = max(done, begun)
        project = project if what == "charge" else what
    charged: Counter[tuple[int, str | None]] = Counter()
    for one in book.postings:
        assert one.since is not None
        assert one.minutes is not None
        assert one.amount == one.minutes * 2 * 7
        first = (one.since - START) // MINUTE_US
        charged.update((minute, one.project_id) for minute in range(first, first + one.minutes))
    assert charged == Counter(owner.items())
    last = book.get(INSTANCES, "unit-1")
    assert last is not None
    assert (last.project_id, last.charged) == (project, sum(one.amount for one in book.postings))
    assert msgspec.structs.replace(last, project_id=None).metered_minutes == MINUTES
