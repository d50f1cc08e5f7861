"""A statement reads its month, however long the history is before and after it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import psycopg
import pytest

from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.opening import OpenStore
from leasebook.store.queries.read_repository import Queries
from leasebook.store.sqlite.store import FILE
from tests.contract.batches import Batch, OnStore
from tests.contract.rows import posting
from tests.contract.stores import KINDS, postgres, sqlite
from tests.contract.stores import _empty_database as empty_database
from tests.depth import few

UNITS = [f"unit-{number:03}" for number in range(6)]
MONTH = 100 * DAY_US
"""The tested code knows no calendar, but the days by which instances' postings are found. An hour is a day here."""


def history(months: int, each: int) -> list[Posting]:
    """Hourly charges of ``months``, a few of each instance and month, and a payment a month."""
    rows = []
    for month in range(months):
        start = month * MONTH
        rows.append(posting(10_000, kind="TopUp", at=Instant(start), debit="funding", credit=wallet("acc-1")))
        for hour, unit_id in product(range(each), UNITS):
            rows.append(posting(1 + hour, at=Instant(start + hour * DAY_US), unit_id=unit_id))
    return rows


def balance(rows: Sequence[Posting], until: int) -> int:
    return sum(row.effect_on(wallet("acc-1")) for row in rows if row.account_id == "acc-1" and row.at < until)


LATE = [
    # Written at last, of an early month, and of one to come.
    posting(77, at=Instant(150 * DAY_US), unit_id=UNITS[0]),
    posting(88, at=Instant(950 * DAY_US), unit_id=UNITS[1]),
    posting(500, at=Instant(160 * DAY_US), account_id="acc-2", debit="wallet:acc-2", unit_id="theirs"),
]


async def test_the_bills_of_many_are_the_bills_of_each(on_store: OnStore) -> None:
    async with on_store() as store:
        await Batch(postings=[*history(6, 4), *LATE]).commit_to(store)

        def look(ask: ReadRepository) -> None:
            moments = [days * DAY_US + more for days in range(0, 1001, few(100, 50)) for more in (0, 1)]
            for since, until in product(moments, repeat=2):
                wanted = ["nobody", *UNITS[::-1]]
                bills = ask.bills(wanted, Instant(since), Instant(until))
                assert list(bills) == [(one, ask.bill(one, Instant(since), Instant(until))) for one in wanted]
            assert list(ask.bills([], Instant(0), Instant(999))) == []

        store.ask(look)


async def test_more_instances_than_one_statement_asks_for_get_their_bills_in_order(on_store: OnStore) -> None:
    many = [f"unit-{number:03}" for number in range(230)]

    async with on_store() as store:
        await Batch(postings=[posting(1 + at, at=Instant(at), unit_id=one) for at in (1, 2) for one in many]).commit_to(
            store
        )

        def look(ask: ReadRepository) -> None:
            found = list(ask.bills(many, Instant(2), Instant(3)))
            assert [one for one, _ in found] == many
            assert [[row.amount for row in rows] for _, rows in found] == [[3]] * 230

        store.ask(look)


async def test_a_balance_is_the_same_from_either_end_of_the_history(on_store: OnStore) -> None:
    rows = [*history(6, 4), *LATE]

    async with on_store() as store:
        owner = Account("acc-1", "Ours", "UTC", Micro(balance(rows, 100 * MONTH)), Instant(0))
        await Batch(rows=[owner], postings=rows).commit_to(store)
        for until in range(-10 * DAY_US, 1101 * DAY_US, 10 * DAY_US):
            found = store.ask(lambda ask, until=until: ask.balance_at("acc-1", Instant(until)))  # type: ignore[misc]
            assert (found, type(found)) == (balance(rows, until), int), until


def statement(ask: ReadRepository, month: int) -> None:
    """Ask what a statement asks."""
    since, until = Instant(month * MONTH), Instant((month + 1) * MONTH)
    ask.balance_at("acc-1", since)
    ask.turnover("acc-1", since, until)
    units = ask.billed_units("acc-1", since, until, after="", limit=101)
    assert len(list(ask.bills(units, since, until))) == len(UNITS)


def filled(opener: Callable[[], OpenStore], months: int) -> None:
    rows = history(months, 40)

    async def fill() -> None:
        store = opener()
        owner = Account("acc-1", "Ours", "UTC", Micro(balance(rows, 1000 * MONTH)), Instant(0))
        await Batch(rows=[owner], postings=rows).commit_to(store)
        await store.close()

    asyncio.run(fill())


def sqlite_work(months: int, month: int) -> int:
    """Return how many steps SQLite's machine takes for a statement, in thousands of instructions."""
    with sqlite() as opener:
        filled(opener, months)
        store: Any = opener()
        path = store.path
        asyncio.run(store.close())
        connection = sqlite3.connect(path)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        assert path.name == FILE
        connection.set_progress_handler(step, 100)
        statement(Queries(lambda text, params: connection.execute(text, params).fetchall()), month)
        connection.close()
        return steps


def test_a_statement_of_the_embedded_store_takes_no_longer_where_there_is_more_history() -> None:
    short, long = sqlite_work(2, 1), sqlite_work(24, 23)
    assert long < short * 1.3, "the last month of 24 costs what the last of 2 costs"


def rows_read(plan: dict[str, Any]) -> float:
    """Return how many rows the parts of a plan took from the table of postings."""
    inner: float = sum(rows_read(part) for part in plan.get("Plans", ()))
    if plan.get("Relation Name") != "posting_rows":
        return inner
    each: float = (
        plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    )
    return inner + each * float(plan["Actual Loops"])


@pytest.mark.slow
def test_a_statement_of_postgresql_reads_the_rows_of_its_month() -> None:
    month = 23
    with postgres() as opener:
        filled(opener, 24)
        with psycopg.connect(empty_database()[0], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            read: list[tuple[str, float]] = []

            def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
                marked = text.replace("?", "%s")
                explain: Any = f"EXPLAIN (ANALYZE, FORMAT JSON) {marked}"
                ((plan,),) = connection.execute(explain, params).fetchall()
                read.append((text, rows_read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])))
                query: Any = marked
                return connection.execute(query, params).fetchall()

            statement(Queries(fetch), month)
    of_a_month = len(UNITS) * 40 + 1
    for text, rows in read:
        assert rows <= of_a_month + 10, text


@pytest.mark.parametrize("kind", list(KINDS))
async def test_nobodys_statement_is_empty(kind: str) -> None:
    with KINDS[kind]() as opener:

        async def scene() -> None:
            store = opener()
            assert store.ask(lambda ask: ask.balance_at("nobody", Instant(5))) == 0
            assert store.ask(lambda ask: [*ask.bills(["a"], Instant(0), Instant(9))]) == [("a", [])]
            await store.close()

        await scene()
