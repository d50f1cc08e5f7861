"""Operators see engines and stock: tests of a whole server on either store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from leasebook.domain.model.engine_capacity import UNBOUNDED
from leasebook.reconciler.ports import Timing
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.api.scene import CATALOG, EVENTS
from tests.harness import Client, a_service

PLACE = {"region": "bj", "type": "gpu-1"}
QUICK = Timing(count_s=0.01)
ROUTES = {"LEASEBOOK_ENGINES": "gpu-*=process, *=instant"}


async def report(desk: Client) -> Any:
    return (await desk.call(CATALOG, "DescribeEngines")).result


async def line(desk: Client, region: str | None = "bj", unit_type: str = "gpu-1") -> dict[str, Any]:
    stocks = (await report(desk))["stocks"]
    found: dict[str, Any] = next(one for one in stocks if (one["region"], one["type"]) == (region, unit_type))
    return found


async def until(desk: Client, unit_type: str = "gpu-1", **wanted: Any) -> dict[str, Any]:
    """Wait until the report says so of a type in bj."""
    async with asyncio.timeout(30):
        while True:
            found = await line(desk, "bj", unit_type)
            if all(found[name] == value for name, value in wanted.items()):
                return found
            await asyncio.sleep(0.01)


def engine(units: dict[str, int]) -> tuple[FakeWorld, dict[str, Any]]:
    world = FakeWorld(lambda: 0.0, units)
    made = FakeEngine(world)
    made.name = "process"
    return world, {"process": made}


async def test_an_engine_that_runs_whatever_is_sold_has_no_number_for_a_type_that_comes_later(migrated: Target) -> None:
    _, engines = engine({"*": UNBOUNDED, "npu-*": 8})
    async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK) as desk:
        new = {"region": "bj", "type": "gpu-new", "pricePerMinute": "0.1", "stockTotal": 9}
        _ = (await desk.call(CATALOG, "SetOffering", new)).result
        await until(desk, "gpu-new", stockTotal=9, engineUnits=None, difference=0, trouble=None)
        (node,) = (await report(desk))["nodes"]
        assert node["engineTypes"] == [{"type": "*", "units": None}, {"type": "npu-*", "units": 8}]
        assert all(one["region"] is not None for one in (await report(desk))["stocks"]), "it is no type"
        told = (await desk.call(EVENTS, "DescribeEvents", {"types": ["engine.stockDiffers"]})).result["events"]
        assert told == []
    found = check_store(migrated)
    assert (found.findings, found.remarks) == ([], [])


async def test_the_report_shows_both_numbers_what_is_sold_and_what_is_wrong(migrated: Target) -> None:
    world, engines = engine({"gpu-1": 6, "gpu-9": 2, "gpu-2": UNBOUNDED})

    async def scene() -> None:
        async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK) as desk:
            await until(desk, engineUnits=6, difference=-6)
            prices = {**PLACE, "pricePerMinute": "0.1"}
            _ = (await desk.call(CATALOG, "SetOffering", {**prices, "stockTotal": 9})).result
            shown = await until(desk, engineUnits=6, difference=3)
            assert shown["seenTime"] is not None
            shown = {name: value for name, value in shown.items() if name not in ("seenTime", "ageSeconds")}
            assert shown == {
                **PLACE,
                "engine": "process",
                "stockSource": "Set",
                "stockTotal": 9,
                "engineUnits": 6,
                "stockSold": 0,
                "stockFree": 9,
                "difference": 3,
                "oversold": 0,
                "trouble": None,
            }
            assert (await line(desk, None, "gpu-9"))["difference"] == -2
            (node,) = (await report(desk))["nodes"]
            assert node["engineTypes"][1] == {"type": "gpu-2", "units": None}
            assert (node["node"], node["counts"], node["trouble"]) == (None, True, None)
            found = check_store(migrated)
            assert found.findings == []
            assert found.remarks == ["engine process has 6 units of gpu-1, and 9 are offered, 9 of them set by hand"]
            answer = (await desk.call(CATALOG, "SetOffering", {**PLACE, "stockSource": "Engine"})).result
            assert (answer["stockSource"], answer["stockTotal"]) == ("Engine", 6)
            world.cut()
            shown = await until(desk, trouble="The engine cannot be asked: The fake engine is cut off.")
            assert (shown["stockTotal"], shown["engineUnits"]) == (6, 6)
            types = {"types": ["engine.stockDiffers", "engine.stockFits"], "oldestFirst": True}
            told = (await desk.call(EVENTS, "DescribeEvents", types)).result["events"]
            assert [(one["type"], one["data"]["difference"]) for one in told] == [
                ("engine.stockDiffers", -6),
                ("engine.stockDiffers", 3),
                ("engine.stockFits", 0),
            ]
            facts = {"engine": "process", "type": "gpu-1", "regions": ["bj", "bd"], "engineUnits": 6, "oversold": 0}
            assert told[0]["data"] == {**facts, "offered": 0, "difference": -6}, "it happened by itself"
            assert all("userId" in one["data"] for one in told[1:]), "an operator set the offered units"
        found = check_store(migrated)
        assert (found.findings, found.remarks) == ([], [])

    with capture_logs() as lines:
        await scene()
    said = [(one["offered"], one["difference"]) for one in lines if one["event"] == "stock is not what the engine has"]
    assert said == [(0, -6), (9, 3)]


async def test_what_is_sold_beyond_an_engine_is_a_remark_and_books_that_do_not_follow_it_are_wrong(
    migrated: Target,
) -> None:
    world, engines = engine({"gpu-1": 6})
    async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK) as desk:
        _ = (await desk.call("/v2/account", "TopUpAccount", {"amount": "1000"})).result
        await until(desk, engineUnits=6)
        body = {**PLACE, "pricePerMinute": "0.1", "stockSource": "Engine"}
        _ = (await desk.call(CATALOG, "SetOffering", body)).result
        units = {"computeUnitConfig": PLACE, "computeUnitCount": 5, "billing": {"paymentTiming": "Postpaid"}}
        _ = (await desk.call("/v2/computeunit", "PurchaseComputeUnit", units)).result
        world.units["gpu-1"] = 2
        shown = await until(desk, oversold=3)
        assert (shown["stockTotal"], shown["stockSold"], shown["stockFree"]) == (2, 5, 0)
        refused = await desk.call("/v2/computeunit", "PurchaseComputeUnit", {**units, "computeUnitCount": 1})
        assert refused.code == "InsufficientStock"
    found = check_store(migrated)
    assert found.findings == []
    assert found.remarks == ["engine process has 2 units of gpu-1, and 5 are sold: 3 more than there are"]
    spoil(migrated, "UPDATE offerings SET stock_total = 3, oversold = 2 WHERE region = 'bj' AND type = 'gpu-1'")
    assert check_store(migrated).findings == [
        "engine process has 2 units of gpu-1 and leaves 2 to the stock that follows it, which is 3"
    ]
    spoil(migrated, "UPDATE offerings SET stock_source = 'Set', stock_total = 2, oversold = 3 WHERE oversold = 2")
    findings = check_store(migrated).findings
    assert [line for line in findings if "has its digest" not in line and "have its digest" not in line] == [
        "offering bj gpu-1 has 2 units, and 0 are free and 5 held, 3 more than there are"
    ]
    spoil(migrated, """UPDATE supplies SET words = replace(words, '"gpu-1":2', '"gpu-1":4') WHERE engine = 'process'""")
    assert "engine process has 4 units of gpu-1, and 2 are written down for it" in check_store(migrated).findings


def spoil(where: Target, text: str) -> None:
    """Change rows behind the server's back."""
    if where.url is None:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(where.directory / "leasebook.db")) as store, store:
            assert store.execute(text).rowcount == 1
        return
    import psycopg

    with psycopg.connect(where.url) as database:
        assert database.execute(text.encode()).rowcount == 1


async def test_the_process_engine_says_what_it_was_declared_to_have(migrated: Target) -> None:
    environment = {"LEASEBOOK_ENGINES": "*=process", "LEASEBOOK_ENGINES_PROCESS_UNITS": "cpu=7"}
    async with a_service(migrated, environment=environment) as desk:
        async with asyncio.timeout(30):
            while not (await report(desk))["nodes"]:  # noqa: ASYNC110 - the books ring no bell
                await asyncio.sleep(0.01)
        (node,) = (await report(desk))["nodes"]
        assert node["engineTypes"] == [{"type": "cpu", "units": 7}]
        assert isinstance(node["node"], str)
        cpu = {"region": "bj", "type": "cpu", "stockSource": "Engine"}
        assert (await desk.call(CATALOG, "SetOffering", cpu)).result["stockTotal"] == 7
        page = await desk.send("/metrics", "", b"", method="GET", headers=[])
        assert 'leasebook_stock_engine_units{engine="process",type="cpu"} 7.0' in page.body
    assert check_store(migrated).findings == []


@pytest.mark.parametrize("engines", ["*=instant", "*=process"])
async def test_an_offering_is_no_engines_where_none_serves_it_or_it_has_no_bound(
    migrated: Target, engines: str
) -> None:
    async with a_service(migrated, environment={"LEASEBOOK_ENGINES": engines}) as desk:
        answer = await desk.call(CATALOG, "SetOffering", {**PLACE, "stockSource": "Engine"})
        assert answer.code == "InvalidState"
        assert "param[stockSource]" in answer.body["message"]
        stocks = (await report(desk))["stocks"]
        assert {one["engine"] for one in stocks} == ({"process"} if engines == "*=process" else set())


async def test_an_offering_that_lost_its_engine_keeps_its_stock_and_the_report_says_so(migrated: Target) -> None:
    _, engines = engine({"gpu-1": 6})
    async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK) as desk:
        await until(desk, engineUnits=6)
        _ = (await desk.call(CATALOG, "SetOffering", {**PLACE, "stockSource": "Engine"})).result
    async with a_service(migrated, environment={"LEASEBOOK_ENGINES": "*=instant"}) as desk:
        shown = await line(desk)
        assert (shown["engine"], shown["stockTotal"]) == ("instant", 6)
        assert shown["trouble"].startswith("No engine serves it any more")
        by_hand = {**PLACE, "stockSource": "Set", "stockTotal": 4}
        assert (await desk.call(CATALOG, "SetOffering", by_hand)).result["stockTotal"] == 4


async def test_the_demo_leaves_stock_alone_that_follows_an_engine(migrated: Target) -> None:
    _, engines = engine({"gpu-1": 6, "gpu-2": 0})
    follow = {"region": "bj", "type": "gpu-2", "stockSource": "Engine"}
    async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK) as desk:
        await until(desk, engineUnits=6)
        assert (await desk.call(CATALOG, "SetOffering", follow)).result["stockTotal"] == 0
    async with a_service(migrated, environment=ROUTES, engines=engines, timing=QUICK, demo=True) as desk:
        assert (await line(desk, "bj", "gpu-2"))["stockTotal"] == 0
        assert (await line(desk, "bd", "gpu-2"))["stockTotal"] > 0
    assert check_store(migrated).findings == []
