"""A store moves: copied into the other kind, backed up and restored, its old charges rolled up. Nothing is lost."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.domain.values.calendar import parse_time
from leasebook.store.errors import BadStore, StoreInUse
from leasebook.store.maintenance.archive import archive
from leasebook.store.maintenance.backup import back_up
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite import store as sqlite
from leasebook.store.verify.check import check_store
from tests.depth import few, some
from tests.harness import Client, a_service
from tests.postgres import shared_server

UNITS, ACCOUNT, CATALOG, IAM = "/v2/computeunit", "/v2/account", "/v2/catalog", "/v2/iam"
SHARED = {"LEASEBOOK_MASTER_KEY": "4a" * 32}
START = "2030-01-15T00:00:00Z"
ARCHIVED = few("2030-01-31T16:00:00Z", "2030-03-01T00:00:00Z")
"""Where the archived charges end: at the end of a month, in the service's zone or later."""


async def _buy(desk: Client, release_time: str | None = None) -> str:
    billing = {"paymentTiming": "Postpaid", "releaseTime": release_time}
    body = {"billing": billing, "computeUnitConfig": {"region": "bj", "type": "gpu-1"}, "computeUnitCount": 2}
    token = "t-" + str(release_time)[:10]
    answer = await desk.call(UNITS, "PurchaseComputeUnit", body, query=f"&clientToken={token}")
    return str(answer.result["instanceId"])


async def _live(desk: Client, until: str = "2030-01-17T03:00:00Z") -> None:
    """Have a little of everything in the store."""
    await desk.advance(START)
    offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "pricePerMonth": "70", "stockTotal": 50}
    assert (await desk.call(CATALOG, "SetOffering", offering)).status == 200
    assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "100000"})).status == 200
    user = (await desk.call(IAM, "CreateUser", {"name": "密钥"})).result
    assert (await desk.call(IAM, "CreateAccessKey", user)).status == 200
    body = {
        "billing": {
            "paymentTiming": "Prepaid",
            "reservation": {"reservationTimeUnit": "Month", "reservationLength": 2},
        },
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
    assert (await desk.call(UNITS, "PurchaseComputeUnit", body)).status == 200
    await _buy(desk, "2030-01-16T00:30:00Z")
    more = {"billing": {"paymentTiming": "Postpaid"}, "computeUnitConfig": {"type": "gpu-1"}, "computeUnitCount": 3}
    assert (await desk.call(UNITS, "PurchaseComputeUnit", more)).status == 200
    await desk.advance(until)


def _served(where: Target, scene: Callable[[Client], Any]) -> None:
    async def whole() -> None:
        async with a_service(where, environment=SHARED) as desk:
            await scene(desk)

    asyncio.run(whole())
    assert check_store(where).findings == []


@contextmanager
def _asked(where: Target) -> Iterator[Callable[[str], list[Any]]]:
    if where.url is None:
        with closing(sqlite.connect(where.directory / sqlite.FILE, read_only=True)) as connection:
            yield lambda text: connection.execute(text).fetchall()
    else:
        with psycopg.connect(where.url) as database:
            yield lambda text: database.execute(text.encode()).fetchall()


def _contents(where: Target, tables: Sequence[str] = tuple(metadata.tables)) -> dict[str, list[Any]]:
    """Return every row of a store, but for the fact that only a shared one has."""
    found: dict[str, list[Any]] = {}
    with _asked(where) as ask:
        for name in tables:
            columns = ", ".join(f'"{column.name}"' for column in metadata.tables[name].columns)
            rows = [tuple(map(_plain, row)) for row in ask(f"SELECT {columns} FROM {name}")]
            found[name] = sorted(row for row in rows if row[0] != "identity_epoch")
    assert found["accounts"], "an empty store proves nothing"
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return "" if value is None else value.hex() if isinstance(value, bytes | memoryview) else value


KINDS = ("sqlite", "postgres")


@contextmanager
def _target(kind: str, folder: Path) -> Iterator[Target]:
    if kind == "sqlite":
        yield Target(folder / "data")
    else:
        with shared_server().database() as url:
            yield Target(folder / "data", url)


@pytest.mark.parametrize(
    ("kind", "goal_kind"), few([*zip(KINDS, reversed(KINDS), strict=True)], [*product(KINDS, KINDS)])
)
def test_a_copy_is_the_same_to_the_row_and_goes_on_being_served(tmp_path: Path, kind: str, goal_kind: str) -> None:
    with _target(kind, tmp_path / "old") as old, _target(goal_kind, tmp_path / "new") as new:
        _served(old, _live)
        new.directory.mkdir(mode=0o700, parents=True)
        assert copy(old, new).rows["units"] == 3
        assert _contents(new) == _contents(old)

        async def goes_on(desk: Client) -> None:
            units = (await desk.call(UNITS, "DescribeComputeUnits")).result["computeUnitInstanceList"]
            assert len(units) == 2
            # A key that is changed here counts here, and numbers go on where they were.
            assert (await desk.call(IAM, "CreateUser", {"name": "another"})).status == 200
            await _buy(desk, "2030-01-18T00:00:00Z")
            await desk.advance("2030-01-18T01:00:00Z")
            orders = (await desk.call(ACCOUNT, "DescribeOrders")).result["orders"]
            assert len(orders) == 4

        _served(new, goes_on)


@pytest.mark.parametrize("goal_kind", some(KINDS, 1))
def test_a_store_that_is_not_empty_is_never_copied_into(tmp_path: Path, goal_kind: str) -> None:
    with _target("sqlite", tmp_path / "old") as old, _target(goal_kind, tmp_path / "new") as new:
        _served(old, _live)
        _served(new, _live)
        before = _contents(new)
        with pytest.raises(BadStore, match="is not empty"):
            copy(old, new)
        assert _contents(new) == before


def test_a_store_that_is_served_is_not_copied(tmp_path: Path) -> None:
    async def scene(desk: Client) -> None:
        await _live(desk)
        with pytest.raises(StoreInUse):
            copy(Target(tmp_path / "data"), Target(tmp_path / "copy"))

    _served(Target(tmp_path / "data"), scene)
    assert not (tmp_path / "copy" / sqlite.FILE).exists()


def test_a_backup_taken_while_everybody_buys_is_whole_and_is_restored_with_its_key(tmp_path: Path) -> None:
    where, restored = Target(tmp_path / "data"), Target(tmp_path / "restored")

    async def scene(desk: Client) -> None:
        await _live(desk)
        purchases = asyncio.gather(*(_bought(desk, number) for number in range(40)))
        await asyncio.to_thread(back_up, where.directory, tmp_path / "backup.db")
        await purchases
        with pytest.raises(BadStore, match="exists already"):
            back_up(where.directory, tmp_path / "backup.db")

    async def _bought(desk: Client, number: int) -> None:
        body = {"billing": {"paymentTiming": "Postpaid"}, "computeUnitConfig": {"type": "gpu-1"}, "computeUnitCount": 1}
        query = f"&clientToken=many-{number}"
        assert (await desk.call(UNITS, "PurchaseComputeUnit", body, query=query)).status == 200

    _served(where, scene)
    restored.directory.mkdir(mode=0o700)
    (tmp_path / "backup.db").rename(restored.directory / sqlite.FILE)
    assert check_store(restored).findings == []

    async def after(desk: Client) -> None:
        balance = (await desk.call(ACCOUNT, "DescribeAccount")).result["balance"]
        # Work due since the backup is done, each piece as of its own time.
        await desk.advance("2030-01-19T00:00:00Z")
        assert (await desk.call(ACCOUNT, "DescribeAccount")).result["balance"] != balance

    _served(restored, after)


def test_a_dump_of_a_database_is_restored(tmp_path: Path) -> None:
    server = shared_server()
    with _target("postgres", tmp_path / "old") as old, _target("postgres", tmp_path / "new") as new:
        assert old.url is not None
        assert new.url is not None
        _served(old, _live)
        file = tmp_path / "leasebook.dump"
        for command in (
            ("pg_dump", "--format=custom", f"--file={file}", old.url),
            ("pg_restore", f"--dbname={new.url}", str(file)),
        ):
            subprocess.run([server.binaries / command[0], *command[1:]], check=True, capture_output=True)
        assert _contents(new) == _contents(old)
        _served(new, lambda desk: desk.advance("2030-01-18T00:00:00Z"))


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A store with the hourly charges of two weeks, or (deep) of a month and more, and of a day after them."""
    where = Target(tmp_path_factory.mktemp("month") / "data")
    _served(where, lambda desk: _live(desk, few("2030-02-01T16:00:00Z", "2030-03-02T00:00:00Z")))
    return where


@pytest.mark.parametrize("kind", some(KINDS, 1))
def test_hourly_charges_of_a_month_become_one_and_the_books_stay_right(
    tmp_path: Path, month: Target, kind: str
) -> None:
    others = [name for name in metadata.tables if name != "posting_rows"]
    with _target(kind, tmp_path) as where:
        where.directory.mkdir(mode=0o700, parents=True)
        copy(month, where)
        before = _contents(where)
        with _asked(where) as ask:
            sums = "SELECT account_id, unit_id, sum(amount), sum(minutes) FROM postings GROUP BY account_id, unit_id"
            charged = sorted(map(str, ask(sums)))
        done = archive(where, parse_time(ARCHIVED, "UTC"), tmp_path / "charges.jsonl.gz")
        with _asked(where) as ask:
            assert sorted(map(str, ask(sums))) == charged
        after = _contents(where)
        assert {name: after[name] for name in others} == {name: before[name] for name in others}
        assert len(before["posting_rows"]) - len(after["posting_rows"]) == done.hourly - done.monthly
        assert done.hourly > few(300, 1000)
        assert done.monthly <= 4
        with gzip.open(tmp_path / "charges.jsonl.gz", "rt") as lines:
            assert sum(1 for line in lines if json.loads(line)["rolled_into"]) == done.hourly
        assert check_store(where).findings == []
        _served(where, lambda desk: desk.advance(few("2030-02-03T00:00:00Z", "2030-03-03T00:00:00Z")))
