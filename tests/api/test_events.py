"""Events: which action or moment makes which, who asked for it, what they tell, and how they are listed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from leasebook.contract.policies import READ
from leasebook.contract.signing import sign
from tests.api.scene import ACCOUNT, EVENTS, IAM, NOTIFICATION, UNITS, Caller, ServiceHarness, order

MORNING = "2030-01-15T08:00:00+08:00"


def events(of: Caller, **asked: Any) -> list[Any]:
    """All events of an account but those of its users and keys, oldest first by default, page by page."""
    pages = of.pages(EVENTS, "DescribeEvents", {"oldestFirst": True, "maxKeys": 3, **asked})
    return [event for page in pages for event in page["events"] if not event["type"].startswith("iam.")]


def kinds(of: Caller, **asked: Any) -> list[str]:
    return [event["type"] for event in events(of, **asked)]


def me(of: Caller) -> str:
    """The caller's own user."""
    (user,) = (user for user in of.do(IAM, "DescribeUsers")["users"] if user["isRoot"])
    return str(user["userId"])


@pytest.mark.both_stores
def test_a_leased_instance_tells_its_life_one_event_for_each_change(either: ServiceHarness) -> None:
    customer = either.customer()
    customer.do(ACCOUNT, "SetReminders", {"beforeSeconds": []})
    unit = customer.buy()
    customer.schedule(unit, "2030-01-15T12:00:00+08:00")
    customer.schedule(unit, "2030-01-15T13:00:00+08:00")
    customer.schedule(unit, "2030-01-15T13:00:00+08:00")  # nothing changes
    customer.schedule(unit)
    customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 3})
    customer.schedule(unit, "2030-01-15T10:30:00+08:00")
    either.advance("2030-01-15T11:00:00+08:00")
    told = events(customer)
    assert [(event["type"].removeprefix("unit."), "userId" in event["data"]) for event in told] == [
        ("bought", True),
        ("running", False),
        ("releaseSet", True),
        ("releaseMoved", True),
        ("releaseCleared", True),
        ("resizing", True),
        ("resized", False),
        ("releaseSet", True),
        ("releasing", False),
        ("released", False),
    ]
    assert {event["data"]["userId"] for event in told if "userId" in event["data"]} == {me(customer)}
    assert {event["subject"] for event in told} == {unit}
    assert [event["time"] for event in told[:8]] == [MORNING] * 8
    # Both happen at the release time, however late they are done.
    assert [event["time"] for event in told[8:]] == ["2030-01-15T10:30:00+08:00"] * 2
    moved, cleared, resized, releasing = (told[index]["data"] for index in (3, 4, 6, 8))
    assert moved == {"releaseTime": "2030-01-15T13:00:00+08:00", "userId": me(customer), "userName": "root"}
    assert cleared == {"releaseTime": None, "userId": me(customer), "userName": "root"}
    assert resized == {"status": "Running", "computeUnitCount": 3}
    assert releasing == {
        "status": "Releasing",
        "reason": "Schedule",
        "endTime": "2030-01-15T10:30:00+08:00",
        "charged": "225.00",
    }
    ids = [tuple(map(int, event["id"].split("-"))) for event in told]
    assert ids == sorted(set(ids))


def test_a_subscribed_instance_tells_each_renewal_stop_and_change_of_billing(either: ServiceHarness) -> None:
    customer = either.customer("250")
    unit = customer.buy(months=1, autoRenew=True, autoRenewTimeUnit="Month", autoRenewTime=1)
    either.advance("2030-02-14T08:00:00+08:00")
    assert kinds(customer) == ["unit.bought", "unit.running", "unit.renewed"]
    renewed = events(customer)[-1]
    assert renewed["data"] == {"expiredTime": "2030-03-15T08:00:00+08:00"}
    assert renewed["time"] == "2030-02-08T08:00:00+08:00"  # by itself, seven days before the end
    either.advance("2030-03-15T08:00:00+08:00")
    failed = events(customer, types=["unit.renewalFailed"])
    # 250 were enough for two months: each of the four tries of the third fails, and says when the next one is.
    assert [event["data"]["nextTryTime"] for event in failed] == [
        "2030-03-12T08:00:00+08:00",
        "2030-03-14T08:00:00+08:00",
        "2030-03-15T08:00:00+08:00",
        None,
    ]
    assert kinds(customer)[-1] == "unit.stopped"
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": customer.account_id()})
    # The rule renews it as soon as the money is there.
    assert kinds(customer)[-2:] == ["unit.renewed", "unit.resumed"]
    to_postpaid = {"instanceId": unit, "paymentTiming": "Postpaid"}
    customer.do(UNITS, "ChangeBilling", to_postpaid)
    customer.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    assert kinds(customer)[-3:] == ["unit.billingChanging", "unit.renewed", "unit.billingKept"]
    customer.do(UNITS, "ChangeBilling", to_postpaid)
    either.advance("2030-05-15T08:00:00+08:00")
    turned = events(customer)[-1]
    assert (turned["type"], turned["data"]) == (
        "unit.billingChanged",
        {"status": "Running", "paymentTiming": "Postpaid", "expiredTime": None},
    )


def test_paying_in_advance_takes_the_release_time_with_it_in_one_event(either: ServiceHarness) -> None:
    customer = either.customer()
    unit = customer.buy(release="2030-01-16T08:00:00+08:00")
    customer.do(UNITS, "ChangeBilling", {"instanceId": unit, **order(months=1)["billing"]})
    *_, changed = events(customer)
    assert changed["type"] == "unit.billingChanged"
    assert changed["data"] == {
        "paymentTiming": "Prepaid",
        "releaseTime": None,
        "expiredTime": "2030-02-15T08:00:00+08:00",
        "userId": me(customer),
        "userName": "root",
    }


def test_an_account_tells_when_it_falls_into_debt_and_when_that_is_paid(either: ServiceHarness) -> None:
    customer = either.customer("31")
    unit = customer.buy()
    either.advance("2030-01-20T08:00:00+08:00")
    account = customer.account_id()
    (arrears,) = events(customer, types=["account.arrears"])
    assert (arrears["time"], arrears["data"], "subject" in arrears) == (
        "2030-01-15T10:00:00+08:00",
        {"balance": "-29.00"},
        False,
    )
    (stopped,) = events(customer, types=["unit.stopped"])
    assert (stopped["subject"], stopped["time"]) == (unit, "2030-01-16T10:00:00+08:00")
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "5000", "accountId": account})
    recovered, resumed = events(customer)[-2:]
    assert (recovered["type"], resumed["type"]) == ("account.recovered", "unit.resumed")
    assert recovered["source"] == f"/v2/account/{account}"


def test_crossing_a_part_of_the_budget_is_one_event_a_month(either: ServiceHarness) -> None:
    customer = either.customer("5000")
    limits = {"budget": "1000", "budgetWarnPercent": [50, 90]}
    customer.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    crossed = {"types": ["account.budgetCrossed"]}
    for _ in range(4):
        customer.buy(months=1)
    assert events(customer, **crossed) == []
    customer.buy(months=1)
    for _ in range(5):
        customer.buy(months=1)
    first, second = (event["data"] for event in events(customer, **crossed))
    own = {"month": "2030-01", "budget": "1000.00", "userId": me(customer), "userName": "root"}
    assert first == own | {"percent": 50, "spent": "500.00"}
    assert second == own | {"percent": 90, "spent": "900.00"}
    customer.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    assert len(events(customer, **crossed)) == 2
    either.sell(stock=20)
    either.advance("2030-02-01T00:00:00+08:00")
    customer.do(ACCOUNT, "SetGuardRails", {"limits": limits | {"budget": "100"}})
    assert len(events(customer, **crossed)) == 2, "what was charged the month before is over"
    customer.buy(months=1)
    assert [event["data"]["month"] for event in events(customer, **crossed)[2:]] == ["2030-02", "2030-02"]


def test_events_are_found_by_instance_type_and_time_in_either_order(either: ServiceHarness) -> None:
    customer, other = either.customer(), either.customer()
    customer.do(ACCOUNT, "SetReminders", {"beforeSeconds": []})
    first = customer.buy()
    other.buy()
    either.advance("2030-01-15T09:00:00+08:00")
    second = customer.buy(release="2030-01-15T12:00:00+08:00")
    either.advance("2030-01-15T13:00:00+08:00")
    everything = events(customer)
    assert len(everything) == 6
    assert events(customer, oldestFirst=None) == everything[::-1]
    assert events(customer, instanceId=first) == everything[:2]
    assert kinds(customer, instanceId=second) == ["unit.bought", "unit.running", "unit.releasing", "unit.released"]
    assert kinds(customer, types=["unit.released", "unit.bought"]) == ["unit.bought"] * 2 + ["unit.released"]
    assert events(customer, startTime="2030-01-15T09:00:00+08:00") == everything[2:]
    assert events(customer, endTime="2030-01-15T09:00:00+08:00") == everything[:2]
    day = {"startTime": "2030-01-15T12:00:00+08:00", "endTime": "2030-01-15T12:00:01+08:00"}
    assert events(customer, **day) == everything[4:]
    assert events(other, instanceId=first) == []
    assert len(events(other)) == 2
    assert customer.field_refused(EVENTS, "DescribeEvents", {"types": ["unit.eaten"]}) == "types"


def test_a_wildcard_names_all_types_of_a_group_and_one_that_matches_none_is_refused(either: ServiceHarness) -> None:
    customer = either.customer("31")
    customer.buy()
    either.advance("2030-01-15T12:00:00+08:00")
    assert kinds(customer, types=["unit.*"]) == ["unit.bought", "unit.running"]
    assert kinds(customer, types=["unit.running", "account.*"]) == ["unit.running", "account.arrears"]
    assert kinds(customer, types=["*"]) == kinds(customer)
    assert {event["type"] for event in customer.do(EVENTS, "DescribeEvents", {"types": ["*"]})["events"]} > {
        "iam.accountCreated"
    }
    for pattern, nearest in (("units.*", "unit.*"), ("unit.relased", "unit.released"), ("unit.b*", "unit.*")):
        answer = customer.ask(EVENTS, "DescribeEvents", {"types": [pattern]})
        assert answer.body["message"].endswith("param[types]")
        assert f"Did you mean {nearest!r}?" in answer.body["message"]
    hook = {"kind": "Webhook", "url": "https://hooks.example.org/x", "types": ["unit.*", "account.arrears"]}
    made = customer.do(NOTIFICATION, "CreateSubscription", hook)
    assert made["types"] == ["account.arrears", "unit.*"]
    change = {"subscriptionId": made["subscriptionId"], "types": ["unti.*"]}
    assert customer.field_refused(NOTIFICATION, "ModifySubscription", change) == "types"
    customer.do(NOTIFICATION, "DeleteSubscription", {"subscriptionId": made["subscriptionId"]})
    reader = either.user(customer, READ)
    assert kinds(reader, types=["*"]) == kinds(customer)
    assert reader.refused(EVENTS, "DescribeEvents", {"types": ["iam.*"]}) == "AccessDenied"


def test_a_marker_fits_the_list_it_came_from_and_no_other(either: ServiceHarness) -> None:
    customer = either.customer()
    customer.buy()
    page = customer.do(EVENTS, "DescribeEvents", {"maxKeys": 1})
    for other in ({"oldestFirst": True}, {"types": ["unit.bought"]}):
        body = {"maxKeys": 1, "marker": page["nextMarker"], **other}
        assert customer.refused(EVENTS, "DescribeEvents", body) == "InvalidMarker"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pages_deep_in_a_long_list_miss_and_repeat_nothing(fresh: ServiceHarness, size: int) -> None:
    customer = fresh.customer()
    for _ in range(24):
        customer.release(customer.buy())
    found = events(customer, maxKeys=size)
    assert [event["type"] for event in found] == [
        f"unit.{kind}" for _ in range(24) for kind in ("bought", "running", "releasing", "released")
    ]
    assert events(customer, maxKeys=size, oldestFirst=False) == found[::-1]


def test_accounts_whose_units_end_in_one_batch_see_their_own_events_only(either: ServiceHarness) -> None:
    customers = [either.customer() for _ in range(3)]
    units = [customer.buy(release="2030-01-15T09:30:00+08:00") for customer in customers]
    either.advance("2030-01-15T10:00:00+08:00")
    for customer, unit in zip(customers, units, strict=True):
        assert {event["subject"] for event in events(customer)} == {unit}
        assert kinds(customer)[-2:] == ["unit.releasing", "unit.released"]


def test_a_refusal_is_no_event(either: ServiceHarness) -> None:
    customer = either.customer("10")
    assert customer.refused(UNITS, "PurchaseComputeUnit", order(months=1)) == "InsufficientBalance"
    assert events(customer) == []


def test_a_silent_stream_says_so_again_and_again_on_either_store(
    either: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a shared store others' events are looked for meanwhile: that must not count as an event sent.
    monkeypatch.setattr("leasebook.api.handlers.account.events.KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr("leasebook.api.hub.LOOK_EVERY_S", 0.01)
    customer = either.customer()
    assert customer.desk.service is either.running
    told: list[bytes] = []

    async def scene() -> None:
        enough = asyncio.Event()
        query = "Action=FollowEvents"
        authorization = sign(
            access_key=customer.desk.access_key,
            secret_key=customer.desk.secret_key,
            method="POST",
            path=EVENTS,
            query=query,
            headers={"host": "leasebook.test"},
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            signed_headers=("host",),
        )
        headers = [(b"host", b"leasebook.test"), (b"authorization", authorization.encode())]
        path = {"path": EVENTS, "raw_path": EVENTS.encode(), "query_string": query.encode()}
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if requests:
                return requests.pop()
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            told.append(message.get("body", b""))
            if told.count(b": nothing happened\n\n") == 3:
                enough.set()

        async with asyncio.timeout(30):
            await either.running.app({"type": "http", "method": "POST", "headers": headers, **path}, receive, send)

    either.play(scene)
    assert told.count(b": nothing happened\n\n") >= 3
