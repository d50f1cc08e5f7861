"""An offering that is closed, opened again, removed, and made again."""

from __future__ import annotations

import asyncio
from typing import Any

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import CATALOG, UNITS, Caller, ServiceHarness, a_scene, order
from tests.contract.test_store_newer import write

GPU = {"region": "bj", "type": "gpu-9"}
QUOTA_OF = {"model": "short-lived-8k"}


def offered(scene: ServiceHarness, named: dict[str, str] | None = None, stock: int = 4) -> dict[str, str]:
    named = named or GPU
    prices = {"pricePerMinute": "0.50"} if "model" in named else {"pricePerMinute": "0.50", "pricePerMonth": "100"}
    scene.operator.do(CATALOG, "SetOffering", {**named, **prices, "stockTotal": stock})
    return named


def in_catalogue(by: Caller, unit_type: str) -> dict[str, Any] | None:
    found = (one for one in by.do(CATALOG, "DescribeOfferings")["offerings"] if one["type"] == unit_type)
    return next(found, None)


def test_a_closed_offering_sells_nothing_and_keeps_its_instances(either: ServiceHarness) -> None:
    offered(either)
    by = either.customer("10000")
    metered, paid = by.buy(type="gpu-9"), by.buy(type="gpu-9", months=1)
    closed = either.operator.do(CATALOG, "CloseOffering", GPU)
    assert closed["closedTime"] == "2030-01-15T08:00:00+08:00"
    assert "noRenewals" not in closed
    commits = either.commits()
    for action, body in (
        ("PurchaseComputeUnit", order(type="gpu-9")),
        ("PurchaseComputeUnit", order(type="gpu-9", region=None)),
        ("ResizeComputeUnit", {"instanceId": metered, "count": 2}),
        ("ResizeComputeUnit", {"instanceId": paid, "count": 2}),
        ("ChangeBilling", {"instanceId": paid, "paymentTiming": "Postpaid"}),
    ):
        answer = by.ask(UNITS, action, body)
        assert (answer.status, answer.code) == (409, "InvalidState"), (action, answer.body)
        assert "gpu-9 in bj is closed" in answer.body["message"], action
    assert either.commits() == commits
    quote = by.do(UNITS, "QuotePurchase", order(type="gpu-9", region=None))
    (stock,) = (one for one in quote["verdicts"] if one["rule"] == "stock")
    assert "is closed" in stock["message"], quote
    assert by.do(UNITS, "RenewComputeUnit", {"instanceId": paid, "months": 1})
    # A released unit is not sold again.
    by.release(metered)
    assert by.refused(UNITS, "PurchaseComputeUnit", order(type="gpu-9")) == "InvalidState"
    # A new price or stock does not open it.
    either.operator.do(CATALOG, "SetOffering", {**GPU, "stockTotal": 9})
    assert by.refused(UNITS, "PurchaseComputeUnit", order(type="gpu-9")) == "InvalidState"
    again = either.operator.do(CATALOG, "ReopenOffering", GPU)
    assert "closedTime" not in again
    assert by.buy(type="gpu-9")


def test_another_region_sells_while_one_is_closed(either_shared: ServiceHarness) -> None:
    offered(either_shared, {"region": "bj", "type": "gpu-10"})
    offered(either_shared, {"region": "gz", "type": "gpu-10"})
    either_shared.operator.do(CATALOG, "CloseOffering", {"region": "bj", "type": "gpu-10"})
    by = either_shared.customer("1000")
    assert by.unit(by.buy(type="gpu-10", region=None))["region"] == "gz"


def test_without_renewals_a_term_ends_at_its_end(either: ServiceHarness) -> None:
    offered(either)
    by = either.customer("10000")
    renewing = by.buy(type="gpu-9", months=1, autoRenew=True, autoRenewTime=1, autoRenewTimeUnit="Month")
    either.operator.do(CATALOG, "CloseOffering", {**GPU, "noRenewals": True})
    answer = by.ask(UNITS, "RenewComputeUnit", {"instanceId": renewing, "months": 1})
    assert (answer.status, answer.code) == (409, "InvalidState")
    assert "not renewed" in answer.body["message"]
    told = by.do(UNITS, "ExplainComputeUnit", {"instanceId": renewing})
    assert "not renewed" in str(told)
    either.advance("2030-02-16T00:00:00+08:00")
    assert by.unit(renewing)["status"] == "Stopped"


def test_a_removed_offering_leaves_the_catalogue_and_comes_back_with_its_prices(migrated: Target) -> None:
    with a_scene(migrated) as scene:
        scene.advance("2030-01-15T08:00:00+08:00")
        offered(scene)
        by, root = scene.customer("10000"), scene.operator
        unit = by.buy(type="gpu-9", release="2030-01-15 12:00:00")
        assert root.refused(CATALOG, "RemoveOffering", GPU) == "InvalidState"
        root.do(CATALOG, "CloseOffering", GPU)
        answer = root.ask(CATALOG, "RemoveOffering", GPU)
        assert (answer.status, answer.code) == (409, "InvalidState")
        assert "1 unit of gpu-9 in bj is held" in answer.body["message"]
        assert "until 2030-01-15T12:00:00+08:00 at the latest" in answer.body["message"]
        scene.advance("2030-01-15T13:00:00+08:00")
        assert root.do(CATALOG, "RemoveOffering", GPU) is True
        assert in_catalogue(by, "gpu-9") is None
        answer = by.ask(UNITS, "PurchaseComputeUnit", order(type="gpu-9"))
        assert (answer.code, "catalogue has no gpu-9" in answer.body["message"]) == ("InappropriateJSON", True)
        assert by.refused(UNITS, "PurchaseComputeUnit", order(type="gpu-9", region=None)) == "InappropriateJSON"
        for action in ("CloseOffering", "ReopenOffering", "RemoveOffering"):
            assert root.refused(CATALOG, action, GPU) == "ResourceNotFound", action
        # The books still tell of it.
        assert by.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})
        assert len(by.do(CATALOG, "DescribePrices", GPU)["prices"]) == 1
        made = root.do(CATALOG, "SetOffering", {**GPU, "pricePerMinute": "0.75", "stockTotal": 2})
        assert (made["stockTotal"], made["stockFree"], "closedTime" in made) == (2, 2, False)
        assert [one["pricePerMinute"] for one in by.do(CATALOG, "DescribePrices", GPU)["prices"]] == ["0.50", "0.75"]
        assert by.buy(type="gpu-9")
    assert check_store(migrated).findings == []


def test_quota_is_closed_and_removed_alike(either: ServiceHarness) -> None:
    offered(either, QUOTA_OF)
    by, root = either.customer("1000"), either.operator
    unit = by.buy_quota(QUOTA_OF["model"])
    root.do(CATALOG, "CloseOffering", QUOTA_OF)
    body = {**QUOTA_OF, "purchaseCount": 1, "billing": {"paymentTiming": "Postpaid"}}
    assert by.refused("/v2/charge", "PurchaseTPMResource", body) == "InvalidState"
    answer = root.ask(CATALOG, "RemoveOffering", QUOTA_OF)
    assert (answer.code, "without an end" in answer.body["message"]) == ("InvalidState", True)
    by.do("/v2/charge", "ReleaseTPMResource", {**QUOTA_OF, "instanceId": unit})
    assert root.do(CATALOG, "RemoveOffering", QUOTA_OF) is True
    assert in_catalogue(root, QUOTA_OF["model"]) is None


def test_no_buyer_comes_between_closing_and_removing(either: ServiceHarness) -> None:
    offered(either)
    by, root = either.customer("100000"), either.operator
    root.do(CATALOG, "CloseOffering", GPU)
    codes: list[str] = []

    async def race() -> None:
        calls = [by.desk.call(UNITS, "PurchaseComputeUnit", order(type="gpu-9")) for _ in range(6)]
        answers = await asyncio.gather(*calls[:3], root.desk.call(CATALOG, "RemoveOffering", GPU), *calls[3:])
        codes.extend(answer.code if answer.status != 200 else "" for answer in answers)

    either.play(race)
    assert codes[3] == ""
    assert set(codes[:3] + codes[4:]) <= {"InvalidState", "InappropriateJSON"}


def test_check_finds_units_of_a_removed_offering_and_the_keys_of_deleted_users(migrated: Target) -> None:
    with a_scene(migrated) as scene:
        offered(scene)
        by = scene.customer("1000")
        by.buy(type="gpu-9")
        worker = scene.user(by, "QianfanReadAccessPolicy")
        key = worker.desk.access_key
        account = by.account_id()
    write(
        migrated,
        "UPDATE offerings SET removed_at = 5 WHERE type = 'gpu-9'",
        "UPDATE users SET deleted_at = 5 WHERE NOT is_root",
        f"UPDATE users SET is_root = {'false' if migrated.url else 0} WHERE account_id = '{account}'",
    )
    found = check_store(migrated).findings
    assert "offering bj gpu-9 is removed, and 1 of its units are held" in found
    assert "offering bj gpu-9 is removed, and is not closed, or has stock" in found
    assert any(line.startswith(f"access key {key} is active, and its user ") for line in found)
    assert f"account {account} has 0 root users, and every account has one" in found
