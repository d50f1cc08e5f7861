"""Operators' subscriptions: events of other accounts, in order, exactly once, and only while the owner may see them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leasebook.contract.policies import FLEET_READ, FULL, SUPPORT
from leasebook.store.opening import Target
from tests.harness import Client, a_service
from tests.outbox.receivers import (
    FAILED,
    LOCAL,
    OK,
    PATH,
    Receiver,
    a_receiver,
    buy,
    deliveries,
    release,
    settled,
    until,
)
from tests.outbox.scenes import later, served, tried

IAM = "/v2/iam"
ACCOUNT = "/v2/account"


async def tenant(desk: Client, name: str = "tenant") -> tuple[str, Client]:
    """Open an account with some money; returns its id and its root."""
    made = (await desk.call(IAM, "CreateAccount", {"name": name})).result
    await desk.call(ACCOUNT, "TopUpAccount", {"accountId": made["accountId"], "amount": "1000"})
    return made["accountId"], desk.as_user(made["accessKeyId"], made["secretAccessKey"])


async def user(desk: Client, *policies: str) -> tuple[str, Client]:
    """Add a user of the operator's account; returns its id and a client with its key."""
    made = (await desk.call(IAM, "CreateUser", {"name": "user"})).result["userId"]
    for policy in policies:
        assert (await desk.call(IAM, "AttachPolicy", {"userId": made, "policyName": policy})).result
    key = (await desk.call(IAM, "CreateAccessKey", {"userId": made})).result
    return made, desk.as_user(key["accessKeyId"], key["secretAccessKey"])


async def over(desk: Client, receiver: Receiver, *accounts: str, **more: Any) -> str:
    """Subscribe to the events of instances of some accounts."""
    asked = {"kind": "Webhook", "url": receiver.url, "types": ["unit.*"], "accounts": list(accounts), **more}
    made = await desk.call(PATH, "CreateSubscription", asked)
    assert made.status == 200, made
    return str(made.result["subscriptionId"])


def sources(receiver: Receiver) -> set[str]:
    """The accounts whose events arrived."""
    return {got.event["source"].rsplit("/", 1)[1] for got in receiver.got}


async def test_all_accounts_later_ones_too_are_sent_once_and_in_the_order_of_each(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        first, one = await tenant(desk)
        await buy(one)
        await over(desk, receiver, "*")
        second, two = await tenant(desk)
        units = [(first, await buy(one)), (second, await buy(two)), (second, await buy(two))]
        for (_, unit), client in zip(units, (one, two, two), strict=True):
            await release(client, unit)
        await settled(desk, 4 * len(units))
        await asyncio.sleep(0)
        # The first purchase came before the subscription. Each event came once, in the order of its instance.
        assert len({got.id for got in receiver.got}) == len(receiver.got) == 4 * len(units)
        for account, unit in units:
            told = [got.event for got in receiver.got if got.event["subject"] == unit]
            assert [event["type"] for event in told] == [
                *("unit.bought", "unit.running", "unit.releasing", "unit.released")
            ]
            assert {event["source"] for event in told} == {f"/v2/account/{account}"}


async def test_some_accounts_are_sent_and_no_others_and_the_test_event_arrives(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        (first, one), (_, two) = await tenant(desk), await tenant(desk)
        hook = await over(desk, receiver, first, types=[])
        await buy(two)
        await buy(one)
        assert (await desk.call(PATH, "TestSubscription", {"subscriptionId": hook})).result
        await settled(desk, 3)
        assert [got.event["type"] for got in receiver.got if first not in got.event["source"]] == ["subscription.test"]
        assert sources(receiver) >= {first}
        shown = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        assert [(row["accounts"], "ownerId" in row) for row in shown] == [([first], True)]
        # The account itself sees nothing of it.
        assert (await one.call(PATH, "DescribeSubscriptions")).result["subscriptions"] == []
        assert await deliveries(one) == []


async def test_who_may_not_see_other_accounts_makes_no_subscription_over_them(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        account, manager = await tenant(desk)
        _, reader = await user(desk, FLEET_READ, FULL)
        asked = {"kind": "Webhook", "url": receiver.url, "accounts": ["*"]}
        for client in (manager, reader):
            for accounts in (["*"], [account], ["0" * 32]):
                assert (await client.call(PATH, "CreateSubscription", asked | {"accounts": accounts})).code == (
                    "AccessDenied"
                )
        _, support = await user(desk, SUPPORT)
        assert (await support.call(PATH, "CreateSubscription", {"kind": "Webhook", "url": receiver.url})).code == (
            "InappropriateJSON"
        )
        for kind in ("iam.userCreated", "account.arrears"):
            assert (await support.call(PATH, "CreateSubscription", asked | {"types": [kind]})).code == "AccessDenied"
        assert (await desk.call(PATH, "CreateSubscription", asked | {"accounts": ["0" * 32]})).code == (
            "ResourceNotFound"
        )
        assert (await desk.call(PATH, "CreateSubscription", asked | {"accounts": ["*", account]})).code == (
            "InappropriateJSON"
        )


async def test_a_manager_without_the_policy_neither_sees_nor_changes_an_operators_subscription(
    migrated: Target,
) -> None:
    async with served(migrated) as (desk, receiver):
        _, support = await user(desk, SUPPORT)
        _, manager = await user(desk, FULL)
        hook = {"subscriptionId": await over(support, receiver, "*")}
        own = {"subscriptionId": (await _own(manager, receiver))}
        await buy(desk)
        await settled(desk, 4)
        seen = [
            row["subscriptionId"] for row in (await manager.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        ]
        assert seen == [own["subscriptionId"]]
        assert {row["subscriptionId"] for row in await deliveries(manager)} == {own["subscriptionId"]}
        assert {row["subscriptionId"] for row in await deliveries(support)} == {hook["subscriptionId"]}
        event = receiver.got[0].event["id"]
        for client, other in ((manager, hook), (support, own)):
            for action, more in (
                ("ModifySubscription", {"status": "Paused"}),
                ("TestSubscription", {}),
                ("RedeliverEvent", {"eventId": event}),
                ("RedeliverGivenUp", {}),
                ("DeleteSubscription", {}),
            ):
                assert (await client.call(PATH, action, other | more)).code == "ResourceNotFound", action


async def _own(desk: Client, receiver: Receiver) -> str:
    asked = {"kind": "Webhook", "url": receiver.url, "types": ["unit.*"]}
    return str((await desk.call(PATH, "CreateSubscription", asked)).result["subscriptionId"])


@pytest.mark.parametrize("how", ["detached", "deleted"])
async def test_an_operator_whose_right_ends_gets_nothing_more_not_even_what_waits(migrated: Target, how: str) -> None:
    async with served(migrated) as (desk, receiver):
        _, one = await tenant(desk)
        support_id, support = await user(desk, SUPPORT)
        receiver.answer = lambda _got: FAILED
        hook = await over(support, receiver, "*")
        unit = await buy(one)
        await tried(support, 1)
        gone = {"userId": support_id}
        if how == "detached":
            assert (await desk.call(IAM, "DetachPolicy", gone | {"policyName": SUPPORT})).result
        else:
            assert (await desk.call(IAM, "DeleteUser", gone)).result
        receiver.answer = lambda _got: OK
        receiver.got.clear()
        await release(one, unit)

        async def paused() -> Any:
            rows = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
            return [row for row in rows if row["status"] == "Paused" and support_id in row["reason"]]

        assert await until("the subscription is paused", paused)
        assert receiver.got == []
        # Another operator goes on with it, under rights of its own: what waited is sent.
        asked = {"subscriptionId": hook, "status": "Active"}
        assert (await desk.call(PATH, "ModifySubscription", asked)).result["ownerId"] != support_id
        await later(desk, minutes=1)
        await settled(desk, 4)
        assert [got.event["type"] for got in receiver.got] == [
            *("unit.bought", "unit.running", "unit.releasing", "unit.released")
        ]


async def test_types_that_the_policies_do_not_show_are_left_out(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        _, support = await user(desk, SUPPORT)
        await over(support, receiver, "*", types=[])
        account, one = await tenant(desk)
        await buy(one)
        await settled(desk, 2)
        assert {got.event["type"].split(".")[0] for got in receiver.got} == {"unit"}
        await desk.call(IAM, "SuspendAccount", {"accountId": account, "reason": "It is a test."})
        await settled(desk, 3)
        assert receiver.got[-1].event["type"] == "account.suspended"


async def test_a_closed_account_ends_with_its_last_event_and_without_its_balance(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        _, support = await user(desk, SUPPORT)
        await over(support, receiver, "*", types=["account.*"])
        await over(desk, receiver, "*", types=["account.closed"])
        account, _ = await tenant(desk)
        assert (await desk.call(IAM, "CloseAccount", {"accountId": account, "payOut": True})).status == 200
        await settled(desk, 2)
        told = sorted(("balance" in got.event["data"], got.event["type"]) for got in receiver.got)
        assert told == [(False, "account.closed"), (True, "account.closed")]


async def test_while_it_is_paused_events_wait_and_can_be_skipped(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        _, one = await tenant(desk)
        hook = {"subscriptionId": await over(desk, receiver, "*")}
        await desk.call(PATH, "ModifySubscription", hook | {"status": "Paused"})
        await buy(one)
        await desk.call(PATH, "ModifySubscription", hook | {"status": "Active"})
        await settled(desk, 2)
        await desk.call(PATH, "ModifySubscription", hook | {"status": "Paused"})
        await buy(one)
        await desk.call(PATH, "ModifySubscription", hook | {"status": "Active", "skipMissed": True})
        unit = await buy(one)
        await settled(desk, 4)
        assert [got.event["subject"] for got in receiver.got[2:]] == [unit, unit]


async def test_an_event_of_another_account_is_redelivered_on_request(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        (first, one), (_, two) = await tenant(desk), await tenant(desk)
        hook = {"subscriptionId": await over(desk, receiver, first)}
        await buy(one)
        await settled(desk, 2)
        got = receiver.got[0]
        assert (await desk.call(PATH, "RedeliverEvent", hook | {"eventId": got.event["id"]})).status == 200
        await until("it came again", lambda: [one.id for one in receiver.got].count(got.id) == 2)
        await buy(two)
        (other, *_) = (await two.call("/v2/events", "DescribeEvents", {"types": ["unit.bought"]})).result["events"]
        assert (await desk.call(PATH, "RedeliverEvent", hook | {"eventId": other["id"]})).code == "ResourceNotFound"


async def test_what_one_server_left_behind_the_next_one_sends(migrated: Target) -> None:
    async with a_receiver() as receiver:
        async with a_service(migrated, demo=True, environment=LOCAL) as desk:
            _, one = await tenant(desk)
            hook = {"subscriptionId": await over(desk, receiver, "*")}
            await desk.call(PATH, "ModifySubscription", hook | {"status": "Paused"})
            await buy(one)
            # Nothing looks through the events before the stop: the answer comes with the commit, and so does the end.
            await desk.call(PATH, "ModifySubscription", hook | {"status": "Active"})
        async with a_service(migrated, environment=LOCAL) as desk:
            await settled(desk, 2)
            assert [got.event["type"] for got in receiver.got] == ["unit.bought", "unit.running"]


async def test_events_of_another_server_are_sent_too(migrated: Target) -> None:
    if migrated.url is None:
        pytest.skip("the embedded store has one server")
    async with a_receiver() as receiver, a_service(migrated, demo=True, environment=LOCAL) as desk:
        _, one = await tenant(desk)
        await over(desk, receiver, "*")
        # Both send, and none of the events twice.
        async with a_service(migrated, environment=LOCAL) as other:
            there = other.as_user(one.access_key, one.secret_key)
            unit = await buy(there)
            await release(there, unit)
            await settled(desk, 4)
        assert len({got.id for got in receiver.got}) == len(receiver.got) == 4
