"""A batch's page: its changes in parts, and what an account's first limits begin with that are set in the batch."""

from __future__ import annotations

from typing import Any

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Usage, UsageTotals
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, METADATA
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant

ACCOUNT = "acc-1"


def unit(**changed: Any) -> Instance:
    return Instance(
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


def changed(book: Book, row: Instance) -> dict[str, dict[str, int]]:
    """Have a command leave the instance so; returns the reserved units after it."""
    draft = Draft(book)
    draft.put(INSTANCES, row)
    book.accept(draft, Instant(0), None)
    return book.usage_totals(ACCOUNT).units


def opened(usage: dict[str, dict[str, int]]) -> Book:
    book = Book()
    book.load(INSTANCES, ("unit-1",), None)
    book.load(ACCOUNT_LIMITS, (ACCOUNT,), None)
    book.load(ACCOUNTS, (ACCOUNT,), None)
    book.load_usage_totals(UsageTotals(ACCOUNT, Instant(0)), Usage(usage))
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


def put(book: Book, *rows: Instance | StoreMetadata) -> None:
    draft = Draft(book)
    for row in rows:
        if isinstance(row, Instance):
            draft.put(INSTANCES, row)
        else:
            draft.put(METADATA, row)
    book.take(draft, Instant(0), None)


def test_a_part_has_the_instances_and_watchers_get_it_with_the_rest() -> None:
    book = Book()
    book.load(INSTANCES, ("unit-1",), None)
    book.load(METADATA, ("a",), None)
    first, last = unit(release_at=Instant(50)), unit(release_at=Instant(40))
    put(book, first, StoreMetadata("a", "first"))
    part = book.part()
    assert (part.inserted, [due.at for due in part.due_new]) == ({INSTANCES: [first]}, [50])
    assert not book.part(), "the part was taken"
    put(book, last, StoreMetadata("a", "last"))
    rest = book.changes()
    assert (rest.inserted, rest.updated, rest.before) == (
        {METADATA: [StoreMetadata("a", "last")]},
        {INSTANCES: [last]},
        {INSTANCES: [first]},
    )
    assert [due.at for due in rest.due_new] == [40]
    assert not book.changes()
    whole = rest.after([part])
    assert whole.inserted == {INSTANCES: [first], METADATA: [StoreMetadata("a", "last")]}
    assert (whole.updated, whole.before) == ({INSTANCES: [last]}, {INSTANCES: [first]})
    assert [due.at for due in whole.due_new] == [50, 40]
    assert whole.events == rest.events != []
    assert rest.after([]) is rest
