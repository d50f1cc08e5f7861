"""Webhooks: what arrives, under which id, and what becomes of receivers that do not behave."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leasebook.store.opening import Target
from tests.harness import a_service
from tests.outbox.receivers import (
    FAILED,
    LOCAL,
    OK,
    PATH,
    ReceivedDelivery,
    a_receiver,
    buy,
    deliveries,
    now,
    release,
    settled,
    status,
    subscribe,
    until,
)
from tests.outbox.scenes import later, served, tried

LIFE = ("unit.bought", "unit.running", "unit.releasing", "unit.released")


async def test_what_happens_to_an_instance_arrives_in_order_once_and_as_lists_of_events_show_it(
    migrated: Target,
) -> None:
    async with served(migrated) as (desk, receiver):
        hook = await subscribe(desk, receiver.url)
        unit = await buy(desk)
        await release(desk, unit)
        done = await settled(desk, 4)
        assert receiver.events == [(name, unit) for name in LIFE]
        listed = (await desk.call("/v2/events", "DescribeEvents", {"instanceId": unit, "oldestFirst": True})).result
        assert [got.event for got in receiver.got] == listed["events"]
        assert [got.id for got in receiver.got] == [
            f"{hook['subscriptionId']}-{event['id']}" for event in listed["events"]
        ]
        assert [row["deliveryId"] for row in reversed(done)] == [got.id for got in receiver.got]
        first = receiver.got[0]
        assert first.head == "POST /hook HTTP/1.1"
        assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert first.headers["user-agent"].startswith("Leasebook/")
        assert receiver.url.endswith(f"{first.headers['host']}/hook")


async def test_events_from_before_are_not_sent_and_types_and_instances_can_be_chosen(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        await release(desk, await buy(desk))
        first = await buy(desk)
        await subscribe(desk, receiver.url, types=["unit.released", "unit.bought"])
        await subscribe(desk, f"{receiver.url}/first", instanceId=first)
        second = await buy(desk)
        for unit in (first, second):
            await release(desk, unit)
        await settled(desk, 5)
        by_path: dict[str, list[tuple[str, str]]] = {path: [] for path in ("/hook", "/hook/first")}
        for got in receiver.got:
            by_path[got.head.split()[1]].append((got.event["type"], got.event["subject"]))
        assert sorted(by_path["/hook"]) == [
            ("unit.bought", second),
            *sorted(("unit.released", one) for one in (first, second)),
        ]
        assert by_path["/hook/first"] == [("unit.releasing", first), ("unit.released", first)]


async def test_a_failure_is_tried_again_under_the_same_id_and_later_events_of_the_instance_wait_for_it(
    migrated: Target,
) -> None:
    async with served(migrated) as (desk, receiver):
        await subscribe(desk, receiver.url)
        receiver.answer = lambda _got: FAILED
        unit = await buy(desk)
        await tried(desk, 1)
        for attempts in (2, 3):
            await later(desk, hours=1)
            await tried(desk, attempts)
        stands = datetime.fromisoformat(await now(desk))

        async def rests() -> Any:
            row = (await deliveries(desk))[-1]
            return row if datetime.fromisoformat(row["nextTryTime"]) > stands else None

        row = await until("it rests", rests)
        assert (row["state"], row["attempts"], row["answer"]) == ("Waiting", len(receiver.got), 500)
        assert row["failure"] == "The receiver answered 500."
        assert len({got.id for got in receiver.got}) == 1
        receiver.answer = lambda _got: OK
        await later(desk, hours=1)
        await settled(desk, 2)
        told = [got.event["type"] for got in receiver.got]
        assert told == ["unit.bought"] * (len(told) - 1) + ["unit.running"]
        assert row["attempts"] == len(told) - 2
        assert {got.event["subject"] for got in receiver.got} == {unit}


async def test_an_instance_whose_events_are_refused_holds_up_no_other(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        poisoned = await buy(desk)
        receiver.answer = lambda got: FAILED if got.event.get("subject") == poisoned else OK
        await subscribe(desk, receiver.url)
        await release(desk, poisoned)
        others = [await buy(desk) for _ in range(20)]
        for unit in others:
            await release(desk, unit)
        await settled(desk, 80)
        for unit in others:
            assert [name for name, subject in receiver.events if subject == unit] == list(LIFE)
        assert {name for name, subject in receiver.events if subject == poisoned} == {"unit.releasing"}
        assert {row["instanceId"] for row in await deliveries(desk, state="Waiting")} == {poisoned}


async def test_a_receiver_that_hangs_is_left_and_one_that_answers_too_late_gets_the_same_again(tmp_path: Path) -> None:
    async with served(tmp_path, LEASEBOOK_WEBHOOK_TIMEOUT_SECONDS="1") as (desk, receiver):

        async def late(_got: ReceivedDelivery) -> bytes:
            await asyncio.Event().wait()
            return OK

        receiver.answer = late
        await subscribe(desk, receiver.url, types=["unit.bought"])
        await buy(desk)
        await tried(desk, 1)
        assert (await deliveries(desk))[0]["failure"] == "There was no answer within 1 s."
        receiver.answer = lambda _got: OK
        await later(desk, hours=1)
        await settled(desk, 1)
        assert len(receiver.got) == 2
        assert len({got.id for got in receiver.got}) == 1


async def test_a_hook_that_hangs_does_not_keep_others_waiting(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        gate = asyncio.Event()

        async def hang(_got: ReceivedDelivery) -> bytes:
            await gate.wait()
            return OK

        async with a_receiver() as good:
            receiver.answer = hang
            await subscribe(desk, receiver.url, types=["unit.bought"])
            await subscribe(desk, good.url, types=["unit.bought"])
            for _ in range(40):
                await buy(desk)
            await until("the good one has all", lambda: len(good.got) == 40)
            assert receiver.most_under_way <= 8
            gate.set()
            await settled(desk, 80)
            assert receiver.most_under_way <= 8


async def test_a_receiver_that_vanishes_for_a_day_gets_everything_in_order_when_it_is_back(tmp_path: Path) -> None:
    async with a_service(tmp_path, demo=True, environment=LOCAL) as desk:
        async with a_receiver() as gone:
            url = gone.url
        await subscribe(desk, url)
        unit = await buy(desk)
        await tried(desk, 1)
        assert (await deliveries(desk))[-1]["failure"].startswith("There is no connection")
        for hour in range(24):
            await later(desk, hours=1)
            await tried(desk, 2 + hour)
        await release(desk, unit)
        async with a_receiver(int(url.split(":")[2].split("/")[0])) as back:
            await later(desk, hours=1)
            await settled(desk, 4)
            assert back.events == [(name, unit) for name in LIFE]


async def test_what_cannot_be_delivered_for_three_days_is_given_up_and_another_subscription_gets_the_event(
    migrated: Target,
) -> None:
    async with a_receiver() as good, served(migrated) as (desk, receiver):
        receiver.answer = lambda _got: FAILED
        bad = await subscribe(desk, receiver.url, types=["unit.bought", "subscription.givenUp"])
        await subscribe(desk, good.url, types=["subscription.givenUp"])
        unit = await buy(desk)
        await tried(desk, 1)
        await later(desk, hours=71)
        await tried(desk, 2)
        await later(desk, hours=2)
        (row,) = await settled(desk, 1, "GivenUp")
        assert (row["instanceId"], row["attempts"]) == (unit, len(receiver.got))
        await until("the other one gets the event", lambda: good.got)
        told = good.got[0].event
        assert told["data"] == {
            "subscriptionId": bad["subscriptionId"],
            "eventId": row["eventId"],
            "reason": "The receiver answered 500.",
        }
        assert {got.event["type"] for got in receiver.got} == {"unit.bought"}
        # By hand it begins again, under the id that it always had.
        receiver.answer = lambda _got: OK
        asked = {"subscriptionId": bad["subscriptionId"], "eventId": row["eventId"]}
        assert (await desk.call(PATH, "RedeliverEvent", asked)).result["state"] == "Waiting"
        done = await settled(desk, 2)
        assert row["deliveryId"] in {one["deliveryId"] for one in done}
        assert {got.id for got in receiver.got} == {row["deliveryId"]}


async def test_giving_up_does_not_feed_on_itself(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        receiver.answer = lambda _got: FAILED
        for _ in range(2):
            await subscribe(desk, receiver.url, types=["unit.bought", "subscription.givenUp"])
        await buy(desk)
        for count in (2, 4):
            await tried(desk, 1)
            await later(desk, hours=73)
            await settled(desk, count, "GivenUp")
        rows = await deliveries(desk)
        assert [row["state"] for row in rows] == ["GivenUp"] * 4
        told = (await desk.call("/v2/events", "DescribeEvents", {"types": ["subscription.givenUp"]})).result["events"]
        assert len(told) == 2


async def test_a_receiver_that_is_gone_pauses_its_subscription_and_nothing_is_lost_when_it_goes_on(
    migrated: Target,
) -> None:
    async with a_receiver() as good, served(migrated) as (desk, receiver):
        receiver.answer = lambda _got: status(410)
        hook = await subscribe(desk, receiver.url)
        await subscribe(desk, good.url, types=["subscription.paused"])
        unit = await buy(desk)
        await until("the other one gets the event", lambda: good.got)
        assert good.got[0].event["data"]["subscriptionId"] == hook["subscriptionId"]
        listed = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        (paused,) = [one for one in listed if one["subscriptionId"] == hook["subscriptionId"]]
        assert (paused["status"], paused["reason"]) == ("Paused", "The receiver answered 410 Gone.")
        await release(desk, unit)
        await later(desk, days=10)
        assert len(receiver.got) == 1
        receiver.answer = lambda _got: OK
        asked = {"subscriptionId": hook["subscriptionId"], "status": "Active"}
        assert "reason" not in (await desk.call(PATH, "ModifySubscription", asked)).result
        await until("everything arrived", lambda: len(receiver.got) >= 5)
        assert receiver.events[1:5] == [(name, unit) for name in LIFE]
        assert receiver.got[0].id == receiver.got[1].id


async def test_a_redirect_is_a_failure_that_says_so_and_is_not_followed(tmp_path: Path) -> None:
    async with a_receiver() as other, served(tmp_path) as (desk, receiver):
        receiver.answer = lambda _got: status(307, f"location: {other.url}")
        await subscribe(desk, receiver.url)
        await buy(desk)
        await tried(desk, 1)
        assert (await deliveries(desk))[-1]["failure"] == "The receiver answered 307, and redirects are not followed."
        assert other.got == []


async def test_an_answer_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        receiver.answer = lambda _got: b"HTTP/1.1 200 So\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * 100_000
        await subscribe(desk, receiver.url, types=["unit.bought"])
        await buy(desk)
        (row,) = await settled(desk, 1)
        assert row["attempts"] == 1


async def test_a_receiver_that_asks_for_time_gets_it_and_an_hour_at_most(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        began = datetime.fromisoformat(await now(desk))
        asked = {"a": "1800", "b": "90000"}
        receiver.answer = lambda got: status(503, f"Retry-After: {asked[got.head.split()[1][-1]]}")
        hooks = [await subscribe(desk, f"{receiver.url}/{name}", types=["unit.bought"]) for name in asked]
        await buy(desk)
        for hook, seconds in zip(hooks, (1800, 3600), strict=True):
            await tried(desk, 1, subscriptionId=hook["subscriptionId"])
            (row,) = await deliveries(desk, subscriptionId=hook["subscriptionId"])
            assert datetime.fromisoformat(row["nextTryTime"]) - began == timedelta(seconds=seconds)


async def test_a_receiver_that_asks_for_a_time_that_is_none_is_tried_again_like_any_other(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        asked = {"a": f"Mon, 1 Jan {'9' * 20} 00:00:00 GMT", "b": "1 Jan 2030 00:00:00 +9" + "9" * 20, "c": "\xb2"}
        receiver.answer = lambda got: status(503, f"Retry-After: {asked[got.head.split()[1][-1]]}")
        hooks = [await subscribe(desk, f"{receiver.url}/{name}", types=["unit.bought"]) for name in asked]
        await buy(desk)
        for hook in hooks:
            await tried(desk, 1, subscriptionId=hook["subscriptionId"])
            (row,) = await deliveries(desk, subscriptionId=hook["subscriptionId"])
            assert row["failure"] == "The receiver answered 503."
