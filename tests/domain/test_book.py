"""A batch's page: its changes in parts, and what an account's first limits begin with that are set in the batch."""

from __future__ import annotations

from typing import Any

import msgspec

from leasebook.domain.book.book import ACCOUNTS, FACTS, GUARDS, UNITS, Book, Draft, Fact
from leasebook.domain.book.loads import Held
from leasebook.domain.model.instance import Unit
from leasebook.domain.values.calendar import Instant

ACCOUNT = "acc-1"


def unit(**changed: Any) -> Unit:
    return Unit(
        id="unit-1",
        account_id=ACCOUNT,
        created_by="user-1",
        order_id="order-1",
        service_id=None,
        region="bj",
        type="gpu-1",
        count=3,
        payment_timing="Postpaid",
        status="Running",
        created_at=Instant(0),
        **changed,
    )


def changed(book: Book, row: Unit) -> dict[str, dict[str, int]]:
    """Have a command leave the instance so; returns what is held then."""
    draft = Draft(book)
    draft.put(UNITS, row)
    book.accept(draft, Instant(0), None)
    return book.held(ACCOUNT)[0]


def opened(held: dict[str, dict[str, int]]) -> Book:
    book = Book()
    book.load(UNITS, ("unit-1",), None)
    book.load(GUARDS, (ACCOUNT,), None)
    book.load(ACCOUNTS, (ACCOUNT,), None)
    book.load_held(Held(ACCOUNT, Instant(0)), held, {})
    return book


def test_what_came_and_went_in_the_batch_leaves_nothing_behind() -> None:
    book = opened({})
    assert changed(book, unit()) == {"user-1": {"gpu-1": 3}}
    assert changed(book, msgspec.structs.replace(unit(), count=2)) == {"user-1": {"gpu-1": 2}}
    gone = msgspec.structs.replace(unit(), count=2, status="Released")
    assert changed(book, gone) == {}


def test_what_else_a_user_holds_stays_counted() -> None:
    book = opened({"user-1": {"cpu": 1}, "user-2": {"gpu-1": 4}})
    assert changed(book, unit()) == {"user-1": {"cpu": 1, "gpu-1": 3}, "user-2": {"gpu-1": 4}}
    gone = msgspec.structs.replace(unit(), status="Released")
    assert changed(book, gone) == {"user-1": {"cpu": 1}, "user-2": {"gpu-1": 4}}


def put(book: Book, *rows: Unit | Fact) -> None:
    draft = Draft(book)
    for row in rows:
        if isinstance(row, Unit):
            draft.put(UNITS, row)
        else:
            draft.put(FACTS, row)
    book.take(draft, Instant(0), None)


def test_a_part_has_the_instances_and_whoever_watches_is_told_of_it_with_the_rest() -> None:
    book = Book()
    book.load(UNITS, ("unit-1",), None)
    book.load(FACTS, ("a",), None)
    first, last = unit(release_at=Instant(50)), unit(release_at=Instant(40))
    put(book, first, Fact("a", "first"))
    part = book.part()
    assert (part.inserted, [due.at for due in part.due_new]) == ({UNITS: [first]}, [50])
    assert not book.part(), "it was told"
    put(book, last, Fact("a", "last"))
    rest = book.changes()
    assert (rest.inserted, rest.updated, rest.before) == (
        {FACTS: [Fact("a", "last")]},
        {UNITS: [last]},
        {UNITS: [first]},
    )
    assert ([due.at for due in rest.due_gone], [due.at for due in rest.due_new]) == ([50], [40])
    assert not book.changes()
    whole = rest.after([part])
    assert whole.inserted == {UNITS: [first], FACTS: [Fact("a", "last")]}
    assert (whole.updated, whole.before) == ({UNITS: [last]}, {UNITS: [first]})
    assert ([due.at for due in whole.due_gone], [due.at for due in whole.due_new]) == ([50], [50, 40])
    assert whole.events == rest.events != []
    assert rest.after([]) is rest
