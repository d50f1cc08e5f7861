"""Which instances events must tell of: all but those that are older than events, whatever the times say."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from leasebook.domain.book.book import Book
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command, decide
from leasebook.domain.commands.instance.purchase import Billing, BuyUnits, Purchase
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.store import migrate
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import OpenStore, Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.rows.packing import unpacked
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_store
from leasebook.store.verify.nouns.events import UNITS_BEFORE_EVENTS
from tests.contract.test_store_upgrade import NOW, UNITS, live, make_old
from tests.copies import STORES, copy_of, empty

REVISION = "0011"
FACT = f"SELECT value FROM facts WHERE name = '{UNITS_BEFORE_EVENTS}'"


@contextmanager
def connected(where: Target) -> Iterator[Connection]:
    """Reach past the store."""
    url = f"sqlite:///{where.directory / FILE}" if where.url is None else postgres.sqlalchemy_url(where.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def sql(where: Target, *texts: str) -> None:
    with connected(where) as connection:
        for one in texts:
            connection.execute(text(one))


def value(where: Target, asked: str) -> object:
    with connected(where) as connection:
        return connection.execute(text(asked)).scalar()


@pytest.fixture(scope="module", params=STORES)
def once_lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """An old store that was late: a release was due before the last purchase. It was upgraded, and has lived on."""
    with empty(request.param, tmp_path_factory.mktemp("overdue") / "data") as where:
        make_old(where)
        sql(
            where,
            f"UPDATE units SET created_at = {NOW - 10 * MINUTE_US} WHERE id = 'unit-new'",
            f"UPDATE units SET release_at = {NOW - 30 * MINUTE_US} WHERE id = 'unit-ends'",
            f"UPDATE agenda SET at = {NOW - 30 * MINUTE_US} WHERE unit_id = 'unit-ends' AND kind = 1",
        )
        upgrade(where)
        lived(where)
        yield where


@pytest.fixture
def overdue(once_lived: Target, tmp_path: Path) -> Iterator[Target]:
    """A copy of it."""
    with copy_of(once_lived, tmp_path / "data") as where:
        yield where


def buying(name: str) -> BuyUnits:
    billing = Billing(payment_timing="Postpaid")
    purchase = Purchase(account_id="acc-1", by="user-1", unit_id=name, order_id=f"order-of-{name}", billing=billing)
    return BuyUnits(purchase=purchase, region="bj", unit_type="gpu-1", count=1)


async def say(store: OpenStore, said: Command, at: int) -> None:
    transaction = await store.begin()
    book = Book()
    await transaction.load(said.needs(), book)
    await transaction.load(said.needs_more(book), book)
    _ = decide(book, said, Rules(), Instant(at), InstantEngine()).result()
    await transaction.save(book.changes())
    await transaction.commit()


def lived(where: Target) -> None:
    """Do due work, and have money for more."""

    async def whole() -> None:
        store = open_store(where)
        try:
            await live(store, NOW + HOUR_US // 2)
            await say(store, TopUp(account_id="acc-1", amount=Micro(1_000_000_000)), NOW + HOUR_US // 2)
        finally:
            await store.close()

    asyncio.run(whole())


def buy(where: Target, *names: str) -> None:
    """Buy instances of these names."""

    async def whole() -> None:
        store = open_store(where)
        try:
            for name in names:
                await say(store, buying(name), NOW + HOUR_US // 2)
        finally:
            await store.close()

    asyncio.run(whole())


def forget(where: Target, name: str) -> None:
    """Take away what tells of a purchase."""
    page = value(where, f"SELECT min(page) FROM event_units WHERE unit_id = '{name}'")
    sql(where, f"DELETE FROM event_pages WHERE seq = {page}", f"DELETE FROM event_units WHERE page = {page}")


def untold(where: Target) -> list[str]:
    return [line.split()[1] for line in check_store(where).findings if "no event tells of it" in line]


def as_before(where: Target) -> None:
    """Bring the store back to the version before the fact was written, and up to date again."""
    sql(where, f"DELETE FROM facts WHERE name = '{UNITS_BEFORE_EVENTS}'")
    with connected(where) as connection:
        for seq, page in connection.execute(text("SELECT seq, events FROM event_pages")).all():
            # Without the dictionary, which that version did not have.
            former = {"seq": seq, "page": zlib.compress(unpacked(page))}
            connection.execute(text("UPDATE event_pages SET events = :page WHERE seq = :seq"), former)
        config = migrate._config(connection)
        before = ScriptDirectory.from_config(config).get_revision(REVISION).down_revision
        assert isinstance(before, str)
        command.stamp(config, before)
        command.upgrade(config, REVISION)
        command.stamp(config, "head")


def test_instances_that_are_older_than_events_need_none_however_late_their_work_was(overdue: Target) -> None:
    began = value(overdue, "SELECT min(first_at) FROM event_pages")
    newest = value(overdue, "SELECT created_at FROM units WHERE id = 'unit-new'")
    assert isinstance(began, int)
    assert isinstance(newest, int)
    assert began < newest, "the first event is of a time before the last old purchase"
    assert check_store(overdue).findings == []


@pytest.mark.parametrize("is_old", [False, True], ids=["upgraded now", "upgraded long ago"])
def test_every_purchase_since_has_events(overdue: Target, *, is_old: bool) -> None:
    buy(overdue, "unit-a", "unit-b")
    if is_old:
        as_before(overdue)
    assert value(overdue, FACT) == str(len(UNITS))
    assert check_store(overdue).findings == []
    for name in ("unit-a", "unit-b"):
        forget(overdue, name)
    assert untold(overdue) == ["unit-a", "unit-b"]


def test_a_store_in_which_nothing_happened_since_events_began_has_only_old_instances(overdue: Target) -> None:
    as_before(overdue)
    assert value(overdue, FACT) == str(len(UNITS))


def test_damaged_pages_hinder_no_upgrade(overdue: Target) -> None:
    buy(overdue, "unit-a", "unit-b")
    page = value(overdue, "SELECT min(page) FROM event_units WHERE unit_id = 'unit-a'")
    with connected(overdue) as connection:
        connection.execute(text(f"UPDATE event_pages SET events = :text WHERE seq = {page}"), {"text": b"\xff{"})
    as_before(overdue)
    assert value(overdue, FACT) == str(len(UNITS) + 1)


def test_a_store_that_does_not_say_since_when_is_named(overdue: Target) -> None:
    for change in ("UPDATE facts SET value = 'x'", "DELETE FROM facts"):
        sql(overdue, f"{change} WHERE name = '{UNITS_BEFORE_EVENTS}'")
        assert any("does not say from which unit on" in line for line in check_store(overdue).findings)


def test_a_copy_says_the_same(overdue: Target, tmp_path_factory: pytest.TempPathFactory) -> None:
    buy(overdue, "unit-a")
    goal = Target(tmp_path_factory.mktemp("copy"))
    copy(overdue, goal)
    assert value(goal, FACT) == str(len(UNITS))
    forget(goal, "unit-a")
    assert untold(goal) == ["unit-a"]
