"""Leases: a worker keeps them by beating, others take them after the bound, and it acts only while they are its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from leasebook.batch import Outdated, Unavailable
from leasebook.domain.commands.service.replica import TakeLeases
from leasebook.domain.model.lease import LEFT, NOBODY, Lease
from leasebook.reconciler.lease_keeper import TAKEN_MAX, LeaseKeeper
from leasebook.reconciler.ports import Timing
from tests.reconciler.lease_books import LeaseBooks, LeaseTime
from tests.reconciler.scene import job, unit

LEASE_S = 15.0


def keeper(books: LeaseBooks, time: LeaseTime, name: str = "one", **of: Any) -> LeaseKeeper:
    facts: dict[str, Any] = {"node": f"node-{name}", "alone": False, "engines": ["ray", "process"], "keys": lambda: "k"}
    return LeaseKeeper(books, worker_id=name, timing=Timing(lease_s=LEASE_S), time=time, **(facts | of))


def made() -> tuple[LeaseBooks, LeaseTime]:
    time = LeaseTime()
    return LeaseBooks(time), time


async def test_a_worker_may_act_for_half_the_bound_after_it_sent_a_beat_that_was_committed() -> None:
    books, time = made()
    one = keeper(books, time)
    assert not one.may_act()
    books.seconds = 4.0
    await one.beat()
    time.move(LEASE_S / 2 - 4.1)
    assert one.may_act()
    books.trouble = Unavailable("away")
    books.seconds = 0.0
    with pytest.raises(Unavailable):
        await one.beat()
    time.move(0.2)
    assert not one.may_act(), "counted from when the beat was sent, and no beat was committed since"
    (row,) = books.workers()
    assert (row.id, row.node, row.keys, row.engines) == ("one", "node-one", "k", "process,ray")


async def test_a_worker_is_dead_when_its_beat_stands_still_beyond_the_bound_and_never_this_one() -> None:
    books, time = made()
    one, two = keeper(books, time), keeper(books, time, "two")
    await one.beat()
    await two.beat()
    assert one.dead(books.workers()) == {}
    assert one.has_other_nodes
    time.move(LEASE_S - 1)
    await two.beat()
    assert one.dead(books.workers()) == {}
    time.move(LEASE_S)
    assert one.dead(books.workers()) == {}, "it is alive until the bound has passed"
    time.move(0.1)
    assert one.dead(books.workers()) == {"two": 2}
    assert not one.has_other_nodes
    await two.beat()
    assert one.dead(books.workers()) == {}


async def test_a_worker_that_left_is_dead_at_once_and_so_is_any_other_of_a_server_that_is_alone() -> None:
    books, time = made()
    one, two, alone = keeper(books, time), keeper(books, time, "two"), keeper(books, time, "three", alone=True)
    await two.leave()
    assert books.workers() == [], "it never had leases"
    await two.beat()
    assert alone.dead(books.workers()) == {"two": 1}
    await two.leave()
    assert one.dead(books.workers()) == {"two": LEFT}
    books.trouble = Unavailable("away")
    with capture_logs() as lines:
        await two.leave()
    assert [line["event"] for line in lines] == ["leases run out by themselves"]


async def test_leases_are_taken_some_at_a_time_and_only_where_no_live_worker_has_them() -> None:
    books, time = made()
    one, two = keeper(books, time), keeper(books, time, "two")
    await two.beat()
    taken: list[str] = []
    await two.take(["unit-0"], {}, taken.append)
    ids = [f"unit-{number}" for number in range(TAKEN_MAX + 1)]
    await one.take(ids, {}, taken.append)
    assert taken == ["unit-0", *ids[1:]]
    assert [len(one.unit_ids) for one in books.commands if isinstance(one, TakeLeases)] == [1, TAKEN_MAX, 1]
    assert books.holders() == {"unit-0": "two"} | dict.fromkeys(ids[1:], "one")
    await one.take(["unit-0"], {"two": 1}, taken.append)
    assert books.holders()["unit-0"] == "one"


async def test_a_lease_that_is_given_back_is_free_for_every_worker() -> None:
    books, time = made()
    one = keeper(books, time)
    await one.take(["unit-1"], {}, lambda _id: None)
    await one.give_back("unit-1")
    assert books.holders() == {"unit-1": NOBODY}


def test_an_instance_is_free_without_a_lease_or_with_one_of_a_dead_worker() -> None:
    books, time = made()
    one = keeper(books, time)

    def of(holder: str | None) -> Any:
        return job(unit(), lease=None if holder is None else Lease("unit-1", holder, "node", 1))

    assert [one.is_free(of(name), {"two": 3}) for name in (None, NOBODY, "two", "three", "one")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [one.has(of(name)) for name in (None, "one", "two")] == [False, True, False]


async def test_it_beats_again_and_again_until_the_store_is_newer() -> None:
    books, time = made()
    one = LeaseKeeper(
        books,
        worker_id="one",
        node="here",
        alone=False,
        engines=(),
        keys=str,
        timing=Timing(lease_s=0.005),
        time=time,
    )
    renewed: list[int] = []

    def after() -> None:
        renewed.append(books.workers()[0].beat)
        if len(renewed) == 3:
            books.trouble = Outdated("newer")

    async with asyncio.timeout(5):
        await one.keep(after)
    assert renewed == [1, 2, 3]
