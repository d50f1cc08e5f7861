"""Events of accounts, users and keys: which action makes which, their content, and who gets them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from leasebook.contract.signing import sign
from leasebook.domain.model.subscription import Subscription
from leasebook.domain.record.event import IAM_FOUND, Event
from tests.api.scene import ACCOUNT, EVENTS, IAM, SERVICE, UNITS, Caller, ServiceHarness, order
from tests.harness import Client

OPERATE, READ, FULL = "QianfanServiceOperateAccessPolicy", "QianfanReadAccessPolicy", "QianfanFullControlAccessPolicy"


def identity_events(of: Caller, **asked: Any) -> list[Any]:
    """All events of an account's users and keys, oldest first."""
    pages = of.pages(EVENTS, "DescribeEvents", {"oldestFirst": True, **asked})
    return [event for page in pages for event in page["events"] if event["type"].startswith("iam.")]


def test_opening_an_account_tells_of_it_of_its_root_and_of_the_first_key(either: ServiceHarness) -> None:
    made = either.operator.do(IAM, "CreateAccount", {"name": "customer"})
    customer = either.caller(made)
    account, user, key = identity_events(customer)
    assert [one["type"] for one in (account, user, key)] == [
        "iam.accountCreated",
        "iam.userCreated",
        "iam.accessKeyCreated",
    ]
    opened = "2030-01-15T08:00:00+08:00"
    (operator,) = {one["data"]["userId"] for one in (account, user, key)}
    assert account["data"] == {
        "accountId": made["accountId"],
        "now": {
            "name": "customer",
            "timeZone": "Asia/Shanghai",
            "createTime": opened,
            "status": "Active",
            "statusReason": "",
            "tagPolicy": None,
        },
        "userId": operator,
    }
    assert user["data"]["targetUserId"] == made["userId"]
    assert user["data"]["now"] == {
        "accountId": made["accountId"],
        "name": "root",
        "isRoot": True,
        "policies": [],
        "createTime": opened,
        "requires": [],
        "email": None,
        "projectPolicies": [],
        "language": None,
        "deletedTime": None,
        "openId": None,
    }
    assert key["data"]["accessKeyId"] == made["accessKeyId"]
    digest = key["data"]["now"].pop("secretDigest")
    assert len(bytes.fromhex(digest)) == 32
    assert key["data"]["now"] == {
        "userId": made["userId"],
        "accountId": made["accountId"],
        "status": "Active",
        "createTime": opened,
        "requires": [],
        "fromEnvironment": False,
        "byOperator": True,
        "name": "",
    }
    assert made["secretAccessKey"] not in json.dumps(identity_events(customer))


def test_each_change_of_a_user_or_a_key_is_one_event_with_what_was_before(either: ServiceHarness) -> None:
    customer = either.customer(None)
    seen = len(identity_events(customer))
    user = customer.do(IAM, "CreateUser", {"name": "worker"})["userId"]
    key = customer.do(IAM, "CreateAccessKey", {"userId": user})["accessKeyId"]
    for policy in (READ, OPERATE, OPERATE):
        customer.do(IAM, "AttachPolicy", {"userId": user, "policyName": policy})
    customer.do(IAM, "DetachPolicy", {"userId": user, "policyName": READ})
    for _ in range(2):
        customer.do(IAM, "AttachPolicy", {"userId": user, "policyName": READ, "projectIds": ["default"]})
    for _ in range(2):
        customer.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    service_key = customer.do(SERVICE, "CreateServiceKey", {"name": "app"})
    customer.do(SERVICE, "DeleteServiceKey", {"keyId": service_key["keyId"]})
    events = identity_events(customer)[seen:]
    assert [(one["type"].removeprefix("iam."), one["data"].get("before")) for one in events] == [
        ("userCreated", None),
        ("accessKeyCreated", None),
        ("userChanged", {"policies": []}),
        ("userChanged", {"policies": [READ]}),
        ("userChanged", {"policies": [READ, OPERATE]}),
        ("userChanged", {"projectPolicies": []}),
        ("accessKeyChanged", {"status": "Active"}),
        ("serviceKeyCreated", None),
        ("serviceKeyChanged", {"status": "Active"}),
    ]
    assert [events[place]["data"]["now"] for place in (4, 5, 6, 8)] == [
        {"policies": [OPERATE]},
        {"projectPolicies": [{"policyName": READ, "projectIds": ["default"]}]},
        {"status": "Disabled"},
        {"status": "Deleted"},
    ]
    assert events[8]["data"]["serviceKeyId"] == service_key["keyId"]
    assert service_key["key"] not in json.dumps(events)


def test_a_refused_change_is_no_event(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer(None)
    before = identity_events(customer)
    user = before[1]["data"]["targetUserId"]
    asked = {"userId": user, "policyName": "LeasebookOperatorPolicy"}
    assert customer.refused(IAM, "AttachPolicy", asked) == "AccessDenied"
    assert (
        customer.refused(IAM, "DisableAccessKey", {"accessKeyId": before[2]["data"]["accessKeyId"]}) == "InvalidState"
    )
    assert identity_events(customer) == before


def test_who_does_not_manage_the_account_gets_no_events_of_its_users_and_keys(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer(None)
    reader = either_shared.user(customer, READ)
    assert identity_events(customer)
    assert identity_events(reader) == []
    for action in ("DescribeEvents", "FollowEvents"):
        for kinds in (["iam.userChanged"], ["iam.found", "unit.bought"]):
            assert reader.refused(EVENTS, action, {"types": kinds}) == "AccessDenied"
    (changed,) = identity_events(customer, types=["iam.userChanged"])
    assert changed["data"]["now"] == {"policies": [READ]}


def test_a_stream_tells_of_users_and_keys_only_as_long_as_its_reader_manages_the_account(
    either: ServiceHarness,
) -> None:
    customer = either.customer()
    manager = either.user(customer, FULL, READ)
    mine, worker = customer.do(IAM, "CreateUser", {"name": "worker"})["userId"], manager.desk
    users = {one["userId"] for one in customer.do(IAM, "DescribeUsers")["users"] if not one["isRoot"]} - {mine}
    (reader,) = users
    stream = Stream(worker)

    async def change(action: str, user: str, policy: str) -> None:
        assert (await customer.desk.call(IAM, action, {"userId": user, "policyName": policy})).result

    async def scene() -> None:
        running = asyncio.create_task(stream.run())
        async with asyncio.timeout(30):
            await stream.seen("this stream")
            await change("AttachPolicy", mine, OPERATE)
            await stream.seen("iam.userChanged")
            await change("DetachPolicy", reader, FULL)
            await change("DetachPolicy", mine, OPERATE)
            await customer.desk.call(UNITS, "PurchaseComputeUnit", order())
            await stream.seen("unit.bought")
        stream.ended.set()
        await running

    either.play(scene)
    assert stream.text.count("event: iam.") == 1


class Stream:
    """Follows an account's events until the test ends it."""

    def __init__(self, desk: Client) -> None:
        self.desk = desk
        self.text = ""
        self.came, self.ended = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Follow."""
        query = "Action=FollowEvents"
        authorization = sign(
            access_key=self.desk.access_key,
            secret_key=self.desk.secret_key,
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
            await self.ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.text += message.get("body", b"").decode()
            self.came.set()

        await self.desk.service.app({"type": "http", "method": "POST", "headers": headers, **path}, receive, send)

    async def seen(self, text: str) -> None:
        """Wait until something came."""
        while text not in self.text:
            self.came.clear()
            await self.came.wait()


@pytest.mark.parametrize("types", [(), (IAM_FOUND,)])
def test_what_was_found_at_an_upgrade_is_sent_to_no_subscription(types: tuple[str, ...]) -> None:
    hook = Subscription("sub-1", "acc", "Webhook", "https://x", b"", types, None, "Active", "u", 0, 0, 0)  # type: ignore[arg-type]
    assert not hook.wants(Event(0, IAM_FOUND, None, None, {}))  # type: ignore[arg-type]
    assert hook.wants(Event(0, "iam.userChanged", None, None, {})) is (types == ())  # type: ignore[arg-type]


def test_a_subscription_gets_events_of_users_and_keys(either: ServiceHarness) -> None:
    # That an event is sent at all is shown elsewhere; here, that those of users and keys are among them.
    customer = either.customer(None)
    subscription = customer.do(
        "/v2/notification",
        "CreateSubscription",
        {"kind": "Webhook", "url": "https://example.org/hook", "types": ["iam.userCreated"]},
    )
    customer.do(IAM, "CreateUser", {"name": "worker"})
    event = identity_events(customer, types=["iam.userCreated"])[-1]
    delivery = customer.do(
        "/v2/notification",
        "RedeliverEvent",
        {"subscriptionId": subscription["subscriptionId"], "eventId": event["id"]},
    )
    assert delivery["eventId"] == event["id"]


def test_an_account_s_money_is_no_matter_of_its_identity(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer("100")
    either_shared.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1", "accountId": customer.account_id()})
    assert "iam.accountChanged" not in {one["type"] for one in identity_events(customer)}
