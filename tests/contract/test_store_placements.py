"""Placements: the services that instances carry, found from either side, and instances that are stopped."""

from __future__ import annotations

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import SUSPENDED_MAX, NotLoaded, SuspendedInstances
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.opening import OpenStore
from tests.contract.batches import Batch, OnStore, get, ids, load, write
from tests.contract.rows import TEXT, unit


def on(*services: str) -> tuple[Placement, ...]:
    return tuple(Placement(service_id, 1, 1) for service_id in services)


def carrying(store: OpenStore, service_id: str) -> list[str]:
    """The instances that a service has replicas on, or that were bought for it."""
    wanted = UnitFilter(account_id="acc-1", service_id=service_id)
    return ids(store.ask(lambda ask: ask.units(wanted)))


# Placements


async def test_a_service_is_found_on_its_instances_as_it_comes_and_goes(on_store: OnStore) -> None:
    # Step by step: the services on the instance, by which it is found.
    steps = ((), ("svco-1",), ("svco-1", "svco-2"), ("svco-2",), ("svco-3", TEXT), ("svco-3", TEXT), (TEXT,), ())
    known = sorted({service_id for step in steps for service_id in step})

    async with on_store() as store:
        await write(store, unit("unit-2", placements=on("svco-2")))
        for services in steps:
            await write(store, unit("unit-1", placements=on(*services)))
            for service_id in known:
                expected = ["unit-2"] if service_id == "svco-2" else []
                expected += ["unit-1"] if service_id in services else []
                assert carrying(store, service_id) == expected, (services, service_id)
    async with on_store() as store:
        assert carrying(store, "svco-2") == ["unit-2"]


async def test_a_service_is_found_once_on_what_was_bought_for_it_and_carries_it(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1", service_id="svco-1", placements=on("svco-1")))
        await write(store, unit("unit-2", service_id="svco-1"))
        await write(store, unit("unit-3", service_id="svco-2", placements=on("svco-1")))
        assert carrying(store, "svco-1") == ["unit-1", "unit-2", "unit-3"]
        assert carrying(store, "svco-2") == ["unit-3"]
        # Other numbers of replicas, and the same place.
        moved = unit("unit-1", service_id="svco-1", placements=(Placement("svco-1", 7, 3), *on("svco-2")))
        await write(store, moved)
        assert await get(store, INSTANCES, "unit-1") == moved
        assert carrying(store, "svco-2") == ["unit-1", "unit-3"]


async def test_many_instances_get_and_lose_services_in_one_batch(on_store: OnStore) -> None:
    numbers = range(40)

    async with on_store() as store:
        await write(store, *[unit(f"unit-{number:02}", placements=on("svco-1", "svco-2")) for number in numbers])
        assert len(carrying(store, "svco-1")) == len(carrying(store, "svco-2")) == 40
        kept = [number for number in numbers if number % 3 == 0]
        await write(
            store,
            *[unit(f"unit-{number:02}", placements=on("svco-1") if number in kept else ()) for number in numbers],
        )
        assert sorted(carrying(store, "svco-1")) == [f"unit-{number:02}" for number in kept]
        assert carrying(store, "svco-2") == []


async def test_a_batch_that_is_rolled_back_moves_no_service(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1", placements=on("svco-1")))
        transaction = await store.begin()
        await Batch([unit("unit-1", placements=on("svco-2"))]).save(transaction)
        await transaction.rollback()
        assert carrying(store, "svco-1") == ["unit-1"]
        assert carrying(store, "svco-2") == []


# Instances that stand still until a debt is paid


def halted(unit_id: str, **changed: object) -> Instance:
    return unit(unit_id, **({"status": "Stopped", "payment_timing": "Postpaid"} | changed))


def found(book: Book, account_id: str) -> list[str]:
    return [row.id for row in Draft(book).suspended(account_id)]


async def test_whose_renewal_waits_for_money_is_found_the_oldest_first(on_store: OnStore) -> None:
    week = 7 * DAY_US
    waits = {"payment_timing": "Prepaid", "auto_renew": True, "expires_at": Instant(2 * week)}

    async with on_store() as store:
        for row in (
            unit("unit-7", **waits, status="Stopped"),
            unit("unit-2", **waits, status="Stopped", renew_at=Instant(2 * week + 1)),
            unit("unit-9", **waits, renew_at=Instant(week + 1)),
            unit("unit-1", **waits, renew_at=Instant(week + 1), status="Reconfiguring", target_count=9),
            unit("unit-3", **waits, renew_at=Instant(week)),  # its first try is to come
            unit("unit-4", **waits, status="Released"),
            unit("unit-5", **{**waits, "auto_renew": False}, status="Stopped"),
            unit("unit-6", **waits, account_id="acc-2", status="Stopped"),
        ):
            await write(store, row)
        for need in (SuspendedInstances(account_id="acc-1"), SuspendedInstances(unit_id="unit-3")):
            book = await load(store, need)
            assert [row.id for row in Draft(book).unrenewed("acc-1")] == ["unit-7", "unit-2", "unit-9", "unit-1"]
            assert found(book, "acc-1") == []


async def test_what_stands_still_is_found_by_its_account_and_by_any_of_its_instances(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(
            store,
            halted("unit-2", retire_at=Instant(5)),
            halted("unit-1", kind="TPM", region="global", type="ernie"),
            halted("unit-3", payment_timing="Prepaid"),  # its term is over: money alone does not bring it back
            halted("unit-4", status="Running"),
            halted("unit-5", status="Releasing"),
            halted("unit-6", account_id="acc-2"),
        )
        book = await load(store, SuspendedInstances(account_id="acc-1"))
        assert found(book, "acc-1") == book.suspended_ids("acc-1") == ["unit-1", "unit-2"]
        assert book.get(INSTANCES, "unit-2") == halted("unit-2", retire_at=Instant(5))
        with pytest.raises(NotLoaded):
            book.suspended_ids("acc-2")
        for unit_id in ("unit-2", "unit-4"):
            book = await load(store, (INSTANCES, (unit_id,)), SuspendedInstances(unit_id=unit_id))
            assert found(book, "acc-1") == ["unit-1", "unit-2"]
        book = await load(
            store,
            SuspendedInstances(account_id="acc-1"),
            SuspendedInstances(account_id="acc-2"),
            SuspendedInstances(account_id="nobody"),
        )
        assert [found(book, account_id) for account_id in ("acc-1", "acc-2", "nobody")] == [
            ["unit-1", "unit-2"],
            ["unit-6"],
            [],
        ]


async def test_an_instance_that_is_none_has_nobody_beside_it(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, halted("unit-1"))
        book = await load(store, (INSTANCES, ("unit-9",)), SuspendedInstances(unit_id="unit-9"))
        assert book.get(INSTANCES, "unit-9") is None
        with pytest.raises(NotLoaded):
            book.suspended_ids("acc-1")


async def test_no_more_are_loaded_than_a_batch_can_take_and_always_the_first(on_store: OnStore) -> None:
    names = [f"unit-{number:04}" for number in range(SUSPENDED_MAX + 20)]

    async with on_store() as store:
        await write(store, *[halted(name) for name in reversed(names)])
        assert found(await load(store, SuspendedInstances(account_id="acc-1")), "acc-1") == names[:SUSPENDED_MAX]
        # Those go on: the others are next.
        await write(store, *[unit(name) for name in names[:SUSPENDED_MAX]])
        assert found(await load(store, SuspendedInstances(unit_id=names[0])), "acc-1") == names[SUSPENDED_MAX:]
