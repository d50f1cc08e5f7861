"""Tag policies: what an account requires of tags, and what happens to purchases and tags that break it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from leasebook.contract.actions import ACTIONS
from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    EVENTS,
    IAM,
    MODEL,
    NOTIFICATION,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    billing_of,
    new_service,
    order,
)

TAG: Final = "/v2/tag"
NONE: Final[Any] = {"required": [], "allowed": {}}
TAGS: Final = {"tags": {"team": "vision"}}


def ruled(caller: Caller, **policy: Any) -> Any:
    """Change the caller's tag policy; returns the answer."""
    return caller.do(ACCOUNT, "SetTagPolicy", {"policy": policy})


def policy_of(caller: Caller) -> Any:
    """Show the caller's tag policy."""
    return caller.do(ACCOUNT, "DescribeTagPolicy")["policy"]


def said(caller: Caller, path: str, action: str, body: Any) -> str:
    """Call an action that the policy refuses; returns the message."""
    answer = caller.ask(path, action, body)
    assert (answer.status, answer.code) == (400, "TagPolicyNotMet"), answer.body
    return str(answer.body["message"])


def test_a_policy_changes_by_what_a_call_names_and_answers_and_events_have_both(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    assert policy_of(caller) == NONE
    first = ruled(caller, required=["team", "cost-center", "team"])
    assert (first["before"], first["after"]) == (NONE, {"required": ["cost-center", "team"], "allowed": {}})
    second = ruled(caller, allowed={"team": ["vision", "speech"], "stage": ["live"]})
    both = {"required": ["cost-center", "team"], "allowed": {"stage": ["live"], "team": ["speech", "vision"]}}
    assert (second["before"], second["after"]) == (first["after"], both)
    assert policy_of(caller) == both
    less = ruled(caller, required=None, allowed={"stage": None, "unknown": None})["after"]
    assert less == {"required": [], "allowed": {"team": ["speech", "vision"]}}
    replaced = caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": ["team"]}, "replace": True})
    assert replaced["after"] == {"required": ["team"], "allowed": {}}
    assert ruled(caller, required=["team"])["after"] == replaced["after"]
    assert caller.do(ACCOUNT, "SetTagPolicy", {"policy": None})["after"] == NONE == policy_of(caller)
    events = caller.do(EVENTS, "DescribeEvents", {"types": ["account.tagPolicyChanged"], "oldestFirst": True})["events"]
    told = [(one["data"]["before"], one["data"]["policy"]) for one in events]
    assert told == [
        (NONE, first["after"]),
        (first["after"], both),
        (both, less),
        (less, replaced["after"]),
        (replaced["after"], NONE),
    ]
    proved = caller.do(EVENTS, "DescribeEvents", {"types": ["iam.accountChanged"], "maxKeys": 1})["events"][0]
    assert proved["data"]["now"] == {"tagPolicy": None}
    entry = caller.do(ACCOUNT, "DescribeAuditLog", {"action": "SetTagPolicy", "maxKeys": 1})["entries"][0]
    assert entry["code"] == "OK"


def test_a_purchase_without_the_tags_is_refused_with_all_that_is_missing_and_all_that_is_allowed(
    either_shared: ServiceHarness,
) -> None:
    either_shared.sell(stock=1000)
    caller = either_shared.customer()
    old = caller.buy()
    ruled(caller, required=["team", "cost-center"], allowed={"team": ["vision", "speech"], "stage": ["live"]})
    tried = {**order(), "tags": {"stage": "test"}}
    message = said(caller, UNITS, "PurchaseComputeUnit", tried)
    assert "Missing: cost-center (any value); team ('speech' or 'vision')." in message
    assert "Not allowed: stage is 'test', and may be 'live'." in message
    assert message.endswith("param[tags]")
    free = caller.free()
    good = {**order(), "tags": {"team": "vision", "cost-center": "", "free": "any"}}
    unit = caller.do(UNITS, "PurchaseComputeUnit", good)["instanceId"]
    assert (caller.free(), caller.unit(unit)["tags"]) == (free - 1, good["tags"])
    # An instance from before the policy runs on, can be resized and released, and gets the tags one by one.
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": old, "count": 2})
    caller.do(TAG, "TagResource", {"resourceId": old, "tags": {"team": "speech"}})
    caller.do(TAG, "RenameResource", {"resourceId": old, "name": "first"})
    caller.release(old)


def test_tags_of_existing_things_are_not_changed_against_the_policy(shared: ServiceHarness) -> None:
    caller = shared.customer()
    unit = caller.do(UNITS, "PurchaseComputeUnit", {**order(), "tags": {"team": "old", "stage": "old"}})["instanceId"]
    ruled(caller, required=["team"], allowed={"team": ["vision"], "stage": ["live"]})
    refused = said(caller, TAG, "UntagResource", {"resourceId": unit, "tagKeys": ["team"]})
    assert "Required, and to be kept: team ('vision')." in refused
    assert refused.endswith("param[tagKeys]")
    assert "stage is 'test'" in said(caller, TAG, "TagResource", {"resourceId": unit, "tags": {"stage": "test"}})
    # A value from before the policy may stay while other tags change, and a key that is not required may go.
    assert caller.do(TAG, "TagResource", {"resourceId": unit, "tags": {"more": "x"}})["tags"]["team"] == "old"
    assert "stage" not in caller.do(TAG, "UntagResource", {"resourceId": unit, "tagKeys": ["stage"]})["tags"]
    assert caller.do(TAG, "TagResource", {"resourceId": unit, "tags": {"team": "vision"}})["tags"]["team"] == "vision"


def test_a_client_token_keeps_its_first_answer_when_the_policy_changes(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    caller = either_shared.customer()
    bought = caller.do(UNITS, "PurchaseComputeUnit", {**order(), "clientToken": "before"})
    ruled(caller, required=["team"])
    assert caller.do(UNITS, "PurchaseComputeUnit", {**order(), "clientToken": "before"}) == bought
    late = {**order(), "clientToken": "after"}
    first = said(caller, UNITS, "PurchaseComputeUnit", late)
    changed = {"policy": None, "clientToken": "policy"}
    answer = caller.do(ACCOUNT, "SetTagPolicy", changed)
    assert said(caller, UNITS, "PurchaseComputeUnit", late) == first
    ruled(caller, required=["stage"])
    assert caller.do(ACCOUNT, "SetTagPolicy", changed) == answer
    assert policy_of(caller)["required"] == ["stage"]


def test_a_quote_says_what_the_policy_would_refuse(shared: ServiceHarness) -> None:
    caller = shared.customer()
    ruled(caller, required=["team"])
    quoted = caller.do(UNITS, "QuotePurchase", order())
    verdict = quoted["verdicts"][-1]
    assert (quoted["passed"], verdict["rule"], verdict["code"]) == (False, "tags", "TagPolicyNotMet")
    assert "Missing: team (any value)." in verdict["message"]
    assert caller.do(UNITS, "QuotePurchase", {**order(), **TAGS, "name": "training"})["passed"] is True


def test_operators_obey_the_policy_of_the_account_and_can_change_it(shared: ServiceHarness) -> None:
    caller, operator = shared.customer(), shared.operator
    whose = {"accountId": caller.account_id()}
    operator.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": ["team"]}, **whose})
    assert operator.do(ACCOUNT, "DescribeTagPolicy", whose)["policy"]["required"] == ["team"]
    package = {"serviceName": "ernie", "specification": 1000, "expiredTime": "2090-01-01 00:00:00", **whose}
    said(operator, CHARGE, "GrantPackageResource", package)
    operator.do(CHARGE, "GrantPackageResource", {**package, **TAGS})
    assert policy_of(operator) == NONE
    buyer = shared.user(caller, "QianfanServiceOperateAccessPolicy")
    assert buyer.refused(ACCOUNT, "SetTagPolicy", {"policy": None}) == "AccessDenied"
    assert policy_of(buyer)["required"] == ["team"]
    other = {"accountId": operator.account_id()}
    assert caller.refused(ACCOUNT, "SetTagPolicy", {"policy": None, **other}) == "AccessDenied"
    assert caller.refused(ACCOUNT, "DescribeTagPolicy", other) == "AccessDenied"
    nobody = {"accountId": "0" * 32}
    assert operator.refused(ACCOUNT, "SetTagPolicy", {"policy": None, **nobody}) == "ResourceNotFound"
    assert operator.refused(ACCOUNT, "DescribeTagPolicy", nobody) == "ResourceNotFound"


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"required": ["leasebook:x"]}, "policy.required"),
        ({"required": ["a\u0085b"]}, "policy.required"),
        ({"allowed": {"e\u0301": ["1"], "\xe9": ["2"]}}, "policy.allowed"),
        ({"allowed": {"team": ["x\u2028"]}}, "policy.allowed"),
        ({"allowed": {f"k{number}": ["v" * 250] * 1 + [f"{number}" * 100] for number in range(50)}}, "policy"),
    ],
)
def test_a_policy_that_no_tags_could_meet_or_beyond_its_bounds_is_refused(
    shared: ServiceHarness, policy: Any, field: str
) -> None:
    assert shared.customer().field_refused(ACCOUNT, "SetTagPolicy", {"policy": policy}) == field


def test_a_policy_grows_to_its_bounds_over_several_calls_and_no_further(shared: ServiceHarness) -> None:
    caller = shared.customer()
    ruled(caller, allowed={f"k{number}": ["v"] for number in range(50)})
    assert caller.field_refused(ACCOUNT, "SetTagPolicy", {"policy": {"allowed": {"more": ["v"]}}}) == "policy.allowed"
    assert ruled(caller, allowed={"k0": None, "more": ["v"]})["after"]["allowed"]["more"] == ["v"]


SERVICE_ID: Final = "SERVICE"
MAKING: Final[dict[str, tuple[str, str, Callable[[Caller], Any]]]] = {
    "purchase_units": (UNITS, "PurchaseComputeUnit", lambda _: order()),
    "purchase_replicas": (
        RESOURCES,
        "PurchaseComputeUnit",
        lambda caller: {"serviceId": made_service(caller), "billing": billing_of(), "replicasCount": 1},
    ),
    "purchase_quota": (
        CHARGE,
        "PurchaseTPMResource",
        lambda _: {"model": "ernie-4.0-8k", "purchaseCount": 1, "billing": billing_of()},
    ),
    "create_service": (
        SERVICE,
        "CreateService",
        lambda _: {**new_service(region="bj", replicasCount=1), "billing": billing_of()},
    ),
    "create_model_set": (MODEL, "CreateCustomModelSet", lambda _: {"modelSetName": "talker"}),
    "create_model": (MODEL, "CreateCustomModel", lambda caller: {**made_set(caller), "run": {"command": ["serve"]}}),
    "create_service_key": (SERVICE, "CreateServiceKey", lambda _: {"name": "app"}),
    "create_subscription": (
        NOTIFICATION,
        "CreateSubscription",
        lambda _: {"kind": "Webhook", "url": "https://hooks.example.org/x"},
    ),
    "grant_package": (
        CHARGE,
        "GrantPackageResource",
        lambda _: {"serviceName": "ernie", "specification": 1, "expiredTime": "2090-01-01 00:00:00"},
    ),
}
"""Every operation that buys or makes something that can have tags, with a body without tags."""
NAMED: Final = frozenset({"purchase_units", "purchase_replicas", "purchase_quota", "create_subscription"})
"""Those of them that take a name of the thing, apart from the name that calls use."""
MAKES_NO_SUCH_THING: Final = frozenset(
    {"create_account", "create_user", "create_access_key", "create_auto_renew_rule", "create_project"}
)
"""Accounts, people and projects are no things with costs of their own, and a rule is part of its instance."""


def made_service(caller: Caller) -> str:
    """Create a service with the tags that the policy asks for."""
    return str(caller.do(SERVICE, "CreateService", {**new_service(region="bj"), **TAGS})["serviceId"])


def made_set(caller: Caller) -> Any:
    """Create a model set with the tags that the policy asks for."""
    return caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker", **TAGS})


def test_the_table_has_every_action_that_buys_or_makes_something() -> None:
    makes = {one.operation for one in ACTIONS if one.name.startswith(("Create", "Purchase", "Grant")) and one.writes}
    takes = {one.operation for one in ACTIONS if one.writes and "tags" in one.request.__struct_fields__}
    assert makes - MAKES_NO_SUCH_THING == set(MAKING) == takes - {"tag_resource", "quote_purchase"}
    for one in ACTIONS:
        if one.operation in MAKING and one.operation not in ("create_service", "create_service_key"):
            assert ("name" in one.request.__struct_fields__) == (one.operation in {*NAMED, "grant_package"}), one.name
        if one.operation in MAKING:
            assert "TagPolicyNotMet" in {error.code for error in one.all_errors}, one.name


def shown_tags(answer: Any) -> list[tuple[str, Any]]:
    """Return the ids of what an answer says was made."""
    flat = msgspec.to_builtins(answer)
    found = [flat, flat["instance"]] if "instance" in flat else [flat]
    names = ("instanceId", "packageId", "serviceId", "keyId", "subscriptionId", "modelId", "modelSetId")
    return [(name, one[name]) for one in found for name in names if name in one]


def test_everything_that_is_bought_or_made_takes_tags_and_obeys_the_policy(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    either_shared.sell_quota()
    operator = either_shared.operator
    caller = either_shared.customer("100000")
    whose = {"accountId": caller.account_id()}
    ruled(caller, required=["team"])
    for operation, (path, action, body_of) in MAKING.items():
        asks = operator if operation == "grant_package" else caller
        body = body_of(caller) | (whose if operation == "grant_package" else {})
        before = caller.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
        assert "Missing: team (any value)." in said(asks, path, action, body), operation
        # A refusal changes nothing.
        assert caller.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"] == before, operation
        words = TAGS | ({"name": "called"} if operation in NAMED or operation == "grant_package" else {})
        ids = [one for _, one in shown_tags(asks.do(path, action, {**body, **words}))]
        newest = ids[:1] if operation != "create_model" else [one for one in ids if one.startswith("amv-")]
        wanted = ids if operation == "create_service" else newest
        found = caller.do(TAG, "DescribeTags", {"resourceIds": wanted})["resourceTags"]
        assert [one["tags"] for one in found] == [{"team": "vision"}] * len(wanted), operation
        assert {one.get("name") for one in found} == {words.get("name")}, operation


def test_what_was_made_with_tags_shows_them(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    caller = either_shared.customer("100000")
    tags = {"team": "vision"}
    service = made_service(caller)
    named = {"name": "called", "tags": tags}
    bought = caller.do(
        RESOURCES, "PurchaseComputeUnit", {**MAKING["purchase_replicas"][2](caller), "serviceId": service, **named}
    )
    (shown,) = caller.do(RESOURCES, "DescribeComputeUnits", {"serviceId": service})["instances"]
    assert (shown["name"], shown["tags"]) == ("called", tags)
    one = {"serviceId": service, "instanceId": bought["instanceId"]}
    assert caller.do(RESOURCES, "DescribeComputeUnit", one)["instance"]["tags"] == tags
    caller.do(SERVICE, "CreateServiceKey", {"name": "app", "tags": tags})
    assert [key["tags"] for key in caller.do(SERVICE, "DescribeServiceKeys")["keyList"]] == [tags]
    hook = {"kind": "Webhook", "url": "https://hooks.example.org/x", **named}
    made = caller.do(NOTIFICATION, "CreateSubscription", hook)
    assert (made["name"], made["tags"]) == ("called", tags)
    (listed,) = caller.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"]
    assert (listed["name"], listed["tags"]) == ("called", tags)
    paused = {"subscriptionId": made["subscriptionId"], "status": "Paused"}
    assert caller.do(NOTIFICATION, "ModifySubscription", paused)["tags"] == tags
    models = made_set(caller)
    model = caller.do(MODEL, "CreateCustomModel", {**models, "run": {"command": ["serve"]}, "tags": tags})
    detail = caller.do(MODEL, "DescribeModelSet", models)
    assert (detail["tags"], detail["modelList"][0]["tags"]) == (tags, tags)
    assert caller.do(MODEL, "DescribeCustomModelSets")["modelSetList"][0]["tags"] == tags
    assert caller.do(MODEL, "DescribeModel", {"modelId": model["modelId"]})["tags"] == tags


def test_what_is_for_everybody_has_no_tags(shared: ServiceHarness) -> None:
    operator = shared.operator
    body = {"modelSetName": "talker", "forEverybody": True}
    assert operator.field_refused(MODEL, "CreateCustomModelSet", {**body, **TAGS}) == "tags"
    made = operator.do(MODEL, "CreateCustomModelSet", body)
    version = {**made, "run": {"command": ["serve"]}, **TAGS}
    assert operator.field_refused(MODEL, "CreateCustomModel", version) == "tags"


def test_a_policy_does_not_stop_accounts_from_being_renamed_and_suspended(shared: ServiceHarness) -> None:
    caller = shared.customer()
    ruled(caller, required=["team"])
    whose = {"accountId": caller.account_id()}
    shared.operator.do(IAM, "SuspendAccount", {**whose, "reason": "The invoice of May is not paid."})
    shared.operator.do(IAM, "ResumeAccount", whose)
    assert policy_of(caller)["required"] == ["team"]


def test_instances_that_break_the_policy_are_listed_page_by_page_and_with_other_filters(either: ServiceHarness) -> None:
    either.sell(stock=100)
    caller = either.customer("9000")
    found = [
        {},
        {"team": "vision"},
        {"team": "vision", "stage": "live"},
        {"team": "x", "stage": "live"},
        {"stage": "a"},
    ]
    units = [caller.do(UNITS, "PurchaseComputeUnit", order() | {"tags": tags})["instanceId"] for tags in found * 3]

    def broken(**more: Any) -> list[int]:
        asked = {"breaksTagPolicy": True, **more}
        pages = [*caller.pages(UNITS, "DescribeComputeUnits", {**asked, "maxKeys": 2})]
        ids = [row["instanceId"] for page in pages for row in page["computeUnitInstanceList"]]
        whole = caller.do(UNITS, "DescribeComputeUnits", asked)["computeUnitInstanceList"]
        assert [row["instanceId"] for row in whole] == ids
        return [units.index(one) for one in ids]

    assert broken() == []
    caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": ["team", "stage"], "allowed": {"team": ["vision"]}}})
    assert broken() == [number for number in range(15) if number % 5 != 2]
    assert broken(tags={"team": "vision"}) == [1, 6, 11]
    caller.do(TAG, "TagResource", {"resourceId": units[6], "tags": {"stage": "b"}})
    caller.release(units[1])
    assert broken(tags={"team": None}) == [3, 8, 11, 13]
    assert broken(status="Released") == [1]
    caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": None}})
    assert broken() == [3, 8, 13]
    several = {"breaksTagPolicy": True, "accountId": "*"}
    assert either.operator.field_refused(UNITS, "DescribeComputeUnits", several) == "breaksTagPolicy"
    one = {"breaksTagPolicy": True, "accountId": caller.account_id()}
    shown = either.operator.do(UNITS, "DescribeComputeUnits", one)["computeUnitInstanceList"]
    assert [row["instanceId"] for row in shown] == [units[number] for number in (3, 8, 13)]
