"""Client tokens: the same request twice has one effect and one answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CHARGE,
    IAM,
    RESOURCES,
    SERVICE,
    UNITS,
    ServiceHarness,
    billing_of,
    check_envelope,
    new_service,
    order,
)
from tests.harness import Answer

BUY = (UNITS, "PurchaseComputeUnit")


def test_the_same_token_in_the_query_gets_the_first_answer_again(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    first = caller.do(*BUY, order(), query="&clientToken=t-1")
    before = fresh.rows()
    assert caller.do(*BUY, order(), query="&clientToken=t-1") == first
    assert fresh.rows() == before
    assert caller.do(*BUY, order(), query="&clientToken=t-2") != first
    assert caller.do(*BUY, order()) != first


def test_the_same_token_in_the_body_gets_the_first_answer_again(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    first = caller.do(*BUY, {**order(), "clientToken": "t-1"})
    assert caller.do(*BUY, {**order(), "clientToken": "t-1"}) == first
    assert fresh.operator.free() == 9


def test_a_token_is_the_same_in_the_query_and_in_the_body_and_the_query_goes_first(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    first = caller.do(*BUY, {**order(), "clientToken": "t-1"})
    assert caller.do(*BUY, order(), query="&clientToken=t-1") == first
    assert caller.do(*BUY, {**order(), "clientToken": "t-2"}, query="&clientToken=t-1") == first
    assert caller.do(*BUY, {**order(), "clientToken": "t-2"}) != first


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_token_is_none(fresh: ServiceHarness, empty: str | None) -> None:
    caller = fresh.customer()
    body = {**order(), "clientToken": empty}
    assert caller.do(*BUY, body, query="&clientToken=") != caller.do(*BUY, body, query="&clientToken=")
    assert fresh.operator.free() == 8


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (BUY, order(count=2)),
        (BUY, order(region=None)),
        (BUY, order(months=1)),
        (BUY, order(release="2030-01-16 00:00:00")),
        ((UNITS, "ReleaseComputeUnit"), {"instanceId": "unit-00000000"}),
        ((SERVICE, "CreateService"), new_service()),
    ],
)
def test_the_same_token_with_other_parameters_is_refused(
    fresh: ServiceHarness, action: tuple[str, str], body: Any
) -> None:
    caller = fresh.customer()
    first = caller.do(*BUY, order(), query="&clientToken=t-1")
    before = fresh.rows()
    answer = caller.ask(*action, body, query="&clientToken=t-1")
    assert (answer.status, answer.code) == (403, "IdempotentParameterMismatch")
    assert fresh.rows() == before
    assert caller.do(*BUY, order(), query="&clientToken=t-1") == first


def test_what_is_ignored_in_a_body_makes_no_other_parameters(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    first = caller.do(*BUY, order(), query="&clientToken=t-1")
    assert caller.do(*BUY, {**order(), "unknown": [1, {"x": None}]}, query="&clientToken=t-1") == first
    config = {"type": "gpu-1", "region": "bj"}
    assert caller.do(*BUY, {**order(), "computeUnitConfig": config}, query="&clientToken=t-1") == first


def test_the_older_name_of_an_action_is_the_same_request(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    body = {"serviceId": caller.create_service(), "billing": billing_of(), "replicasCount": 1}
    first = caller.do(RESOURCES, "PurchaseComputeUnit", body, query="&clientToken=t-1")
    assert caller.do(CHARGE, "PurchaseServiceResource", body, query="&clientToken=t-1") == first
    assert fresh.operator.free() == 9


def test_a_purchase_refused_for_money_stays_refused_after_a_top_up(fresh: ServiceHarness) -> None:
    caller = fresh.customer(funds=None)
    account = caller.do(ACCOUNT, "DescribeAccount")["accountId"]
    first = caller.ask(*BUY, order(), query="&clientToken=t-1")
    assert first.code == "InsufficientBalance"
    fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": account})
    again = caller.ask(*BUY, order(), query="&clientToken=t-1")
    assert (again.code, again.body["message"]) == (first.code, first.body["message"])
    assert again.body["requestId"] != first.body["requestId"]
    assert caller.balance() == "1000.00"
    assert caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"] == []
    assert caller.do(*BUY, order(), query="&clientToken=t-2")


def test_a_purchase_refused_for_stock_stays_refused_after_more_stock(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    assert caller.refused(*BUY, order(count=11), query="&clientToken=t-1") == "InsufficientStock"
    fresh.sell(stock=20)
    assert caller.refused(*BUY, order(count=11), query="&clientToken=t-1") == "InsufficientStock"
    assert fresh.operator.free() == 20


@pytest.mark.parametrize(
    "bad",
    [
        {**order(), "computeUnitCount": 0},
        {**order(), "computeUnitCount": "one"},
        {**order(), "billing": None},
        order(release="2030-01-15 07:00:00"),
        order(release="soon"),
        order(type="gpu-99"),
        order(months=13),
    ],
)
def test_a_malformed_request_does_not_use_its_token_up(fresh: ServiceHarness, bad: Any) -> None:
    caller = fresh.customer()
    assert caller.refused(*BUY, bad, query="&clientToken=t-1") == "InappropriateJSON"
    assert caller.do(*BUY, order(), query="&clientToken=t-1")


def test_a_request_that_is_not_permitted_does_not_use_its_token_up(fresh: ServiceHarness) -> None:
    root = fresh.customer()
    user = fresh.user(root)
    assert user.refused(*BUY, order(), query="&clientToken=t-1") == "AccessDenied"
    assert root.do(*BUY, order(), query="&clientToken=t-1")


def test_tokens_of_two_accounts_have_nothing_to_do_with_each_other(fresh: ServiceHarness) -> None:
    one, other = fresh.customer(), fresh.customer()
    first = one.do(*BUY, order(), query="&clientToken=t-1")
    assert other.do(*BUY, order(), query="&clientToken=t-1") != first
    assert other.do(*BUY, order(count=1), query="&clientToken=t-2")
    assert one.do(*BUY, order(count=2), query="&clientToken=t-2")


def test_tokens_of_two_users_of_an_account_are_the_same(fresh: ServiceHarness) -> None:
    root = fresh.customer()
    user = fresh.user(root, "QianfanServiceOperateAccessPolicy")
    assert user.do(*BUY, order(), query="&clientToken=t-1") == root.do(*BUY, order(), query="&clientToken=t-1")


def test_many_duplicates_at_once_buy_once(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    answers: list[Answer] = []

    async def crowd() -> None:
        calls = [caller.desk.call(*BUY, order(), query="&clientToken=t-1") for _ in range(50)]
        answers.extend(await asyncio.gather(*calls))

    fresh.play(crowd)
    for answer in answers:
        check_envelope(answer)
    assert len({answer.result["instanceId"] for answer in answers}) == 1
    assert fresh.operator.free() == 9


def test_a_release_twice_with_one_token_answers_true_twice(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = {"instanceId": caller.buy()}
    for _ in range(2):
        assert caller.do(UNITS, "ReleaseComputeUnit", unit, query="&clientToken=t-1") is True
    assert caller.refused(UNITS, "ReleaseComputeUnit", unit, query="&clientToken=t-2") == "InvalidState"


def test_a_top_up_twice_with_one_token_adds_once_and_shows_the_balance_of_the_first(fresh: ServiceHarness) -> None:
    caller = fresh.customer("1")
    account = caller.do(ACCOUNT, "DescribeAccount")["accountId"]
    more = {"amount": "10", "accountId": account}
    first = fresh.operator.do(ACCOUNT, "TopUpAccount", more, query="&clientToken=t-1")
    fresh.operator.do(ACCOUNT, "TopUpAccount", more)
    assert fresh.operator.do(ACCOUNT, "TopUpAccount", more, query="&clientToken=t-1") == first
    assert (first["balance"], caller.balance()) == ("11.00", "21.00")
    same_amount = {**more, "amount": "10.0"}
    assert fresh.operator.ask(ACCOUNT, "TopUpAccount", same_amount, query="&clientToken=t-1").status in (200, 403)


def test_every_other_write_is_done_once_too(fresh: ServiceHarness) -> None:
    root = fresh.customer()
    user = {"userId": root.do(IAM, "CreateUser", {"name": "once"}, query="&clientToken=u")["userId"]}
    assert root.do(IAM, "CreateUser", {"name": "once"}, query="&clientToken=u")["userId"] == user["userId"]
    assert len(root.do(IAM, "DescribeUsers")["users"]) == 2
    service = root.do(SERVICE, "CreateService", new_service(), query="&clientToken=s")
    assert root.do(SERVICE, "CreateService", new_service(), query="&clientToken=s") == service
    offering = {"region": "bj", "type": "gpu-1", "stockTotal": 30}
    first = fresh.operator.do(CATALOG, "SetOffering", offering, query="&clientToken=o")
    fresh.sell(stock=40)
    assert fresh.operator.do(CATALOG, "SetOffering", offering, query="&clientToken=o") == first
    assert fresh.operator.offering()["stockTotal"] == 40


def test_every_write_of_a_longer_life_is_done_once_too(fresh: ServiceHarness) -> None:
    fresh.sell_quota()
    caller = fresh.customer()
    prepaid, postpaid, quota = caller.buy(months=1), caller.buy(), caller.buy_quota()
    service = {"serviceId": caller.create_service()}
    quote = caller.do(UNITS, "QuotePurchase", {**order(), "hold": True}, query="&clientToken=quote")["quoteId"]
    for path, action, body in (
        (UNITS, "QuotePurchase", {**order(), "hold": True}),
        (UNITS, "PurchaseComputeUnit", {**order(), "quoteId": quote}),
        (UNITS, "ResizeComputeUnit", {"instanceId": postpaid, "count": 2}),
        (UNITS, "RenewComputeUnit", {"instanceId": prepaid, "months": 1}),
        (CHARGE, "CreateAutoRenewRules", {"instanceId": prepaid, "instanceType": "ComputingUnit"}),
        (CHARGE, "DeleteAutoRenewRules", {"instanceId": prepaid}),
        (CHARGE, "PurchaseTPMResource", {"model": "ernie-4.0-8k", "purchaseCount": 1, "billing": billing_of()}),
        (CHARGE, "ResizeTPMResource", {"instanceId": quota, "count": 2}),
        (CHARGE, "ReleaseTPMResource", {"model": "ernie-4.0-8k", "instanceId": quota}),
        (SERVICE, "ScaleService", {**service, "instanceId": postpaid, "deploymentReplicasCount": 2}),
        (SERVICE, "CountServiceCalls", {**service, "appId": "app-1", "succeeded": 1}),
        (SERVICE, "DeactivateService", service),
        (UNITS, "ChangeBilling", {"instanceId": postpaid, **billing_of(months=1)}),
        (SERVICE, "ScaleService", {**service, "instanceId": postpaid, "deploymentReplicasCount": 0}),
        (SERVICE, "DeleteService", service),
    ):
        before = fresh.rows()
        token = f"&clientToken={action}-{body.get('deploymentReplicasCount', '')}"
        first = caller.do(path, action, body, query=token)
        once = fresh.rows()
        assert once != before
        assert caller.do(path, action, body, query=token) == first
        assert fresh.rows() == once


@pytest.mark.parametrize(
    "token",
    ["x" * 65, "x" * 5000, "%E2%82%AC", "%00", "a%00b", "a%20b", "a%0Ab", "%0A", "abc%0A", "%FF", "%7F", "%ED%A0%80"],
)
def test_a_token_in_the_query_that_is_none_is_refused_by_name(shared: ServiceHarness, token: str) -> None:
    caller = shared.customer()
    commits = shared.commits()
    assert caller.field_refused(*BUY, order(), query=f"&clientToken={token}") == "clientToken"
    assert shared.commits() == commits


@pytest.mark.parametrize(
    "token", ["x" * 65, "€", "\0", "a\0b", "a b", "\n", "abc\n", "\x7f", "\ud800", 5, [], {}, True]
)
def test_a_token_in_the_body_that_is_none_is_refused(shared: ServiceHarness, token: Any) -> None:
    caller = shared.customer()
    commits = shared.commits()
    code = caller.refused(*BUY, {**order(), "clientToken": token})
    assert code == ("MalformedJSON" if token == "\ud800" else "InappropriateJSON")
    assert shared.commits() == commits


@pytest.mark.parametrize("token", ["x", "x" * 64, "!#$%25%26'()*~", "a%2Fb%3Dc", "'%3B--"])
def test_every_visible_ascii_character_may_stand_in_a_token(shared: ServiceHarness, token: str) -> None:
    caller = shared.customer()
    query = f"&clientToken={token.replace('!', '%21').replace('#', '%23').replace('$', '%24')}"
    query = query.replace("'", "%27").replace("(", "%28").replace(")", "%29").replace("*", "%2A")
    first = caller.do(*BUY, order(), query=query)
    assert caller.do(*BUY, order(), query=query) == first
