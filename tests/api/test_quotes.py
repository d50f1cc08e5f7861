"""Quotes: every rule that a purchase is judged by, what it would cost, and a price that is held for a while."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CATALOG, UNITS, Caller, ServiceHarness, billing_of, order

READ, OPERATE = "QianfanReadAccessPolicy", "QianfanServiceOperateAccessPolicy"
RULES = ["permission", "releaseTime", "end", "stock", "units", "price", "spend", "balance", "approval", "tags"]


def quote(caller: Caller, *, hold: bool | None = None, **wanted: Any) -> Any:
    """Ask what a purchase would cost and whether it would be refused."""
    return caller.do(UNITS, "QuotePurchase", order(**wanted) | ({} if hold is None else {"hold": hold}))


def quoted(caller: Caller, **wanted: Any) -> str:
    """Have a price held; returns the quote."""
    return str(quote(caller, hold=True, **wanted)["quoteId"])


def with_quote(quote_id: str, **wanted: Any) -> Any:
    """Return the body of a purchase with a quote."""
    return {**order(**wanted), "quoteId": quote_id}


def reprice(scene: ServiceHarness, minute: str, month: str = "1000") -> None:
    """Change the prices."""
    body = {"region": "bj", "type": "gpu-1", "pricePerMinute": minute, "pricePerMonth": month}
    scene.operator.do(CATALOG, "SetOffering", body)


# --- judging ---------------------------------------------------------------------------------------------


def test_a_quote_tells_what_a_postpaid_purchase_would_take(either: ServiceHarness) -> None:
    caller = either.customer()
    assert quote(caller, count=2) == {
        "passed": True,
        "verdicts": [{"rule": rule, "passed": True, "code": None, "message": None} for rule in RULES],
        "region": "bj",
        "type": "gpu-1",
        "computeUnitCount": 2,
        "paymentTiming": "Postpaid",
        "pricePerUnit": "0.50",
        "priceUnit": "Minute",
        "amount": "0.00",
        "balanceNeeded": "60.00",
        "balance": "1000.00",
        "currency": "CNY",
    }


def test_a_quote_tells_what_a_prepaid_purchase_would_cost(either: ServiceHarness) -> None:
    shown = quote(either.customer(), count=2, months=3)
    assert (shown["pricePerUnit"], shown["priceUnit"]) == ("100.00", "Month")
    assert (shown["amount"], shown["balanceNeeded"]) == ("600.00", "600.00")


def test_every_rule_that_minds_is_shown_and_not_only_the_first(either: ServiceHarness) -> None:
    reader = either.user(either.customer("10"), READ)
    wanted: Any = {"count": 11, "release": "2030-01-15 08:00:00"}
    shown = quote(reader, **wanted)
    assert shown["passed"] is False
    assert [verdict["rule"] for verdict in shown["verdicts"]] == RULES
    assert [verdict["code"] for verdict in shown["verdicts"]] == [
        "AccessDenied",
        "InappropriateJSON",
        None,
        "InsufficientStock",
        None,
        None,
        None,
        "InsufficientBalance",
        None,
        None,
    ]
    assert all((verdict["message"] is None) is verdict["passed"] for verdict in shown["verdicts"])
    assert "11 units of gpu-1 in bj were asked for and 10" in shown["verdicts"][3]["message"]
    assert "10.00 CNY" in shown["verdicts"][7]["message"]


def test_what_is_not_sold_that_way_is_quoted_without_a_price(either: ServiceHarness) -> None:
    either.operator.do(CATALOG, "SetOffering", {"region": "sz", "type": "cpu", "pricePerMonth": "7", "stockTotal": 1})
    shown = quote(either.customer(), region="sz", type="cpu", count=2)
    codes = {verdict["rule"]: verdict["code"] for verdict in shown["verdicts"] if not verdict["passed"]}
    assert codes == {"stock": "InsufficientStock", "price": "OperationNotSupported"}
    assert shown["pricePerUnit"] is None


@pytest.mark.parametrize(
    "wanted",
    [
        {"count": 11},
        {"count": 11, "months": 12},
        {"count": 10, "months": 12},
        {"release": "2020-01-01 00:00:00"},
        {"release": "2020-01-01 00:00:00", "count": 11},
        {"type": "cpu"},
        {"region": None, "count": 11},
        {"count": 10},
        {"region": None, "months": 1},
    ],
)
def test_a_purchase_is_refused_with_the_first_verdict_that_does_not_pass(either: ServiceHarness, wanted: Any) -> None:
    caller = either.customer()
    shown = quote(caller, **wanted)
    bad = [verdict for verdict in shown["verdicts"] if not verdict["passed"]]
    assert shown["passed"] is not bool(bad)
    answer = caller.ask(UNITS, "PurchaseComputeUnit", order(**wanted))
    if bad:
        assert answer.code == bad[0]["code"]
        assert answer.body["message"].startswith(bad[0]["message"])
    else:
        assert caller.unit(answer.result["instanceId"])["region"] == shown["region"]


def test_a_quote_that_holds_nothing_changes_nothing(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    before, commits = fresh.rows(), fresh.commits()
    assert "quoteId" not in quote(caller, count=2)
    assert "quoteId" not in quote(caller, hold=False)
    assert "quoteId" not in quote(caller, count=99)
    assert fresh.commits() == commits
    assert fresh.rows() == before


def test_a_price_is_kept_only_for_a_caller_who_may_buy_at_it(fresh: ServiceHarness) -> None:
    reader = fresh.user(fresh.customer(), READ)
    before = fresh.rows()
    shown = quote(reader, hold=True)
    assert "quoteId" not in shown
    assert shown["verdicts"][0]["passed"] is False
    assert fresh.rows() == before


def test_what_the_catalogue_has_not_got_is_not_quoted(either: ServiceHarness) -> None:
    caller = either.customer()
    for wanted in ({"type": "abacus"}, {"region": "xx"}, {"region": None, "type": "abacus"}):
        assert caller.field_refused(UNITS, "QuotePurchase", order(**wanted)) == "computeUnitConfig"
    prepaid = {**order(), "billing": {"paymentTiming": "Prepaid"}}
    assert caller.field_refused(UNITS, "QuotePurchase", prepaid) == "billing.reservation"


# --- holding ---------------------------------------------------------------------------------------------


def test_a_quoted_price_is_paid_though_it_has_changed_since(either: ServiceHarness) -> None:
    caller = either.customer()
    shown = quote(caller, hold=True, count=2, months=3)
    assert shown["quoteExpiredTime"] == "2030-01-15T08:15:00+08:00"
    reprice(either, "5")
    assert caller.refused(UNITS, "PurchaseComputeUnit", order(count=2, months=3)) == "InsufficientBalance"
    caller.do(UNITS, "PurchaseComputeUnit", with_quote(shown["quoteId"], count=2, months=3))
    assert caller.balance() == "400.00"
    assert caller.postings()[-1]["price"] == "100.00"


def test_a_quoted_price_by_the_minute_is_valid_until_the_next_change_after_the_purchase(either: ServiceHarness) -> None:
    caller = either.customer()
    quote_id = quoted(caller)
    either.advance("2030-01-15 08:05:00")
    reprice(either, "5")
    either.advance("2030-01-15 08:10:00")
    caller.do(UNITS, "PurchaseComputeUnit", with_quote(quote_id))
    either.advance("2030-01-15 09:00:00")
    reprice(either, "2")
    either.advance("2030-01-15 10:00:00")
    charged = [(one["minutes"], one["price"], one["amount"]) for one in caller.postings() if one["kind"] == "Usage"]
    assert charged == [(50, "0.50", "25.00"), (60, "2.00", "120.00")]


def test_the_region_that_was_quoted_need_not_be_named_again(either: ServiceHarness) -> None:
    either.sell("bd", minute="0.1")
    caller, other = either.customer(), either.customer()
    fills = other.buy(count=8)
    shown = quote(caller, hold=True, region=None, count=3)
    assert shown["region"] == "bd"
    other.release(fills)
    assert quote(caller, region=None, count=3)["region"] == "bj"
    bought = caller.do(UNITS, "PurchaseComputeUnit", with_quote(shown["quoteId"], region=None, count=3))
    assert caller.unit(bought["instanceId"])["region"] == "bd"


def test_a_quote_is_good_for_one_purchase(either: ServiceHarness) -> None:
    caller = either.customer()
    quote_id = quoted(caller)
    unit = caller.do(UNITS, "PurchaseComputeUnit", with_quote(quote_id))["instanceId"]
    answer = caller.ask(UNITS, "PurchaseComputeUnit", with_quote(quote_id))
    assert (answer.status, answer.code) == (409, "InvalidState")
    assert unit in answer.body["message"]
    assert answer.body["message"].endswith("param[quoteId]")
    assert caller.free() == 9


def test_a_quote_ends_when_it_was_said_to(either: ServiceHarness) -> None:
    caller = either.customer()
    in_time, late = quoted(caller), quoted(caller)
    either.advance("2030-01-15 08:14:59")
    assert caller.do(UNITS, "PurchaseComputeUnit", with_quote(in_time))
    either.advance("2030-01-15 08:15:00")
    answer = caller.ask(UNITS, "PurchaseComputeUnit", with_quote(late))
    assert answer.code == "InvalidState"
    assert "2030-01-15T08:15:00+08:00" in answer.body["message"]


def test_a_quote_is_of_its_account_only(either: ServiceHarness) -> None:
    owner, stranger = either.customer(), either.customer()
    quote_id = quoted(owner)
    assert stranger.refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id)) == "ResourceNotFound"
    assert stranger.refused(UNITS, "PurchaseComputeUnit", with_quote("0" * 32)) == "ResourceNotFound"
    # Another user of the account may use it.
    assert either.user(owner, OPERATE).do(UNITS, "PurchaseComputeUnit", with_quote(quote_id))


@pytest.mark.parametrize(
    "other",
    [
        {"count": 2},
        {"months": 1},
        {"type": "cpu"},
        {"region": "bd"},
        {"type": "cpu", "region": None},
    ],
)
def test_a_quote_is_for_the_very_purchase_and_a_refused_one_does_not_use_it_up(
    either: ServiceHarness, other: Any
) -> None:
    either.sell("bd")
    either.sell("bj", "cpu")
    caller = either.customer()
    quote_id = quoted(caller)
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id, **other)) == "quoteId"
    assert caller.do(UNITS, "PurchaseComputeUnit", with_quote(quote_id))


def test_a_quote_for_months_is_for_that_many_months(either: ServiceHarness) -> None:
    caller = either.customer()
    quote_id = quoted(caller, months=2)
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id, months=3)) == "quoteId"
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id)) == "quoteId"
    renewing = {**with_quote(quote_id), "billing": billing_of(months=2, autoRenew=True)}
    assert caller.do(UNITS, "PurchaseComputeUnit", renewing)  # a rule costs nothing yet


def test_a_quote_holds_the_price_and_neither_stock_nor_money(either: ServiceHarness) -> None:
    caller = either.customer()
    quote_id = quoted(caller, count=10, months=1)
    fills = either.customer().buy()
    assert caller.refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id, count=10, months=1)) == (
        "InsufficientStock"
    )
    assert fills
    either.operator.do(CATALOG, "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 11})
    other = caller.buy()
    assert caller.refused(UNITS, "PurchaseComputeUnit", with_quote(quote_id, count=10, months=1)) == (
        "InsufficientStock"
    )
    caller.release(other)
    assert caller.do(UNITS, "PurchaseComputeUnit", with_quote(quote_id, count=10, months=1))
    assert caller.balance() == "0.00"
    assert caller.do(ACCOUNT, "DescribeOrders")["orders"][0]["amount"] == "1000.00"


def test_a_retry_with_a_client_token_is_no_second_use(either: ServiceHarness) -> None:
    caller = either.customer()
    body = {**with_quote(quoted(caller)), "clientToken": "once"}
    first = caller.do(UNITS, "PurchaseComputeUnit", body)
    assert caller.do(UNITS, "PurchaseComputeUnit", body) == first
    assert caller.free() == 9


# --- changes ---------------------------------------------------------------------------------------------


def limited(caller: Caller, **limits: Any) -> None:
    caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})


def test_a_renewal_is_quoted_with_its_price_and_its_end(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=2, months=1)
    before = caller.unit(unit)
    shown = caller.do(UNITS, "QuoteChange", {"instanceId": unit, "months": 3})
    assert [verdict["rule"] for verdict in shown["verdicts"]] == [
        *("permission", "state", "stock", "price", "spend", "balance", "end")
    ]
    assert shown["passed"] is all(verdict["passed"] for verdict in shown["verdicts"]) is True
    assert (shown["amount"], shown["balance"], shown["pricePerUnit"], shown["priceUnit"]) == (
        *("600.00", "800.00", "100.00", "Month"),
    )
    assert caller.unit(unit) == before
    renewed = caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 3})
    assert renewed["expiredTime"] == shown["expiredTime"]
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Renewal"})["orders"][0]["amount"] == "600.00"


def turned(months: int = 1) -> dict[str, Any]:
    """Return the parameters of a change to prepaid."""
    return {"paymentTiming": "Prepaid", "reservation": billing_of(months=months)["reservation"]}


def test_a_change_of_billing_is_quoted_with_its_price_and_its_term(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=2, release="2030-01-20 08:00:00")
    fresh.advance("2030-01-15 08:05:30")
    before = fresh.rows()
    shown = caller.do(UNITS, "QuoteChange", {"instanceId": unit, **turned(3)})
    assert fresh.rows() == before
    assert [verdict["rule"] for verdict in shown["verdicts"]] == [
        *("permission", "state", "stock", "price", "spend", "balance", "end")
    ]
    assert (shown["passed"], shown["amount"], shown["balance"], shown["pricePerUnit"], shown["priceUnit"]) == (
        *(True, "600.00", "1000.00", "100.00", "Month"),
    )
    # The term begins where the minute ends that has begun.
    assert (shown["paymentTiming"], shown["expiredTime"]) == ("Prepaid", "2030-04-15T08:06:00+08:00")
    caller.do(UNITS, "ChangeBilling", {"instanceId": unit, **turned(3)})
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Conversion"})["orders"][0]["amount"] == shown["amount"]
    assert caller.unit(unit)["expiredTime"] == shown["expiredTime"]
    back = caller.do(UNITS, "QuoteChange", {"instanceId": unit, "paymentTiming": "Postpaid"})
    assert [verdict["rule"] for verdict in back["verdicts"]] == ["permission", "state", "stock", "end"]
    assert (back["passed"], back["amount"], back["pricePerUnit"], back["priceUnit"], back["expiredTime"]) == (
        *(True, "0.00", "0.50", "Minute", shown["expiredTime"]),
    )
    caller.do(UNITS, "ChangeBilling", {"instanceId": unit, "paymentTiming": "Postpaid"})
    stays = caller.do(UNITS, "QuoteChange", {"instanceId": unit, **turned()})
    assert (stays["passed"], stays["amount"], stays["expiredTime"]) == (True, "0.00", shown["expiredTime"])


def test_a_resize_is_quoted_for_the_units_that_are_added(either: ServiceHarness) -> None:
    caller = either.customer()
    prepaid, postpaid = caller.buy(count=2, months=1), caller.buy(count=1)
    shown = caller.do(UNITS, "QuoteChange", {"instanceId": prepaid, "count": 3})
    assert [verdict["rule"] for verdict in shown["verdicts"]] == [
        *("permission", "state", "units", "spend", "stock", "price", "balance", "approval")
    ]
    assert (shown["passed"], shown["amount"], shown["computeUnitCount"]) == (True, "100.00", 3)
    assert caller.unit(prepaid)["totalComputeUnits"] == 2
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": prepaid, "count": 3})
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Resize"})["orders"][0]["amount"] == shown["amount"]
    metered = caller.do(UNITS, "QuoteChange", {"instanceId": postpaid, "count": 4})
    assert (metered["amount"], metered["pricePerUnit"], metered["priceUnit"]) == ("0.00", "0.50", "Minute")
    assert "expiredTime" not in metered


@pytest.mark.parametrize(
    ("wanted", "change", "failing"),
    [
        # A limit on units, the stock and the balance refuse, and each of them says so.
        ({"count": 1, "months": 1}, {"count": 12}, {"units", "stock", "balance"}),
        ({"count": 1, "months": 1}, {"count": 5}, {"units"}),
        ({"count": 1}, {"count": 12}, {"units", "stock"}),
        ({"count": 1, "months": 1}, {"months": 30}, {"spend", "balance"}),
        ({"count": 1, "months": 1}, {"months": 8}, {"spend"}),
        ({"count": 1}, {"months": 1}, {"state"}),
        ({"count": 2, "months": 1}, {"count": 1}, {"state"}),
        ({"count": 1, "months": 1}, {"count": 1}, {"state"}),
        ({"count": 1}, {"count": 3}, {"approval"}),
        ({"count": 1, "months": 1}, {"months": 2}, set()),
        ({"count": 1}, {"count": 2}, set()),
        ({"count": 1}, turned(), set()),
        ({"count": 1}, turned(8), {"spend"}),
        ({"count": 2}, turned(6), {"spend", "balance"}),
        ({"count": 1, "months": 1}, turned(), {"state"}),
        ({"count": 1}, {"paymentTiming": "Postpaid"}, {"state"}),
        ({"count": 1, "months": 1}, {"paymentTiming": "Postpaid"}, set()),
    ],
)
def test_a_change_is_refused_with_the_first_verdict_that_does_not_pass(
    either: ServiceHarness, wanted: Any, change: Any, failing: set[str]
) -> None:
    caller = either.customer()
    unit = caller.buy(**wanted)
    limited(caller, units={"gpu-1": 4}, spend="700", needsApproval={"units": {"gpu-1": 2}})
    shown = caller.do(UNITS, "QuoteChange", {"instanceId": unit, **change})
    bad = [verdict for verdict in shown["verdicts"] if not verdict["passed"]]
    assert {verdict["rule"] for verdict in bad} >= failing
    assert shown["passed"] is not bool(bad)
    action = {"count": "ResizeComputeUnit", "months": "RenewComputeUnit", "paymentTiming": "ChangeBilling"}
    answer = caller.ask(UNITS, action[next(iter(change))], {"instanceId": unit, **change})
    if bad:
        assert answer.code == bad[0]["code"]
        assert failing <= {"approval"} or answer.body["message"].startswith(bad[0]["message"])
    else:
        assert answer.status == 200
        assert failing == set()


def test_a_reader_is_quoted_a_change_and_learns_that_it_may_not_make_it(either: ServiceHarness) -> None:
    owner = either.customer()
    unit = owner.buy(months=1)
    shown = either.user(owner, READ).do(UNITS, "QuoteChange", {"instanceId": unit, "months": 1})
    assert (shown["passed"], shown["verdicts"][0]["code"]) == (False, "AccessDenied")
    assert OPERATE in shown["verdicts"][0]["message"]


@pytest.mark.parametrize(
    "change", [{}, {"count": 2, "months": 1}, {"count": 2, "expiryDay": 1}, {"months": 1, "paymentTiming": "Postpaid"}]
)
def test_a_quote_is_for_one_change(either: ServiceHarness, change: Any) -> None:
    caller = either.customer()
    assert caller.field_refused(UNITS, "QuoteChange", {"instanceId": caller.buy(months=1), **change}) == "count"


def test_a_quote_of_a_change_to_prepaid_says_for_how_long(either: ServiceHarness) -> None:
    caller = either.customer()
    asked = {"instanceId": caller.buy(), "paymentTiming": "Prepaid"}
    assert caller.field_refused(UNITS, "QuoteChange", asked) == "reservation"
