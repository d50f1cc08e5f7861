"""Users who sign in with an identity provider: who they are, what they may do, and that they stay deleted."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import Any, Final

import pytest

from leasebook.contract.policies import OF_THE_HOUSE
from leasebook.domain.commands.console.openid import SignedIn, SignInByOpenId, user_id_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import DENIED, NO_RESOURCE, SUSPENDED, WRONG_STATE, Refusal
from leasebook.store.verify.check import check_store
from tests.api.scene import EVENTS, IAM, UNITS, Caller, ServiceHarness, order

ISSUER: Final = "https://login.example.com"
READ: Final = "QianfanReadAccessPolicy"
OPERATE: Final = "QianfanServiceOperateAccessPolicy"
PROJECT: Final = "/v2/project"
OPERATOR: Final = "LeasebookOperatorPolicy"


def command(of: Caller, *policies: str, subject: str = "person", **more: Any) -> SignInByOpenId:
    user_id = user_id_of(ISSUER, subject)
    found: dict[str, Any] = {
        "account_id": more.get("account_id") or of.account_id(),
        "issuer": ISSUER,
        "subject": subject,
        "user_id": user_id,
        "name": "Li Lei",
        "by": user_id,
        "sign_in_id": token_hex(16),
        "until": Instant(0),
    }
    return SignInByOpenId(**found | more, policies=policies, operators=OF_THE_HOUSE)


def sign_in(scene: ServiceHarness, of: Caller, *policies: str, **more: Any) -> SignedIn:
    signed: SignedIn = scene.runner.run(scene.running.sequencer.submit(command(of, *policies, **more)))
    return signed


def refused(scene: ServiceHarness, of: Caller, *policies: str, **more: Any) -> Refusal:
    commits = scene.commits()
    with pytest.raises(Refusal) as said:
        sign_in(scene, of, *policies, **more)
    assert scene.commits() == commits
    return said.value


def shown(of: Caller, signed: SignedIn) -> Any:
    return next(one for one in of.do(IAM, "DescribeUsers")["users"] if one["userId"] == signed.user_id)


def test_a_first_sign_in_makes_a_user_without_any_right(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    signed = sign_in(either_shared, root, subject="newcomer")
    assert signed.is_new
    user = shown(root, signed)
    assert (user["name"], user["policies"], user["isRoot"], user["accessKeys"]) == ("Li Lei", [], False, [])
    assert user["openId"] == {"issuer": ISSUER, "subject": "newcomer", "policies": []}
    key = either_shared.operator.do(IAM, "CreateAccessKey", {"userId": signed.user_id, "accountId": root.account_id()})
    newcomer = either_shared.caller(key)
    for path, action, body in (
        (UNITS, "PurchaseComputeUnit", order()),
        (UNITS, "DescribeComputeUnits", {}),
        (IAM, "DescribeUsers", {}),
        (IAM, "AttachPolicy", {"userId": signed.user_id, "policyName": READ}),
    ):
        assert newcomer.refused(path, action, body) == "AccessDenied", action
    assert sign_in(either_shared, root, subject="newcomer") == SignedIn(signed.user_id, root.account_id(), False)


def test_groups_give_policies_until_the_next_sign_in_and_those_given_by_hand_stay(
    either_shared: ServiceHarness,
) -> None:
    root = either_shared.customer()
    signed = sign_in(either_shared, root, READ, subject="grouped")
    by_hand = {"userId": signed.user_id, "policyName": OPERATE}

    def has() -> tuple[list[str], list[str]]:
        user = shown(root, signed)
        return sorted(user["policies"]), user["openId"]["policies"]

    assert has() == ([READ], [READ])
    root.do(IAM, "AttachPolicy", by_hand)
    sign_in(either_shared, root, subject="grouped")
    assert has() == ([OPERATE], [])
    # Attached by hand while a group gives it, it does not go with the group.
    sign_in(either_shared, root, READ, OPERATE, READ, subject="grouped")
    assert has() == ([READ, OPERATE], [READ])
    root.do(IAM, "AttachPolicy", {"userId": signed.user_id, "policyName": READ})
    assert has() == ([READ, OPERATE], [])
    sign_in(either_shared, root, subject="grouped")
    assert has() == ([READ, OPERATE], [])
    # Detached by hand, it is gone until a group gives it again.
    root.do(IAM, "DetachPolicy", {"userId": signed.user_id, "policyName": READ})
    sign_in(either_shared, root, READ, subject="grouped")
    root.do(IAM, "DetachPolicy", {"userId": signed.user_id, "policyName": READ})
    assert has() == ([OPERATE], [])
    sign_in(either_shared, root, READ, subject="grouped")
    assert has() == ([READ, OPERATE], [READ])


def test_rights_that_a_group_gives_and_takes_count_from_the_next_call_on(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    signed = sign_in(either_shared, root, READ, subject="comes and goes")
    key = root.do(IAM, "CreateAccessKey", {"userId": signed.user_id})
    person = either_shared.caller(key)
    assert person.ask(UNITS, "DescribeComputeUnits", {}).status == 200
    sign_in(either_shared, root, subject="comes and goes")
    assert person.refused(UNITS, "DescribeComputeUnits", {}) == "AccessDenied"


def test_the_subject_is_the_identity_and_neither_name_nor_account(either_shared: ServiceHarness) -> None:
    root, other = either_shared.customer(), either_shared.customer()
    first = sign_in(either_shared, root, subject="one")
    assert sign_in(either_shared, root, subject="two").user_id != first.user_id
    assert sign_in(either_shared, root, subject="one", name="Another Name").user_id == first.user_id
    assert shown(root, first)["name"] == "Li Lei"
    assert refused(either_shared, other, subject="one").reason == DENIED
    # An id that is not the person's own leads to no other user.
    assert refused(either_shared, root, subject="three", user_id=first.user_id).reason == DENIED
    mine = root.do(IAM, "DescribeUsers")["users"][0]["userId"]
    assert refused(either_shared, root, subject="four", user_id=mine).reason == DENIED


def test_two_first_sign_ins_at_once_make_one_user(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    asked = [command(root, subject="twice") for _ in range(2)]

    async def both() -> list[SignedIn]:
        return [*await asyncio.gather(*(either_shared.running.sequencer.submit(one) for one in asked))]

    signed = either_shared.runner.run(both())
    assert sorted(one.is_new for one in signed) == [False, True]
    assert len({one.user_id for one in signed}) == 1


def test_a_deleted_user_does_not_come_back_by_the_provider(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    signed = sign_in(either_shared, root, READ, subject="deleted")
    root.do(IAM, "DeleteUser", {"userId": signed.user_id})
    said = refused(either_shared, root, READ, subject="deleted")
    assert said.reason == DENIED
    assert "was deleted here" in said.message


def test_a_suspended_account_gets_no_new_user_and_its_users_sign_in(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    sign_in(either_shared, root, subject="was there")
    account = {"accountId": root.account_id()}
    either_shared.operator.do(IAM, "SuspendAccount", {**account, "reason": "Not paid."})
    assert refused(either_shared, root, subject="is new").reason == SUSPENDED
    assert sign_in(either_shared, root, subject="was there").is_new is False
    assert refused(either_shared, root, subject="nowhere", account_id="nowhere").reason == NO_RESOURCE


def test_a_policy_over_every_account_does_not_come_to_keys_that_others_know(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    signed = sign_in(either_shared, root, READ, subject="will operate")
    key = root.do(IAM, "CreateAccessKey", {"userId": signed.user_id})["accessKeyId"]
    said = refused(either_shared, root, OPERATOR, subject="will operate")
    assert said.reason == WRONG_STATE
    assert key in said.message
    assert shown(root, signed)["policies"] == [READ]
    root.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    sign_in(either_shared, root, OPERATOR, subject="will operate")
    assert shown(root, signed)["policies"] == [OPERATOR]
    # From then on only operators make keys of this user.
    assert root.refused(IAM, "CreateAccessKey", {"userId": signed.user_id}) == "AccessDenied"
    sign_in(either_shared, root, subject="will operate")
    assert shown(root, signed)["policies"] == []


def test_every_change_has_its_event_and_rights_without_one_are_found(either: ServiceHarness) -> None:
    root = either.customer()
    signed = sign_in(either, root)
    sign_in(either, root, READ)
    sign_in(either, root, READ)
    events = [
        one
        for one in root.do(EVENTS, "DescribeEvents", {"types": ["iam.userCreated", "iam.userChanged"]})["events"]
        if one["data"]["targetUserId"] == signed.user_id
    ]
    changed, made = events
    assert (made["type"], changed["type"]) == ("iam.userCreated", "iam.userChanged")
    assert made["data"]["now"]["openId"] == {"issuer": ISSUER, "subject": "person", "policies": []}
    assert changed["data"]["now"] == {
        "policies": [READ],
        "openId": {"issuer": ISSUER, "subject": "person", "policies": [READ]},
    }
    assert changed["data"]["userId"] == signed.user_id
    assert check_store(either.where).findings == []


def test_a_sign_in_is_completed_once_on_all_servers(either_shared: ServiceHarness) -> None:
    root = either_shared.customer()
    sign_in(either_shared, root, READ, subject="completes once", sign_in_id="the only one")
    said = refused(either_shared, root, subject="completes once", sign_in_id="the only one")
    assert said.reason == WRONG_STATE
    assert "was completed before" in said.message


def test_groups_give_policies_for_projects_and_those_given_by_hand_stay(either_shared: ServiceHarness) -> None:
    root, other = either_shared.customer(), either_shared.customer()
    mine, second = (root.do(PROJECT, "CreateProject", {"name": name})["projectId"] for name in ("one", "two"))
    foreign = other.do(PROJECT, "CreateProject", {"name": "theirs"})["projectId"]

    def sign(*grants: str) -> tuple[list[Any], list[str]]:
        user = shown(root, sign_in(either_shared, root, *grants, subject="of projects"))
        return user.get("projectPolicies", []), user["openId"]["policies"]

    granted, by_groups = sign(f"{READ}@{mine}", f"{OPERATE}@{foreign}", f"{READ}@nowhere", f"{READ}@default")
    assert granted == [{"policyName": READ, "projectIds": sorted(["default", mine])}]
    assert by_groups == [f"{READ}@{mine}", f"{READ}@default"]
    user_id = {"userId": user_id_of(ISSUER, "of projects"), "policyName": READ}
    root.do(IAM, "AttachPolicy", {**user_id, "projectIds": [mine, second]})
    granted, by_groups = sign()
    assert granted == [{"policyName": READ, "projectIds": sorted([mine, second])}]
    assert by_groups == []
    root.do(IAM, "DetachPolicy", {**user_id, "projectIds": [mine]})
    assert sign(f"{READ}@{second}")[0] == [{"policyName": READ, "projectIds": [second]}]
    root.do(PROJECT, "CloseProject", {"projectId": mine})
    assert sign(f"{READ}@{mine}", READ) == ([{"policyName": READ, "projectIds": [second]}], [READ])
    root.do(IAM, "DetachPolicy", {**user_id, "projectIds": [second]})
    assert sign() == ([], [])
