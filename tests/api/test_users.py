"""The life of a user after it was made: renamed, reached by mail, deleted; and keys that are enabled again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.scene import EVENTS, IAM, Caller, ServiceHarness

OPERATOR = "LeasebookOperatorPolicy"
FULL = "QianfanFullControlAccessPolicy"
DAY = "2030-01-15T08:00:00+08:00"
READ = "QianfanReadAccessPolicy"


def listed(by: Caller, user_id: str, **asked: Any) -> dict[str, Any] | None:
    found = (one for one in by.do(IAM, "DescribeUsers", asked)["users"] if one["userId"] == user_id)
    return next(found, None)


def made(by: Caller, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = by.do(IAM, "CreateUser", {"name": "worker", **asked})
    return {"userId": answer["userId"]}


def key_of(by: Caller, user: dict[str, Any]) -> dict[str, Any]:
    return {"accessKeyId": by.do(IAM, "CreateAccessKey", user)["accessKeyId"]}


@pytest.mark.both_stores
def test_a_deleted_user_can_do_nothing_and_stays_in_the_books(either: ServiceHarness) -> None:
    root = either.customer(None)
    worker = either.user(root, "QianfanServiceOperateAccessPolicy")
    key = {"accessKeyId": worker.desk.access_key}
    (user,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    user_id = {"userId": user["userId"]}
    service_key = worker.do("/v2/service", "CreateServiceKey", {"name": "app"})
    assert root.do(IAM, "DeleteUser", user_id) is True
    assert worker.refused("/v2/account", "DescribeAccount") == "InvalidAccessKeyId"
    assert listed(root, user["userId"]) is None
    gone = listed(root, user["userId"], includeDeleted=True)
    assert gone is not None
    assert gone["deletedTime"] == DAY
    assert [one["status"] for one in gone["accessKeys"]] == ["Disabled"]
    (theirs,) = root.do("/v2/service", "DescribeServiceKeys")["keyList"]
    assert (theirs["keyId"], theirs["orphanReason"]) == (service_key["keyId"], "MakerGone")
    commits = either.commits()
    for action, body in (
        ("EnableAccessKey", key),
        ("CreateAccessKey", user_id),
        ("AttachPolicy", {**user_id, "policyName": READ}),
        ("DetachPolicy", {**user_id, "policyName": READ}),
        ("SetKeyRules", {**user_id, "requires": []}),
        ("RenameUser", {**user_id, "name": "again"}),
        ("SetUserContact", {**user_id, "language": "en"}),
        ("DeleteUser", user_id),
    ):
        answer = root.ask(IAM, action, body)
        assert (answer.status, answer.code) == (404, "ResourceNotFound"), action
        assert "is deleted" in answer.body["message"], action
    assert either.commits() == commits


def test_a_root_user_and_the_caller_are_not_deleted(either_shared: ServiceHarness) -> None:
    root = either_shared.customer(None)
    manager = either_shared.user(root, FULL)
    users = root.do(IAM, "DescribeUsers")["users"]
    (root_id,), (own_id,) = ([one["userId"] for one in users if one["isRoot"] is is_root] for is_root in (True, False))
    assert manager.refused(IAM, "DeleteUser", {"userId": root_id}) == "InvalidState"
    assert root.refused(IAM, "DeleteUser", {"userId": root_id}) == "InvalidState"
    assert manager.refused(IAM, "DeleteUser", {"userId": own_id}) == "InvalidState"
    account = {"accountId": root.account_id()}
    assert either_shared.operator.refused(IAM, "DeleteUser", {"userId": root_id, **account}) == "InvalidState"
    assert either_shared.operator.do(IAM, "DeleteUser", {"userId": own_id, **account}) is True


def test_two_operators_who_delete_each_other_at_once_leave_one(either: ServiceHarness) -> None:
    root = either.operator
    callers = [either.user(root, OPERATOR) for _ in range(2)]
    ids = [one["userId"] for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"]]
    found = {one["userId"]: one["accessKeys"][0]["accessKeyId"] for one in root.do(IAM, "DescribeUsers")["users"]}
    mine = [next(user for user in ids if found[user] == caller.desk.access_key) for caller in callers]
    codes: list[int] = []

    async def both() -> None:
        answers = await asyncio.gather(
            callers[0].desk.call(IAM, "DeleteUser", {"userId": mine[1]}),
            callers[1].desk.call(IAM, "DeleteUser", {"userId": mine[0]}),
        )
        codes.extend(answer.status for answer in answers)

    either.play(both)
    assert sorted(codes) == [200, 403]
    assert len([one for one in root.do(IAM, "DescribeUsers")["users"] if one["userId"] in mine]) == 1


def test_only_an_operator_deletes_renames_or_reaches_an_operator(either_shared: ServiceHarness) -> None:
    root = either_shared.operator
    manager = either_shared.user(root, FULL)
    operator = made(root)
    root.do(IAM, "AttachPolicy", {**operator, "policyName": OPERATOR})
    key = key_of(root, operator)
    root.do(IAM, "DisableAccessKey", key)
    assert manager.refused(IAM, "DeleteUser", operator) == "AccessDenied"
    assert manager.refused(IAM, "RenameUser", {**operator, "name": "x"}) == "AccessDenied"
    assert manager.refused(IAM, "SetUserContact", {**operator, "email": "x@example.com"}) == "AccessDenied"
    assert manager.refused(IAM, "EnableAccessKey", key) == "AccessDenied"
    assert root.do(IAM, "EnableAccessKey", key) is True


def test_name_mail_address_and_language_are_set_cleared_and_shown_to_managers(either_shared: ServiceHarness) -> None:
    root = either_shared.customer(None)
    reader = either_shared.user(root, READ)
    user = made(root)
    assert root.do(IAM, "RenameUser", {**user, "name": "Li"}) is True
    assert root.do(IAM, "SetUserContact", {**user, "email": "li@example.com", "language": "zh-CN"}) is True
    shown = listed(root, user["userId"])
    assert shown is not None
    assert (shown["name"], shown["email"], shown["language"]) == ("Li", "li@example.com", "zh-CN")
    seen = listed(reader, user["userId"])
    assert seen is not None
    assert seen["name"] == "Li"
    assert not {"email", "language"} & seen.keys()
    root.do(IAM, "SetUserContact", {**user, "language": "en"})
    root.do(IAM, "SetUserContact", {**user, "email": None})
    shown = listed(root, user["userId"])
    assert shown is not None
    assert "email" not in shown
    assert shown["language"] == "en"
    for wrong in ("li", "Li <li@example.com>", "li@example.com\r\nBcc: x@example.com", "a@b, c@d", ""):
        answer = root.ask(IAM, "SetUserContact", {**user, "email": wrong})
        assert (answer.status, answer.code) == (400, "InappropriateJSON"), wrong
        assert "param[email]" in answer.body["message"], wrong
    assert root.refused(IAM, "SetUserContact", {**user, "language": "fr"}) == "InappropriateJSON"


def test_a_disabled_key_works_again_once_it_is_enabled(either: ServiceHarness) -> None:
    root = either.customer(None)
    worker = either.user(root, READ)
    key = {"accessKeyId": worker.desk.access_key}
    root.do(IAM, "DisableAccessKey", key)
    assert worker.refused("/v2/account", "DescribeAccount") == "InvalidAccessKeyId"
    assert root.do(IAM, "EnableAccessKey", key) is True
    assert worker.do("/v2/account", "DescribeAccount")["accountId"] == root.account_id()
    assert root.do(IAM, "EnableAccessKey", key) is True
    # A third active key is refused, whichever way it would become active.
    (user_id,) = (one["userId"] for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    root.do(IAM, "DisableAccessKey", key)
    first, _ = (key_of(root, {"userId": user_id}) for _ in range(2))
    answer = root.ask(IAM, "EnableAccessKey", key)
    assert (answer.status, answer.code) == (403, "QuotaExceeded")
    assert "DisableAccessKey" in answer.body["message"]
    root.do(IAM, "DisableAccessKey", first)
    assert root.do(IAM, "EnableAccessKey", key) is True


def test_changes_of_a_user_are_events_of_its_account(either_shared: ServiceHarness) -> None:
    root = either_shared.customer(None)
    user = made(root)
    key = key_of(root, user)
    root.do(IAM, "RenameUser", {**user, "name": "Li"})
    root.do(IAM, "DisableAccessKey", key)
    root.do(IAM, "EnableAccessKey", key)
    root.do(IAM, "DeleteUser", user)
    events = root.do(EVENTS, "DescribeEvents", {"types": ["iam.userChanged", "iam.accessKeyChanged"]})["events"]
    now = [{name: one["data"]["now"][name] for name in sorted(one["data"]["now"])} for one in events]
    for told in ({"name": "Li"}, {"status": "Disabled"}, {"status": "Active"}, {"deletedTime": DAY}):
        assert told in now, told
    assert root.do("/v2/account", "DescribeAuditLog", {"action": "DeleteUser"})["entries"]


def test_a_root_key_of_the_environment_that_was_disabled_stays_so(either: ServiceHarness) -> None:
    root = either.operator
    key = {"accessKeyId": root.desk.access_key}
    other = either.user(root, OPERATOR)
    assert other.do(IAM, "DisableAccessKey", key) is True
    answer = other.ask(IAM, "EnableAccessKey", key)
    assert (answer.status, answer.code) == (409, "InvalidState")
    assert "LEASEBOOK_ROOT_ACCESS_KEY" in answer.body["message"]
