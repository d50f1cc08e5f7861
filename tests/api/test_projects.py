"""Projects below an account: what belongs to one, lists of it, and the bill that follows a move."""

from __future__ import annotations

from typing import Any

from tests.actions.record import READ
from tests.api.scene import ACCOUNT, CHARGE, EVENTS, SERVICE, UNITS, Caller, ServiceHarness, new_service, order
from tests.api.test_project_policies import user_for
from tests.harness import Answer

PROJECT = "/v2/project"


def customer_of(scene: ServiceHarness) -> Caller:
    """Open an account where there is enough for all tests."""
    scene.sell(stock=1000)
    return scene.customer()


def answered(caller: Caller, path: str, action: str, body: Any) -> Answer:
    """Call an action that does not succeed."""
    answer = caller.ask(path, action, body)
    assert answer.status != 200
    return answer


def project(caller: Caller, name: str = "atlas") -> str:
    """Make a project; returns its id."""
    return str(caller.do(PROJECT, "CreateProject", {"name": name})["projectId"])


def bought(caller: Caller, project_id: str | None = None, **more: Any) -> str:
    """Buy a unit in a project; returns the instance."""
    given = {} if project_id is None else {"projectId": project_id}
    return str(caller.do(UNITS, "PurchaseComputeUnit", {**order(**more), **given})["instanceId"])


def listed(caller: Caller, **wanted: Any) -> list[str]:
    """List instances, in pages of two; returns their ids."""
    ids: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = caller.do(UNITS, "DescribeComputeUnits", {**wanted, "maxKeys": 2, **marker})
        ids += [one["instanceId"] for one in page["computeUnitInstanceList"]]
        if not page["isTruncated"]:
            return ids
        marker = {"marker": page["nextMarker"]}


def moved(caller: Caller, thing: str, project_id: str) -> None:
    """Put something into a project."""
    answer = caller.do(PROJECT, "MoveResource", {"resourceId": thing, "projectId": project_id})
    assert answer == {"resourceId": thing, "projectId": project_id}


def charges(caller: Caller) -> list[tuple[str, str | None, int]]:
    """Return the metered charges of the account, oldest first: instance, project and minutes."""
    found = caller.do(ACCOUNT, "DescribePostings", {"kind": "Usage", "maxKeys": 100})["postings"]
    return [(one["instanceId"], one.get("projectId"), one["minutes"]) for one in found[::-1]]


def test_a_project_is_made_changed_and_closed_and_the_default_one_always_is_there(
    either_shared: ServiceHarness,
) -> None:
    caller = customer_of(either_shared)
    default = {"projectId": "default", "name": "default", "description": "", "status": "Active"}
    assert caller.do(PROJECT, "DescribeProjects")["projects"] == [default]
    made = caller.do(PROJECT, "CreateProject", {"name": "atlas", "description": "The maps."})
    assert (made["name"], made["description"], made["status"]) == ("atlas", "The maps.", "Active")
    one = {"projectId": made["projectId"]}
    for name in ("atlas", "default"):
        refused = answered(caller, PROJECT, "CreateProject", {"name": name})
        assert (refused.code, name in refused.body["message"]) == ("InappropriateJSON", True)
    project(caller, "other")
    refused = answered(caller, PROJECT, "ModifyProject", {**one, "name": "other"})
    assert refused.code == "InappropriateJSON"
    changed = caller.do(PROJECT, "ModifyProject", {**one, "name": "maps"})
    assert changed == {**made, "name": "maps"}
    for action in ("ModifyProject", "CloseProject"):
        assert answered(caller, PROJECT, action, {"projectId": "default"}).code == "OperationNotSupported"
    closed = caller.do(PROJECT, "CloseProject", one)
    assert (closed["status"], "closedTime" in closed) == ("Closed", True)
    for action in ("ModifyProject", "CloseProject"):
        assert answered(caller, PROJECT, action, one).code == "InvalidState"
    refused = answered(caller, UNITS, "PurchaseComputeUnit", {**order(), **one})
    assert refused.code == "InvalidState"
    assert project(caller, "maps") != made["projectId"]
    active = caller.do(PROJECT, "DescribeProjects", {"status": "Active"})["projects"]
    assert active[0]["projectId"] == "default"
    assert {row["name"] for row in active} == {"default", "maps", "other"}
    found = caller.do(PROJECT, "DescribeProjects", {"name": "maps", "status": "Closed"})["projects"]
    assert [row["projectId"] for row in found] == [made["projectId"]]


def test_what_is_bought_and_made_in_a_project_shows_it_and_is_listed_by_it(either_shared: ServiceHarness) -> None:
    scene = either_shared
    caller = customer_of(scene)
    scene.sell_quota()
    atlas = project(caller)
    inside = [bought(caller, atlas) for _ in range(3)]
    outside = [bought(caller), bought(caller, "default")]
    assert listed(caller, projectId=atlas) == inside
    assert listed(caller, projectId="default") == outside
    assert listed(caller, projectId=atlas, region="bj", type="gpu-1", paymentTiming="Postpaid") == inside
    assert listed(caller, projectId=atlas, paymentTiming="Prepaid") == []
    caller.do("/v2/tag", "TagResource", {"resourceId": inside[1], "tags": {"team": "vision"}})
    caller.do("/v2/tag", "TagResource", {"resourceId": outside[0], "tags": {"team": "vision"}})
    assert listed(caller, projectId=atlas, tags={"team": "vision"}) == [inside[1]]
    assert listed(caller, projectId="default", tags={"team": "vision"}) == [outside[0]]
    both = {"accountId": [caller.account_id(), scene.operator.account_id()]}
    assert listed(scene.operator, projectId=atlas, **both) == inside
    caller.release(inside[0])
    assert listed(caller, projectId=atlas) == inside[1:]
    assert listed(caller, projectId=atlas, status="Released") == [inside[0]]
    shown = caller.do(UNITS, "DescribeComputeUnit", {"instanceId": inside[1]})["computeUnitInstance"]
    assert shown["projectId"] == atlas
    assert "projectId" not in caller.do(UNITS, "DescribeComputeUnit", {"instanceId": outside[0]})["computeUnitInstance"]
    quota = {"model": "ernie-4.0-8k", "purchaseCount": 1, "billing": {"paymentTiming": "Postpaid"}}
    kept = caller.do(CHARGE, "PurchaseTPMResource", {**quota, "projectId": atlas})["instanceId"]
    plain = caller.do(CHARGE, "PurchaseTPMResource", quota)["instanceId"]
    for wanted, ids in ((atlas, [kept]), ("default", [plain])):
        asked = {"model": "ernie-4.0-8k", "projectId": wanted}
        assert [one["instanceId"] for one in caller.do(CHARGE, "DescribeTPMResource", asked)["instances"]] == ids
    service = caller.do(SERVICE, "CreateService", {**new_service(), "projectId": atlas})["serviceId"]
    caller.do(SERVICE, "CreateService", new_service())
    assert [
        (one["serviceId"], one["projectId"])
        for one in caller.do(SERVICE, "DescribeServices", {"projectId": atlas})["serviceList"]
    ] == [(service, atlas)]
    event = caller.do(EVENTS, "DescribeEvents", {"instanceId": inside[0], "types": ["unit.bought"]})["events"][0]
    assert event["data"]["projectId"] == atlas


def test_a_service_runs_on_instances_of_its_own_project_and_what_it_buys_is_there(
    either_shared: ServiceHarness,
) -> None:
    caller = customer_of(either_shared)
    atlas = project(caller)
    service = caller.do(SERVICE, "CreateService", {**new_service(), "projectId": atlas})["serviceId"]
    unit = caller.buy_replicas(service, 1)
    assert listed(caller, projectId=atlas) == [unit]
    mine, other = bought(caller, atlas, count=2), bought(caller, count=2)
    placed = {"serviceId": service, "deploymentReplicasCount": 1}
    caller.do(SERVICE, "ScaleService", {**placed, "instanceId": mine})
    refused = answered(caller, SERVICE, "ScaleService", {**placed, "instanceId": other})
    assert (refused.code, atlas in refused.body["message"], "MoveResource" in refused.body["message"]) == (
        "InvalidState",
        True,
        True,
    )
    places = {"deploymentComputeUnitList": [{"instanceId": other, "deploymentReplicasCount": 1}]}
    deployed = {**new_service(), "deploymentConfig": places}
    assert answered(caller, SERVICE, "CreateService", {**deployed, "projectId": atlas}).code == "InvalidState"
    caller.do(SERVICE, "CreateService", deployed)
    for thing in (service, mine):
        refused = answered(caller, PROJECT, "MoveResource", {"resourceId": thing, "projectId": "default"})
        assert (refused.code, "ScaleService" in refused.body["message"]) == ("InvalidState", True)
    caller.do(SERVICE, "ScaleService", {**placed, "instanceId": mine, "deploymentReplicasCount": 0})
    moved(caller, mine, "default")


def test_a_project_with_something_alive_is_not_closed(either_shared: ServiceHarness) -> None:
    scene = either_shared
    caller = customer_of(scene)
    one = {"projectId": project(caller)}
    unit = bought(caller, one["projectId"])
    service = caller.do(SERVICE, "CreateService", {**new_service(), **one})["serviceId"]
    grant = {"serviceName": "ernie", "specification": 10, "expiredTime": "2031-01-01 00:00:00"}
    package = scene.operator.do(CHARGE, "GrantPackageResource", {**grant, **one, "accountId": caller.account_id()})[
        "instance"
    ]["packageId"]
    refused = answered(caller, PROJECT, "CloseProject", one)
    assert refused.code == "InvalidState"
    assert "1 live instances and quota, 1 services, 1 packages with a rest" in refused.body["message"]
    caller.release(unit)
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    assert answered(caller, PROJECT, "CloseProject", one).code == "InvalidState"
    moved(caller, package, "default")
    caller.do(PROJECT, "CloseProject", one)
    assert answered(caller, PROJECT, "MoveResource", {"resourceId": package, **one}).code == "InvalidState"


def test_the_bill_of_an_instance_follows_a_move_from_that_minute(either: ServiceHarness) -> None:
    caller = either.customer("9000")
    atlas, other = project(caller), project(caller, "other")
    unit, prepaid = bought(caller), bought(caller, atlas, months=1)
    either.advance("2030-01-15T08:10:30+08:00")
    moved(caller, unit, atlas)
    either.advance("2030-01-15T09:30:30+08:00")
    moved(caller, unit, other)
    moved(caller, unit, other)
    moved(caller, prepaid, other)
    either.advance("2030-01-15T10:00:00+08:00")
    found = [(place, minutes) for one, place, minutes in charges(caller) if one == unit]
    assert found == [(None, 11), (atlas, 49), (atlas, 31), (other, 29)]
    events = caller.do(EVENTS, "DescribeEvents", {"types": ["resource.moved"], "instanceId": unit})["events"]
    assert [(one["data"]["formerProjectId"], one["data"]["projectId"]) for one in events[::-1]] == [
        ("default", atlas),
        (atlas, other),
    ]
    lines = {
        one["instanceId"]: one["lines"]
        for one in caller.do(ACCOUNT, "DescribeStatement", {"month": "2030-01"})["instances"]
    }
    assert [(line.get("projectId"), line["minutes"]) for line in lines[unit]] == [(None, 11), (atlas, 80), (other, 29)]
    assert [line["projectId"] for line in lines[prepaid]] == [atlas]
    entry = caller.do(ACCOUNT, "DescribeAuditLog", {"action": "MoveResource"})["entries"][0]
    assert entry["code"] == "OK"


def test_what_has_ended_or_is_nothing_of_a_project_does_not_move(either_shared: ServiceHarness) -> None:
    caller = customer_of(either_shared)
    one = {"projectId": project(caller)}
    unit = bought(caller)
    caller.release(unit)
    assert answered(caller, PROJECT, "MoveResource", {"resourceId": unit, **one}).code == "InvalidState"
    key = caller.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"]
    service = caller.create_service()
    moved(caller, service, one["projectId"])
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    for thing in (key, service, "unit-00000000", "nothing"):
        assert answered(caller, PROJECT, "MoveResource", {"resourceId": thing, **one}).code == "ResourceNotFound"


def test_units_are_counted_by_project_and_type_as_the_lists_have_them(either: ServiceHarness) -> None:
    either.sell(stock=1000)
    either.sell(unit_type="gpu-2", stock=10)
    either.sell_quota()
    caller = either.customer("9000")
    atlas, other = project(caller), project(caller, "other")
    assert caller.do(UNITS, "DescribeComputeUnitCounts") == {"counts": []}
    units = [bought(caller, atlas, count=number) for number in (1, 2)]
    units += [bought(caller, count=3), bought(caller, months=1), bought(caller, type="gpu-2"), bought(caller, other)]
    caller.buy_quota()
    caller.buy_replicas(caller.create_service("GPU-1-2"), 2)
    caller.release(units[-1])
    moved(caller, units[0], other)
    counts = caller.do(UNITS, "DescribeComputeUnitCounts")["counts"]
    shown = caller.do(UNITS, "DescribeComputeUnits", {"maxKeys": 100})["computeUnitInstanceList"]
    expected: dict[tuple[str, str], list[int]] = {}
    for one in shown:
        sums = expected.setdefault((one.get("projectId", "default"), one["type"]), [0, 0, 0])
        for place, number in enumerate((1, one["totalComputeUnits"], one["usedComputeUnits"])):
            sums[place] += number
    names = ("instances", "computeUnits", "usedComputeUnits")
    assert {(one["projectId"], one["type"]): [one[name] for name in names] for one in counts} == expected
    assert expected["default", "gpu-1"] == [3, 8, 4]
    # A user with a policy for a project counts the units of that project.
    reader = user_for(either, caller, [other], READ)
    counts = reader.do(UNITS, "DescribeComputeUnitCounts")["counts"]
    assert [(one["projectId"], one["computeUnits"]) for one in counts] == [(other, 1)]
