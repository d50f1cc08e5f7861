"""Who may say where an account's events go, and how many subscriptions there may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leasebook.contract.policies import FULL, READ
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, PATH, a_receiver, buy, settled, subscribe

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
