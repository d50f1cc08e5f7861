"""The page of event types says of each type exactly what the data of its events has.

Most events are made by calls and by the clock. Those of engines, receivers and upgrades are made by rows that change as
they change them, through the book that emits every event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from leasebook.api.presenters.rows import event as shown_event
from leasebook.docsgen.events_page import events_page
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import (
    ACCOUNTS,
    DELIVERIES,
    ENGINE_CAPACITIES,
    INSTANCES,
    REPLICAS,
    SUBSCRIPTIONS,
    Table,
)
from leasebook.domain.model.account import Account
from leasebook.domain.model.engine_capacity import EngineCapacity, TypeCapacity
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.record.event import IAM_FOUND, TYPES
from leasebook.domain.record.event_shape import FIELDS, SHAPES
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.read_repository import EventPlace
from tests.api.conftest import open_up
from tests.api.scene import (
    ACCOUNT,
    EVENTS,
    IAM,
    MODEL,
    NOTIFICATION,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    new_service,
    order,
)
from tests.contract.rows import unit
from tests.log_stores import with_log_store

NOW: Final = Instant(1_900_000_000_000_000)
REPLICA: Final = Replica("unit-1", "svco-1", 0, "acc-1", "amv-1", "process", "here", 1, 1, "Failed", 0)
HOOK: Final = Subscription("sub-1", "acc-1", "Email", "a@b.c", b"", (), None, "Active", "", NOW, NOW, 0)
DELIVERY: Final = Delivery("sub-1", 1, 0, "acc-1", "account", None, "account.arrears", NOW)
CAPACITY: Final = EngineCapacity("process", "acc-1", (), {"gpu-1": TypeCapacity(("bj",), 16, 8)})
UNIT: Final = unit("unit-1")

CHANGES: Final[tuple[tuple[Table[Any], Any, dict[str, Any]], ...]] = (
    (INSTANCES, msgspec.structs.replace(UNIT, status="Creating"), {"status": "CreateFailed", "failure": "no power"}),
    (
        INSTANCES,
        msgspec.structs.replace(UNIT, status="Reconfiguring"),
        {"status": "ReconfigureFailed", "failure": "no power"},
    ),
    (REPLICAS, msgspec.structs.replace(REPLICA, restarts=2), {"restarts": 3, "reason": "it ended"}),
    (
        REPLICAS,
        msgspec.structs.replace(REPLICA, outage="Down", down_since=NOW),
        {"outage": "Reported", "reason": "it ended"},
    ),
    (
        REPLICAS,
        msgspec.structs.replace(REPLICA, state="Starting", outage="Reported", down_since=NOW),
        {"state": "Ready", "outage": "None", "down_since": None},
    ),
    (ACCOUNTS, Account("acc-1", "team", "UTC", Micro(0), NOW), {"name": "research"}),
    (REPLICAS, REPLICA, {"trouble": "the disk is full"}),
    (SUBSCRIPTIONS, HOOK, {"status": "Paused", "reason": "The receiver answered 410."}),
    (SUBSCRIPTIONS, msgspec.structs.replace(HOOK, status="Pending"), {"confirms": 1, "confirm_until": NOW}),
    (SUBSCRIPTIONS, msgspec.structs.replace(HOOK, status="Pending"), {"status": "Active"}),
    (DELIVERIES, DELIVERY, {"state": "GivenUp", "failure": "The receiver answered 500."}),
    (ENGINE_CAPACITIES, msgspec.structs.replace(CAPACITY, stocks={}), {"stocks": CAPACITY.stocks}),
    (ENGINE_CAPACITIES, CAPACITY, {"stocks": {"gpu-1": TypeCapacity(("bj",), 8, 8)}}),
)


def by_rows() -> Iterator[Any]:
    """Events of rows that change as engines, receivers and mail servers change them."""
    for table, before, changed in CHANGES:
        book = Book()
        after = msgspec.structs.replace(before, **changed)
        key = tuple(getattr(before, name) for name in table.key)
        book.load(table, key, before)
        draft = Draft(book, NOW)
        draft.put(table, after)
        book.take(draft, NOW, None)
        for account, events in book.events.items():
            for line, one in enumerate(events):
                shown = shown_event(account, EventPlace(1, line), one, lambda at: rfc3339(at, "Asia/Shanghai"))
                yield msgspec.to_builtins(shown)


def by_calls(scene: ServiceHarness) -> Iterator[Any]:
    """Events of two accounts that do everything which is an event, as the API lists them."""
    customer, operator = scene.customer("5000"), scene.operator
    customer.do(ACCOUNT, "SetReminders", {"beforeSeconds": [3600]})
    customer.do(ACCOUNT, "SetGuardRails", {"limits": {"budget": "100", "budgetWarnPercent": [50]}})
    leased = customer.buy()
    for time in ("2030-01-15T12:00:00+08:00", "2030-01-15T13:00:00+08:00", None):
        customer.schedule(leased, time)
    customer.do(UNITS, "ResizeComputeUnit", {"instanceId": leased, "count": 2})
    customer.schedule(leased, "2030-01-15T12:00:00+08:00")
    prepaid = customer.buy(months=1)
    to_postpaid = {"instanceId": prepaid, "paymentTiming": "Postpaid"}
    customer.do(UNITS, "ChangeBilling", to_postpaid)
    customer.do(UNITS, "RenewComputeUnit", {"instanceId": prepaid, "months": 1})
    customer.do(UNITS, "ChangeBilling", to_postpaid)
    service = customer.create_service()
    log_store = {"serviceType": "Custom", "logProject": "team", "logStoreName": "replicas"}
    customer.do(SERVICE, "AttachLogStore", {"serviceId": service, **log_store})
    customer.do(SERVICE, "DetachLogStore", {"serviceId": service})
    off = {"serviceId": service, "accountId": customer.account_id(), "reason": "It floods a partner."}
    operator.do(SERVICE, "DeactivateService", off)
    customer.do(SERVICE, "ActivateService", {"serviceId": service})
    hook = customer.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://hooks.example.org/x"})
    customer.do(NOTIFICATION, "TestSubscription", {"subscriptionId": hook["subscriptionId"]})
    customer.do(NOTIFICATION, "DeleteSubscription", {"subscriptionId": hook["subscriptionId"]})
    key = customer.do(SERVICE, "CreateServiceKey", {"name": "app"})
    customer.do(SERVICE, "DeleteServiceKey", {"keyId": key["keyId"]})
    user = customer.do(IAM, "CreateUser", {"name": "user"})
    access = customer.do(IAM, "CreateAccessKey", {"userId": user["userId"]})
    policy = {"userId": user["userId"], "policyName": "QianfanReadAccessPolicy"}
    customer.do(IAM, "AttachPolicy", policy)
    customer.do(IAM, "DisableAccessKey", {"accessKeyId": access["accessKeyId"]})
    models = customer.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})["modelSetId"]
    version = {"modelSetId": models, "run": {"command": ["serve"]}}
    model = {"modelId": customer.do(MODEL, "CreateCustomModel", version)["modelId"]}
    operator.do(MODEL, "ApproveModel", model)
    operator.do(MODEL, "WithdrawModelApproval", model)
    with_approvals(scene, customer)
    poor = scene.customer("131")
    poor.buy()
    poor.buy(months=1, autoRenew=True, autoRenewTimeUnit="Month", autoRenewTime=1)
    third = customer.buy()
    customer.do(UNITS, "ChangeBilling", {"instanceId": third, **order(months=1)["billing"]})
    scene.advance("2030-01-18T08:00:00+08:00")
    operator.do(ACCOUNT, "TopUpAccount", {"amount": "2000", "accountId": poor.account_id()})
    scene.advance("2030-02-16T08:00:00+08:00")
    operator.do(ACCOUNT, "TopUpAccount", {"amount": "9000", "accountId": poor.account_id()})
    customer.do("/v2/tag", "TagResource", {"resourceId": third, "tags": {"team": "vision"}})
    customer.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": ["team"], "allowed": {"team": ["vision"]}}})
    project = customer.do("/v2/project", "CreateProject", {"name": "atlas"})["projectId"]
    operator.do(ACCOUNT, "TopUpAccount", {"amount": "9000", "accountId": customer.account_id()})
    customer.do(UNITS, "PurchaseComputeUnit", {**order(), "projectId": project, "tags": {"team": "vision"}})
    customer.do("/v2/project", "MoveResource", {"resourceId": third, "projectId": project})
    operator.do(IAM, "SuspendAccount", {"accountId": poor.account_id(), "reason": "The invoice of May is not paid."})
    operator.do(IAM, "ResumeAccount", {"accountId": poor.account_id()})
    over = {"accountId": scene.customer("12.50").account_id()}
    operator.do(IAM, "CloseAccount", {**over, "payOut": True})
    yield from operator.do(EVENTS, "DescribeEvents", {**over, "types": ["account.closed"]})["events"]
    for caller in (customer, poor):
        for page in caller.pages(EVENTS, "DescribeEvents", {"oldestFirst": True}):
            yield from page["events"]


def with_approvals(scene: ServiceHarness, customer: Caller) -> None:
    """Ask for purchases that need an approval: one is approved, one rejected, and one lapses after its reminders."""
    customer.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": {"units": {"*": 0}}}})
    for _ in range(2):
        customer.refused(UNITS, "PurchaseComputeUnit", order())
    replicas = {"replicasCount": 1}
    customer.refused(SERVICE, "CreateService", new_service(**replicas) | {"billing": order()["billing"]})
    made, rejected, _ = customer.do(ACCOUNT, "DescribeApprovals")["approvals"]
    scene.operator.do(ACCOUNT, "ApprovePurchase", {"approvalId": made["approvalId"]})
    scene.operator.do(ACCOUNT, "RejectPurchase", {"approvalId": rejected["approvalId"], "reason": "Not now."})
    customer.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": None}})


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Events of as many types as can be made to happen."""
    with a_scene(tmp_path_factory.mktemp("shapes"), environment=with_log_store()) as scene:
        open_up(scene)
        return [*by_calls(scene), *by_rows()]


NOT_MADE: Final = {IAM_FOUND}
"""Only the upgrade of a store from before these events makes it (``tests/api/test_identity_events.py``)."""


def test_every_type_has_a_shape_and_a_place_on_the_page() -> None:
    assert set(SHAPES) == set(TYPES)
    page = events_page()
    assert all(f"\n## {kind}\n" in page for kind in TYPES)
    named = {name for shape in SHAPES.values() for name in (*shape.always, *shape.sometimes)}
    assert named - {"links"} == set(FIELDS)


def test_every_type_is_made_to_happen(emitted: list[Any]) -> None:
    assert set(TYPES) - {event["type"] for event in emitted} == NOT_MADE


def test_every_event_has_the_fields_of_its_page_and_no_others(emitted: list[Any]) -> None:
    for event in emitted:
        shape = SHAPES[event["type"]]
        assert shape.on_unit in (None, "subject" in event), event
        found = set(event["data"]) - {"userId", "userName", "instanceName"}
        assert set(shape.always) <= found <= {*shape.always, *shape.sometimes}, event
        for name in found - {"links"}:
            example, value = FIELDS[name][1], event["data"][name]
            assert value is None or type(value) is type(example), (event, name)
