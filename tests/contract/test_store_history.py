"""Answers of every store about the past: orders, postings, and the sums that statements are made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import msgspec
import pytest

from leasebook.domain.record.ledger import Order, Posting, PostingKind, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX
from leasebook.ports.queries.read_repository import HistoryFilter, Numbered, Place, ReadRepository
from leasebook.store.opening import OpenStore
from leasebook.store.queries import bills
from leasebook.store.rows.postings import usual_ends
from tests.contract.batches import Batch, OnStore, rows_of
from tests.contract.rows import HIGH, LOW, order, posting

OURS = HistoryFilter(account_id="acc-1")

# Pages


def pages(
    store: OpenStore, page: Callable[[ReadRepository, Any], list[Numbered]], place: Callable[[Numbered], Any]
) -> Any:
    """Everything, page by page."""
    found: list[list[Any]] = []
    after = None
    while rows := store.ask(lambda ask, after=after: page(ask, after)):  # type: ignore[misc]
        found.append(rows_of(rows))
        after = place(rows[-1])
    return found


def postings_by_page(store: OpenStore, wanted: HistoryFilter, limit: int) -> list[list[Posting]]:
    found: list[list[Posting]] = pages(
        store,
        lambda ask, after: ask.postings(wanted, after=after, limit=limit),
        lambda last: Place(last.row.at, last.seq),
    )
    return found


def orders_by_page(store: OpenStore, wanted: HistoryFilter, limit: int) -> list[list[Order]]:
    found: list[list[Order]] = pages(
        store, lambda ask, after: ask.orders(wanted, after=after, limit=limit), lambda last: last.seq
    )
    return found


async def test_orders_are_paged_by_when_they_were_written_the_last_one_first(on_store: OnStore) -> None:
    orders = [order(f"order-{number}", created_at=Instant(100 - number)) for number in range(7)]

    async with on_store() as store:
        await Batch(orders=orders[:3]).commit_to(store)
        await Batch(orders=[order("other", account_id="acc-2")]).commit_to(store)
        await Batch(orders=orders[3:]).commit_to(store)
        newest = orders[::-1]
        assert orders_by_page(store, OURS, 3) == [newest[:3], newest[3:6], newest[6:]]
        theirs = HistoryFilter(account_id="acc-2")
        assert orders_by_page(store, theirs, 9) == [[order("other", account_id="acc-2")]]
        assert orders_by_page(store, HistoryFilter(account_id="nobody"), 9) == []


async def test_an_order_comes_back_as_it_was_with_what_its_instance_has_and_without(on_store: OnStore) -> None:
    same = order("order-of-unit-1", created_at=Instant(1))
    others: dict[str, Any] = {"region": "bd", "type": "gpu-2", "created_by": "user-2", "created_at": Instant(2)}
    orders = [same, order("order-2", **others)]
    orders += [msgspec.structs.replace(same, **{name: value}) for name, value in others.items()]

    async with on_store() as store:
        await Batch(orders=orders).commit_to(store)
        assert orders_by_page(store, OURS, 9) == [orders[::-1]]


async def test_a_posting_comes_back_as_it_was_between_usual_ledger_accounts_and_others(on_store: OnStore) -> None:
    usual = [(kind, *usual_ends(kind, "acc-1")) for kind in get_args(PostingKind)]
    ends = [*usual, *((kind, debit, "elsewhere") for kind, debit, _ in usual)]
    ends += [(kind, "elsewhere", credit) for kind, _, credit in usual]
    postings = [posting(1, kind=kind, debit=debit, credit=credit) for kind, debit, credit in ends]

    async with on_store() as store:
        await Batch(postings=postings).commit_to(store)
        assert postings_by_page(store, OURS, 99) == [postings[::-1]]


# Written late, or all at the same moment: the moment counts, and then which was written last.
WRITTEN = (5, 3, 5, 9, 3, 5, 5, 1, 5)


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_postings_are_paged_by_their_moment_and_then_by_when_they_were_written(
    on_store: OnStore, limit: int
) -> None:
    written = [posting(number + 1, at=Instant(at)) for number, at in enumerate(WRITTEN)]

    async with on_store() as store:
        await Batch(postings=written[:4]).commit_to(store)
        await Batch(postings=[posting(99, account_id="acc-2", debit="wallet:acc-2")]).commit_to(store)
        await Batch(postings=written[4:]).commit_to(store)
        newest = sorted(written, key=lambda row: (row.at, row.amount), reverse=True)
        found = postings_by_page(store, OURS, limit)
        assert [row for page in found for row in page] == newest
        assert {len(page) for page in found[:-1]} <= {limit}


async def test_a_page_goes_on_where_the_last_one_ended_also_when_more_is_written_meanwhile(on_store: OnStore) -> None:
    async with on_store() as store:
        await Batch(postings=[posting(number) for number in (1, 2, 3, 4)]).commit_to(store)
        first = store.ask(lambda ask: ask.postings(OURS, after=None, limit=2))
        # Of the same moment, of a later one, and of an earlier one.
        await Batch(postings=[posting(5), posting(6, at=Instant(2)), posting(7, at=Instant(0))]).commit_to(store)
        place = Place(first[-1].row.at, first[-1].seq)
        rest = store.ask(lambda ask: ask.postings(OURS, after=place, limit=9))
        assert [row.row.amount for row in (*first, *rest)] == [4, 3, 2, 1, 7]


async def test_the_first_and_the_last_moment_that_can_be_are_places_too(on_store: OnStore) -> None:
    written = [posting(1, at=Instant(LOW)), posting(2, at=Instant(HIGH)), posting(3, at=Instant(LOW))]

    async with on_store() as store:
        await Batch(postings=written).commit_to(store)
        assert postings_by_page(store, OURS, 1) == [[written[1]], [written[2]], [written[0]]]


# Filters

KINDS = ("TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund")
ORDER_KINDS = ("Purchase", "Renewal", "Resize", "Conversion")
UNITS = (None, "unit-1", "unit-2")
MOMENTS = (None, 10, 11, 12)


def matches(wanted: dict[str, Any], row: Any, moment: int) -> bool:
    return (
        wanted["kind"] in (None, row.kind)
        and wanted["unit_id"] in (None, row.unit_id)
        and (wanted["since"] is None or moment >= wanted["since"])
        and (wanted["until"] is None or moment < wanted["until"])
    )


def filters(kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "unit_id": unit_id, "since": since, "until": until}
        for kind, unit_id, since, until in product((None, *kinds), UNITS, MOMENTS, MOMENTS)
    ]


async def test_postings_are_filtered_by_kind_instance_and_time(on_store: OnStore) -> None:
    rows = [
        posting(number + 1, kind=kind, unit_id=unit_id, at=Instant(at))
        for number, (kind, unit_id, at) in enumerate(product(KINDS, UNITS, (10, 11)))
    ]

    async with on_store() as store:
        await Batch(postings=[*rows, posting(1, account_id="acc-2", debit="wallet:acc-2")]).commit_to(store)
        newest = sorted(rows, key=lambda row: (row.at, row.amount), reverse=True)

        def check(ask: ReadRepository) -> None:
            for asked in filters(KINDS):
                wanted = HistoryFilter(account_id="acc-1", **asked)
                found = rows_of(ask.postings(wanted, after=None, limit=99))
                assert found == [row for row in newest if matches(asked, row, row.at)], asked
            by_unit = HistoryFilter(account_id="acc-2", unit_id="unit-1")
            assert ask.postings(by_unit, after=None, limit=99) == [], "another account's instance has no history here"

        store.ask(check)


async def test_orders_are_filtered_by_kind_instance_and_time(on_store: OnStore) -> None:
    rows = [
        order(f"order-{number}", kind=kind, unit_id=unit_id, created_at=Instant(at))
        for number, (kind, unit_id, at) in enumerate(product(ORDER_KINDS, UNITS[1:], (10, 11)))
    ]

    async with on_store() as store:
        await Batch(orders=[*rows, order("other", account_id="acc-2", unit_id="unit-9")]).commit_to(store)

        def check(ask: ReadRepository) -> None:
            for asked in filters(ORDER_KINDS):
                wanted = HistoryFilter(account_id="acc-1", **asked)
                found = rows_of(ask.orders(wanted, after=None, limit=99))
                assert found == [row for row in rows[::-1] if matches(asked, row, row.created_at)], asked
            assert ask.orders(HistoryFilter(account_id="acc-2", unit_id="unit-1"), after=None, limit=9) == []

        store.ask(check)


# Sums

OWN, REVENUE = wallet("acc-1"), "revenue:usage"
BOOKED = [
    posting(1000, at=Instant(10), kind="TopUp", debit="funding", credit=OWN),
    posting(100, at=Instant(11), kind="Purchase", credit="revenue:prepaid", unit_id="unit-2"),
    posting(30, at=Instant(12), unit_id="unit-1"),
    posting(7, at=Instant(12), kind="Refund", debit=REVENUE, credit=OWN, unit_id="unit-2"),
    posting(5, at=Instant(13), unit_id="unit-3"),
    posting(500, at=Instant(13), kind="TopUp", debit="funding", credit=OWN),
    posting(2, at=Instant(11), unit_id="unit-1"),  # written late
    posting(9999, at=Instant(12), account_id="acc-2", debit="wallet:acc-2", unit_id="unit-9"),
]


async def test_the_balance_at_a_moment_is_the_sum_of_what_came_before_it(on_store: OnStore) -> None:
    async with on_store() as store:
        assert store.ask(lambda ask: ask.balance_at("acc-1", Instant(HIGH))) == 0
        await Batch(postings=BOOKED).commit_to(store)
        for until, balance in ((10, 0), (11, 1000), (12, 898), (13, 875), (14, 1370), (HIGH, 1370)):
            found = store.ask(lambda ask, until=until: ask.balance_at("acc-1", Instant(until)))  # type: ignore[misc]
            assert (found, type(found)) == (balance, int)
        assert store.ask(lambda ask: ask.balance_at("acc-2", Instant(HIGH))) == -9999
        assert store.ask(lambda ask: ask.balance_at("nobody", Instant(HIGH))) == 0


async def test_turnover_is_what_was_paid_in_and_what_was_charged_less_refunds(on_store: OnStore) -> None:
    async with on_store() as store:
        await Batch(postings=BOOKED).commit_to(store)
        for since, until, expected in (
            (10, 14, (1500, 130)),
            (10, 11, (1000, 0)),
            (11, 12, (0, 102)),
            (12, 13, (0, 23)),
            (13, 14, (500, 5)),
            (14, 99, (0, 0)),
            (12, 12, (0, 0)),
        ):
            found = store.ask(
                lambda ask, since=since, until=until: ask.turnover("acc-1", Instant(since), Instant(until))  # type: ignore[misc]
            )
            assert found == expected
            assert [type(value) for value in found] == [int, int]


async def test_a_month_closes_with_what_it_opened_with_and_what_moved_in_it(on_store: OnStore) -> None:
    async with on_store() as store:
        await Batch(postings=BOOKED).commit_to(store)

        def check(ask: ReadRepository) -> None:
            for since, until in product(range(9, 15), repeat=2):
                if since <= until:
                    opening, closing = (ask.balance_at("acc-1", Instant(at)) for at in (since, until))
                    paid_in, charged = ask.turnover("acc-1", Instant(since), Instant(until))
                    assert opening + paid_in - charged == closing

        store.ask(check)


async def test_the_greatest_amounts_are_summed_up_exactly(on_store: OnStore) -> None:
    greatest = MICRO_MAX - 1
    rows = [posting(greatest, kind="TopUp", debit="funding", credit=OWN), posting(greatest - 1), posting(1)]

    async with on_store() as store:
        await Batch(postings=rows).commit_to(store)
        assert store.ask(lambda ask: ask.turnover("acc-1", Instant(0), Instant(9))) == (greatest, greatest)
        assert store.ask(lambda ask: ask.balance_at("acc-1", Instant(9))) == 0


async def test_the_instances_of_a_bill_are_paged_by_their_ids(
    on_store: OnStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_store() as store:
        await Batch(postings=BOOKED).commit_to(store)

        def billed(since: int, until: int, after: str = "", limit: int = 9) -> list[str]:
            return store.ask(
                lambda ask: ask.billed_units("acc-1", Instant(since), Instant(until), after=after, limit=limit)
            )

        # Gathered from the postings, or each instance is asked for one.
        for most in (bills.POSTINGS_MAX, 0):
            monkeypatch.setattr(bills, "POSTINGS_MAX", most)
            assert billed(10, 14) == ["unit-1", "unit-2", "unit-3"]
            assert billed(10, 14, limit=2) == ["unit-1", "unit-2"]
            assert billed(10, 14, after="unit-2") == ["unit-3"]
            assert billed(10, 14, after="unit-3") == []
            assert billed(13, 14) == ["unit-3"]
            assert billed(10, 11) == []


async def test_a_bill_has_an_instances_postings_in_the_order_in_which_they_were_written(on_store: OnStore) -> None:
    async with on_store() as store:
        await Batch(postings=BOOKED).commit_to(store)
        bills = {
            ("unit-1", 10, 14): [BOOKED[2], BOOKED[6]],
            ("unit-1", 12, 13): [BOOKED[2]],
            ("unit-2", 11, 13): [BOOKED[1], BOOKED[3]],
            ("unit-2", 11, 12): [BOOKED[1]],
            ("unit-4", 10, 14): [],
        }
        for (unit_id, since, until), expected in bills.items():
            found = store.ask(
                lambda ask, unit_id=unit_id, since=since, until=until: ask.bill(  # type: ignore[misc]
                    unit_id, Instant(since), Instant(until)
                )
            )
            assert found == expected
