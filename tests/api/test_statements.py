"""Statements: what every instance cost in a month, line by line, and to the millionth what the postings say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.values.calendar import parse_time
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.archive import archive
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, CATALOG, IAM, UNITS, Caller, ServiceHarness, billing_of


def statement(caller: Caller, month: str = "2030-01", **wanted: Any) -> Any:
    """Show a month."""
    return caller.do(ACCOUNT, "DescribeStatement", {"month": month, **wanted})


def in_berlin(scene: ServiceHarness, funds: str) -> Caller:
    """Open an account whose clocks are seven hours behind the service's, with some money."""
    made = scene.operator.do(IAM, "CreateAccount", {"name": "berlin", "timeZone": "Europe/Berlin"})
    scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": funds, "accountId": made["accountId"]})
    return scene.caller(made)


def without_name(sums: Any) -> Any:
    """Return the sums of a statement among those of several accounts as the statement of one account has them."""
    return {name: value for name, value in sums.items() if name != "accountName"}


def check_sums(caller: Caller, month: str, since: str, until: str) -> Any:
    """Fail where a statement, its instances, its lines and the postings of the month do not agree."""
    shown = statement(caller, month)
    assert (shown["startTime"], shown["endTime"]) == (since, until)
    postings = caller.postings()
    own = f"wallet:{caller.account_id()}"

    def effect(posting: Any) -> Decimal:
        return Decimal(posting["amount"]) * (1 if posting["credit"] == own else -1)

    inside = [one for one in postings if since <= one["time"] < until]
    opening = sum((effect(one) for one in postings if one["time"] < since), Decimal(0))
    paid_in = sum((effect(one) for one in inside if one["kind"] == "TopUp"), Decimal(0))
    charged = -sum((effect(one) for one in inside if one["kind"] != "TopUp"), Decimal(0))
    assert Decimal(shown["openingBalance"]) == opening
    assert Decimal(shown["paidIn"]) == paid_in
    assert Decimal(shown["charged"]) == charged
    assert Decimal(shown["closingBalance"]) == opening + paid_in - charged
    (sums,) = caller.do(ACCOUNT, "DescribeStatements", {"month": month})["statements"]
    assert {name: shown[name] for name in sums if name != "accountName"} == without_name(sums)
    by_unit: dict[str, Decimal] = {}
    for one in inside:
        if "instanceId" in one:
            by_unit[one["instanceId"]] = by_unit.get(one["instanceId"], Decimal(0)) - effect(one)
    assert {unit["instanceId"]: Decimal(unit["amount"]) for unit in shown["instances"]} == by_unit
    for unit in shown["instances"]:
        assert sum(Decimal(line["amount"]) for line in unit["lines"]) == Decimal(unit["amount"])
        for line in unit["lines"]:
            if line["kind"] == "Usage":
                each = Decimal(line["price"]) * line["count"] * line["minutes"]
                assert Decimal(line["amount"]) == each
    return shown


def brief(lines: list[Any]) -> list[tuple[Any, ...]]:
    """Return the lines of an instance, shortened."""
    return [
        (
            line["kind"],
            line["startTime"][5:16],
            line["endTime"][5:16],
            line.get("minutes"),
            line["count"],
            line["price"],
            line["amount"],
        )
        for line in lines
    ]


@pytest.mark.both_stores
def test_a_statement_has_a_line_for_every_stretch_with_one_number_of_units_and_one_price(
    either: ServiceHarness,
) -> None:
    caller = either.customer("10000")
    unit = caller.buy(count=2)
    either.advance("2030-01-15 10:30:00")
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 3})
    either.advance("2030-01-15 12:00:00")
    price = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.333333"}
    either.operator.do(CATALOG, "SetOffering", price)
    either.advance("2030-01-15 13:30:30")
    caller.do(UNITS, "ChangeBilling", {"instanceId": unit, **billing_of(months=1)})
    either.advance("2030-01-20 08:00:00")
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    shown = check_sums(caller, "2030-01", "2030-01-01T00:00:00+08:00", "2030-02-01T00:00:00+08:00")
    (billed,) = shown["instances"]
    # Three hours and a half of hourly charges are one line where nothing changed.
    assert brief(billed["lines"]) == [
        ("Usage", "01-15T08:00", "01-15T10:30", 150, 2, "0.50", "150.00"),
        ("Usage", "01-15T10:30", "01-15T12:00", 90, 3, "0.50", "135.00"),
        ("Usage", "01-15T12:00", "01-15T13:31", 91, 3, "0.333333", "90.999909"),
        ("Conversion", "01-15T13:31", "02-15T13:31", None, 3, "100.00", "300.00"),
        ("Renewal", "02-15T13:31", "03-15T13:31", None, 3, "100.00", "300.00"),
    ]
    assert {name: billed[name] for name in ("instanceId", "kind", "region", "type", "paymentTiming", "amount")} == {
        "instanceId": unit,
        "kind": "ComputingUnit",
        "region": "bj",
        "type": "gpu-1",
        "paymentTiming": "Prepaid",
        "amount": "975.999909",
    }
    assert (shown["openingBalance"], shown["paidIn"], shown["charged"], shown["closingBalance"]) == (
        "0.00",
        "10000.00",
        "975.999909",
        "9024.000091",
    )


def test_what_stood_still_meanwhile_has_a_line_before_and_one_after(either: ServiceHarness) -> None:
    caller = either.customer("60")
    caller.buy()
    either.advance("2030-01-17 08:30:00")  # it stopped at eleven the day before, a day after the first unpaid hour
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": caller.account_id()})
    either.advance("2030-01-17 09:00:00")
    shown = check_sums(caller, "2030-01", "2030-01-01T00:00:00+08:00", "2030-02-01T00:00:00+08:00")
    assert brief(shown["instances"][0]["lines"]) == [
        ("Usage", "01-15T08:00", "01-16T11:00", 27 * 60, 1, "0.50", "810.00"),
        ("Usage", "01-17T08:30", "01-17T09:00", 30, 1, "0.50", "15.00"),
    ]


def test_months_are_those_of_the_accounts_own_clocks_and_follow_each_other(either: ServiceHarness) -> None:
    caller = in_berlin(either, "100000")
    either.sell_quota()
    either.advance("2030-02-01 05:00:00")  # still January in Berlin
    unit, quota = caller.buy(), caller.buy_quota()
    either.advance("2030-02-01 06:30:00")
    prepaid = caller.buy(months=1)
    either.advance("2030-02-01 07:00:00")  # midnight there
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "0.000001", "accountId": caller.account_id()})
    either.advance("2030-02-01 09:30:00")
    caller.release(unit)
    either.advance("2030-03-02 00:00:00")
    bounds = [f"2030-0{month}-01T0{hour}:00:00+08:00" for month, hour in ((1, 7), (2, 7), (3, 7))]
    january = check_sums(caller, "2030-01", bounds[0], bounds[1])
    february = check_sums(caller, "2030-02", bounds[1], bounds[2])
    assert february["openingBalance"] == january["closingBalance"]
    assert (january["paidIn"], february["paidIn"]) == ("100000.00", "0.000001")
    assert {one["instanceId"] for one in january["instances"]} == {unit, quota, prepaid}
    assert {one["instanceId"]: one["kind"] for one in february["instances"]} == {unit: "ComputingUnit", quota: "TPM"}
    # The hour that ended at midnight was charged then, and so belongs to the month that began.
    billed = {one["instanceId"]: brief(one["lines"]) for one in february["instances"]}
    assert billed[unit] == [("Usage", "02-01T06:00", "02-01T09:30", 210, 1, "0.50", "105.00")]
    assert statement(caller, "2029-12")["instances"] == []
    assert statement(caller, "2029-12")["closingBalance"] == "0.00"


def test_a_statement_comes_a_page_of_instances_at_a_time_with_the_sums_of_all(either: ServiceHarness) -> None:
    caller = either.customer("10000")
    bought = sorted(caller.buy(months=number + 1) for number in range(5))
    whole = statement(caller)
    assert [one["instanceId"] for one in whole["instances"]] == bought
    assert whole["charged"] == "1500.00"
    for size in (1, 2, 4, 5):
        pages = caller.pages(ACCOUNT, "DescribeStatement", {"month": "2030-01", "maxKeys": size})
        sums = {(page["maxKeys"], page["charged"], page["closingBalance"]) for page in pages}
        assert sums == {(size, "1500.00", "8500.00")}
        assert all(len(page["instances"]) <= size for page in pages)
        assert [one for page in pages for one in page["instances"]] == whole["instances"]
    first = statement(caller, maxKeys=1)
    other = {"month": "2030-02", "marker": first["nextMarker"]}
    assert caller.refused(ACCOUNT, "DescribeStatement", other) == "InvalidMarker"


def test_only_an_operator_sees_the_statement_of_another_account(either: ServiceHarness) -> None:
    owner, stranger = either.customer(), either.customer()
    unit = owner.buy(months=1)
    account = {"accountId": owner.account_id()}
    for month in ("2030-01", "2031-01"):
        assert stranger.refused(ACCOUNT, "DescribeStatement", {"month": month, **account}) == "AccessDenied"
    assert statement(either.operator, **account) == statement(owner) == statement(owner, **account)
    assert [one["instanceId"] for one in statement(owner)["instances"]] == [unit]
    assert statement(stranger)["instances"] == []
    nobody = {"month": "2030-01", "accountId": "x"}
    assert either.operator.refused(ACCOUNT, "DescribeStatement", nobody) == "ResourceNotFound"


def test_the_sums_of_several_accounts_are_those_of_each_statement_a_page_of_accounts_at_a_time(
    either: ServiceHarness,
) -> None:
    owners = [either.customer("1000"), in_berlin(either, "0.000001"), either.customer("30"), either.customer(None)]
    ids = [one.account_id() for one in owners]
    for _ in range(2):
        owners[0].buy(months=1)
    owners[2].buy()
    either.advance("2030-01-15 20:00:00")
    either.operator.do(IAM, "CloseAccount", {"accountId": ids[1], "payOut": True})
    month = {"month": "2030-01"}
    single = [statement(either.operator, accountId=one) for one in ids]
    assert {one["charged"] for one in single} == {"200.00", "0.00", "360.00"}
    assert (single[1]["paidOut"], single[2]["closingBalance"]) == ("0.000001", "-330.00")
    some = {**month, "accountId": [ids[2], ids[0], ids[1], ids[2]]}
    shown = either.operator.do(ACCOUNT, "DescribeStatements", some)["statements"]
    sums = {one["accountId"]: one for one in shown}
    assert [sums[one]["accountName"] for one in ids[:3]] == ["customer", "berlin", "customer"]
    for one, whole in zip(ids[:3], single, strict=False):
        assert without_name(sums[one]) == {name: whole[name] for name in whole if name in sums[one]}
    every = either.operator.do(ACCOUNT, "DescribeStatements", {**month, "accountId": "*"})["statements"]
    assert [one for one in every if one["accountId"] in ids[:3]] == shown
    assert {one["accountId"] for one in every} >= {*ids, either.operator.account_id()}
    for accounts in (some, {**month, "accountId": "*"}):
        for size in (1, 2):
            pages = either.operator.pages(ACCOUNT, "DescribeStatements", {**accounts, "maxKeys": size})
            found = [one for page in pages for one in page["statements"]]
            assert found == (shown if accounts is some else every)
    marked = either.operator.do(ACCOUNT, "DescribeStatements", {**some, "maxKeys": 1})["nextMarker"]
    for other in ({**some, "month": "2030-02"}, {**month, "accountId": "*"}, month):
        assert either.operator.refused(ACCOUNT, "DescribeStatements", {**other, "marker": marked}) == "InvalidMarker"
    (own,) = owners[0].do(ACCOUNT, "DescribeStatements", month)["statements"]
    assert own == sums[ids[0]]
    assert owners[0].refused(ACCOUNT, "DescribeStatements", {**month, "accountId": ids[2]}) == "AccessDenied"


@pytest.mark.parametrize("month", ["2030-1", "2030-13", "2030-00", "January", "2030-01-15", "", "2030-01\n", None])
def test_what_is_no_month_is_refused(either: ServiceHarness, month: Any) -> None:
    for action in ("DescribeStatement", "DescribeStatements"):
        assert either.operator.field_refused(ACCOUNT, action, {"month": month}) == "month"


@pytest.mark.parametrize("month", ["0000-01", "1969-12", "9000-01"])
def test_there_is_no_month_before_or_after_all_time(either: ServiceHarness, month: str) -> None:
    assert either.operator.refused(ACCOUNT, "DescribeStatement", {"month": month}) == "ResourceNotFound"
    assert either.operator.field_refused(ACCOUNT, "DescribeStatements", {"month": month}) == "month"


def test_a_page_has_as_many_instances_as_are_asked_for(fresh: ServiceHarness) -> None:
    fresh.sell(minute="1", month="1", stock=200)
    caller = fresh.customer()
    units = sorted(caller.buy(months=1) for _ in range(102))
    assert [len(statement(caller, maxKeys=size)["instances"]) for size in (None, 101)] == [100, 101]
    whole = statement(caller, maxKeys=1000)
    assert [one["instanceId"] for one in whole["instances"]] == units
    assert (whole["isTruncated"], whole["maxKeys"]) == (False, 1000)
    pages = caller.pages(ACCOUNT, "DescribeStatement", {"month": "2030-01", "maxKeys": 51})
    assert [one["instanceId"] for page in pages for one in page["instances"]] == units


def test_a_month_in_which_more_is_charged_than_fits_64_bits_is_stated_and_limited(fresh: ServiceHarness) -> None:
    dear = "4000000000000"
    fresh.sell(month=dear)
    caller = fresh.customer(None)
    for _ in range(6):
        fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": dear, "accountId": caller.account_id()})
        caller.buy(months=1)
    shown = statement(caller)
    assert (shown["paidIn"], shown["charged"], shown["closingBalance"]) == ("24000000000000.00",) * 2 + ("0.00",)
    limited = caller.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": "1"}}, query="&clientToken=once")
    assert limited["used"]["spend"] == "24000000000000.00"
    assert caller.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": "1"}}, query="&clientToken=once") == limited
    caller.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": None, "budget": "1", "budgetWarnPercent": [100]}})
    fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": dear, "accountId": caller.account_id()})
    caller.buy(months=1)
    assert caller.do(ACCOUNT, "DescribeGuardRails")["used"]["spend"] == "28000000000000.00"
    assert statement(caller, "2030-02")["openingBalance"] == "0.00"
    assert check_store(fresh.where).findings == []


def test_archiving_changes_no_line_of_a_statement_and_takes_no_month_that_is_not_over(
    fresh: ServiceHarness, tmp_path: Path
) -> None:
    fresh.runner.run(fresh.running.costs.stop())
    caller = fresh.customer("100000")
    unit = caller.buy(count=2)
    for time, count in (("12:59:50", 4), ("14:30:10", 3), ("14:30:20", 5), ("17:00:00", 2), ("20:10:00", 1)):
        fresh.advance(f"2030-01-15 {time}")
        caller.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": count})
    fresh.advance("2030-02-03 12:34:56")
    before = [statement(caller, month) for month in ("2030-01", "2030-02")]
    assert len(before[0]["instances"][0]["lines"]) > 5
    for number, moment in enumerate(("2030-02-04T00:00:00Z", "2090-01-01T00:00:00Z", "2030-02-01T00:00:01Z")):
        with pytest.raises(BadStore, match="is in a month that is not over; it is 2030-02-03T04:34:56"):
            archive(fresh.where, parse_time(moment, "UTC"), tmp_path / f"{number}.jsonl.gz")
    with pytest.raises(BadStore, match="are not yet part of the sums of costs"):
        archive(fresh.where, parse_time("2030-02-01T00:00:00Z", "UTC"), tmp_path / "early.jsonl.gz")
    assert not (tmp_path / "early.jsonl.gz").exists()
    fresh.sum_all_costs()
    # The month began eight hours earlier on the account's clocks: what it has since is left alone.
    done = archive(fresh.where, parse_time("2030-02-01T00:00:00Z", "UTC"), tmp_path / "charges.jsonl.gz")
    assert done.hourly > 300
    assert done.monthly < 10
    assert [statement(caller, month) for month in ("2030-01", "2030-02")] == before
    again = archive(fresh.where, parse_time("2030-02-01T00:00:00Z", "UTC"), tmp_path / "again.jsonl.gz")
    assert again.hourly == 0
    assert check_store(fresh.where).findings == []
