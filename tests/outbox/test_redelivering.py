"""After an outage: what was given up for a subscription comes again, all of it, in order, and once."""

from __future__ import annotations

from typing import Any

from leasebook.store.opening import Target
from tests.harness import Client
from tests.outbox.receivers import FAILED, OK, PATH, Receiver, buy, deliveries, now, release, settled, subscribe, until
from tests.outbox.scenes import later, served, tried
from tests.outbox.test_webhooks import LIFE

GIVE_UP_HOURS = 73


async def again(desk: Client, hook: str, *, query: str = "", **asked: Any) -> tuple[int, bool]:
    """Have given-up deliveries sent again; returns how many these are, and whether more are left."""
    body = {"subscriptionId": hook, **asked}
    result = (await desk.call(PATH, "RedeliverGivenUp", body, query=query)).result
    return result["redelivered"], result["isTruncated"]


async def given_up(desk: Client, receiver: Receiver, units: int, before: int = 0) -> list[str]:
    """Let instances live while the receiver is down, until all that they have to tell is given up."""
    receiver.answer = lambda _got: FAILED
    bought = [await buy(desk) for _ in range(units)]
    for unit in bought:
        await release(desk, unit)
    count = before + units * len(LIFE)

    async def all_wait() -> bool:
        return len(await deliveries(desk)) == count

    # Deliveries that began to wait later would be given up later.
    await until("all of it waits", all_wait)
    await later(desk, hours=GIVE_UP_HOURS)
    await settled(desk, count, "GivenUp")
    return bought


async def test_what_was_given_up_comes_again_in_order_for_each_instance_so_many_a_call(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url, types=list(LIFE)))["subscriptionId"]
        units = await given_up(desk, receiver, 3)
        ids = {row["deliveryId"] for row in await deliveries(desk)}
        receiver.answer, down = lambda _got: OK, len(receiver.got)
        answers = [await again(desk, hook, maxKeys=5) for _ in range(3)]
        assert answers == [(5, True), (5, True), (2, False)]
        await settled(desk, 12)
        got = receiver.got[down:]
        for unit in units:
            assert [one.event["type"] for one in got if one.event["subject"] == unit] == list(LIFE)
        assert {one.id for one in got} == ids
        assert len(got) == 12
        assert await again(desk, hook) == (0, False)
        assert len(receiver.got) == down + 12


async def test_only_what_was_given_up_since_a_time_and_for_that_subscription_comes_again(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url, types=list(LIFE)))["subscriptionId"]
        await given_up(desk, receiver, 1)
        await later(desk, seconds=1)
        since = await now(desk)
        (unit,) = await given_up(desk, receiver, 1, before=4)
        other = (await subscribe(desk, f"{receiver.url}/other"))["subscriptionId"]
        receiver.answer, down = lambda _got: OK, len(receiver.got)
        assert await again(desk, other) == (0, False)
        assert await again(desk, hook, startTime=since) == (4, False)
        await settled(desk, 4)
        assert {one.event["subject"] for one in receiver.got[down:]} == {unit}
        assert await again(desk, hook, startTime=since) == (0, False)
        assert await again(desk, hook) == (4, False)


async def test_it_comes_before_what_waits_of_the_same_instance(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url, types=list(LIFE)))["subscriptionId"]
        receiver.answer = lambda _got: FAILED
        unit = await buy(desk)
        await tried(desk, 1)
        await later(desk, hours=GIVE_UP_HOURS)
        await settled(desk, 2, "GivenUp")
        await release(desk, unit)
        await tried(desk, 1)
        receiver.answer, down = lambda _got: OK, len(receiver.got)
        assert await again(desk, hook) == (2, False)
        await settled(desk, 4)
        assert [one.event["type"] for one in receiver.got[down:]] == list(LIFE)


async def test_the_same_token_answers_the_same_and_sends_nothing_twice(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url, types=list(LIFE)))["subscriptionId"]
        await given_up(desk, receiver, 1)
        receiver.answer, down = lambda _got: OK, len(receiver.got)
        for _ in range(2):
            assert await again(desk, hook, maxKeys=3, query="&clientToken=one") == (3, True)
        await settled(desk, 3)
        assert len(receiver.got) == down + 3
        other = {"subscriptionId": hook, "maxKeys": 4}
        answer = await desk.call(PATH, "RedeliverGivenUp", other, query="&clientToken=one")
        assert answer.code == "IdempotentParameterMismatch"


async def test_what_a_paused_subscription_missed_waits_until_it_goes_on(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url, types=list(LIFE)))["subscriptionId"]
        await given_up(desk, receiver, 1)
        receiver.answer, down = lambda _got: OK, len(receiver.got)
        asked = {"subscriptionId": hook}
        _ = (await desk.call(PATH, "ModifySubscription", asked | {"status": "Paused"})).result
        assert await again(desk, hook) == (4, False)
        await later(desk, hours=GIVE_UP_HOURS)
        assert {row["state"] for row in await deliveries(desk)} == {"Waiting"}
        assert len(receiver.got) == down
        _ = (await desk.call(PATH, "ModifySubscription", asked | {"status": "Active"})).result
        await until("all of it arrived", lambda: len(receiver.got) == down + 4)
        await settled(desk, 4)
