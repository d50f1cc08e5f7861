"""The charges for budgets by tag are those of a model, however late charges come and however often tags change."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import charged_tags
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, FORMER_TAGS, INSTANCES, RESOURCE_TAGS
from leasebook.domain.commands.account.tags import ChangeTags
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import AccountLimits, GuardRules
from leasebook.domain.model.resource.tag_budget import TagBudget
from leasebook.domain.record.event import BUDGET_CROSSED
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from tests.contract.rows import posting, unit

NOW: Final = Instant(1_900_000_000_000_000)
UNITS: Final = ("unit-1", "unit-2")
VALUES: Final = ("vision", "speech", None)
BUDGETS: Final = {
    "team": {value: TagBudget(budget=Micro(20), budget_warn_percent=(50, 100)) for value in ("vision", "speech")}
}
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["charge", "charge", "tag", "wait", "batch"]),
        st.sampled_from(UNITS),
        st.sampled_from(VALUES),
        st.integers(0, 3),
    ),
    max_size=20,
)


def a_book() -> Book:
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "team", "UTC", Micro(10**9), NOW))
    rules = GuardRules(tags=BUDGETS)
    book.load(ACCOUNT_LIMITS, ("acc-1",), AccountLimits("acc-1", rules, month="2030-03"))
    for name in UNITS:
        book.load(INSTANCES, (name,), unit(name, status="Running"))
        book.load(RESOURCE_TAGS, (name,), None)
    return book


def later(book: Book) -> Book:
    """Return the book of a later batch on the same rows, with the tags that charges need."""
    after = Book()
    for table, rows in book.rows.items():
        for key, row in rows.items():
            if table is not FORMER_TAGS and (row is not None or table is RESOURCE_TAGS):
                after.load(table, key, row)
    need = charged_tags(after)
    assert need is not None
    assert need.unit_ids == UNITS
    for key, row in book.rows[FORMER_TAGS].items():
        tags = book.rows[RESOURCE_TAGS][row.id,]
        if row.until >= need.since or row.until == tags.changed_at:
            after.load(FORMER_TAGS, key, row)
    return after


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_charges_count_for_the_tags_of_their_time(steps: list[tuple[str, str, str | None, int]]) -> None:
    book, now, last = a_book(), NOW, dict.fromkeys(UNITS, NOW)
    tags: dict[str, list[tuple[int, str | None]]] = {name: [(0, None)] for name in UNITS}
    charges: list[tuple[str, int, int]] = []
    for kind, name, value, size in steps:
        draft = Draft(book, now)
        match kind:
            case "wait":
                now = Instant(now + size * HOUR_US)
            case "batch":
                # As the scheduler sees them, charges of each instance are due from its last one on.
                for other, at in last.items():
                    row = msgspec.structs.replace(book.rows[INSTANCES][other,], charge_at=at)
                    book.load(INSTANCES, (other,), row)
                book = later(book)
            case "tag":
                put = {} if value is None else {"team": value}
                take = ("team",) if value is None else ()
                command = ChangeTags(account_id="acc-1", resource_id=name, put=put, take=take)
                command.decide(draft, Rules(), now)
                if value != tags[name][-1][1]:
                    tags[name].append((now, value))
                book.accept(draft, now, None)
            case _:
                at = Instant(max(last[name], now - size * HOUR_US))
                last[name] = at
                draft.post(posting(size + 1, unit_id=name, at=at))
                charges.append((name, size + 1, at))
                book.accept(draft, now, None)
    spent: dict[str, int] = {}
    for name, amount, when in charges:
        # A change counts for charges after its moment.
        had = [value for since, value in tags[name] if since < when][-1]
        if had is not None:
            spent[had] = spent.get(had, 0) + amount
    guard: Any = book.get(ACCOUNT_LIMITS, "acc-1")
    assert guard.tag_spent.get("team", {}) == spent
    crossed = {value: tuple(part for part in (50, 100) if amount * 5 >= part) for value, amount in spent.items()}
    assert guard.tag_crossed.get("team", {}) == {value: parts for value, parts in crossed.items() if parts}


def test_each_percentage_is_an_event_once() -> None:
    book = a_book()
    for name, tag in zip(UNITS, ("vision", "speech"), strict=True):
        draft = Draft(book, NOW)
        ChangeTags(account_id="acc-1", resource_id=name, put={"team": tag}).decide(draft, Rules(), NOW)
        book.accept(draft, NOW, None)
    for amount in (9, 1, 4, 8):
        draft = Draft(book, NOW)
        draft.post(posting(amount, unit_id="unit-1", at=Instant(NOW + 1)))
        book.accept(draft, NOW, None)
    told = [event.data for event in book.events["acc-1"] if event.type == BUDGET_CROSSED]
    assert [(one["percent"], one["spent"], one["tagKey"], one["tagValue"]) for one in told] == [
        (50, 10, "team", "vision"),
        (100, 22, "team", "vision"),
    ]


def test_a_late_charge_has_the_tags_of_before_two_changes() -> None:
    book, now = a_book(), NOW
    row = msgspec.structs.replace(book.rows[INSTANCES]["unit-1",], charge_at=now)
    book.load(INSTANCES, ("unit-1",), row)
    for tag in ("vision", "speech", "sound"):
        draft = Draft(book, now)
        ChangeTags(account_id="acc-1", resource_id="unit-1", put={"team": tag}).decide(draft, Rules(), now)
        book.accept(draft, now, None)
        now = Instant(now + HOUR_US)
    book = later(book)
    draft = Draft(book, now)
    draft.post(posting(7, unit_id="unit-1", at=Instant(NOW + HOUR_US)))
    book.accept(draft, now, None)
    guard: Any = book.get(ACCOUNT_LIMITS, "acc-1")
    assert guard.tag_spent == {"team": {"vision": 7}}


def test_an_instance_without_tags_can_be_charged_in_the_batch_that_buys_it() -> None:
    book = a_book()
    draft = Draft(book, NOW)
    draft.put(INSTANCES, unit("unit-9", status="Running"))
    book.accept(draft, NOW, None)
    draft = Draft(book, NOW)
    draft.post(posting(7, unit_id="unit-9", at=NOW))
    book.accept(draft, NOW, None)
    guard: Any = book.get(ACCOUNT_LIMITS, "acc-1")
    assert guard.tag_spent == {}
