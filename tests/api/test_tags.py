"""Names and tags: given at a purchase or later, shown with what has them, and what lists are filtered by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    EVENTS,
    IAM,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    billing_of,
    new_service,
    order,
)

TAG = "/v2/tag"
ACCENTED, COMPOSED = "e\u0301quipe", "\xe9quipe"


def bought(caller: Caller, name: str | None = None, **tags: str) -> str:
    """Buy a unit with a name and tags; returns the instance."""
    more: dict[str, Any] = {"tags": tags} if tags else {}
    return str(
        caller.do(UNITS, "PurchaseComputeUnit", {**order(), **more, **({"name": name} if name else {})})["instanceId"]
    )


def found(caller: Caller, **wanted: Any) -> list[str]:
    """List the instances that a filter finds; returns their ids, from pages of two."""
    ids: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = caller.do(UNITS, "DescribeComputeUnits", {**wanted, "maxKeys": 2, **marker})
        ids += [one["instanceId"] for one in page["computeUnitInstanceList"]]
        if not page["isTruncated"]:
            return ids
        marker = {"marker": page["nextMarker"]}


def test_what_was_bought_with_a_name_and_tags_shows_them_everywhere(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    plain, unit = bought(caller), bought(caller, "training", team="vision", project="atlas")
    tags = {"project": "atlas", "team": "vision"}
    shown = caller.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})["computeUnitInstance"]
    assert (shown["name"], shown["tags"]) == ("training", tags)
    listed = caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    assert [(one["instanceId"], one.get("name"), one.get("tags")) for one in listed] == [
        (plain, None, None),
        (unit, "training", tags),
    ]
    assert caller.do(TAG, "DescribeTags", {"resourceIds": [plain, unit]})["resourceTags"] == [
        {"resourceId": unit, "name": "training", "tags": tags}
    ]
    events = caller.do(EVENTS, "DescribeEvents", {"instanceId": unit})["events"]
    told = {one["type"]: one["data"] for one in events}
    assert (told["unit.bought"]["name"], told["unit.bought"]["tags"]) == ("training", tags)
    assert told["resource.tagged"]["before"] == {"name": None, "tags": {}}


def test_tags_change_and_every_change_is_an_event_with_what_was_before(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    unit = bought(caller, team="vision")
    assert caller.do(TAG, "TagResource", {"resourceId": unit, "tags": {"team": "speech", "stage": ""}})["tags"] == {
        "stage": "",
        "team": "speech",
    }
    caller.do(TAG, "UntagResource", {"resourceId": unit, "tagKeys": ["team", "none"]})
    caller.do(TAG, "RenameResource", {"resourceId": unit, "name": "training"})
    assert caller.do(TAG, "RenameResource", {"resourceId": unit}) == {"resourceId": unit, "tags": {"stage": ""}}
    assert caller.do(TAG, "RenameResource", {"resourceId": unit}) == {"resourceId": unit, "tags": {"stage": ""}}
    events = caller.do(EVENTS, "DescribeEvents", {"types": ["resource.tagged"]})["events"]
    assert [(one["data"]["name"], one["data"]["tags"], one["data"]["before"]["tags"]) for one in events[::-1]] == [
        (None, {"team": "vision"}, {}),
        (None, {"stage": "", "team": "speech"}, {"team": "vision"}),
        (None, {"stage": ""}, {"stage": "", "team": "speech"}),
        ("training", {"stage": ""}, {"stage": ""}),
        (None, {"stage": ""}, {"stage": ""}),
    ]
    entry = caller.do(ACCOUNT, "DescribeAuditLog", {"action": "TagResource"})["entries"][0]
    assert entry["code"] == "OK"


def test_lists_are_filtered_by_all_tags_by_a_key_and_by_the_name(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    bought(caller)
    vision = [bought(caller, team="vision", stage=stage) for stage in ("test", "live", "test", "live", "test")]
    speech = bought(caller, "training", team="speech")
    assert found(caller, tags={"team": "vision"}) == vision
    assert found(caller, tags={"team": "vision", "stage": "test"}) == vision[::2]
    assert found(caller, tags={"team": None}) == [*vision, speech]
    assert found(caller, tags={"team": None, "stage": None}, region="bj", type="gpu-1") == vision
    assert found(caller, tags={"team": "vision"}, type="gpu-2") == []
    assert found(caller, name="training") == [speech]
    assert found(caller, name="training", tags={"team": "vision"}) == []
    caller.do(TAG, "TagResource", {"resourceId": vision[0], "tags": {"team": "speech"}})
    assert found(caller, tags={"team": "speech"}) == [vision[0], speech]
    caller.do(UNITS, "ReleaseComputeUnit", {"instanceId": speech})
    assert found(caller, tags={"team": "speech"}) == [vision[0]]
    assert found(caller, tags={"team": "speech"}, status="Released") == [speech]
    assert found(either_shared.customer(), tags={"team": None}) == []
    operator = either_shared.operator
    both = {"accountId": [caller.account_id(), operator.account_id()]}
    assert found(operator, tags={"team": "vision", "stage": None}, **both) == vision[1:]


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"leasebook:name": "x"}, "reserved"),
        ({"a\u0085b": "x"}, "control characters"),
        ({"a": "x\u2028"}, "line breaks"),
        ({ACCENTED: "1", COMPOSED: "2"}, "twice"),
        ({f"k{number}": "" for number in range(51)}, "50"),
        ({"k": "v" * 257}, "256"),
        ({"": "v"}, "length >= 1"),
    ],
)
def test_tags_that_will_not_do_are_refused_at_a_purchase_as_later(
    shared: ServiceHarness, tags: dict[str, str], says: str
) -> None:
    caller = shared.customer()
    unit = bought(caller)
    for path, action, body in (
        (UNITS, "PurchaseComputeUnit", {**order(), "tags": tags}),
        (TAG, "TagResource", {"resourceId": unit, "tags": tags}),
    ):
        answer = caller.ask(path, action, body)
        assert (answer.status, answer.code) == (400, "InappropriateJSON")
        assert says in answer.body["message"]


def test_words_are_kept_in_their_composed_form(shared: ServiceHarness) -> None:
    caller = shared.customer()
    unit = bought(caller, ACCENTED, **{ACCENTED: ACCENTED})
    shown = caller.do(TAG, "DescribeTags", {"resourceIds": [unit]})["resourceTags"][0]
    assert (shown["name"], shown["tags"]) == (COMPOSED, {COMPOSED: COMPOSED})
    assert found(caller, tags={COMPOSED: ACCENTED}, name=ACCENTED) == [unit]


def test_no_more_tags_are_had_than_fifty(shared: ServiceHarness) -> None:
    caller = shared.customer()
    unit = bought(caller, **{f"k{number}": "" for number in range(50)})
    answer = caller.ask(TAG, "TagResource", {"resourceId": unit, "tags": {"more": ""}})
    assert (answer.code, "51 tags" in answer.body["message"]) == ("InappropriateJSON", True)


def test_a_service_keeps_its_name_and_has_tags(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    service = caller.create_service()
    assert caller.refused(TAG, "RenameResource", {"resourceId": service, "name": "other"}) == "OperationNotSupported"
    assert caller.do(TAG, "TagResource", {"resourceId": service, "tags": {"team": "vision"}})["tags"] == {
        "team": "vision"
    }


def test_quota_packages_and_services_have_tags_and_lists_by_them(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    either_shared.sell_quota()
    wanted: dict[str, Any]
    words: dict[str, Any] = {"name": "talk", "tags": {"team": "speech"}}
    quota = {"model": "ernie-4.0-8k", "purchaseCount": 1, "billing": billing_of(), **words}
    tagged = caller.do(CHARGE, "PurchaseTPMResource", quota)["instanceId"]
    other = caller.buy_quota()
    for wanted, ids in ((words, [tagged]), ({"tags": {"team": None}}, [tagged]), ({}, [tagged, other])):
        listed = caller.do(CHARGE, "DescribeTPMResource", {"model": "ernie-4.0-8k", **wanted})["instances"]
        assert [one["instanceId"] for one in listed] == ids
    assert (listed[0]["name"], listed[0]["tags"]) == ("talk", {"team": "speech"})
    package, plain = either_shared.grant(caller, **words), either_shared.grant(caller)
    for wanted, ids in ((words, [package]), ({"name": "other"}, []), ({}, [package, plain])):
        listed = caller.do(CHARGE, "DescribePackageResources", wanted)["instances"]
        assert [one["packageId"] for one in listed] == ids
    shown = caller.do(CHARGE, "DescribePackageResource", {"packageId": package})["instance"]
    assert (shown["name"], shown["tags"]) == ("talk", {"team": "speech"})
    body = {**new_service(region="bj", replicasCount=1), "billing": billing_of(), "tags": {"team": "speech"}}
    made = caller.do(SERVICE, "CreateService", body)
    caller.create_service()
    listed = caller.do(SERVICE, "DescribeServices", {"tags": {"team": "speech"}})["serviceList"]
    assert [(one["serviceId"], one["tags"]) for one in listed] == [(made["serviceId"], {"team": "speech"})]
    assert caller.do(SERVICE, "DescribeService", {"serviceId": made["serviceId"]})["tags"] == {"team": "speech"}
    assert caller.unit(made["instanceId"])["tags"] == {"team": "speech"}


def test_statements_and_explanations_have_the_words_beside_the_ids(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    either_shared.sell(stock=100)
    body = {**order(months=1), "name": "training", "tags": {"team": "vision"}}
    unit = caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"]
    text = caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    buyer = caller.do(IAM, "DescribeUsers")["users"][0]
    assert text.startswith(f"\u201ctraining\u201d ({unit}) is Running: 1 unit of gpu-1 in bj, bought by ")
    assert f"bought by {buyer['name']} ({buyer['userId']}) on" in text
    month = str(caller.unit(unit)["startTime"])[:7]
    (line,) = caller.do(ACCOUNT, "DescribeStatement", {"month": month})["instances"]
    assert (line["instanceId"], line["name"], line["tags"]) == (unit, "training", {"team": "vision"})
