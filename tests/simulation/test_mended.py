"""Faults that random histories once found, each with the shortest history that shows it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from leasebook.batch import BatchLimits, DueRequest, Sequencer
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, OFFERINGS, SERVICES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Decision
from leasebook.domain.model.offering import Offering
from leasebook.domain.values.calendar import (
    HOUR_US,
    BadTime,
    Instant,
    from_datetime,
    next_full_hour,
    parse_time,
    rfc3339,
)
from leasebook.domain.values.money import MICRO_MAX, BadAmount, Micro, parse_amount
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.ports.queries.read_repository import ServiceFilter, UnitFilter
from leasebook.store.errors import NewerStore
from leasebook.store.opening import Target, upgrade
from leasebook.store.sqlite.store import FILE, SqliteStore
from tests.contract.rows import service
from tests.contract.stores import KINDS
from tests.simulation.asks import Ask, Buy, Fund, Offer, Wait
from tests.simulation.history import History
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness
from tests.simulation.test_histories import NoMetrics

START = parse_time("2030-01-15T09:00:00Z", "UTC")
RULES = Rules()


def found(*steps: Any) -> History:
    return History(START, Micro(5_000_000_000), ("UTC", "UTC"), RULES, InstantEngine(), steps)


async def played(history: History, *, batch: int) -> tuple[MemoryStore, list[Decision]]:
    store = MemoryStore()
    office = StoreHarness(store, history.rules, history.engine, batch=batch)
    answers: list[Decision] = []
    for at, commands in history.rounds:
        await office.move(at)
        answers += await office.say(commands, at)
    return store, answers


async def test_a_purchase_in_any_region_sees_an_offering_that_was_added_before_it_in_the_same_batch() -> None:
    history = found(
        Ask(Offer("gz", "gpu-9", 1, None, 5), False), Ask(Buy(0, None, "gpu-9", 1, 0, None), False), Wait(1)
    )
    _, one_by_one = await played(history, batch=1)
    _, together = await played(history, batch=64)
    assert one_by_one[-1].refusal is None
    assert together == one_by_one


def test_an_offset_of_99_minutes_is_no_time() -> None:
    with pytest.raises(BadTime):
        parse_time("2030-01-01T00:00:00+08:99", "UTC")


def test_an_amount_with_many_places_is_refused_and_not_rounded() -> None:
    with pytest.raises(BadAmount):
        parse_amount("1." + "0" * 30 + "1")


def test_a_full_hour_at_which_the_clocks_arrive_by_a_jump_is_one() -> None:
    # Caracas went from 02:30 to 03:00 on 1 May 2016.
    zone = "America/Caracas"
    after = from_datetime(datetime(2016, 5, 1, 2, 10, tzinfo=ZoneInfo(zone)))
    assert rfc3339(next_full_hour(after, zone), zone) == "2016-05-01T03:00:00-04:00"


async def test_a_top_up_beyond_the_range_of_a_balance_is_refused() -> None:
    most = MICRO_MAX - 1
    _, answers = await played(found(Ask(Fund(0, most), False), Wait(1)), batch=1)
    assert answers[-1].refusal is not None


async def test_an_instance_is_released_at_its_time_whatever_its_price_has_become() -> None:
    store, _ = await played(
        found(
            Ask(Buy(0, "bj", "gpu-1", 1, 0, 7200), False),
            # The greatest price that SetOffering takes.
            Ask(Offer("bj", "gpu-1", 4_611_686_018_426_999_999, None, None), False),
            Wait(3 * 3600),
        ),
        batch=1,
    )
    (unit,) = store.books().table(INSTANCES)
    assert unit.status == "Released"


def newer(directory: Path) -> None:
    upgrade(Target(directory))
    with closing(sqlite3.connect(directory / FILE)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def test_a_newer_store_is_left_without_new_files_beside_it(tmp_path: Path) -> None:
    newer(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(NewerStore):
        SqliteStore(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_newer_backup_that_is_put_in_place_is_the_same_to_the_byte_afterwards(tmp_path: Path) -> None:
    newer(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # as backups have it
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(NewerStore):
        SqliteStore(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_released_instances_are_listed_however_many_offerings_there_are() -> None:
    async def scene(store: SqliteStore) -> None:
        transaction = await store.begin()
        book = Book()
        places = list(product((f"region-{number}" for number in range(42)), ("a", "b", "c", "d", "e", "f")))
        await transaction.load([(OFFERINGS, place) for place in places], book)
        draft = Draft(book)
        for place in places:
            draft.put(OFFERINGS, Offering(*place, 1, None, None, 0, 0))
        book.take(draft, Instant(0), None)
        await transaction.save(book.changes())
        await transaction.commit()
        assert store.ask(lambda ask: ask.units(UnitFilter(account_id="acc-1", status="Released"), limit=10)) == []

    on("sqlite", scene)


def test_the_same_services_are_found_by_name_on_every_store() -> None:
    found: dict[str, int] = {}

    for kind in ("sqlite", "postgres"):

        async def scene(store: Any, kind: str = kind) -> None:
            transaction = await store.begin()
            book = Book()
            await transaction.load([(SERVICES, ("svco-1",))], book)
            draft = Draft(book)
            draft.put(SERVICES, service("svco-1", name="Demo"))
            book.take(draft, Instant(0), None)
            await transaction.save(book.changes())
            await transaction.commit()
            wanted = ServiceFilter(account_id="acc-1", name_part="demo")
            found[kind] = len(store.ask(lambda ask: ask.services(wanted, after=None, limit=9, reverse=False)))

        on(kind, scene)
    assert found["sqlite"] == found["postgres"]


def on(kind: str, scene: Any) -> None:
    async def whole(opener: Any) -> None:
        store = opener()
        try:
            await scene(store)
        finally:
            await store.close()

    with KINDS[kind]() as opener:
        asyncio.run(whole(opener))


async def test_overdue_work_is_done_in_its_order_also_beside_a_command_that_fails() -> None:
    async def scene() -> None:
        on_time, _ = await played(
            found(Ask(Buy(0, "bj", "gpu-1", 1, 0, int(3.5 * 3600)), False), Wait(4 * 3600)), batch=1
        )
        late, _ = await played(found(Ask(Buy(0, "bj", "gpu-1", 1, 0, int(3.5 * 3600)), False)), batch=1)
        sequencer = Sequencer(
            late,
            VirtualClock(Instant(START + 4 * HOUR_US)),
            RULES,
            engine=InstantEngine(),
            limits=BatchLimits(),
            meter=NoMetrics(),
        )
        sequencer.start()
        broken = TopUp(account_id="acc-1", amount=Micro(MICRO_MAX))
        done: object
        failed: object
        done, failed = await asyncio.gather(
            sequencer.do_due(DueRequest()), sequencer.submit(broken), return_exceptions=True
        )
        assert not isinstance(done, BaseException)
        assert isinstance(failed, Exception)
        while await sequencer.do_due(DueRequest()):
            pass
        await sequencer.close()
        assert late.books().postings == on_time.books().postings

    with capture_logs():
        await scene()
