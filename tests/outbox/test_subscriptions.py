"""Subscriptions in the course of time: tested, paused, deleted, sent late, confirmed again; and their lists."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from leasebook.domain.book.changes import Changes
from leasebook.domain.record.event import REMINDED, Event, page_of
from leasebook.domain.values.calendar import HOUR_US, Instant
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
    release,
    settled,
    subscribe,
    until,
)
from tests.outbox.scenes import later, served, tried


async def test_a_test_event_goes_the_way_of_all_others_and_to_one_subscription_only(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        hooks = [await subscribe(desk, f"{receiver.url}/{name}") for name in "ab"]
        assert (await desk.call(PATH, "TestSubscription", {"subscriptionId": hooks[1]["subscriptionId"]})).result
        await settled(desk, 1)
        (got,) = receiver.got
        assert got.head.split()[1] == "/hook/b"
        assert (got.event["type"], got.event["data"]["subscriptionId"]) == (
            "subscription.test",
            hooks[1]["subscriptionId"],
        )


async def test_a_deleted_subscription_gets_nothing_more_and_what_waited_is_dropped(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        receiver.answer = lambda _got: FAILED
        hook = {"subscriptionId": (await subscribe(desk, receiver.url))["subscriptionId"]}
        unit = await buy(desk)
        await tried(desk, 1)
        assert (await desk.call(PATH, "DeleteSubscription", hook)).result is True
        await release(desk, unit)
        rows = await settled(desk, 2, "Dropped")
        assert {row["failure"] for row in rows} == {"The subscription was deleted."}
        assert (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"] == []
        for action in ("DeleteSubscription", "ModifySubscription", "TestSubscription"):
            assert (await desk.call(PATH, action, hook)).code == "ResourceNotFound"

        async def ended() -> bool:
            found = await desk.service.store.read(lambda ask: ask.hook(hook["subscriptionId"]))
            assert found is not None
            return (found.status, found.sealed, found.target) == ("Deleted", b"", "")

        await until("nothing is left of it", ended)
        assert len(receiver.got) == 1


async def test_what_waits_for_the_webhook_of_a_closed_account_is_dropped(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        receiver.answer = lambda _got: FAILED
        made = (await desk.call("/v2/iam", "CreateAccount", {"name": "short-lived"})).result
        tenant = desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        hook = (await subscribe(tenant, receiver.url))["subscriptionId"]
        await tenant.call("/v2/iam", "CreateUser", {"name": "one"})
        await tried(tenant, 1)
        assert (await desk.call("/v2/iam", "CloseAccount", {"accountId": made["accountId"]})).result[
            "status"
        ] == "Closed"

        async def ended() -> bool:
            found = await desk.service.store.read(lambda ask: ask.hook(hook))
            assert found is not None
            return (found.status, found.sealed, found.target) == ("Deleted", b"", "")

        await until("nothing is left of it", ended)
        assert len(receiver.got) == 1


async def test_events_wait_for_a_paused_subscription_unless_they_are_to_be_skipped(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        hook = {"subscriptionId": (await subscribe(desk, receiver.url, types=["unit.bought"]))["subscriptionId"]}
        await desk.call(PATH, "ModifySubscription", {**hook, "status": "Paused"})
        assert (await desk.call(PATH, "TestSubscription", hook)).code == "InvalidState"
        missed = await buy(desk)
        await desk.call(PATH, "ModifySubscription", {**hook, "status": "Active"})
        await settled(desk, 1)
        await desk.call(PATH, "ModifySubscription", {**hook, "status": "Paused"})
        await buy(desk)
        await desk.call(PATH, "ModifySubscription", {**hook, "status": "Active", "skipMissed": True})
        seen = await buy(desk)
        await settled(desk, 2)
        assert [subject for _, subject in receiver.events] == [missed, seen]


async def test_what_is_over_is_forgotten_after_its_time_and_what_was_given_up_later(migrated: Target) -> None:
    async with served(migrated) as (desk, receiver):
        await subscribe(desk, receiver.url, types=["unit.bought"])
        await release(desk, await buy(desk))
        await settled(desk, 1)
        receiver.answer = lambda _got: FAILED
        await release(desk, await buy(desk))
        await tried(desk, 1)
        await later(desk, hours=73)
        await settled(desk, 1, "GivenUp")

        async def states() -> list[str]:
            # Something has to be committed for something to be forgotten.
            await later(desk, seconds=1)
            return [row["state"] for row in await deliveries(desk)]

        async def are(*expected: str) -> bool:
            return await states() == list(expected)

        assert await are("GivenUp", "Delivered")
        await later(desk, days=5)
        await until("the delivered one is gone", lambda: are("GivenUp"))
        await later(desk, days=24)
        assert await are("GivenUp")
        await later(desk, days=2)
        await until("the other one is gone", are)


@pytest.mark.parametrize(("ahead_us", "state"), [(0, "Dropped"), (HOUR_US, "Delivered")])
async def test_a_reminder_of_what_has_passed_is_not_sent(tmp_path: Path, ahead_us: int, state: str) -> None:
    async with served(tmp_path) as (desk, receiver):
        service = desk.service
        account = (await desk.call("/v2/account", "DescribeAccount")).result["accountId"]
        at = service.clock.now()
        event = Event(
            at,
            REMINDED,
            "unit-1",
            None,
            {"deadline": Instant(at + ahead_us), "what": "release", "offsetSeconds": 60, "buyerId": "user-1"},
        )
        # No other writer is active: there is no subscription yet.
        transaction = await service.store.begin()
        changes = Changes([], [])
        changes.events = [page_of(account, [event])]
        await transaction.save(changes)
        await transaction.commit()
        hook = await subscribe(desk, receiver.url)
        listed = (await desk.call("/v2/events", "DescribeEvents", {"types": [REMINDED]})).result["events"]
        asked = {"subscriptionId": hook["subscriptionId"], "eventId": listed[0]["id"]}
        _ = (await desk.call(PATH, "RedeliverEvent", asked)).result
        (row,) = await settled(desk, 1, state)
        assert bool(receiver.got) is (state == "Delivered")
        assert row.get("failure") == (None if state == "Delivered" else "The deadline that it reminds of has passed.")


async def test_a_server_that_stops_puts_back_what_is_under_way_and_the_next_one_sends_it_under_the_same_id(
    migrated: Target,
) -> None:
    async with a_receiver() as receiver:

        async def hang(_got: ReceivedDelivery) -> bytes:
            await asyncio.Event().wait()
            return OK

        receiver.answer = hang
        environment = LOCAL | {"LEASEBOOK_MASTER_KEY": "5ea1" * 16}
        async with a_service(migrated, demo=True, environment=environment) as desk:
            await subscribe(desk, receiver.url, types=["unit.bought"])
            await buy(desk)
            await until("it is under way", lambda: receiver.got)
        receiver.answer = lambda _got: OK
        async with a_service(migrated, demo=True, environment=environment) as desk:
            (row,) = await settled(desk, 1)
            assert row["attempts"] == 1
        assert [got.id for got in receiver.got] == [row["deliveryId"]] * 2


async def test_an_event_on_its_way_for_the_first_time_is_not_sent_twice_by_hand(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        hook = (await subscribe(desk, receiver.url))["subscriptionId"]
        await buy(desk)
        done = await settled(desk, 2)
        for event, code in (("99-0", "ResourceNotFound"), ("0-0", "ResourceNotFound"), ("x", "InappropriateJSON")):
            asked = {"subscriptionId": hook, "eventId": event}
            assert (await desk.call(PATH, "RedeliverEvent", asked)).code == code
        assert (
            await desk.call(PATH, "RedeliverEvent", {"subscriptionId": "sub-x", "eventId": done[0]["eventId"]})
        ).code == ("ResourceNotFound")
        assert len(receiver.got) == 2


async def test_deliveries_come_in_pages(tmp_path: Path) -> None:
    async with served(tmp_path) as (desk, receiver):
        for _ in range(2):
            await subscribe(desk, receiver.url)
        units = [await buy(desk) for _ in range(3)]
        whole = await settled(desk, 12)
        marker, found = None, []
        while True:
            body = {"maxKeys": 5} | ({"marker": marker} if marker else {})
            page = (await desk.call(PATH, "DescribeDeliveries", body)).result
            found += page["deliveries"]
            marker = page.get("nextMarker")
            assert page["isTruncated"] is (marker is not None)
            if marker is None:
                break
        assert found == whole
        only = await deliveries(desk, instanceId=units[0])
        assert len(only) == 4
        assert (await desk.call(PATH, "DescribeDeliveries", {"marker": "AAAA"})).code == "InvalidMarker"
        assert msgspec.json.encode(only)


async def test_tests_have_a_rate_by_subscription_and_by_account_that_deleting_does_not_begin_anew(
    migrated: Target,
) -> None:
    async with served(
        migrated, LEASEBOOK_SUBSCRIPTION_TESTS_PER_HOUR="2", LEASEBOOK_SUBSCRIPTION_ACCOUNT_TESTS_PER_HOUR="3"
    ) as (desk, receiver):

        async def test(hook: str) -> str:
            answer = await desk.call(PATH, "TestSubscription", {"subscriptionId": hook})
            if answer.status == 200:
                return "OK"
            # A clock that does not move says exactly when: twice an hour is once in half of one, three times in a
            # third.
            waits.append(int(answer.headers["retry-after"]))
            return f"{answer.code} {answer.body['message']}"

        waits: list[int] = []

        first = (await subscribe(desk, receiver.url))["subscriptionId"]
        assert [await test(first) for _ in range(2)] == ["OK"] * 2
        refused = await test(first)
        assert refused.startswith("QuotaExceeded A subscription is tested at most 2 times an hour. Try again at 2")
        second = (await subscribe(desk, receiver.url))["subscriptionId"]
        assert await test(second) == "OK"
        assert (await test(second)).startswith("QuotaExceeded An account has at most 3 tests and confirmations")
        await desk.call(PATH, "DeleteSubscription", {"subscriptionId": second})
        third = (await subscribe(desk, receiver.url))["subscriptionId"]
        assert (await test(third)).startswith("QuotaExceeded An account has")
        assert waits == [1800, 1200, 1200]
        await later(desk, minutes=31)
        assert await test(first) == "OK"
        await settled(desk, 3)
