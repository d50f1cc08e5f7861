"""Lists that were whole at first have pages, the same as all others, and are whole where a caller asks for no page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest

from leasebook.api.handlers.account.identities import KEYS_SHOWN_MAX, shown_keys
from leasebook.api.paging import WHOLE
from leasebook.domain.model.account import AccessKey, KeyStatus
from leasebook.domain.values.calendar import Instant
from tests.api.scene import CATALOG, CHARGE, IAM, MODEL, NOTIFICATION, SERVICE, Caller, ServiceHarness

HOOK: Final = {"kind": "Webhook", "url": "https://receiver.invalid/"}
ENDS: Final = {"isTruncated", "maxKeys", "nextMarker"}
SPAN: Final = {"startTime": "2030-01-01 00:00:00", "endTime": "2030-12-01 00:00:00"}


class ListCase(NamedTuple):
    """A list: how it is asked for, where its rows are, by what they are known, and what makes at least three."""

    path: str
    action: str
    rows: str
    name: str
    make: Callable[[ServiceHarness, Caller], dict[str, Any]]


def users(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for _ in range(4):
        caller.do(IAM, "CreateAccessKey", {"userId": caller.do(IAM, "CreateUser", {"name": "same"})["userId"]})
    return {}


def subscriptions(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for _ in range(4):
        caller.do(NOTIFICATION, "CreateSubscription", HOOK)
    return {}


def versions(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    made: dict[str, Any] = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "many"})
    for _ in range(11):
        caller.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["x"]}})
    return made


def packages(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:
    for _ in range(4):
        scene.grant(caller)
    return {}


def quota(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:
    scene.sell_quota()
    for _ in range(4):
        caller.buy_quota()
    return {"model": "ernie-4.0-8k"}


def instances(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:
    scene.sell(stock=100)
    service = caller.create_service()
    for _ in range(4):
        caller.buy_replicas(service, 1)
    return {"serviceId": service}


def offerings(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for unit_type in ("a-1", "b-1", "c-1"):
        scene.sell("gz", unit_type)
    return {}


def prices(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for price in ("0.1", "0.2", "0.3"):
        scene.sell("gz", "p-1", minute=price)
    return {"region": "gz", "type": "p-1"}


def presets(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for model in ("m-1", "m-2", "m-3"):
        scene.sell_quota(model)
    return {}


def metrics(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:  # noqa: ARG001
    for _ in range(4):
        called = {"serviceId": caller.create_service(), "appId": "app-1", "succeeded": 1}
        caller.do(SERVICE, "CountServiceCalls", called)
    return SPAN


def stats(scene: ServiceHarness, caller: Caller) -> dict[str, Any]:
    return {**metrics(scene, caller), "interval": 86400}


LISTS: Final = {
    "users": ListCase(IAM, "DescribeUsers", "users", "userId", users),
    "subscriptions": ListCase(NOTIFICATION, "DescribeSubscriptions", "subscriptions", "subscriptionId", subscriptions),
    "versions": ListCase(MODEL, "DescribeModelSet", "modelList", "modelId", versions),
    "packages": ListCase(CHARGE, "DescribePackageResources", "instances", "packageId", packages),
    "quota": ListCase(CHARGE, "DescribeTPMResource", "instances", "instanceId", quota),
    "instances": ListCase(CHARGE, "DescribeServiceResources", "instances", "instanceId", instances),
    "offerings": ListCase(CATALOG, "DescribeOfferings", "offerings", "type", offerings),
    "prices": ListCase(CATALOG, "DescribePrices", "prices", "pricePerMinute", prices),
    "presets": ListCase(SERVICE, "DescribePresetServices", "serviceList", "serviceId", presets),
    "metrics": ListCase(SERVICE, "DescribeServiceMetric", "serviceList", "serviceId", metrics),
    "stats": ListCase(SERVICE, "DescribeServiceStats", "serviceList", "serviceId", stats),
}


def pages(caller: Caller, listed: ListCase, body: dict[str, Any], size: int) -> Iterator[Any]:
    """Walk through all pages."""
    marker = None
    while True:
        answer = caller.do(listed.path, listed.action, {**body, "maxKeys": size, "marker": marker})
        yield answer
        marker = answer.get("nextMarker")
        assert answer["isTruncated"] is (marker is not None)
        if marker is None:
            return


@pytest.mark.both_stores
@pytest.mark.parametrize("what", LISTS)
def test_a_list_is_whole_where_nobody_asks_for_pages_and_its_pages_are_all_of_it(
    either: ServiceHarness, what: str
) -> None:
    listed, customer, other = LISTS[what], either.customer("100000"), either.customer()
    body = listed.make(either, customer)
    whole = customer.do(listed.path, listed.action, body)
    assert ENDS.isdisjoint(whole)
    names = [row[listed.name] for row in whole[listed.rows]]
    assert len(names) >= 3
    for size in (1, 2, len(names)):
        found = list(pages(customer, listed, body, size))
        assert [row[listed.name] for page in found for row in page[listed.rows]] == names
        assert {len(page[listed.rows]) for page in found[:-1]} <= {size}
        assert {page["maxKeys"] for page in found} == {size}
    first = customer.do(listed.path, listed.action, {**body, "maxKeys": 1})
    for wrong in ("x", first["nextMarker"][:-2], first["nextMarker"] + "A"):
        assert customer.refused(listed.path, listed.action, {**body, "marker": wrong}) == "InvalidMarker"
    if what in ("users", "subscriptions", "packages"):
        # A place in one account's list is none in another's.
        assert other.refused(listed.path, listed.action, {"marker": first["nextMarker"]}) == "InvalidMarker"


def test_a_page_has_no_more_rows_than_may_be_however_many_are_asked_for(either: ServiceHarness) -> None:
    answer = either.operator.do(CATALOG, "DescribeOfferings", {"maxKeys": 2**31})
    assert answer["maxKeys"] == WHOLE.most
    assert WHOLE.default == WHOLE.most == 1000


def test_engines_and_replicas_have_pages_too(either: ServiceHarness) -> None:
    customer = either.customer()
    service = customer.create_service()
    assert customer.do(SERVICE, "DescribeReplicas", {"serviceId": service, "maxKeys": 5})["isTruncated"] is False
    whole = either.operator.do(CATALOG, "DescribeEngines")["stocks"]
    found: list[Any] = []
    answer = {"nextMarker": None}
    while not found or answer.get("nextMarker"):
        answer = either.operator.do(CATALOG, "DescribeEngines", {"maxKeys": 1, "marker": answer["nextMarker"]})
        found += [row["type"] for row in answer["stocks"]] or [None]
    assert found == ([row["type"] for row in whole] or [None])
    for path, action, body in ((SERVICE, "DescribeReplicas", {"serviceId": service}), (CATALOG, "DescribeEngines", {})):
        assert either.operator.ask(path, action, {**body, "marker": "x"}).code in ("InvalidMarker", "ServiceNotFound")


def _keys(*statuses: KeyStatus) -> list[AccessKey]:
    return [AccessKey(f"k-{number}", "u", "a", b"", one, Instant(number)) for number, one in enumerate(statuses)]


def test_of_a_users_keys_the_active_ones_are_listed_and_the_newest_of_the_others() -> None:
    few = _keys("Active", "Disabled", "Active")
    assert shown_keys(few) == few
    many = _keys("Disabled", "Active", *(("Disabled",) * KEYS_SHOWN_MAX))
    shown = shown_keys(many)
    assert len(shown) == KEYS_SHOWN_MAX
    assert shown[0] == many[1]
    assert shown[1:] == many[3:]
