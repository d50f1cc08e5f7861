"""Other accounts: who may name them, what they see there, and ending another account's instance with a reason."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.actions.nouns.costs import SPAN
from tests.actions.record import BILLING_READ, FLEET_READ, FULL, OPERATE, OPERATOR, READ, SUPPORT
from tests.api.scene import ACCOUNT, EVENTS, IAM, SERVICE, UNITS, Caller, ServiceHarness, order

ABSENT = "0" * 32
WHY = "It has had no traffic for a week."
LISTS = (
    (UNITS, "DescribeComputeUnits", "computeUnitInstanceList", "instanceId"),
    (ACCOUNT, "DescribeOrders", "orders", "orderId"),
    (ACCOUNT, "DescribePostings", "postings", "postingId"),
)
OF_ONE = frozenset(
    {
        *("describe_account", "describe_statement", "describe_guard_rails", "describe_reminders"),
        *("describe_service_metric", "describe_service_stats", "describe_projects", "describe_tag_policy"),
        "describe_unit_counts",
    }
)
"""Reads that show one account at a time."""
NOT_FOUND = frozenset({"InstanceNotFound", "ServiceNotFound", "ResourceNotFound"})
READS = tuple(
    action for action in ACTIONS if action.across and not action.writes and not action.legacy and not action.follows
)


class House:
    """Two accounts with instances, and a user for each policy over every account in a third one."""

    def __init__(self, harness: ServiceHarness) -> None:
        self.harness = harness
        harness.sell(stock=100)
        self.first, self.second, self.third = (harness.customer(funds="1000") for _ in range(3))
        self.ids = [self._id(one) for one in (self.first, self.second, self.third)]
        self.units = [one.buy() for one in (self.first, self.second, self.first, self.second, self.second)]
        self.users = {name: harness.user(self.third, name) for name in (FLEET_READ, BILLING_READ, SUPPORT, OPERATOR)}

    @staticmethod
    def _id(one: Caller) -> str:
        return str(one.do(ACCOUNT, "DescribeAccount")["accountId"])


@pytest.fixture(scope="module")
def house(either_shared: ServiceHarness) -> House:
    return House(either_shared)


def test_who_has_no_policy_over_every_account_cannot_tell_others_from_none(house: House) -> None:
    for policy in (FULL, OPERATE, READ):
        user = house.harness.user(house.first, policy)
        for action, given in product(READS, (house.ids[1], ABSENT, [house.ids[0], house.ids[1]], [ABSENT], "*")):
            if isinstance(given, list) and action.operation in OF_ONE:
                continue
            answer = user.ask(action.path, action.name, asked_of(action, given, house.units[1]))
            assert (answer.status, answer.code) == (403, "AccessDenied"), (action.name, given)


def asked_of(action: Action, given: Any, unit: str) -> dict[str, Any]:
    """Return a request of an action about accounts, with what it cannot be without."""
    body = {
        "accountId": given,
        "instanceId": unit,
        "month": "2030-01",
        "model": "ernie-4.0-8k",
        "interval": 3600,
        "packageId": "pkg-1",
        "serviceId": "svco-1",
        "resourceIds": [unit],
        "startTime": "2030-01-01 00:00:00",
        "endTime": "2030-01-02 00:00:00",
        **SPAN,
    }
    if action.operation in ("describe_service_metric", "describe_service_stats"):
        body["serviceId"] = ["svco-1"]
    fields = {field.encode_name for field in msgspec.structs.fields(action.request)}
    return {name: body[name] for name in body if name in fields}


def test_every_read_is_for_several_accounts_or_for_one_or_says_why_it_is_not() -> None:
    for action in ACTIONS:
        if action.writes:
            assert not action.own_only, action.name
            continue
        assert bool(action.across) != bool(action.own_only), action.name
        if action.across:
            (meant,) = (field for field in msgspec.structs.fields(action.request) if field.encode_name == "accountId")
            takes_several = "list" in str(meant.type)
            assert takes_several != (action.operation in OF_ONE), action.name


def test_every_read_over_accounts_answers_who_has_the_right_and_names_an_account_that_is_not_there(
    house: House,
) -> None:
    for action in READS:
        reader = house.users[OPERATOR]
        for given in (house.ids[1], *(() if action.operation in OF_ONE else (house.ids[:2], "*"))):
            answer = reader.ask(action.path, action.name, asked_of(action, given, house.units[1]))
            found = answer.status == 200 or answer.code in NOT_FOUND
            assert found, (action.name, given, answer.body)
        asked = asked_of(action, ABSENT, house.units[1])
        assert reader.refused(action.path, action.name, asked) == "ResourceNotFound", action.name


def test_a_policy_over_accounts_permits_no_read_there_but_its_own(house: House) -> None:
    for policy, action in product((FLEET_READ, BILLING_READ, SUPPORT), READS):
        answer = house.users[policy].ask(action.path, action.name, asked_of(action, house.ids[1], house.units[1]))
        assert (answer.status != 403) == (policy in action.across), (policy, action.name)


@pytest.mark.parametrize(("path", "action", "rows", "row_id"), LISTS)
def test_rows_of_several_accounts_are_those_of_each_and_say_whose_they_are(
    house: House, path: str, action: str, rows: str, row_id: str
) -> None:
    reader = house.users[OPERATOR]
    each = {one: reader.do(path, action, {"accountId": one, "maxKeys": 1000})[rows] for one in house.ids}
    assert each[house.ids[0]]
    assert {(row["accountId"], row["accountName"]) for found in each.values() for row in found} == {
        (one, "customer") for one in house.ids if each[one]
    }
    some = reader.do(path, action, {"accountId": house.ids[:2], "maxKeys": 1000})[rows]
    assert sorted(row[row_id] for row in some) == sorted(row[row_id] for one in house.ids[:2] for row in each[one])
    every = reader.do(path, action, {"accountId": "*", "maxKeys": 1000})[rows]
    assert [row for row in every if row["accountId"] in house.ids[:2]] == some
    # The caller's own rows, as ever, do not say whose they are.
    own = house.first.do(path, action, {"maxKeys": 1000})[rows]
    assert own == [{k: v for k, v in row.items() if not k.startswith("account")} for row in each[house.ids[0]]]


@pytest.mark.parametrize(("path", "action", "rows", "row_id"), LISTS)
@pytest.mark.parametrize("given", ["*", "some"])
def test_pages_over_accounts_put_together_are_the_whole_list(
    house: House, path: str, action: str, rows: str, row_id: str, given: str
) -> None:
    reader = house.users[OPERATOR]
    body: dict[str, Any] = {"accountId": house.ids[:2] if given == "some" else "*"}
    whole = reader.do(path, action, {**body, "maxKeys": 1000})[rows]
    found: list[Any] = []
    page = reader.do(path, action, {**body, "maxKeys": 2})
    while True:
        found += page[rows]
        if "nextMarker" not in page:
            break
        assert len(page[rows]) == 2
        page = reader.do(path, action, {**body, "maxKeys": 2, "marker": page["nextMarker"]})
    assert [row[row_id] for row in found] == [row[row_id] for row in whole]


def test_events_over_accounts_are_those_of_each(house: House) -> None:
    reader, asked = house.users[FLEET_READ], {"types": ["unit.bought", "iam.userCreated"], "maxKeys": 1000}
    assert reader.refused(EVENTS, "DescribeEvents", {**asked, "accountId": "*"}) == "AccessDenied"
    asked["types"] = ["unit.bought"]
    for oldest_first in (False, True):
        body = {**asked, "oldestFirst": oldest_first}
        every = reader.do(EVENTS, "DescribeEvents", {**body, "accountId": "*"})["events"]
        for account in house.ids[:2]:
            own = reader.do(EVENTS, "DescribeEvents", {**body, "accountId": account})["events"]
            assert own
            assert [event for event in every if event["source"].endswith(account)] == own
        page = reader.do(EVENTS, "DescribeEvents", {**body, "accountId": "*", "maxKeys": 3})
        rest = {**body, "accountId": "*", "marker": page["nextMarker"]}
        assert page["events"] + reader.do(EVENTS, "DescribeEvents", rest)["events"] == every


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "gpu-1"},
        {"region": "bj", "paymentTiming": "Postpaid"},
        {"status": "Running"},
        {"status": "Released"},
        {"status": "Stopped"},
        {"region": "bj", "type": "gpu-1", "paymentTiming": "Prepaid"},
    ],
)
def test_a_filter_over_accounts_finds_what_it_finds_in_each(house: House, wanted: dict[str, str]) -> None:
    reader, name = house.users[SUPPORT], "computeUnitInstanceList"
    every = reader.do(UNITS, "DescribeComputeUnits", {**wanted, "accountId": "*"})[name]
    for one in house.ids:
        own = reader.do(UNITS, "DescribeComputeUnits", {**wanted, "accountId": one})[name]
        assert [row for row in every if row["accountId"] == one] == own


def test_one_instance_is_shown_and_explained_to_who_may_see_every_account(house: House) -> None:
    reader, unit = house.users[FLEET_READ], house.units[1]
    for given in (house.ids[1], "*", [house.ids[0], house.ids[1]]):
        asked = {"instanceId": unit, "accountId": given}
        shown = reader.do(UNITS, "DescribeComputeUnit", asked)["computeUnitInstance"]
        assert (shown["instanceId"], shown["accountId"]) == (unit, house.ids[1])
        assert reader.do(UNITS, "ExplainComputeUnit", asked)["instanceId"] == unit
    for action in ("DescribeComputeUnit", "ExplainComputeUnit"):
        assert reader.refused(UNITS, action, {"instanceId": unit, "accountId": house.ids[0]}) == "InstanceNotFound"
        assert reader.refused(UNITS, action, {"instanceId": unit}) == "InstanceNotFound"
        assert reader.refused(UNITS, action, {"instanceId": unit, "accountId": ABSENT}) == "ResourceNotFound"


def test_an_account_that_is_not_there_is_named_and_a_star_stands_alone(house: House) -> None:
    reader = house.users[OPERATOR]
    answer = reader.ask(UNITS, "DescribeComputeUnits", {"accountId": [house.ids[0], ABSENT]})
    assert (answer.code, ABSENT in answer.body["message"]) == ("ResourceNotFound", True)
    for given in (["*", house.ids[0]], [], [house.ids[0]] * 101, ""):
        assert reader.refused(UNITS, "DescribeComputeUnits", {"accountId": given}) == "InappropriateJSON", given
    marker = house.units[0]
    assert reader.refused(UNITS, "DescribeComputeUnits", {"accountId": "*", "marker": marker}) == "InvalidMarker"


def test_each_policy_over_accounts_reads_its_own_part_only(house: House) -> None:
    may = {
        FLEET_READ: {"DescribeComputeUnits", "DescribeOrders"},
        BILLING_READ: {"DescribeOrders", "DescribePostings"},
        SUPPORT: {"DescribeComputeUnits", "DescribeOrders"},
        OPERATOR: {"DescribeComputeUnits", "DescribeOrders", "DescribePostings"},
    }
    for policy, (path, action, _, _) in product(may, LISTS):
        answer = house.users[policy].ask(path, action, {"accountId": "*", "maxKeys": 1})
        assert (answer.status == 200) == (action in may[policy]), (policy, action)


def test_who_reads_the_money_of_every_account_finds_them_all(house: House) -> None:
    reader = house.users[BILLING_READ]
    shown = reader.do(IAM, "DescribeAccounts", {"maxKeys": 1000})["accounts"]
    assert set(house.ids) <= {one["accountId"] for one in shown}
    one = reader.do(ACCOUNT, "DescribeAccount", {"accountId": house.ids[0]})
    assert one == next(row for row in shown if row["accountId"] == house.ids[0])
    for policy in (FLEET_READ, SUPPORT):
        assert house.users[policy].refused(IAM, "DescribeAccounts") == "AccessDenied"
        assert house.users[policy].refused(ACCOUNT, "DescribeAccount", {"accountId": house.ids[0]}) == "AccessDenied"
    assert house.first.refused(ACCOUNT, "DescribeAccount", {"name": "customer"}) == "AccessDenied"


def test_support_ends_an_instance_and_its_owner_reads_why(house: House) -> None:
    unit, support = house.second.buy(), house.users[SUPPORT]
    asked = {"instanceId": unit, "accountId": house.ids[1], "reason": WHY}
    for less, code in (("reason", "InappropriateJSON"), ("accountId", "InappropriateJSON")):
        body = {name: value for name, value in asked.items() if name != less}
        assert support.refused(UNITS, "ReleaseComputeUnit", body) == code
    for other in (house.ids[0], "*", ABSENT):
        code = "InappropriateJSON" if other == "*" else "InstanceNotFound"
        assert support.refused(UNITS, "ReleaseComputeUnit", {**asked, "accountId": other}) == code
    for blank in ("", "  ", "x" * 257, "two\nlines", "line\n", "bell \x07"):
        assert support.refused(UNITS, "ReleaseComputeUnit", {**asked, "reason": blank}) == "InappropriateJSON"
    for policy in (FLEET_READ, BILLING_READ):
        assert house.users[policy].refused(UNITS, "ReleaseComputeUnit", asked) == "AccessDenied"
    assert support.do(UNITS, "AutoReleaseComputeUnit", {**asked, "releaseTime": "2090-01-01 00:00:00"}) is True
    assert support.do(UNITS, "ReleaseComputeUnit", asked) is True
    told = house.second.do(EVENTS, "DescribeEvents", {"instanceId": unit})["events"]
    reasons = {event["type"]: event["data"].get("operatorReason") for event in told}
    assert reasons["unit.releaseSet"] == reasons["unit.releasing"] == WHY
    assert reasons["unit.bought"] is None
    text = house.second.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    assert WHY in text


def test_support_takes_a_service_off_and_its_owner_reads_why(house: House) -> None:
    owner, support = house.second, house.users[SUPPORT]
    service = owner.create_service()
    asked = {"serviceId": service, "accountId": house.ids[1], "reason": WHY}
    for less in ("reason", "accountId"):
        body = {name: value for name, value in asked.items() if name != less}
        assert support.refused(SERVICE, "DeactivateService", body) == "InappropriateJSON"
    assert support.refused(SERVICE, "DeactivateService", {**asked, "accountId": house.ids[0]}) == "ServiceNotFound"
    for policy in (FLEET_READ, BILLING_READ):
        assert house.users[policy].refused(SERVICE, "DeactivateService", asked) == "AccessDenied"
    assert owner.refused(SERVICE, "DeactivateService", {"serviceId": service, "reason": WHY}) == "InappropriateJSON"
    assert support.do(SERVICE, "DeactivateService", asked)["operation"] is True
    assert support.refused(SERVICE, "ActivateService", {"serviceId": service}) == "AccessDenied"
    assert owner.do(SERVICE, "ActivateService", {"serviceId": service})["operation"] is True
    owner.do(SERVICE, "DeactivateService", {"serviceId": service})
    seen = owner.do(EVENTS, "DescribeEvents", {"types": ["service.*"], "oldestFirst": True})["events"]
    mine = [event["data"] for event in seen if event["data"]["serviceId"] == service]
    assert [data.get("operatorReason") for data in mine] == [WHY, None, None]
    assert [event["type"].split(".")[1] for event in seen][-3:] == ["deactivated", "activated", "deactivated"]


def test_the_limits_of_an_account_do_not_bind_operators(house: House) -> None:
    owner = house.harness.customer(funds="100")
    account = owner.do(ACCOUNT, "DescribeAccount")["accountId"]
    limits = {"extensionsMax": 0, "releaseMaxSeconds": 86400}
    owner.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    unit = owner.do(UNITS, "PurchaseComputeUnit", order(release="2030-01-15 12:00:00"))["instanceId"]
    later = {"instanceId": unit, "releaseTime": "2089-01-01 00:00:00"}
    assert owner.refused(UNITS, "AutoReleaseComputeUnit", later) == "QuotaExceeded"
    asked = {**later, "accountId": account, "reason": WHY}
    assert house.users[SUPPORT].do(UNITS, "AutoReleaseComputeUnit", asked) is True


def test_only_operators_give_and_take_the_policies_over_every_account(house: House) -> None:
    root = house.first
    user = root.do(IAM, "CreateUser", {"name": "user"})["userId"]
    for policy in (FLEET_READ, BILLING_READ, SUPPORT):
        body = {"userId": user, "policyName": policy}
        assert root.refused(IAM, "AttachPolicy", body) == "AccessDenied"
        assert house.users[OPERATOR].do(IAM, "AttachPolicy", {**body, "accountId": house.ids[0]}) is True
        assert root.refused(IAM, "DetachPolicy", body) == "AccessDenied"
        # A manager must not get those rights by a key of that user.
        assert root.refused(IAM, "CreateAccessKey", {"userId": user}) == "AccessDenied"
        assert house.users[OPERATOR].do(IAM, "DetachPolicy", {**body, "accountId": house.ids[0]}) is True
    assert root.do(IAM, "CreateAccessKey", {"userId": user})


def test_a_policy_over_every_account_is_for_users_whose_keys_only_operators_made(house: House) -> None:
    root, operator = house.first, house.users[OPERATOR]
    user = {"userId": root.do(IAM, "CreateUser", {"name": "user"})["userId"]}
    known = root.do(IAM, "CreateAccessKey", user)["accessKeyId"]
    asked = {**user, "policyName": SUPPORT, "accountId": house.ids[0]}
    answer = operator.ask(IAM, "AttachPolicy", asked)
    assert (answer.code, known in answer.body["message"]) == ("InvalidState", True)
    # A policy in the account is attached as ever, and a key that an operator made is no hindrance.
    assert operator.do(IAM, "AttachPolicy", {**asked, "policyName": READ}) is True
    operator.do(IAM, "DisableAccessKey", {"accessKeyId": known, "accountId": house.ids[0]})
    made = operator.do(IAM, "CreateAccessKey", {**user, "accountId": house.ids[0]})
    assert operator.do(IAM, "AttachPolicy", asked) is True
    # Nor does that key come back while the policy is there.
    key = {"accessKeyId": known, "accountId": house.ids[0]}
    assert operator.refused(IAM, "EnableAccessKey", key) == "InvalidState"
    assert house.harness.caller(made).do(UNITS, "DescribeComputeUnits", {"accountId": house.ids[1]})
    assert operator.do(IAM, "DetachPolicy", asked) is True
    assert operator.do(IAM, "EnableAccessKey", key) is True


def test_full_control_of_one_account_shows_no_events_of_users_of_another(house: House) -> None:
    user = house.harness.user(house.third, FULL, FLEET_READ)
    own = user.do(EVENTS, "DescribeEvents", {"types": ["iam.userCreated"]})["events"]
    assert own
    named = user.do(EVENTS, "DescribeEvents", {"accountId": house.ids[2], "types": ["iam.userCreated"]})["events"]
    assert named == own
    for given in ("*", house.ids[0], house.ids):
        asked = {"accountId": given, "types": ["iam.userCreated"]}
        assert user.refused(EVENTS, "DescribeEvents", asked) == "AccessDenied", given
        some = user.do(EVENTS, "DescribeEvents", {"accountId": given, "maxKeys": 1000})["events"]
        assert some
        assert not [event for event in some if event["type"].startswith("iam.")], given


def test_who_sees_fleets_and_no_money_sees_no_balance(either: ServiceHarness) -> None:
    harness = either
    harness.sell(minute="0.5", month="100", stock=100)
    owner, house = harness.customer(funds="131"), harness.customer()
    account = owner.do(ACCOUNT, "DescribeAccount")["accountId"]
    reader, both = harness.user(house, FLEET_READ), harness.user(house, FLEET_READ, BILLING_READ)
    unit = owner.buy(months=1, autoRenew=True)
    # The message of this refusal has the balance, and that is shown among the refused calls of the instance.
    assert owner.refused(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 3}) == "InsufficientBalance"
    meter = owner.buy()
    harness.advance("2030-01-15T12:00:00+08:00")
    debt = owner.do(ACCOUNT, "DescribeAccount")["balance"]
    assert debt.startswith("-")
    asked = {"accountId": account}
    for name in (unit, meter):
        shown = {one: one.do(UNITS, "ExplainComputeUnit", {**asked, "instanceId": name}) for one in (reader, both)}
        assert "The balance is" not in str(shown[reader]), shown[reader]
        assert debt not in str(shown[reader])
        assert "in debt since" in shown[reader]["text"]
        assert f"with {debt}" in shown[both]["text"]
        assert shown[both] == owner.do(UNITS, "ExplainComputeUnit", {"instanceId": name})
    of_money = {"account.arrears", "account.recovered", "account.budgetCrossed"}
    for kind in of_money:
        for given in (account, "*"):
            body = {"accountId": given, "types": [kind]}
            assert reader.refused(EVENTS, "DescribeEvents", body) == "AccessDenied"
            both.do(EVENTS, "DescribeEvents", body)
    assert of_money.isdisjoint(event["type"] for event in reader.do(EVENTS, "DescribeEvents", asked)["events"])
    assert "account.arrears" in {event["type"] for event in both.do(EVENTS, "DescribeEvents", asked)["events"]}
    assert "account.arrears" in {event["type"] for event in owner.do(EVENTS, "DescribeEvents")["events"]}


def test_no_user_of_the_account_itself_leaves_a_reason_of_an_operator(house: House) -> None:
    unit = house.first.buy()
    asked = {"instanceId": unit, "accountId": house.ids[0], "reason": WHY}
    for caller in (house.first, house.harness.user(house.first, OPERATE)):
        for action, more in (("ReleaseComputeUnit", {}), ("AutoReleaseComputeUnit", {"releaseTime": "2090-01-01"})):
            assert caller.field_refused(UNITS, action, {**asked, **more}) == "reason"
    assert "operator" not in house.first.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    # The account's id alone is harmless.
    assert house.first.do(UNITS, "ReleaseComputeUnit", {"instanceId": unit, "accountId": house.ids[0]}) is True
