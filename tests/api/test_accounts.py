"""Accounts as operators see them: the list, one by its name, and another name."""

from __future__ import annotations

from typing import Any

from tests.api.scene import ACCOUNT, EVENTS, IAM, Caller, ServiceHarness

NOTHING = {"instances": 0, "units": 0}


def listed(scene: ServiceHarness, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.operator.do(IAM, "DescribeAccounts", filters)["accounts"]
    return found


def one(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = scene.operator.do(ACCOUNT, "DescribeAccount", {"accountId": caller.account_id()})
    return found


def test_an_operator_sees_what_every_account_holds_owes_and_spent(either: ServiceHarness) -> None:
    either.sell(minute="0.5", month="25", stock=100)
    first, second = either.customer(), either.customer()
    first.buy(count=3)
    first.buy(count=2, months=1)
    gone = first.buy(count=5)
    first.release(gone)
    first.create_service()
    by_id = {account["accountId"]: account for account in listed(either)}
    mine = by_id[first.account_id()]
    assert mine["postpaid"] == {"instances": 1, "units": 3}
    assert mine["prepaid"] == {"instances": 1, "units": 2}
    assert (mine["services"], mine["status"], mine["month"]) == (1, "Active", "2030-01")
    assert mine["spent"] == "50.00"
    assert "budget" not in mine
    other = by_id[second.account_id()]
    assert (other["prepaid"], other["postpaid"], other["services"], other["spent"]) == (NOTHING, NOTHING, 0, "0.00")
    # With limits the sum is kept with the account's usage, and says the same.
    either.operator.do(ACCOUNT, "SetGuardRails", {"accountId": first.account_id(), "limits": {"budget": "100"}})
    assert one(either, first) == {**mine, "budget": "100.00"}
    assert first.do(ACCOUNT, "DescribeAccount") == one(either, first)


def test_accounts_are_found_by_name_and_a_name_that_two_have_is_refused_with_both_ids(either: ServiceHarness) -> None:
    first, second = either.customer(), either.customer()
    first.do(IAM, "RenameAccount", {"name": "Vision_1"})
    either.operator.do(IAM, "RenameAccount", {"name": "Vision%1", "accountId": second.account_id()})
    ids = [first.account_id(), second.account_id()]  # In one instant: their order is that of the ids.
    assert {account["accountId"] for account in listed(either, nameContains="Vision")} == set(ids)
    assert listed(either, nameContains="vision") == []
    assert [account["accountId"] for account in listed(either, nameContains="n_")] == ids[:1]
    assert [account["accountId"] for account in listed(either, name="Vision%1")] == ids[1:]
    assert either.operator.do(ACCOUNT, "DescribeAccount", {"name": "Vision_1"})["accountId"] == ids[0]
    second.do(IAM, "RenameAccount", {"name": "Vision_1"})
    answer = either.operator.ask(ACCOUNT, "DescribeAccount", {"name": "Vision_1"})
    assert answer.code == "InappropriateJSON"
    assert all(account_id in answer.body["message"] for account_id in ids)
    assert either.operator.refused(ACCOUNT, "DescribeAccount", {"name": "no such name"}) == "ResourceNotFound"
    both = {"name": "another", "accountId": ids[0]}
    assert either.operator.refused(ACCOUNT, "DescribeAccount", both) == "ResourceNotFound"


def test_pages_of_accounts_put_together_are_the_whole_list(either: ServiceHarness) -> None:
    for _ in range(3):
        either.customer()
    everyone = [account["accountId"] for account in listed(either)]
    for filters in ({}, {"status": "Active"}):
        found: list[str] = []
        marker = None
        while True:
            page = either.operator.do(IAM, "DescribeAccounts", {"maxKeys": 2, "marker": marker, **filters})
            found += [account["accountId"] for account in page["accounts"]]
            marker = page.get("nextMarker")
            if marker is None:
                break
        assert found == everyone


def test_another_name_is_an_event_of_the_account_and_the_log_of_identities_still_fits(either: ServiceHarness) -> None:
    caller = either.customer()
    caller.do(IAM, "RenameAccount", {"name": "speech"})
    (event,) = caller.do(EVENTS, "DescribeEvents", {"types": ["iam.accountChanged"]})["events"]
    assert event["data"]["now"] == {"name": "speech"}
    assert one(either, caller)["name"] == "speech"
    assert either.operator.refused(IAM, "RenameAccount", {"name": "x", "accountId": "f" * 32}) == "ResourceNotFound"
