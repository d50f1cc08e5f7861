"""Who may do what: policies, keys, accounts that know nothing of each other."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.actions.office import Office
from tests.actions.record import (
    DATA_FULL,
    DATA_OPERATE,
    FULL,
    MODEL_READ,
    OPERATE,
    OPERATOR,
    POLICIES,
    READ,
    SERVICE_READ,
)
from tests.actions.records import ANY_ACTION, body_of, record_of
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CHARGE,
    CLOCK,
    IAM,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    order,
)

READ_ONLY = (SERVICE_READ, READ, DATA_FULL, DATA_OPERATE, MODEL_READ)


@pytest.fixture(scope="module")
def users(shared: ServiceHarness) -> dict[str, Caller]:
    """A user for each policy who has that one only, and one who has none."""
    root = shared.customer()
    return {policy: shared.user(root, *filter(None, [policy])) for policy in (*POLICIES, "")}


@ANY_ACTION
def test_a_policy_permits_what_is_documented_and_nothing_else(
    shared: ServiceHarness, users: dict[str, Caller], action: Action
) -> None:
    commits = shared.commits()
    # A permitted call goes on to its body, which is no object here.
    codes = {policy: users[policy].refused(action.path, action.name, []) for policy in (*POLICIES, "")}
    permitted = record_of(action).permitted
    assert codes == {policy: "InappropriateJSON" if policy in permitted else "AccessDenied" for policy in codes}
    assert shared.commits() == commits


def test_the_refusal_of_a_call_names_the_policies_that_would_permit_it(users: dict[str, Caller]) -> None:
    message = users[READ].ask(UNITS, "PurchaseComputeUnit", order()).body["message"]
    assert FULL in message
    assert OPERATE in message


def test_the_root_of_an_account_may_do_everything_in_it_but_what_operators_do(shared: ServiceHarness) -> None:
    root = shared.customer()
    for action in ACTIONS:
        permitted = FULL in record_of(action).permitted
        assert root.refused(action.path, action.name, []) == ("InappropriateJSON" if permitted else "AccessDenied")


@pytest.fixture(scope="module")
def writes(shared: ServiceHarness) -> tuple[Caller, dict[str, Any]]:
    """The root of an account, and for each write a body that is answered well if the root sends it."""
    root = shared.customer(funds="100000")
    office = Office(shared, root)
    return root, {action.operation: body_of(action, office) for action in ACTIONS if action.writes}


@pytest.mark.parametrize("policy", [*READ_ONLY, ""])
def test_who_may_only_read_never_writes(
    shared: ServiceHarness, writes: tuple[Caller, dict[str, Any]], policy: str
) -> None:
    root, bodies = writes
    user = shared.user(root, *filter(None, [policy]))
    before, commits = shared.rows(), shared.commits()
    for action in ACTIONS:
        if action.writes and policy in record_of(action).permitted:
            assert user.do(action.path, action.name, bodies[action.operation])["passed"] is False
        elif action.writes:
            assert user.refused(action.path, action.name, bodies[action.operation]) == "AccessDenied"
    assert shared.commits() == commits
    assert shared.rows() == before


def test_policies_add_up(shared: ServiceHarness) -> None:
    user = shared.user(shared.customer(), DATA_OPERATE, OPERATE)
    assert user.buy()
    assert user.do(SERVICE, "DescribeServices")["serviceList"] == []


# --- changes take effect at once -------------------------------------------------------------------------


def test_an_attached_policy_permits_and_a_detached_one_forbids_the_very_next_request(shared: ServiceHarness) -> None:
    root = shared.customer()
    user = shared.user(root)
    (mine,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    change = {"userId": mine["userId"], "policyName": OPERATE}
    for _ in range(3):
        assert user.refused(UNITS, "PurchaseComputeUnit", order()) == "AccessDenied"
        assert root.do(IAM, "AttachPolicy", change) is True
        assert root.do(IAM, "AttachPolicy", change) is True
        assert user.buy()
        assert root.do(IAM, "DetachPolicy", change) is True
        assert root.do(IAM, "DetachPolicy", change) is True
    assert user.refused(UNITS, "DescribeComputeUnits") == "AccessDenied"


def test_a_disabled_key_is_refused_from_the_very_next_request(shared: ServiceHarness) -> None:
    root = shared.customer()
    user = shared.user(root, FULL)
    assert user.buy()
    key = {"accessKeyId": user.desk.access_key}
    assert root.do(IAM, "DisableAccessKey", key) is True
    answer = user.ask(UNITS, "DescribeComputeUnits")
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
    assert answer.headers["x-bce-error-message"] == "NotFound, cause: Could not find credential."
    assert root.do(IAM, "DisableAccessKey", key) is True
    assert user.refused(CLOCK, "DescribeClock") == "InvalidAccessKeyId"
    shown = [one for user in root.do(IAM, "DescribeUsers")["users"] for one in user["accessKeys"]]
    assert {one["accessKeyId"]: one["status"] for one in shown} == {
        root.desk.access_key: "Active",
        user.desk.access_key: "Disabled",
    }


def test_the_other_keys_of_a_user_go_on_working(shared: ServiceHarness) -> None:
    root = shared.customer()
    user = shared.user(root, FULL)
    second = shared.caller(user.do(IAM, "CreateAccessKey"))
    assert root.do(IAM, "DisableAccessKey", {"accessKeyId": user.desk.access_key}) is True
    assert second.buy()


def test_nobody_disables_the_key_that_signs(shared: ServiceHarness) -> None:
    root = shared.customer()
    answer = root.ask(IAM, "DisableAccessKey", {"accessKeyId": root.desk.access_key})
    assert (answer.status, answer.code) == (409, "InvalidState")
    assert root.buy()
    second = shared.caller(root.do(IAM, "CreateAccessKey"))
    assert second.do(IAM, "DisableAccessKey", {"accessKeyId": root.desk.access_key}) is True
    assert second.refused(IAM, "DisableAccessKey", {"accessKeyId": second.desk.access_key}) == "InvalidState"


# --- operators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["AttachPolicy", "DetachPolicy"])
def test_only_an_operator_gives_or_takes_the_policy_of_operators(shared: ServiceHarness, action: str) -> None:
    root = shared.customer()
    user = shared.user(root, FULL)
    commits = shared.commits()
    for one in root.do(IAM, "DescribeUsers")["users"]:
        body = {"userId": one["userId"], "policyName": OPERATOR}
        assert root.refused(IAM, action, body) == "AccessDenied"
        assert user.refused(IAM, action, body) == "AccessDenied"
    assert shared.commits() == commits


def other_operator(shared: ServiceHarness) -> tuple[Caller, Any]:
    """A user with full control of the operator's account, who is no operator; and the root, who is one."""
    user = shared.user(shared.operator, FULL)
    assert user.refused(ACCOUNT, "TopUpAccount", {"amount": "1"}) == "AccessDenied"
    (root,) = (one for one in user.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    assert OPERATOR in root["policies"]
    return user, root


def test_who_is_no_operator_gets_no_key_of_one(shared: ServiceHarness) -> None:
    user, root = other_operator(shared)
    assert user.refused(IAM, "CreateAccessKey", {"userId": root["userId"]}) == "AccessDenied"


def test_who_is_no_operator_disables_no_key_of_one(shared: ServiceHarness) -> None:
    user, root = other_operator(shared)
    spare = shared.operator.do(IAM, "CreateAccessKey", {"userId": root["userId"]})["accessKeyId"]
    assert user.refused(IAM, "DisableAccessKey", {"accessKeyId": spare}) == "AccessDenied"


@pytest.mark.parametrize(
    ("path", "action", "body"),
    [
        (ACCOUNT, "TopUpAccount", {"amount": "1"}),
        (CATALOG, "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMinute": "0"}),
        (IAM, "CreateAccount", {"name": "mine"}),
        (CLOCK, "AdvanceClock", {"to": "2090-01-01 00:00:00"}),
        (CLOCK, "ConfirmClock", {}),
        (
            CHARGE,
            "GrantPackageResource",
            {"serviceName": "ernie", "specification": 1, "expiredTime": "2090-01-01 00:00:00"},
        ),
    ],
)
def test_what_only_operators_do_nobody_else_does(shared: ServiceHarness, path: str, action: str, body: Any) -> None:
    root = shared.customer()
    commits = shared.commits()
    assert root.refused(path, action, body) == "AccessDenied"
    assert shared.commits() == commits


def test_a_user_whom_an_operator_made_one_is_one(shared: ServiceHarness) -> None:
    operator = shared.user(shared.customer(), OPERATOR)
    assert operator.do(IAM, "CreateAccount", {})["accountId"]
    assert operator.do(ACCOUNT, "TopUpAccount", {"amount": "1"})["balance"] == "1001.00"
    assert operator.refused(UNITS, "PurchaseComputeUnit", order()) == "AccessDenied"


def test_an_operator_manages_the_users_of_any_account(shared: ServiceHarness) -> None:
    made = shared.operator.do(IAM, "CreateAccount", {"name": "other"})
    account = {"accountId": made["accountId"]}
    user = shared.operator.do(IAM, "CreateUser", {**account, "name": "theirs"})
    assert user["accountId"] == made["accountId"]
    key = shared.operator.do(IAM, "CreateAccessKey", user)
    assert shared.operator.do(IAM, "AttachPolicy", {**user, "policyName": FULL}) is True
    theirs = shared.caller(key)
    assert theirs.do(ACCOUNT, "DescribeAccount")["accountId"] == made["accountId"]
    listed = shared.operator.do(IAM, "DescribeUsers", account)["users"]
    assert {one["name"] for one in listed} == {"root", "theirs"}
    assert shared.operator.do(IAM, "DisableAccessKey", {**account, "accessKeyId": key["accessKeyId"]}) is True
    assert theirs.refused(CLOCK, "DescribeClock") == "InvalidAccessKeyId"
