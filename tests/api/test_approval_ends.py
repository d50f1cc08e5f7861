"""How a request for an approval ends: once, by any decision, whatever happens meanwhile, and however late."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from leasebook.contract.policies import FULL, OPERATE, READ
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness, a_scene, order
from tests.api.test_approvals import DAY, NEEDED, ask, events, limit, requests, shown, team
from tests.harness import Answer

HOUR: Final = 3600
APPROVE, REJECT = "ApprovePurchase", "RejectPurchase"


def approving(request: str) -> tuple[str, str, Any]:
    return ACCOUNT, APPROVE, {"approvalId": request}


def rejecting(request: str, reason: str = "Not now.") -> tuple[str, str, Any]:
    return ACCOUNT, REJECT, {"approvalId": request, "reason": reason}


def why(of: Caller, request: str, code: str = "InvalidState") -> str:
    """Approve what cannot be approved; returns the message. The request waits as before."""
    before, balance = shown(of, request), of.balance()
    answer = of.ask(*approving(request))
    assert answer.code == code, answer.body
    assert (shown(of, request), of.balance()) == (before, balance)
    return str(answer.body["message"])


def test_only_managers_and_operators_approve_and_not_the_user_who_asked(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer)
    for policy in (OPERATE, READ):
        user = either.user(manager, policy)
        assert user.refused(*approving(request)) == "AccessDenied"
        assert user.refused(*rejecting(request)) == "AccessDenied"
        assert shown(user, request)["status"] == "Open"
    # A manager's own request is for another one.
    own = ask(manager)
    assert "selfApproval" in why(manager, own, "AccessDenied")
    second = either.user(manager, FULL)
    assert second.do(*approving(own))["status"] == "Approved"
    # Nothing shows requests to other accounts, except to operators.
    stranger = either.customer()
    assert stranger.refused(*approving(request)) == stranger.refused(*rejecting(request)) == "ResourceNotFound"
    assert requests(stranger) == []
    assert either.operator.do(*approving(request))["status"] == "Approved"


def test_a_limit_may_allow_own_approvals_and_every_exceeded_one_has_to(shared: ServiceHarness) -> None:
    customer = shared.customer("100000")
    limit(customer, units={"*": 2}, selfApproval=True)
    assert shown(customer, own := ask(customer))["selfApproval"] is True
    assert customer.do(*approving(own))["status"] == "Approved"
    customer.do(ACCOUNT, "SetGuardRails", {"limits": {"userNeedsApproval": {"*": {"months": 1}}}})
    both = ask(customer, body=order(count=3, months=2))
    assert len(shown(customer, both)["reasons"]) == 2
    why(customer, both, "AccessDenied")


def test_a_rejected_request_has_a_reason_and_buys_nothing(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer, body=order(count=3) | {"clientToken": "once"})
    rejected = manager.do(*rejecting(request, "Use what the team has."))
    assert (rejected["status"], rejected["reason"]) == ("Rejected", "Use what the team has.")
    assert "Rejected" in why(manager, request) or "rejected" in why(manager, request)
    assert manager.refused(*rejecting(request)) == "InvalidState"
    assert buyer.refused(UNITS, "PurchaseComputeUnit", order(count=3) | {"clientToken": "once"}) == NEEDED
    assert [one["status"] for one in requests(buyer, mine=True)] == ["Rejected"]
    assert requests(manager, mine=True) == requests(manager, status="Open") == []
    (_, end) = events(buyer)
    assert (end["type"], end["data"]["reason"]) == ("approval.rejected", "Use what the team has.")


def test_a_request_reminds_twice_and_lapses_once_on_the_moving_clock(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer)
    assert shown(buyer, request)["lapseTime"] == "2030-01-18T08:00:00+08:00"
    either.advance("2030-01-17 07:59:59")
    assert [one["type"] for one in events(buyer)] == ["approval.asked"]
    either.advance("2030-01-18 07:30:00")
    assert [(one["type"], one["time"]) for one in events(buyer)[1:]] == [
        ("approval.reminder", "2030-01-17T08:00:00+08:00"),
        ("approval.reminder", "2030-01-18T07:00:00+08:00"),
    ]
    either.advance("2030-01-30 08:00:00")
    lapsed = shown(buyer, request)
    assert (lapsed["status"], lapsed["reason"], lapsed["decideTime"]) == ("Lapsed", "Time", lapsed["lapseTime"])
    assert [(one["type"], one["time"]) for one in events(buyer)[3:]] == [
        ("approval.lapsed", "2030-01-18T08:00:00+08:00")
    ]
    assert "lapsed at 2030-01-18T08:00:00+08:00" in why(manager, request)
    assert manager.refused(*rejecting(request)) == "InvalidState"


def test_a_limit_says_how_long_its_requests_wait_and_reminders_that_are_past_are_left_out(
    shared: ServiceHarness,
) -> None:
    customer = shared.customer("100000")
    limit(customer, units={"*": 2}, lapseSeconds=2 * HOUR)
    request = ask(customer)
    (began,) = [one["askTime"] for one in requests(customer)]
    lapses = datetime.fromisoformat(shown(customer, request)["lapseTime"])
    assert lapses - datetime.fromisoformat(began) == timedelta(hours=2)
    customer.do(
        ACCOUNT, "SetGuardRails", {"limits": {"userNeedsApproval": {"*": {"units": {"*": 2}, "lapseSeconds": 60}}}}
    )
    shorter = shown(customer, ask(customer))
    assert shorter["lapseTime"] < shown(customer, request)["lapseTime"]


def test_an_answer_is_kept_for_a_client_token_as_long_as_the_request_waits_and_longer(fresh: ServiceHarness) -> None:
    manager, buyer = team(fresh)
    limit(manager, units={"*": 2}, lapseSeconds=30 * DAY)
    once = order(count=3) | {"clientToken": "once"}
    request = ask(buyer, body=once)
    # Long after other answers are forgotten (tokens.keep_hours).
    fresh.advance("2030-02-10 08:00:00")
    manager.buy()
    assert buyer.refused(UNITS, "PurchaseComputeUnit", once) == NEEDED
    assert len(requests(buyer)) == 1
    done = manager.do(*approving(request))
    manager.buy()
    assert buyer.do(UNITS, "PurchaseComputeUnit", once)["instanceId"] == done["instanceId"]


def test_a_higher_price_is_refused_and_a_lower_one_counts(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    prepaid, leased, cheaper = ask(buyer, body=order(count=3, months=1)), ask(buyer), ask(buyer)
    either.sell(minute="0.6", month="110")
    assert "costs 110.00 CNY a month now, and it cost 100.00" in why(manager, prepaid)
    assert "costs 0.60 CNY a minute now, and it cost 0.50" in why(manager, leased)
    either.sell(minute="0.4", month="90")
    before = float(manager.balance())
    assert manager.do(*approving(prepaid))["status"] == "Approved"
    assert float(manager.balance()) == before - 270
    assert manager.do(*approving(cheaper))["status"] == "Approved"


def test_a_quote_decides_on_the_price_as_long_as_it_lasts(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    first, second = (
        order(count=3) | {"quoteId": buyer.do(UNITS, "QuotePurchase", order(count=3) | {"hold": True})["quoteId"]}
        for _ in range(2)
    )
    kept, late = ask(buyer, body=first), ask(buyer, body=second)
    either.sell(minute="0.6")
    unit = manager.do(*approving(kept))["instanceId"]
    either.advance("2030-01-15 09:00:00")
    manager.release(unit)
    (charge,) = [one for one in manager.postings() if one.get("instanceId") == unit]
    assert charge["price"] == "0.50"
    assert "quote ended" in why(manager, late)


def test_what_is_gone_meanwhile_is_refused_and_can_be_approved_when_it_is_back(either: ServiceHarness) -> None:
    manager, buyer = team(either, "400")
    limit(manager, units={"*": 2})
    request = ask(buyer, body=order(count=3, months=1))
    either.sell(stock=2)
    assert "free" in why(manager, request, "InsufficientStock")
    either.sell(stock=10)
    manager.buy(months=2)
    assert "balance" in why(manager, request, "InsufficientBalance")
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": manager.account_id()})
    manager.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 3}}})
    assert "units is 3" in why(manager, request, "QuotaExceeded")
    # Neither the limit that asked for it nor the one that refused it is there any more.
    manager.do(ACCOUNT, "SetGuardRails", {"limits": None})
    assert manager.do(*approving(request))["status"] == "Approved"


def test_a_release_time_that_has_passed_is_no_mistake_of_the_approver(shared: ServiceHarness) -> None:
    manager, buyer = team(shared)
    limit(manager, units={"*": 2}, lapseSeconds=300 * DAY)
    now = shared.now()
    soon = now.replace(year=now.year + 1).isoformat()
    request = ask(buyer, body=order(count=3, release=soon))
    manager.do(ACCOUNT, "SetGuardRails", {"limits": {"releaseMaxSeconds": DAY}})
    assert "releaseMaxSeconds" in why(manager, request, "QuotaExceeded")


def test_a_user_who_may_not_buy_any_more_gets_nothing(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer)
    user = {"userId": shown(buyer, request)["askedBy"]}
    manager.do(IAM, "DetachPolicy", {**user, "policyName": OPERATE})
    assert "may not buy any more" in why(manager, request)
    manager.do(IAM, "AttachPolicy", {**user, "policyName": OPERATE})
    manager.do(IAM, "DeleteUser", user)
    assert "was deleted" in why(manager, request)
    assert manager.do(*rejecting(request))["status"] == "Rejected"


def test_a_suspended_account_keeps_its_requests_and_a_closed_one_ends_them(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    first, second = ask(buyer), ask(buyer)
    account = {"accountId": manager.account_id()}
    either.operator.do(IAM, "SuspendAccount", {**account, "reason": "The invoice is not paid."})
    why(manager, first, "AccountSuspended")
    assert manager.do(*rejecting(second))["status"] == "Rejected"
    either.operator.do(IAM, "CloseAccount", {**account, "payOut": True})
    ended = either.operator.do(ACCOUNT, "DescribeApprovals", account)["approvals"]
    assert [(one["status"], one["reason"]) for one in ended] == [
        ("Rejected", "Not now."),
        ("Lapsed", "AccountClosed"),
    ] or [(one["status"], one["reason"]) for one in ended] == [("Lapsed", "AccountClosed"), ("Rejected", "Not now.")]
    assert either.operator.refused(*approving(first)) in ("AccountSuspended", "InvalidState")
    either.advance("2030-01-30 08:00:00")


def test_of_two_approvers_at_once_one_decides_and_the_purchase_is_made_once(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer)
    second = either.user(manager, FULL)
    answers: list[Answer] = []

    async def both() -> None:
        answers.extend(
            await asyncio.gather(
                manager.desk.call(*approving(request)),
                second.desk.call(*approving(request)),
                either.desk.call(*rejecting(request)),
            )
        )

    either.play(both)
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    assert len(buyer.do(ACCOUNT, "DescribeOrders")["orders"]) <= 1
    assert len(events(buyer)) == 2


def test_an_approval_that_comes_when_the_request_lapses_comes_too_late(either: ServiceHarness) -> None:
    manager, buyer = team(either)
    limit(manager, units={"*": 2})
    request = ask(buyer)
    answers: list[Answer] = []

    async def both() -> None:
        moved = either.desk.call("/v2/clock", "AdvanceClock", {"to": "2030-01-18 08:00:00"})
        answers.extend(await asyncio.gather(moved, manager.desk.call(*approving(request))))

    either.advance("2030-01-18 07:59:59")
    either.play(both)
    assert answers[0].status == 200
    status = shown(buyer, request)["status"]
    # Whichever was first in the batch, there is one end, and both answers say it.
    assert (status, answers[1].status) in [("Lapsed", 409), ("Approved", 200)]
    assert [one["type"] for one in events(buyer)][-1] == f"approval.{status.lower()}"


def test_only_so_many_requests_of_an_account_wait(tmp_path: Any) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_ACCOUNT_OPEN_APPROVALS_MAX": "2"}) as scene:
        scene.sell()
        manager, buyer = team(scene)
        limit(manager, units={"*": 2})
        first, _ = ask(buyer), ask(buyer)
        answer = buyer.ask(UNITS, "PurchaseComputeUnit", order(count=3))
        assert answer.code == "QuotaExceeded"
        assert "account.open_approvals_max" in answer.body["message"]
        manager.do(*rejecting(first))
        ask(buyer)
        assert check_store(scene.where).findings == []


def test_a_list_has_pages_and_an_operator_sees_it_across_accounts(shared: ServiceHarness) -> None:
    manager, buyer = team(shared)
    limit(manager, units={"*": 2})
    made = [ask(buyer) for _ in range(5)]
    pages = buyer.pages(ACCOUNT, "DescribeApprovals", {"maxKeys": 2})
    assert sorted(one["approvalId"] for page in pages for one in page["approvals"]) == sorted(made)
    assert [len(page["approvals"]) for page in pages] == [2, 2, 1]
    account = manager.account_id()
    found = shared.operator.do(ACCOUNT, "DescribeApprovals", {"accountId": "*", "status": "Open", "maxKeys": 1000})
    assert {one["approvalId"] for one in found["approvals"] if one["accountId"] == account} == set(made)
    assert shared.operator.do(ACCOUNT, "DescribeApprovals", {"accountId": [account]})["approvals"][0]["accountName"]
    assert buyer.refused(ACCOUNT, "DescribeApprovals", {"accountId": "*"}) == "AccessDenied"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}])
def test_a_rejection_says_why(shared: ServiceHarness, body: Any) -> None:
    customer = shared.customer()
    assert customer.field_refused(ACCOUNT, REJECT, {"approvalId": "apr-" + "0" * 32, **body}) == "reason"
