"""The instances that end by themselves, the first to end first, and those that a user bought."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.contract.action import PROJECT, TAG
from leasebook.contract.policies import OPERATE, READ
from tests.api.scene import IAM, UNITS, Caller, ServiceHarness


def ids(caller: Caller, **asked: Any) -> list[str]:
    return [one["instanceId"] for one in caller.do(UNITS, "DescribeComputeUnits", asked)["computeUnitInstanceList"]]


@pytest.fixture
def customer(either_shared: ServiceHarness) -> Caller:
    return either_shared.customer()


@pytest.mark.both_stores
def test_coming_ends_are_listed_with_every_filter_and_follow_the_clock_of_the_books(
    either_shared: ServiceHarness, customer: Caller
) -> None:
    late = customer.buy(release="2030-01-17T08:00:00+08:00")
    term = customer.buy(months=1)
    endless = customer.buy()
    soon = customer.buy(release="2030-01-16T08:00:00+08:00")
    buyer = either_shared.user(customer, OPERATE)
    theirs = buyer.buy(release="2030-01-16T20:00:00+08:00")
    assert ids(customer, comingEnds=True) == [soon, theirs, late, term]
    assert ids(customer, comingEnds=False) == [late, term, endless, soon, theirs]
    page = customer.do(UNITS, "DescribeComputeUnits", {"comingEnds": True, "maxKeys": 2})
    assert (page["isTruncated"], "nextMarker" in page, page["pageInfo"]["isTruncated"]) == (True, False, True)
    assert [one["instanceId"] for one in page["computeUnitInstanceList"]] == [soon, theirs]
    assert customer.do(UNITS, "DescribeComputeUnits", {"comingEnds": True, "maxKeys": 4})["isTruncated"] is False
    users = {one["isRoot"]: one["userId"] for one in customer.do(IAM, "DescribeUsers")["users"]}
    assert ids(customer, comingEnds=True, userId=users[False]) == ids(customer, userId=users[False]) == [theirs]
    assert ids(customer, userId=users[True], maxKeys=2) == [late, term]
    # A user of another account has bought nothing in this one.
    stranger = either_shared.customer()
    bought = stranger.buy(release="2030-01-16T08:00:00+08:00")
    elsewhere = stranger.do(IAM, "DescribeUsers")["users"][0]["userId"]
    assert ids(stranger, userId=elsewhere) == [bought]
    assert ids(customer, userId=elsewhere) == ids(customer, userId=elsewhere, comingEnds=True) == []
    assert ids(customer, comingEnds=True, paymentTiming="Prepaid") == [term]
    customer.do(TAG, "TagResource", {"resourceId": late, "tags": {"team": "vision"}})
    assert ids(customer, comingEnds=True, tags={"team": None}) == [late]
    customer.schedule(soon, "2030-01-18T08:00:00+08:00")
    assert ids(customer, comingEnds=True) == [theirs, late, soon, term]
    customer.release(late)
    assert ids(customer, comingEnds=True) == [theirs, soon, term]
    # Operators see them over the border of the account, one account at a time.
    account = customer.account_id()
    assert ids(either_shared.operator, comingEnds=True, accountId=account) == [theirs, soon, term]
    for field, asked in (
        ("accountId", {"accountId": [account, either_shared.operator.account_id()]}),
        ("breaksTagPolicy", {"breaksTagPolicy": True}),
        ("marker", {"marker": soon}),
    ):
        refused = either_shared.operator.field_refused(UNITS, "DescribeComputeUnits", {"comingEnds": True, **asked})
        assert refused == field


def test_coming_ends_of_projects_are_those_that_the_user_may_see(
    either_shared: ServiceHarness, customer: Caller
) -> None:
    project = customer.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    inside, outside = (customer.buy(release=f"2030-01-1{day}T08:00:00+08:00") for day in (8, 6))
    customer.do(PROJECT, "MoveResource", {"resourceId": inside, "projectId": project})
    user = customer.do(IAM, "CreateUser", {"name": "guest"})["userId"]
    customer.do(IAM, "AttachPolicy", {"userId": user, "policyName": READ, "projectIds": [project]})
    guest = either_shared.caller(customer.do(IAM, "CreateAccessKey", {"userId": user}))
    assert ids(guest, comingEnds=True) == [inside]
    assert ids(customer, comingEnds=True) == [outside, inside]
