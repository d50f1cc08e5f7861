"""Answers of every store about subscriptions, due deliveries, and deliveries that may be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import DELIVERIES, DELIVERY_QUEUES, NOTICE_RATES, USED_LINKS
from leasebook.domain.model.subscription import Delivery, DeliveryQueue, Subscription
from leasebook.domain.record.event import BOUGHT, RUNNING, Event, page_of
from leasebook.domain.record.notice import NoticeRate, UsedLink
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, get, write
from tests.contract.rows import HIGH

NEVER = Instant(HIGH)


def hook(hook_id: str, account_id: str = "acc-1", **changed: Any) -> Subscription:
    made = Subscription(hook_id, account_id, "Webhook", "", b"", (), None, "Active", "u", Instant(1), Instant(1), 0)
    return msgspec.structs.replace(made, **changed)


def delivery(hook_id: str, page: int, line: int, lane: str = "unit-1", **changed: Any) -> Delivery:
    return msgspec.structs.replace(Delivery(hook_id, page, line, "acc-1", lane, lane, BOUGHT, Instant(5)), **changed)


async def happen(store: OpenStore, account_id: str, *kinds: str) -> int:
    """Write a page of events; returns its number."""
    transaction = await store.begin()
    changes = Changes([], [])
    changes.events = [page_of(account_id, [Event(Instant(1), kind, "unit-1", None, {"is": kind}) for kind in kinds])]
    await transaction.save(changes)
    await transaction.commit()
    last = await store.read(lambda ask: ask.last_event(account_id))
    assert last is not None
    return last.page


async def test_hooks_are_listed_by_account_and_those_that_are_behind_are_known(on_store: OnStore) -> None:
    async with on_store() as store:
        first = await happen(store, "acc-1", BOUGHT)
        await happen(store, "acc-2", BOUGHT)
        rows = [
            hook("sub-3", created_at=Instant(1), page=first),
            hook("sub-1", created_at=Instant(2)),
            hook("sub-2", created_at=Instant(2), status="Paused"),
            hook("sub-4", status="Deleting"),
            hook("sub-5", status="Deleted"),
            hook("sub-6", "acc-2"),
        ]
        await write(store, *rows)
        assert [row.id for row in await store.read(lambda ask: ask.hooks("acc-1"))] == ["sub-3", "sub-1", "sub-2"]
        assert await store.read(lambda ask: ask.hook("sub-5")) == rows[4]
        assert await store.read(lambda ask: ask.hook("sub-7")) is None
        working = await store.read(lambda ask: ask.working_hooks())
        assert [(one.hook.id, one.behind) for one in working] == [
            *(("sub-1", True), ("sub-3", False), ("sub-4", True), ("sub-6", True))
        ]
        await happen(store, "acc-1", BOUGHT)
        working = await store.read(lambda ask: ask.working_hooks())
        assert all(one.behind for one in working)


async def test_pages_of_events_follow_one_another_and_each_event_is_found_where_it_stands(on_store: OnStore) -> None:
    async with on_store() as store:
        first = await happen(store, "acc-1", BOUGHT, RUNNING)
        other = await happen(store, "acc-2", BOUGHT)
        last = await happen(store, "acc-1", RUNNING)

        async def pages(after: int, limit: int) -> list[tuple[int, list[str]]]:
            found = await store.read(lambda ask: ask.event_pages("acc-1", after=after, limit=limit))
            return [(number, [event.type for event in events]) for number, events in found]

        assert await pages(0, 5) == [(first, [BOUGHT, RUNNING]), (last, [RUNNING])]
        assert await pages(0, 1) == [(first, [BOUGHT, RUNNING])]
        assert await pages(first, 5) == [(last, [RUNNING])]
        assert await pages(last, 5) == []

        async def kind_at(page: int, line: int) -> str | None:
            found = await store.read(lambda ask: ask.event_at("acc-1", EventPlace(page, line)))
            return None if found is None else found.type

        assert await kind_at(first, 1) == RUNNING
        for page, line in ((first, 2), (other, 0), (last + 1, 0)):
            assert await kind_at(page, line) is None


async def test_lanes_are_due_by_time_and_hook_unless_somebody_has_them(on_store: OnStore) -> None:
    rows = [
        DeliveryQueue("sub-1", "a", 1, Instant(30)),
        DeliveryQueue("sub-1", "b", 1, Instant(10)),
        DeliveryQueue("sub-1", "c", 1, Instant(20), "somebody", Instant(100)),
        DeliveryQueue("sub-1", "d"),
        DeliveryQueue("sub-2", "a", 1, Instant(15)),
        DeliveryQueue("sub-3", "a", 1, Instant(1)),
    ]

    async with on_store() as store:
        await write(store, *rows)

        async def due(hooks: Sequence[str], until: int, leased: int | None, limit: int = 9) -> str:
            lease = None if leased is None else Instant(leased)
            found = await store.read(lambda ask: ask.due_lanes(hooks, Instant(until), lease, limit))
            return " ".join(f"{hook_id[-1]}{name}" for hook_id, name in found)

        both = ("sub-1", "sub-2")
        assert await due(both, 30, 99) == "1b 2a 1a"
        assert await due(both, 29, 99) == "1b 2a"
        assert await due(both, 30, 100) == await due(both, 30, None) == "1b 2a 1c 1a"
        assert await due(both, HIGH, None, 1) == "1b 2a"
        assert await due((), HIGH, None) == ""
        many = [f"sub-{number}" for number in range(250)]
        assert await due(many, HIGH, None) == "3a 1b 2a 1c 1a"


async def test_the_first_that_waits_in_a_lane_is_its_head_and_comes_with_its_event(on_store: OnStore) -> None:
    async with on_store() as store:
        page = await happen(store, "acc-1", BOUGHT, RUNNING, BOUGHT)
        await write(
            store,
            delivery("sub-1", page, 0, state="Delivered"),
            delivery("sub-1", page, 2),
            delivery("sub-1", page, 1),
            delivery("sub-1", page, 3, "unit-2", state="GivenUp"),
        )
        lanes = [("sub-1", "unit-1"), ("sub-1", "unit-2"), ("sub-2", "unit-1")]
        (head,) = await store.read(lambda ask: ask.heads(lanes))
        assert (head.delivery.line, head.event.data) == (1, {"is": RUNNING})
        assert await store.read(lambda ask: ask.heads([])) == []


async def test_deliveries_are_filtered_and_paged_the_newest_event_first(on_store: OnStore) -> None:
    rows = [
        delivery("sub-1", 1, 0),
        delivery("sub-2", 1, 0, state="GivenUp"),
        delivery("sub-1", 1, 1, "unit-2"),
        delivery("sub-1", 2, 0, account_id="acc-2"),
        delivery("sub-1", 10, 0),
    ]

    async with on_store() as store:
        await write(store, *rows)

        async def ids(after: DeliveryPlace | None = None, limit: int = 9, **wanted: Any) -> list[str]:
            asked = DeliveryFilter(account_id="acc-1", **wanted)
            return [row.id for row in await store.read(lambda ask: ask.deliveries(asked, after=after, limit=limit))]

        whole = ["sub-1-10-0", "sub-1-1-1", "sub-2-1-0", "sub-1-1-0"]
        assert await ids() == whole
        assert await ids(limit=2) == whole[:2]
        assert await ids(DeliveryPlace(1, 1, "sub-1")) == whole[2:]
        assert await ids(DeliveryPlace(1, 0, "sub-2")) == whole[3:]
        assert await ids(hook_id="sub-2") == ["sub-2-1-0"]
        assert await ids(unit_id="unit-2") == ["sub-1-1-1"]
        assert await ids(state="GivenUp") == ["sub-2-1-0"]
        assert await ids(state="Waiting", hook_id="sub-2") == []


async def test_what_was_given_up_for_a_hook_since_a_time_is_found_the_oldest_event_first(on_store: OnStore) -> None:
    async with on_store() as store:
        pages = [await happen(store, "acc-1", BOUGHT, RUNNING) for _ in range(2)]

        def ended(page: int, line: int, state: str, at: int, hook_id: str = "sub-1") -> Delivery:
            return delivery(hook_id, page, line, state=state, done_at=Instant(at), clear_at=Instant(99))

        first, last = pages
        rows = [
            ended(last, 0, "GivenUp", 10),
            ended(first, 1, "GivenUp", 20),
            ended(first, 0, "Delivered", 20),
            ended(last, 1, "GivenUp", 30),
            ended(first, 0, "GivenUp", 30, "sub-2"),
        ]
        await write(store, *rows)

        async def found(hook_id: str, since: int, limit: int = 9, account_id: str = "acc-1") -> list[Delivery]:
            return await store.read(lambda ask: ask.given_up(account_id, hook_id, since=Instant(since), limit=limit))

        assert await found("sub-1", 0) == [rows[1], rows[0], rows[3]]
        assert await found("sub-1", 0, 2) == [rows[1], rows[0]]
        assert await found("sub-1", 20) == [rows[1], rows[3]]
        assert await found("sub-1", 31) == []
        assert await found("sub-2", 0) == [rows[4]]
        assert await found("sub-2", 0, account_id="acc-2") == []


async def test_what_waits_is_counted(on_store: OnStore) -> None:
    async with on_store() as store:
        assert await store.read(lambda ask: ask.waiting_deliveries()) == (0, None)
        await write(
            store,
            DeliveryQueue("sub-1", "unit-1", 2, Instant(1)),
            delivery("sub-1", 1, 0, since=Instant(7)),
            delivery("sub-1", 1, 1, since=Instant(6)),
            delivery("sub-1", 1, 2, since=Instant(5), state="Delivered"),
        )
        assert await store.read(lambda ask: ask.waiting_deliveries()) == (2, 6)


async def test_what_may_be_forgotten_is_the_oldest_first_and_so_much_at_once(on_store: OnStore) -> None:
    rows = [
        delivery("sub-1", 1, 0),
        *(delivery("sub-1", 1, at, state="Delivered", done_at=Instant(1), clear_at=Instant(at)) for at in (1, 2, 3, 9)),
    ]
    lanes = [DeliveryQueue("sub-1", name) for name in "abc"] + [DeliveryQueue("sub-1", "unit-1", 1, Instant(1))]

    async with on_store() as store:
        await write(store, *rows, *lanes)

        async def clear(now: int, limit: int) -> tuple[list[int], int]:
            transaction = await store.begin()
            await transaction.clear_deliveries(Instant(now), limit)
            await transaction.commit()
            asked = DeliveryFilter(account_id="acc-1")
            found = await store.read(lambda ask: ask.deliveries(asked, after=None, limit=99))
            left = [await get(store, DELIVERY_QUEUES, "sub-1", lane.name) for lane in lanes]
            return sorted(row.line for row in found), sum(lane is not None for lane in left)

        assert await clear(0, 1) == ([0, 1, 2, 3, 9], 3)
        assert await clear(3, 2) == ([0, 3, 9], 1)
        assert await clear(3, 2) == ([0, 9], 1)
        assert await get(store, DELIVERY_QUEUES, "sub-1", "unit-1") == lanes[-1]
        assert await get(store, DELIVERIES, "sub-1", 1, 0) == rows[0]


async def test_used_links_are_forgotten_a_day_after_their_deadline_and_rates_once_they_are_free(
    on_store: OnStore,
) -> None:
    links = [UsedLink("unit-1", Instant(at), "keep", Instant(0)) for at in (5, 6, 7)]
    rates = [NoticeRate(name, Instant(at)) for name, at in (("a", 5), ("b", DAY_US + 6), ("c", DAY_US + 9))]

    async with on_store() as store:
        await write(store, *links, *rates)
        assert await store.read(lambda ask: ask.used_link("unit-1", Instant(6))) == links[1]
        assert await store.read(lambda ask: ask.used_link("unit-2", Instant(6))) is None
        assert await store.read(lambda ask: ask.used_link("unit-1", Instant(8))) is None

        async def clear(now: int, limit: int) -> tuple[list[int], list[str]]:
            transaction = await store.begin()
            await transaction.clear_deliveries(Instant(now), limit)
            await transaction.commit()
            found = [await get(store, USED_LINKS, "unit-1", link.deadline) for link in links]
            left = [await get(store, NOTICE_RATES, rate.name) for rate in rates]
            return [link.deadline for link in found if link], [rate.name for rate in left if rate]

        assert await clear(4, 9) == ([5, 6, 7], ["a", "b", "c"])
        assert await clear(DAY_US + 7, 1) == ([6, 7], ["b", "c"])
        assert await clear(DAY_US + 7, 9) == ([7], ["c"])


async def test_a_hook_that_is_to_be_confirmed_is_listed_and_works(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, hook("sub-1", kind="Email", status="Pending", confirms=1, confirm_until=Instant(9)))
        assert [row.status for row in await store.read(lambda ask: ask.hooks("acc-1"))] == ["Pending"]
        assert [one.hook.id for one in await store.read(lambda ask: ask.working_hooks())] == ["sub-1"]
