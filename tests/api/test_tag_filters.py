"""Lists of models, service keys, subscriptions and instances of a service are filtered by tags, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import MODEL, NOTIFICATION, RESOURCES, SERVICE, ServiceHarness, new_service, order

VISION, SPEECH = {"team": "vision", "stage": "live"}, {"team": "speech"}


def tags_of(number: int) -> Any:
    """Of three things one has no tags, one the tags of a team, and one those of another."""
    return ({}, {"tags": VISION}, {"tags": SPEECH})[number % 3]


@pytest.mark.both_stores
def test_every_list_of_things_with_tags_is_filtered_by_them_at_any_depth(either: ServiceHarness) -> None:
    caller = either.customer("90000")
    service = caller.do(SERVICE, "CreateService", new_service())["serviceId"]
    other = caller.do(SERVICE, "CreateService", new_service(serviceName="other"))["serviceId"]
    made: dict[str, list[str]] = {"key": [], "set": [], "version": [], "hook": [], "unit": []}
    for number in range(9):
        tags = tags_of(number)
        given = {"name": f"key {number}", "serviceId": service, **tags}
        made["key"].append(caller.do(SERVICE, "CreateServiceKey", given)["keyId"])
        model = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": f"set {number}", **tags})["modelSetId"]
        made["set"].append(model)
        version = {"modelSetId": made["set"][0], "sourceType": "Import", **tags}
        made["version"].append(caller.do(MODEL, "CreateCustomModel", version)["modelId"])
        hook = {"kind": "Webhook", "url": f"https://receiver.invalid/{number}", "name": f"hook {number}", **tags}
        made["hook"].append(caller.do(NOTIFICATION, "CreateSubscription", hook)["subscriptionId"])
        billing = {"billing": order()["billing"], "replicasCount": 1, "serviceId": service if number < 8 else other}
        made["unit"].append(caller.do(RESOURCES, "PurchaseComputeUnit", {**billing, **tags})["instanceId"])
    lists: tuple[tuple[str, str, str, Any, str, str], ...] = (
        ("key", SERVICE, "DescribeServiceKeys", {"serviceId": service}, "keyList", "keyId"),
        ("set", MODEL, "DescribeCustomModelSets", {}, "customModelSetList", "modelSetId"),
        ("set", MODEL, "DescribeModelSets", {}, "modelSetList", "modelSetId"),
        ("version", MODEL, "DescribeModelSet", {"modelSetId": made["set"][0]}, "modelList", "modelId"),
        ("hook", NOTIFICATION, "DescribeSubscriptions", {}, "subscriptions", "subscriptionId"),
        ("unit", RESOURCES, "DescribeComputeUnits", {"serviceId": service}, "instances", "instanceId"),
    )
    for kind, path, action, more, field, name in lists:
        ids = made[kind][:8] if kind == "unit" else made[kind]
        numbers = {one: number for number, one in enumerate(ids)}
        if kind == "hook":
            # They were made at one moment, and are listed in the order of their ids then.
            ids = sorted(ids)
        for wanted, place in (({"team": "vision"}, 1), (VISION, 1), ({"team": "speech", "stage": None}, None)):
            asked = {**more, "tags": wanted}
            expected = [one for one in ids if numbers[one] % 3 == place]
            assert [row[name] for row in caller.do(path, action, asked)[field]] == expected, (action, wanted)
            pages = caller.pages(path, action, {**asked, "maxKeys": 1})
            assert [row[name] for page in pages for row in page[field]] == expected, (action, wanted)
        with_key = [
            row[name] for row in caller.do(path, action, {**more, "tags": {"team": None}, "maxKeys": 100})[field]
        ]
        assert with_key == [one for one in ids if numbers[one] % 3], action
    named = caller.do(NOTIFICATION, "DescribeSubscriptions", {"name": "hook 4"})["subscriptions"]
    assert [row["subscriptionId"] for row in named] == [made["hook"][4]]
    assert caller.do(MODEL, "DescribeSystemModelSets", {"tags": {"team": None}})["systemModelSetList"] == []
