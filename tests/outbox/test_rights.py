"""Who may say where an account's events go, and how many subscriptions there may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leasebook.contract.policies import FULL, READ
from leasebook.store.opening import Target
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, PATH, a_receiver, buy, deliveries, release, settled, subscribe, until
from tests.outbox.scenes import served

IAM = "/v2/iam"


async def somebody(desk: Client, policy: str) -> Client:
    """A user of the account with one policy."""
    user = {"userId": (await desk.call(IAM, "CreateUser", {"name": "somebody"})).result["userId"]}
    await desk.call(IAM, "AttachPolicy", {**user, "policyName": policy})
    key = (await desk.call(IAM, "CreateAccessKey", user)).result
    return desk.as_user(key["accessKeyId"], key["secretAccessKey"])


def calls(hook: str, event: str) -> dict[str, dict[str, Any]]:
    one = {"subscriptionId": hook}
    return {
        "ModifySubscription": {**one, "status": "Paused", "rotateSecret": True},
        "RedeliverEvent": {**one, "eventId": event},
        "RedeliverGivenUp": one,
        "TestSubscription": one,
        "DeleteSubscription": one,
    }


async def test_managers_set_subscriptions_and_readers_see_deliveries_but_no_urls(tmp_path: Path) -> None:
    async with a_receiver() as receiver, a_service(tmp_path, demo=True, environment=LOCAL) as desk:
        reader, manager = await somebody(desk, READ), await somebody(desk, FULL)
        hook = (await subscribe(manager, receiver.url))["subscriptionId"]
        await buy(desk)
        done = await settled(reader, 2)
        body = {"kind": "Webhook", "url": receiver.url}
        for action, asked in (calls(hook, done[0]["eventId"]) | {"CreateSubscription": body}).items():
            assert (await reader.call(PATH, action, asked)).code == "AccessDenied"
        assert (await reader.call(PATH, "DescribeSubscriptions")).code == "AccessDenied"
        assert receiver.url not in str(done)


@pytest.mark.parametrize("action", calls("", ""))
async def test_another_accounts_subscription_and_events_are_as_if_they_did_not_exist(
    tmp_path: Path, action: str
) -> None:
    async with a_receiver() as receiver, a_service(tmp_path, demo=True, environment=LOCAL) as desk:
        hook = (await subscribe(desk, receiver.url))["subscriptionId"]
        unit = await buy(desk)
        done = await settled(desk, 2)
        made = (await desk.call(IAM, "CreateAccount", {"name": "other"})).result
        other = desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        answer = await other.call(PATH, action, calls(hook, done[0]["eventId"])[action])
        nowhere = await other.call(PATH, action, calls("sub-nowhere", done[0]["eventId"])[action])
        assert (answer.status, answer.code) == (404, "ResourceNotFound")
        assert answer.body["message"] == nowhere.body["message"].replace("sub-nowhere", hook)
        assert (await other.call(PATH, "DescribeDeliveries", {"subscriptionId": hook})).result["deliveries"] == []
        body = {"kind": "Webhook", "url": receiver.url, "instanceId": unit}
        assert (await other.call(PATH, "CreateSubscription", body)).code == "InstanceNotFound"
        (mine,) = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        assert mine["status"] == "Active"


async def test_an_account_has_so_many_subscriptions_and_no_more(tmp_path: Path) -> None:
    async with a_service(tmp_path, environment=LOCAL) as desk:
        body = {"kind": "Webhook", "url": "https://example.org/"}
        hooks = [(await desk.call(PATH, "CreateSubscription", body)).result for _ in range(50)]
        assert (await desk.call(PATH, "CreateSubscription", body)).code == "QuotaExceeded"
        await desk.call(PATH, "DeleteSubscription", {"subscriptionId": hooks[0]["subscriptionId"]})
        _ = (await desk.call(PATH, "CreateSubscription", body)).result


async def _manager_of(desk: Client, project: str) -> tuple[str, Client]:
    """A user whose policy is for one project."""
    user = (await desk.call(IAM, "CreateUser", {"name": "lead"})).result["userId"]
    held = {"userId": user, "policyName": FULL, "projectIds": [project]}
    assert (await desk.call(IAM, "AttachPolicy", held)).result
    key = (await desk.call(IAM, "CreateAccessKey", {"userId": user})).result
    return user, desk.as_user(key["accessKeyId"], key["secretAccessKey"])


async def _buy_in(desk: Client, project: str) -> str:
    body = {
        "billing": {"paymentTiming": "Postpaid"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
        "projectId": project,
    }
    return str((await desk.call("/v2/computeunit", "PurchaseComputeUnit", body)).result["instanceId"])


async def _project(desk: Client, name: str) -> str:
    return str((await desk.call("/v2/project", "CreateProject", {"name": name})).result["projectId"])


async def test_a_manager_of_a_project_subscribes_to_it_and_to_nothing_else(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        own, other = await _project(desk, "atlas"), await _project(desk, "zeppelin")
        _, lead = await _manager_of(desk, own)
        asked = {"kind": "Webhook", "url": receiver.url}
        for more in ({}, {"projectIds": [other]}, {"projectIds": [own, other]}, {"projectIds": ["default"]}):
            refused = await lead.call(PATH, "CreateSubscription", asked | more)
            assert refused.code == "InappropriateJSON", more
            assert other not in refused.body["message"]
        whole = (await subscribe(desk, receiver.url, types=["iam.*"]))["subscriptionId"]
        made = (await lead.call(PATH, "CreateSubscription", asked | {"projectIds": [own], "name": "atlas"})).result
        hook = {"subscriptionId": made["subscriptionId"]}
        assert (made["projectIds"], made["secret"][:6]) == ([own], "whsec_")
        shown = (await lead.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        assert [(one["subscriptionId"], one["name"]) for one in shown] == [(made["subscriptionId"], "atlas")]
        every = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        assert {one["subscriptionId"] for one in every} == {whole, made["subscriptionId"]}
        for action in ("ModifySubscription", "TestSubscription", "DeleteSubscription"):
            of_account = await lead.call(PATH, action, {"subscriptionId": whole})
            nowhere = await lead.call(PATH, action, {"subscriptionId": "sub-nowhere"})
            assert (of_account.code, nowhere.code) == ("ResourceNotFound", "ResourceNotFound")
        hidden, seen = await _buy_in(desk, other), await _buy_in(desk, own)
        assert (await lead.call(PATH, "TestSubscription", hook)).result
        await settled(desk, 3)
        # Events after the move belong to the other project; the event of the move itself names only the own project.
        await desk.call("/v2/project", "MoveResource", {"resourceId": seen, "projectId": other})
        await release(desk, seen)
        await desk.call("/v2/project", "MoveResource", {"resourceId": hidden, "projectId": own})
        await release(desk, hidden)
        await settled(desk, 7)
        sent = [(got.event["subject"], got.event["type"]) for got in receiver.got if "test" not in got.event["type"]]
        assert sorted(sent) == sorted(
            [
                *((seen, kind) for kind in ("unit.bought", "unit.running", "resource.moved")),
                *((hidden, kind) for kind in ("resource.moved", "unit.releasing", "unit.released")),
            ]
        )
        assert other not in str([got.event["data"] for got in receiver.got])
        assert await deliveries(desk, state="Waiting") == []
        # By hand an event of another project does not come either.
        (bought,) = [
            one["id"]
            for one in (await desk.call("/v2/events", "DescribeEvents", {"instanceId": hidden})).result["events"]
            if one["type"] == "unit.bought"
        ]
        assert (await desk.call(PATH, "RedeliverEvent", {**hook, "eventId": bought})).result
        assert [one["eventId"] for one in await settled(desk, 1, "Dropped")] == [bought]


async def test_a_subscription_for_a_project_ends_with_the_right_of_its_owner(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        own = await _project(desk, "atlas")
        user, lead = await _manager_of(desk, own)
        asked = {"kind": "Webhook", "url": receiver.url, "projectIds": [own], "types": ["unit.bought"]}
        hook = {"subscriptionId": (await lead.call(PATH, "CreateSubscription", asked)).result["subscriptionId"]}
        first = await _buy_in(desk, own)
        await settled(desk, 1)
        held = {"userId": user, "policyName": FULL, "projectIds": [own]}
        assert (await desk.call(IAM, "DetachPolicy", held)).result
        await _buy_in(desk, own)

        async def paused() -> list[str]:
            rows = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
            return [row["reason"] for row in rows if row["status"] == "Paused"]

        assert await until("it is paused", paused) == [
            f"The user {user} has no policy any more for all projects of this subscription."
        ]
        assert [got.event["subject"] for got in receiver.got] == [first]
        # A manager of the account goes on with it by the own right.
        assert (await desk.call(PATH, "ModifySubscription", {**hook, "status": "Active"})).result["ownerId"] != user
        await settled(desk, 2)
