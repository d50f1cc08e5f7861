"""Limits, budgets and release rules of projects: they hold beside those of the account, and the message names whose."""

from __future__ import annotations

from typing import Any

from tests.api.scene import ACCOUNT, EVENTS, UNITS, Caller, ServiceHarness, order
from tests.api.test_projects import PROJECT, answered, bought, customer_of, moved, project


def limited(caller: Caller, **limits: Any) -> Any:
    """Change limits; returns those after it."""
    return caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})["after"]


def used(caller: Caller) -> Any:
    """Return the units and charges of projects."""
    return caller.do(ACCOUNT, "DescribeGuardRails")["used"]["projects"]


def refusal(caller: Caller, project_id: str | None = None, **more: Any) -> str:
    """Buy what a limit refuses; returns the message."""
    given = {} if project_id is None else {"projectId": project_id}
    answer = answered(caller, UNITS, "PurchaseComputeUnit", {**order(**more), **given})
    assert answer.code == "QuotaExceeded"
    return str(answer.body["message"])


def test_a_project_holds_no_more_units_than_its_limit_and_neither_does_the_default_one(
    either_shared: ServiceHarness,
) -> None:
    caller = customer_of(either_shared)
    atlas, other = project(caller), project(caller, "other")
    first = bought(caller, atlas)
    # The first limits count the units that are there already.
    limited(caller, projects={atlas: {"units": {"gpu-1": 2}}, "default": {"units": {"gpu-1": 1}}})
    second = bought(caller, atlas)
    assert f"The limit units of the project {atlas} is 2 of gpu-1; the project holds 2" in refusal(caller, atlas)
    bought(caller)
    assert "The limit units of the project default is 1" in refusal(caller)
    bought(caller, other, count=3)
    assert used(caller) == {
        "default": {"units": {"gpu-1": 1}, "spend": "0.00"},
        atlas: {"units": {"gpu-1": 2}, "spend": "0.00"},
        other: {"units": {"gpu-1": 3}, "spend": "0.00"},
    }
    refused = answered(caller, UNITS, "ResizeComputeUnit", {"instanceId": first, "count": 2})
    assert refused.code == "QuotaExceeded"
    caller.release(first)
    bought(caller, atlas)
    refused = answered(caller, PROJECT, "MoveResource", {"resourceId": second, "projectId": "default"})
    assert (refused.code, "units of the project default" in refused.body["message"]) == ("QuotaExceeded", True)
    moved(caller, second, other)
    assert used(caller)[atlas]["units"] == {"gpu-1": 1}
    assert used(caller)[other]["units"] == {"gpu-1": 4}
    # The account's own limits hold as well.
    limited(caller, units={"gpu-1": 6})
    assert "The limit units is 6" in refusal(caller, atlas)


def test_a_project_spends_no_more_than_its_limit_and_its_budget_warns(either: ServiceHarness) -> None:
    caller = either.customer("9000")
    atlas = project(caller)
    budget = {"budget": "60", "budgetWarnPercent": [50], "budgetRefusePercent": 100}
    limited(caller, projects={atlas: {"spend": "150", **budget}})
    unit = bought(caller, atlas)
    other = bought(caller)
    either.advance("2030-01-15T09:00:00+08:00")
    events = caller.do(EVENTS, "DescribeEvents", {"types": ["account.budgetCrossed"]})["events"]
    assert [one["data"] for one in events] == [
        {"percent": 50, "month": "2030-01", "spent": "30.00", "budget": "60.00", "projectId": atlas}
    ]
    assert f"The limit budget of the project {atlas} is 60.00 CNY in 2030-01" in refusal(caller, atlas, count=2)
    limited(caller, projects={atlas: {"budget": None}})
    assert f"The limit spend of the project {atlas} is 150.00 CNY" in refusal(caller, atlas, months=2)
    bought(caller, months=2)
    moved(caller, other, atlas)
    either.advance("2030-01-15T10:00:00+08:00")
    caller.release(unit)
    assert used(caller) == {
        "default": {"units": {"gpu-1": 1}, "spend": "230.00"},
        atlas: {"units": {"gpu-1": 1}, "spend": "90.00"},
    }


def test_release_rules_of_a_project_hold_for_its_instances_alone(either_shared: ServiceHarness) -> None:
    caller = customer_of(either_shared)
    atlas = project(caller)
    limited(
        caller,
        projects={atlas: {"endRequired": True, "releaseMaxSeconds": 7200, "releaseDefaultSeconds": 3600}},
        releaseDefaultSeconds=600,
    )

    def release_of(unit: str) -> str:
        return str(caller.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})["computeUnitInstance"]["releaseTime"])

    assert release_of(bought(caller, atlas))[11:16] > release_of(bought(caller))[11:16]
    unit = bought(caller, atlas)
    for body in ({"instanceId": unit}, {"instanceId": unit, "releaseTime": "2030-06-01 08:00:00"}):
        refused = answered(caller, UNITS, "AutoReleaseComputeUnit", body)
        assert (refused.code, f"of the project {atlas}" in refused.body["message"]) == ("QuotaExceeded", True)
    outside = bought(caller, release="2030-06-01 08:00:00")
    refused = answered(caller, PROJECT, "MoveResource", {"resourceId": outside, "projectId": atlas})
    assert (refused.code, "releaseMaxSeconds of the project" in refused.body["message"]) == ("QuotaExceeded", True)
    caller.do(UNITS, "AutoReleaseComputeUnit", {"instanceId": outside})
    refused = answered(caller, PROJECT, "MoveResource", {"resourceId": outside, "projectId": atlas})
    assert (refused.code, "endRequired of the project" in refused.body["message"]) == ("QuotaExceeded", True)


def test_a_change_of_a_projects_limits_leaves_the_others(either_shared: ServiceHarness) -> None:
    caller = customer_of(either_shared)
    atlas = project(caller)
    limited(
        caller, spend="10.00", projects={atlas: {"units": {"gpu-1": 2}, "spend": "5.00"}, "default": {"spend": "1"}}
    )
    after = limited(caller, projects={atlas: {"units": {"gpu-2": 1}, "spend": None}})
    assert after == {
        "spend": "10.00",
        "projects": {"default": {"spend": "1.00"}, atlas: {"units": {"gpu-1": 2, "gpu-2": 1}}},
    }
    assert limited(caller, projects={"default": None})["projects"] == {atlas: {"units": {"gpu-1": 2, "gpu-2": 1}}}
    for wrong, code in (
        ({"prj-000000000000": {"spend": "1"}}, "ResourceNotFound"),
        ({atlas: {"budgetWarnPercent": [50]}}, "InappropriateJSON"),
    ):
        answer = answered(caller, ACCOUNT, "SetGuardRails", {"limits": {"projects": wrong}})
        assert answer.code == code
    assert limited(caller, projects=None) == {"spend": "10.00"}
