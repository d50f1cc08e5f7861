"""A suspended account: nothing is bought or made in it, every end is allowed, and its instances go on."""

from __future__ import annotations

from typing import Any

from tests.api.scene import ACCOUNT, EVENTS, IAM, NOTIFICATION, SERVICE, UNITS, Caller, ServiceHarness, order

WHY = "The project ended."


def suspend(scene: ServiceHarness, caller: Caller) -> dict[str, str]:
    account = {"accountId": caller.account_id()}
    shown = scene.operator.do(IAM, "SuspendAccount", {**account, "reason": WHY})
    assert (shown["status"], shown["statusReason"]) == ("Suspended", WHY)
    return account


def test_a_suspended_account_buys_and_makes_nothing_and_may_end_everything(either: ServiceHarness) -> None:
    caller = either.customer()
    unit, later = caller.buy(), caller.buy()
    caller.schedule(later, "2030-01-16 08:00:00")
    service = caller.create_service()
    account = suspend(either, caller)
    refused: list[tuple[str, str, Any]] = [
        (UNITS, "PurchaseComputeUnit", order()),
        (UNITS, "QuotePurchase", order()),
        (UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 2}),
        (SERVICE, "CreateServiceKey", {"name": "shop"}),
        (IAM, "CreateUser", {"name": "new"}),
        (NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"}),
        (UNITS, "AutoReleaseComputeUnit", {"instanceId": later, "releaseTime": "2030-01-17 08:00:00"}),
    ]
    for path, action, body in refused:
        answer = caller.ask(path, action, body)
        assert (answer.status, answer.body.get("code")) == (403, "AccountSuspended"), (action, answer.body)
        assert WHY in answer.body["message"]
    caller.schedule(later, "2030-01-15 20:00:00")
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    either.operator.do(ACCOUNT, "TopUpAccount", {**account, "amount": "1"})
    # It goes on: the meter runs, and the release time is kept.
    either.advance("2030-01-15 21:00:00")
    assert caller.unit(later)["status"] == "Released"
    said = caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})
    assert WHY in said["text"]
    caller.release(unit)
    assert either.operator.refused(IAM, "SuspendAccount", {**account, "reason": "Again."}) == "InvalidState"
    assert either.operator.do(IAM, "ResumeAccount", account)["status"] == "Active"
    assert either.operator.refused(IAM, "ResumeAccount", account) == "InvalidState"
    caller.release(caller.buy())
    found = caller.do(EVENTS, "DescribeEvents", {"types": ["account.suspended", "account.resumed"]})["events"]
    assert [(event["type"], event["data"].get("reason")) for event in found] == [
        ("account.resumed", None),
        ("account.suspended", WHY),
    ]


def test_an_automatic_renewal_buys_so_a_suspended_account_refuses_it_and_the_instance_stops(
    either: ServiceHarness,
) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True, autoRenewTimeUnit="Month", autoRenewTime=1)
    suspend(either, caller)
    balance = caller.balance()
    either.advance("2030-02-16 08:00:00")
    assert caller.balance() == balance
    assert caller.unit(unit)["status"] == "Stopped"
    failed = caller.do(EVENTS, "DescribeEvents", {"types": ["unit.renewalFailed"]})["events"]
    assert {(event["data"]["accountStatus"], event["data"]["reason"]) for event in failed} == {("Suspended", WHY)}
