"""The whole family of actions as one story, written once and played by all four clients.

A value that begins with ``$`` is replaced by a part of the answer to an earlier step: ``$bought.instanceId``.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

UNITS, CHARGE, SERVICE = "/v2/computeunit", "/v2/charge", "/v2/service"
ACCOUNT = "/v2/account"
MODEL, OTHER_MODEL = "ernie-4.0-8k", "ernie-3.5-8k"
BEIJING = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class CallStep:
    """One call; ``name`` is what later steps and the tests know its answer by."""

    name: str
    route: str
    action: str
    body: dict[str, Any] = field(default_factory=dict)


def story() -> list[CallStep]:
    """All steps, in the order in which they are to be taken."""
    return [*units(), *terms(), *quotes(), *quota(), *services(), *books(), *endings()]


def write(file: Path) -> Path:
    """Puts the story into a file that the programs can play."""
    return write_steps(file, story())


def write_steps(file: Path, taken: Iterable[CallStep]) -> Path:
    """Puts steps into a file that the programs can play."""
    steps = [{"call": one.name, "route": one.route, "action": one.action, "body": one.body} for one in taken]
    file.write_text(json.dumps(steps, ensure_ascii=False))
    return file


def purchase(count: int = 1, *, months: int | None = None, **more: Any) -> dict[str, Any]:
    """The body that buys units."""
    config = {"region": "bj", "type": "gpu-1"}
    return {"computeUnitCount": count, "computeUnitConfig": config, "billing": billing(months), **more}


def billing(months: int | None = None) -> dict[str, Any]:
    """By the minute, or for some months."""
    if months is None:
        return {"paymentTiming": "Postpaid"}
    return {"paymentTiming": "Prepaid", "reservation": {"reservationTimeUnit": "Month", "reservationLength": months}}


def show(name: str, unit: str) -> CallStep:
    """A look at an instance."""
    return CallStep(name, UNITS, "DescribeComputeUnit", {"instanceId": unit})


def units() -> list[CallStep]:
    """An instance that grows and shrinks, at both paths."""
    unit, resized = "$bought.instanceId", "ResizeComputeUnit"
    return [
        CallStep("bought", UNITS, "PurchaseComputeUnit", purchase(4)),
        CallStep("grown", UNITS, resized, {"instanceId": unit, "count": 6}),
        show("after-growing", unit),
        CallStep("shrunk", CHARGE, resized, {"instanceId": unit, "count": 5}),
        show("after-shrinking", unit),
        CallStep("same-size", UNITS, resized, {"instanceId": unit, "count": 5}),
        CallStep("no-size", UNITS, resized, {"instanceId": unit}),
    ]


def terms() -> list[CallStep]:
    """A prepaid instance: renewed, with a rule, turned postpaid; and one that turns prepaid."""
    unit = {"instanceId": "$prepaid.instanceId"}
    kind = {"instanceType": "ComputingUnit"}
    turned = {"instanceId": "$turns.instanceId"}
    return [
        CallStep("prepaid", UNITS, "PurchaseComputeUnit", purchase(months=1)),
        CallStep("renewed", UNITS, "RenewComputeUnit", {**unit, "months": 1}),
        CallStep("renewed-to-a-day", UNITS, "RenewComputeUnit", {**unit, "expiryDay": 20}),
        show("after-renewing", unit["instanceId"]),
        CallStep(
            "rule", CHARGE, "CreateAutoRenewRules", {**unit, **kind, "autoRenewTimeUnit": "Month", "autoRenewTime": 3}
        ),
        CallStep("rules", CHARGE, "DescribeAutoRenewRules", unit),
        # The Python client's call for a rule: the release action, with an instanceType.
        CallStep("rule-by-mistake", CHARGE, "AutoReleaseComputeUnit", {**unit, **kind, "autoRenewTime": 2}),
        CallStep("rules-by-mistake", CHARGE, "DescribeAutoRenewRules", {"maxKeys": 100}),
        CallStep("rule-deleted", CHARGE, "DeleteAutoRenewRules", unit),
        CallStep("rules-left", CHARGE, "DescribeAutoRenewRules", unit),
        CallStep("billing-changing", UNITS, "ChangeBilling", {**unit, "paymentTiming": "Postpaid"}),
        show("while-changing", unit["instanceId"]),
        CallStep("turns", UNITS, "PurchaseComputeUnit", purchase()),
        CallStep("turned", UNITS, "ChangeBilling", {**turned, **billing(months=2)}),
        show("after-turning", turned["instanceId"]),
    ]


def quotes() -> list[CallStep]:
    """A price that is held, used once and then no more; and one that no account here could pay."""
    return [
        CallStep("quote", UNITS, "QuotePurchase", {**purchase(2, months=1), "hold": True}),
        CallStep("quote-refused", UNITS, "QuotePurchase", purchase(100_000, months=12)),
        CallStep("quoted", UNITS, "PurchaseComputeUnit", purchase(2, months=1, quoteId="$quote.quoteId")),
        CallStep("cannot-shrink", UNITS, "ResizeComputeUnit", {"instanceId": "$quoted.instanceId", "count": 1}),
        CallStep("quoted-again", UNITS, "PurchaseComputeUnit", purchase(2, months=1, quoteId="$quote.quoteId")),
    ]


def quota() -> list[CallStep]:
    """The life of quota."""
    unit, model = {"instanceId": "$tpm.instanceId"}, {"model": MODEL}
    return [
        CallStep("presets", SERVICE, "DescribePresetServices"),
        CallStep("tpm", CHARGE, "PurchaseTPMResource", {**model, "purchaseCount": 2, "billing": billing()}),
        CallStep(
            "tpm-listed", CHARGE, "DescribeTPMResource", {**model, "paymentTiming": "Postpaid", "status": "Running"}
        ),
        CallStep("tpm-resized", CHARGE, "ResizeTPMResource", {**unit, "count": 3}),
        CallStep("tpm-resized-to-nothing-else", CHARGE, "ResizeTPMResource", unit),
        CallStep("tpm-scheduled", CHARGE, "AutoReleaseTPMResource", {**unit, "releaseTime": "2030-01-15 09:30:00"}),
        CallStep("tpm-shown", CHARGE, "DescribeTPMResource", {**model, **unit}),
        CallStep("tpm-cleared", CHARGE, "AutoReleaseTPMResource", unit),
        CallStep("tpm-after-clearing", CHARGE, "DescribeTPMResource", {**model, **unit}),
        CallStep(
            "presets-opened", SERVICE, "DescribePresetServices", {"chargeStatus": ["Opened"], "chargeType": ["TPM"]}
        ),
        CallStep("tpm-of-another-model", CHARGE, "ReleaseTPMResource", {"model": OTHER_MODEL, **unit}),
        CallStep("tpm-released", CHARGE, "ReleaseTPMResource", {**model, **unit}),
        CallStep("tpm-gone", CHARGE, "DescribeTPMResource", {**model, **unit}),
    ]


def new_service(name: str) -> dict[str, Any]:
    """The fields of every new service."""
    model = {"modelSetId": "am-gh0azfeb9adu", "modelId": "amv-g73j3faikzpz"}
    return {**model, "name": name, "urlSuffix": "story", "description": "测试 <b>&'=…"}


def services() -> list[CallStep]:
    """Services that share an instance, are found, taken off and on."""
    unit, first, second = "$bought.instanceId", "$placed.serviceId", "$sold.serviceId"
    placed = [{"instanceId": unit, "deploymentReplicasCount": 2}]
    deployment = {"deploymentComputeUnitList": placed, "replicasCount": 2, "qps": 1.5}
    bought = {"type": "GPU-1-2", "replicasCount": 1, "qps": 0.5}

    def scale(name: str, replicas: int) -> CallStep:
        body = {"serviceId": second, "instanceId": unit, "deploymentReplicasCount": replicas}
        return CallStep(name, SERVICE, "ScaleService", body)

    calls = {"serviceId": first, "appId": "story", "inputTokens": 20, "outputTokens": 30, "succeeded": 2, "failed": 1}
    when = {"startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "serviceId": [first]}
    package = {"serviceName": MODEL, "specification": 50, "expiredTime": "2090-01-01T00:00:00Z"}
    found = {"name": "story", "serviceType": ["chat"], "chargeType": "ComputingUnit", "maxKeys": 100}
    return [
        CallStep("placed", SERVICE, "CreateService", {**new_service("story placed"), "deploymentConfig": deployment}),
        CallStep(
            "sold", SERVICE, "CreateService", {**new_service("story"), "resourceConfig": bought, "billing": billing()}
        ),
        scale("scaled", 1),
        show("shared", unit),
        scale("scaled-too-far", 2),
        CallStep("modified", SERVICE, "ModifyService", {"serviceId": first, "modelSetId": "am-2", "modelId": "amv-2"}),
        CallStep("off", SERVICE, "DeactivateService", {"serviceId": first}),
        CallStep("while-off", SERVICE, "DescribeService", {"serviceId": first}),
        CallStep("services-off", SERVICE, "DescribeServices", {**found, "runStatus": ["Stopped"]}),
        CallStep("services-on", SERVICE, "DescribeServices", {**found, "runStatus": ["Serving"], "payType": "Postpay"}),
        CallStep("on", SERVICE, "ActivateService", {"serviceId": first}),
        CallStep("while-on", SERVICE, "DescribeService", {"serviceId": first}),
        CallStep("package", CHARGE, "GrantPackageResource", package),
        CallStep("counted", SERVICE, "CountServiceCalls", {**calls, "packageId": "$package.instance.packageId"}),
        CallStep("metric", SERVICE, "DescribeServiceMetric", when),
        CallStep("metric-of-nobody", SERVICE, "DescribeServiceMetric", {**when, "appId": "nobody"}),
        CallStep("packages", CHARGE, "DescribePackageResources"),
        CallStep("package-shown", CHARGE, "DescribePackageResource", {"packageId": "$package.instance.packageId"}),
        scale("taken-off", 0),
        show("no-more-shared", unit),
    ]


def books() -> list[CallStep]:
    """Bills, orders and statements of it all."""
    month = (datetime.now(UTC) + BEIJING).strftime("%Y-%m")
    of = {"instanceId": "$prepaid.instanceId"}
    return [
        CallStep("orders", ACCOUNT, "DescribeOrders", of),
        CallStep("postings", ACCOUNT, "DescribePostings", {**of, "kind": "Renewal", "maxKeys": 10}),
        CallStep("statement", ACCOUNT, "DescribeStatement", {"month": month, "maxKeys": 100}),
    ]


def endings() -> list[CallStep]:
    """Instances are released, and a service deleted."""
    first, second = "$placed.serviceId", "$sold.serviceId"
    return [
        CallStep("still-placed", SERVICE, "DeleteService", {"serviceId": first}),
        CallStep("released", UNITS, "ReleaseComputeUnit", {"instanceId": "$bought.instanceId"}),
        show("after-release", "$bought.instanceId"),
        CallStep("idle", SERVICE, "DescribeService", {"serviceId": first}),
        CallStep("deleted", SERVICE, "DeleteService", {"serviceId": first}),
        CallStep("after-deletion", SERVICE, "DescribeService", {"serviceId": first}),
        CallStep("sold-released", UNITS, "ReleaseComputeUnit", {"instanceId": "$sold.instanceId"}),
        CallStep("sold-deleted", SERVICE, "DeleteService", {"serviceId": second}),
    ]


REFUSED = {
    "same-size": ("InvalidState", 720007),
    "no-size": ("InappropriateJSON", 710001),
    "cannot-shrink": ("OperationNotSupported", 720006),
    "quoted-again": ("InvalidState", 720007),
    "tpm-of-another-model": ("InstanceNotFound", 720004),
    "scaled-too-far": ("InvalidState", 720007),
    "still-placed": ("InvalidState", 720007),
    "after-deletion": ("ServiceNotFound", 720005),
}
"""The calls that are refused, with the code and its number; all others succeed."""
