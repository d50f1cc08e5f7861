"""A closed account: nothing may live in it, its keys end with it, its balance is zero, and its books stay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, CHARGE, EVENTS, IAM, NOTIFICATION, SERVICE, Caller, ServiceHarness, a_scene
from tests.contract.test_store_newer import write

STATEMENT = {"month": "2030-01"}


def close(scene: ServiceHarness, caller: Caller | str, **more: Any) -> Any:
    account_id = caller if isinstance(caller, str) else caller.account_id()
    return scene.operator.ask(IAM, "CloseAccount", {"accountId": account_id, **more})


def refused(scene: ServiceHarness, caller: Caller | str, **more: Any) -> str:
    answer = close(scene, caller, **more)
    assert (answer.status, answer.code) == (409, "InvalidState"), answer.body
    return str(answer.body["message"])


@pytest.mark.both_stores
def test_each_kind_of_live_thing_keeps_the_account_open_and_is_named(either: ServiceHarness) -> None:
    either.sell_quota()
    caller = either.customer()
    account_id = caller.account_id()
    units = sorted(caller.buy() for _ in range(7))
    quota, service = caller.buy_quota(), caller.create_service()
    package = either.grant(caller, expires="2030-01-20 00:00:00")
    said = refused(either, caller, payOut=True)
    assert "7 instances (" + ", ".join(units[:5]) + ", and more)" in said
    assert f"1 quota instance ({quota})" in said
    assert f"1 service ({service})" in said
    assert f"1 token package ({package})" in said
    for unit in units:
        caller.release(unit)
    assert " 7 instances" not in refused(either, caller, payOut=True)
    caller.do(CHARGE, "ReleaseTPMResource", {"instanceId": quota, "model": "ernie-4.0-8k"})
    assert refused(either, caller, payOut=True).count("(") == 2
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    assert refused(either, caller, payOut=True).count("(") == 1
    either.advance("2030-01-20 00:00:00")
    assert close(either, account_id, payOut=True).status == 200


def test_an_instance_with_an_auto_renew_rule_is_named_twice(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True, autoRenewTimeUnit="Month", autoRenewTime=1)
    said = refused(either, caller, payOut=True)
    assert f"1 instance ({unit}); 1 auto-renew rule ({unit})" in said


def test_money_that_is_left_is_paid_out_and_every_book_says_so(either: ServiceHarness) -> None:
    caller, operator = either.customer("100"), either.operator
    account_id = caller.account_id()
    caller.release(caller.buy())
    left = caller.balance()
    assert "payOut: true" in refused(either, caller, writeOff=True)
    shown = close(either, account_id, payOut=True)
    assert (shown.body["result"]["status"], shown.body["result"]["balance"]) == ("Closed", "0.00")
    of = {"accountId": account_id}
    (paid,) = operator.do(ACCOUNT, "DescribePostings", {**of, "kind": "PayOut"})["postings"]
    assert (paid["amount"], paid["debit"], paid["credit"]) == (left, f"wallet:{account_id}", "funding")
    month = operator.do(ACCOUNT, "DescribeStatement", {**of, **STATEMENT})
    assert (month["paidOut"], month["paidIn"], month["closingBalance"]) == (left, "100.00", "0.00")
    assert "writtenOff" not in month
    assert Decimal(month["paidIn"]) - Decimal(month["charged"]) == Decimal(left)
    assert operator.do(ACCOUNT, "DescribeOrders", of)["orders"]
    (event,) = operator.do(EVENTS, "DescribeEvents", {**of, "types": ["account.closed"]})["events"]
    assert event["data"]["balance"] == left
    closed = operator.do(IAM, "DescribeAccounts", {"status": "Closed"})["accounts"]
    assert account_id in [one["accountId"] for one in closed]
    shown = operator.do(ACCOUNT, "DescribeAccount", of)
    assert (shown["status"], Decimal(shown["spent"])) == ("Closed", Decimal(month["charged"]))


def test_a_debt_is_written_off_and_is_no_recovery(either: ServiceHarness) -> None:
    caller, operator = either.customer("40"), either.operator
    account_id = caller.account_id()
    unit = caller.buy()
    either.advance("2030-01-15 20:00:00")
    if caller.unit(unit)["status"] != "Released":
        caller.release(unit)
    debt = caller.balance()
    assert debt.startswith("-")
    assert "writeOff: true" in refused(either, caller, payOut=True)
    assert close(either, account_id, writeOff=True).status == 200
    of = {"accountId": account_id}
    (lost,) = operator.do(ACCOUNT, "DescribePostings", {**of, "kind": "WriteOff"})["postings"]
    assert (lost["amount"], lost["debit"]) == (debt.removeprefix("-"), "loss:written-off")
    month = operator.do(ACCOUNT, "DescribeStatement", {**of, **STATEMENT})
    assert (month["writtenOff"], month["closingBalance"]) == (debt.removeprefix("-"), "0.00")
    types = [one["type"] for one in operator.do(EVENTS, "DescribeEvents", of)["events"]]
    assert "account.closed" in types
    assert "account.recovered" not in types


def test_closed_is_final_and_the_account_refuses_whatever_is_bought_made_or_paid(either: ServiceHarness) -> None:
    caller, operator = either.customer(None), either.operator
    account_id = caller.account_id()
    user = caller.do(IAM, "CreateUser", {"name": "one"})["userId"]
    key = caller.do(IAM, "CreateAccessKey", {"userId": user})["accessKeyId"]
    operator.do(IAM, "SuspendAccount", {"accountId": account_id, "reason": "The project ended."})
    assert "statusReason" not in close(either, account_id).body["result"]
    of = {"accountId": account_id}
    for action, more in (("CloseAccount", {}), ("ResumeAccount", {}), ("SuspendAccount", {"reason": "Again."})):
        assert operator.refused(IAM, action, {**of, **more}) == "InvalidState"
    for path, action, more in (
        (ACCOUNT, "TopUpAccount", {"amount": "1"}),
        (IAM, "EnableAccessKey", {"accessKeyId": key}),
        (IAM, "CreateUser", {"name": "two"}),
        (IAM, "CreateAccessKey", {"userId": user}),
        (IAM, "AttachPolicy", {"userId": user, "policyName": "QianfanFullControlAccessPolicy"}),
    ):
        answer = operator.ask(path, action, {**of, **more})
        assert (answer.status, answer.code) == (403, "AccountSuspended"), (action, answer.body)
        assert "closed" in answer.body["message"]


def test_every_way_in_ends_with_the_account(either: ServiceHarness) -> None:
    caller = either.customer()
    account_id = caller.account_id()
    member = either.user(caller, "QianfanFullControlAccessPolicy")
    service_key = caller.do(SERVICE, "CreateServiceKey", {"name": "shop"})
    hook = caller.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"})
    assert close(either, account_id, payOut=True).status == 200
    for one in (caller, member):
        assert one.ask(ACCOUNT, "DescribeAccount", {}).code == "InvalidAccessKeyId"
    answer = either.running.store.ask(lambda ask: ask.service_key(service_key["keyId"]))
    assert answer is not None
    assert answer.status == "Deleted"
    row = either.running.store.ask(lambda ask: ask.hook(hook["subscriptionId"]))
    assert row is not None
    assert (row.status, row.sealed, row.target) in {("Deleting", b"", ""), ("Deleted", b"", "")}


def test_the_callers_own_account_and_the_first_one_stay_open(either: ServiceHarness) -> None:
    operator = either.operator
    assert "signed by a user of the account" in refused(either, operator)
    second = either.customer(None)
    user = operator.do(ACCOUNT, "DescribeAccount", {})["accountId"]
    operator.do(
        IAM,
        "AttachPolicy",
        {
            "accountId": second.account_id(),
            "userId": second.do(IAM, "DescribeUsers", {})["users"][0]["userId"],
            "policyName": "LeasebookOperatorPolicy",
        },
    )
    answer = second.ask(IAM, "CloseAccount", {"accountId": user})
    assert (answer.code, "began with" in answer.body["message"]) == ("InvalidState", True)
    assert operator.refused(IAM, "CloseAccount", {"accountId": "none"}) in {"ResourceNotFound", "InvalidParameter"}


def test_the_same_client_token_gets_the_same_answer(either: ServiceHarness) -> None:
    caller = either.customer()
    body = {"accountId": caller.account_id(), "payOut": True, "clientToken": "close-once"}
    first = either.operator.do(IAM, "CloseAccount", body)
    assert either.operator.do(IAM, "CloseAccount", body) == first


def test_check_proves_a_closed_account_and_finds_what_lives_in_one(migrated: Target) -> None:
    with a_scene(migrated) as scene:
        scene.sell()
        empty, full = scene.customer(), scene.customer("50")
        empty_id, full_id = empty.account_id(), full.account_id()
        unit = empty.buy()
        empty.release(unit)
        empty.do(SERVICE, "CreateServiceKey", {"name": "shop"})
        assert close(scene, empty_id, payOut=True).status == 200
        full.buy()
        full.create_service()
        full.do(SERVICE, "CreateServiceKey", {"name": "shop"})
        full.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"})
    assert check_store(migrated).findings == []
    write(
        migrated,
        f"UPDATE accounts SET status = 'Closed' WHERE id = '{full_id}'",
        f"UPDATE accounts SET status = 'Active' WHERE id = '{empty_id}'",
    )
    found = check_store(migrated).findings
    for name in ("instances", "services", "access keys", "service keys", "subscriptions"):
        assert f"account {full_id} is closed, and 1 of its {name} still live" in found
    assert f"account {full_id} is closed, and its balance is 50000000 micro" in found
    assert any(line.endswith(f"is a PayOut of account {empty_id}, which is not closed") for line in found)
    write(migrated, "UPDATE posting_rows SET credit = 'revenue:usage' WHERE kind = 'PayOut'")
    assert any("is a PayOut from wallet:" in line for line in check_store(migrated).findings)
