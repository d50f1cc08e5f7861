"""Names are shown beside ids wherever a person reads, and only those of the account's own users."""

from __future__ import annotations

from typing import Any

from leasebook.ports.queries.tags import Names
from tests.api.scene import ACCOUNT, EVENTS, IAM, MODEL, SERVICE, UNITS, Caller, ServiceHarness, order
from tests.api.test_links import RELEASED, REMINDED, links_of, pressed, reminders, shown

TAG = "/v2/tag"


def newest(caller: Caller, kind: str) -> Any:
    """Return the data of the last event of a type."""
    return caller.do(EVENTS, "DescribeEvents", {"types": [kind], "maxKeys": 1})["events"][0]["data"]


def test_orders_postings_events_and_the_audit_log_have_names_beside_ids(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    caller = either_shared.customer()
    root = caller.do(IAM, "DescribeUsers")["users"][0]
    unit = caller.do(UNITS, "PurchaseComputeUnit", {**order(months=1), "name": "training"})["instanceId"]
    plain = caller.buy(months=1)
    for path, action, rows in ((ACCOUNT, "DescribeOrders", "orders"), (ACCOUNT, "DescribePostings", "postings")):
        listed = caller.do(path, action)[rows]
        assert [(one.get("instanceId"), one.get("instanceName")) for one in listed[:2]] == [
            (plain, None),
            (unit, "training"),
        ], action
        over = either_shared.operator.do(path, action, {"accountId": caller.account_id(), "instanceId": unit})[rows]
        assert (over[0]["instanceName"], over[0]["accountName"]) == ("training", "customer")
    bought = caller.do(EVENTS, "DescribeEvents", {"instanceId": unit, "types": ["unit.bought"]})["events"][0]["data"]
    assert (bought["instanceName"], bought["userId"], bought["userName"]) == ("training", root["userId"], root["name"])
    assert "instanceName" not in newest(caller, "unit.running")
    caller.do(TAG, "RenameResource", {"resourceId": unit, "name": "research"})
    assert newest(caller, "resource.tagged")["instanceName"] == "research"
    assert caller.do(ACCOUNT, "DescribeOrders", {"instanceId": unit})["orders"][0]["instanceName"] == "research"
    entry = caller.do(ACCOUNT, "DescribeAuditLog", {"action": "RenameResource"})["entries"][0]
    assert (entry["userId"], entry["userName"]) == (root["userId"], root["name"])


def test_an_operator_who_acts_for_an_account_is_not_named_to_it(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    caller, operator = either_shared.customer(), either_shared.operator
    unit = caller.buy()
    whose = {"accountId": caller.account_id(), "reason": "It is not used."}
    operator.do(UNITS, "ReleaseComputeUnit", {"instanceId": unit, **whose})
    seen = newest(caller, "unit.releasing")
    assert (seen["operatorReason"], "userId" in seen, "userName" in seen) == ("It is not used.", True, False)
    names = Names({"user-1": ("acc-1", "alice")})
    assert (names.person("acc-1", "user-1"), names.person("acc-2", "user-1")) == ("alice", None)
    assert (names.person("acc-1", None), names.thing("acc-1", None)) == (None, None)


def test_explanations_services_keys_and_models_name_people(either_shared: ServiceHarness) -> None:
    either_shared.sell(stock=1000)
    caller = either_shared.customer()
    root = caller.do(IAM, "DescribeUsers")["users"][0]["name"]
    unit = caller.buy(months=1)
    assert caller.refused(UNITS, "ReleaseComputeUnit", {"instanceId": unit}) == "OperationNotSupported"
    told = caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})
    assert (told["attempts"][0]["userName"], told["events"][0]["data"].get("userName")) == (root, None)
    assert f"\n{root} (" in told["text"]
    service = caller.create_service()
    assert caller.service(service)["creatorName"] == root
    assert caller.do(SERVICE, "DescribeServices")["serviceList"][0]["creatorName"] == root
    caller.do(SERVICE, "CreateServiceKey", {"name": "app"})
    assert caller.do(SERVICE, "DescribeServiceKeys")["keyList"][0]["creatorName"] == root
    models = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
    model = caller.do(MODEL, "CreateCustomModel", {**models, "run": {"command": ["serve"]}})["modelId"]
    detail = caller.do(MODEL, "DescribeModelSet", models)
    assert (detail["creatorName"], detail["modelList"][0]["creatorName"]) == (root, root)
    assert caller.do(MODEL, "DescribeModel", {"modelId": model})["creatorName"] == root
    assert caller.do(MODEL, "DescribeCustomModelSets")["modelSetList"][0]["creatorName"] == root


def test_the_usage_of_limits_names_the_users(shared: ServiceHarness) -> None:
    caller = shared.customer()
    root = caller.do(IAM, "DescribeUsers")["users"][0]
    assert (
        caller.do(ACCOUNT, "SetGuardRails", {"limits": {"userUnits": {"*": {"gpu-1": 9}}}})["used"]["userNames"] == {}
    )
    caller.buy()
    named = {root["userId"]: root["name"]}
    assert caller.do(ACCOUNT, "DescribeGuardRails")["used"]["userNames"] == named
    changed = {"limits": {"userUnits": {root["userId"]: {"gpu-1": 3}}}}
    assert caller.do(ACCOUNT, "SetGuardRails", changed)["used"]["userNames"] == named


def test_reminders_and_the_pages_of_their_links_call_an_instance_by_its_name(fresh: ServiceHarness) -> None:
    customer = fresh.customer("10000")
    body = {**order(release=RELEASED), "name": "training <1>"}
    unit = customer.do(UNITS, "PurchaseComputeUnit", body)["instanceId"]
    fresh.advance(REMINDED)
    reminder = reminders(customer)[-1]["data"]
    buyer = customer.do(IAM, "DescribeUsers")["users"][0]
    assert (reminder["instanceName"], reminder["buyerName"]) == ("training <1>", buyer["name"])
    link = links_of(customer)["release"]
    _, sheet = shown(fresh, link)
    called = f"“training <1>” ({unit})"
    assert f"Release {called} now?" in sheet.text
    assert f"{called} ended at" in pressed(fresh, link)[1].text
    assert f"{called} is gone" in shown(fresh, link)[1].text
