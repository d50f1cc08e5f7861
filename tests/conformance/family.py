"""The whole family of actions as one story, told once and played by all four clients.

A value that begins with ``$`` stands for something that an earlier step answered: ``$bought.instanceId``.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

UNITS, CHARGE, SERVICE = "/v2/computeunit", "/v2/charge", "/v2/service"
ACCOUNT = "/v2/account"
MODEL, OTHER_MODEL = "ernie-4.0-8k", "ernie-3.5-8k"
BEIJING = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Step:
    """One call; ``name`` is what later steps and the tests know its answer by."""

    name: str
    route: str
    action: str
    body: dict[str, Any] = field(default_factory=dict)


def story() -> list[Step]:
    """All steps, in the order in which they are to be taken."""
    return [*units(), *terms(), *quotes(), *quota(), *services(), *books(), *endings()]


def write(file: Path) -> Path:
    """Puts the story into a file that the programs can play."""
    steps = [{"call": one.name, "route": one.route, "action": one.action, "body": one.body} for one in story()]
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


def show(name: str, unit: str) -> Step:
    """A look at an instance."""
    return Step(name, UNITS, "DescribeComputeUnit", {"instanceId": unit})


def units() -> list[Step]:
    """An instance that grows and shrinks, at both paths."""
    unit, resized = "$bought.instanceId", "ResizeComputeUnit"
    return [
        Step("bought", UNITS, "PurchaseComputeUnit", purchase(4)),
        Step("grown", UNITS, resized, {"instanceId": unit, "count": 6}),
        show("after-growing", unit),
        Step("shrunk", CHARGE, resized, {"instanceId": unit, "count": 5}),
        show("after-shrinking", unit),
        Step("same-size", UNITS, resized, {"instanceId": unit, "count": 5}),
        Step("no-size", UNITS, resized, {"instanceId": unit}),
    ]


def terms() -> list[Step]:
    """A prepaid instance: renewed, with a rule, turned postpaid; and one that turns prepaid."""
    unit = {"instanceId": "$prepaid.instanceId"}
    kind = {"instanceType": "ComputingUnit"}
    turned = {"instanceId": "$turns.instanceId"}
    return [
        Step("prepaid", UNITS, "PurchaseComputeUnit", purchase(months=1)),
        Step("renewed", UNITS, "RenewComputeUnit", {**unit, "months": 1}),
        Step("renewed-to-a-day", UNITS, "RenewComputeUnit", {**unit, "expiryDay": 20}),
        show("after-renewing", unit["instanceId"]),
        Step(
            "rule", CHARGE, "CreateAutoRenewRules", {**unit, **kind, "autoRenewTimeUnit": "Month", "autoRenewTime": 3}
        ),
        Step("rules", CHARGE, "DescribeAutoRenewRules", unit),
        # What the Python client sends for a rule: the release action, with an instanceType.
        Step("rule-by-mistake", CHARGE, "AutoReleaseComputeUnit", {**unit, **kind, "autoRenewTime": 2}),
        Step("rules-by-mistake", CHARGE, "DescribeAutoRenewRules", {"maxKeys": 100}),
        Step("rule-deleted", CHARGE, "DeleteAutoRenewRules", unit),
        Step("rules-left", CHARGE, "DescribeAutoRenewRules", unit),
        Step("billing-changing", UNITS, "ChangeBilling", {**unit, "paymentTiming": "Postpaid"}),
        show("while-changing", unit["instanceId"]),
        Step("turns", UNITS, "PurchaseComputeUnit", purchase()),
        Step("turned", UNITS, "ChangeBilling", {**turned, **billing(months=2)}),
        show("after-turning", turned["instanceId"]),
    ]


def quotes() -> list[Step]:
    """A price that is held, used once and then no more; and one nobody could pay."""
    return [
        Step("quote", UNITS, "QuotePurchase", {**purchase(2, months=1), "hold": True}),
        Step("quote-refused", UNITS, "QuotePurchase", purchase(100_000, months=12)),
        Step("quoted", UNITS, "PurchaseComputeUnit", purchase(2, months=1, quoteId="$quote.quoteId")),
        Step("cannot-shrink", UNITS, "ResizeComputeUnit", {"instanceId": "$quoted.instanceId", "count": 1}),
        Step("quoted-again", UNITS, "PurchaseComputeUnit", purchase(2, months=1, quoteId="$quote.quoteId")),
    ]


def quota() -> list[Step]:
    """The life of quota."""
    unit, model = {"instanceId": "$tpm.instanceId"}, {"model": MODEL}
    return [
        Step("presets", SERVICE, "DescribePresetServices"),
        Step("tpm", CHARGE, "PurchaseTPMResource", {**model, "purchaseCount": 2, "billing": billing()}),
        Step("tpm-listed", CHARGE, "DescribeTPMResource", {**model, "paymentTiming": "Postpaid", "status": "Running"}),
        Step("tpm-resized", CHARGE, "ResizeTPMResource", {**unit, "count": 3}),
        Step("tpm-resized-to-nothing-else", CHARGE, "ResizeTPMResource", unit),
        Step("tpm-scheduled", CHARGE, "AutoReleaseTPMResource", {**unit, "releaseTime": "2030-01-15 09:30:00"}),
        Step("tpm-shown", CHARGE, "DescribeTPMResource", {**model, **unit}),
        Step("tpm-cleared", CHARGE, "AutoReleaseTPMResource", unit),
        Step("tpm-after-clearing", CHARGE, "DescribeTPMResource", {**model, **unit}),
        Step("presets-opened", SERVICE, "DescribePresetServices", {"chargeStatus": ["Opened"], "chargeType": ["TPM"]}),
        Step("tpm-of-another-model", CHARGE, "ReleaseTPMResource", {"model": OTHER_MODEL, **unit}),
        Step("tpm-released", CHARGE, "ReleaseTPMResource", {**model, **unit}),
        Step("tpm-gone", CHARGE, "DescribeTPMResource", {**model, **unit}),
    ]


def new_service(name: str) -> dict[str, Any]:
    """What every service says of itself."""
    model = {"modelSetId": "am-gh0azfeb9adu", "modelId": "amv-g73j3faikzpz"}
    return {**model, "name": name, "urlSuffix": "story", "description": "测试 <b>&'=…"}


def services() -> list[Step]:
    """Services that share an instance, are found, taken off and on."""
    unit, first, second = "$bought.instanceId", "$placed.serviceId", "$sold.serviceId"
    placed = [{"instanceId": unit, "deploymentReplicasCount": 2}]
    deployment = {"deploymentComputeUnitList": placed, "replicasCount": 2, "qps": 1.5}
    bought = {"type": "GPU-1-2", "replicasCount": 1, "qps": 0.5}

    def scale(name: str, replicas: int) -> Step:
        body = {"serviceId": second, "instanceId": unit, "deploymentReplicasCount": replicas}
        return Step(name, SERVICE, "ScaleService", body)

    calls = {"serviceId": first, "appId": "story", "inputTokens": 20, "outputTokens": 30, "succeeded": 2, "failed": 1}
    when = {"startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "serviceId": [first]}
    package = {"serviceName": MODEL, "specification": 50, "expiredTime": "2090-01-01T00:00:00Z"}
    found = {"name": "story", "serviceType": ["chat"], "chargeType": "ComputingUnit", "maxKeys": 100}
    return [
        Step("placed", SERVICE, "CreateService", {**new_service("story placed"), "deploymentConfig": deployment}),
        Step(
            "sold", SERVICE, "CreateService", {**new_service("story"), "resourceConfig": bought, "billing": billing()}
        ),
        scale("scaled", 1),
        show("shared", unit),
        scale("scaled-too-far", 2),
        Step("modified", SERVICE, "ModifyService", {"serviceId": first, "modelSetId": "am-2", "modelId": "amv-2"}),
        Step("off", SERVICE, "DeactivateService", {"serviceId": first}),
        Step("while-off", SERVICE, "DescribeService", {"serviceId": first}),
        Step("services-off", SERVICE, "DescribeServices", {**found, "runStatus": ["Stopped"]}),
        Step("services-on", SERVICE, "DescribeServices", {**found, "runStatus": ["Serving"], "payType": "Postpay"}),
        Step("on", SERVICE, "ActivateService", {"serviceId": first}),
        Step("while-on", SERVICE, "DescribeService", {"serviceId": first}),
        Step("package", CHARGE, "GrantPackageResource", package),
        Step("counted", SERVICE, "CountServiceCalls", {**calls, "packageId": "$package.instance.packageId"}),
        Step("metric", SERVICE, "DescribeServiceMetric", when),
        Step("metric-of-nobody", SERVICE, "DescribeServiceMetric", {**when, "appId": "nobody"}),
        Step("packages", CHARGE, "DescribePackageResources"),
        Step("package-shown", CHARGE, "DescribePackageResource", {"packageId": "$package.instance.packageId"}),
        scale("taken-off", 0),
        show("no-more-shared", unit),
    ]


def books() -> list[Step]:
    """What it all cost."""
    month = (datetime.now(UTC) + BEIJING).strftime("%Y-%m")
    of = {"instanceId": "$prepaid.instanceId"}
    return [
        Step("orders", ACCOUNT, "DescribeOrders", of),
        Step("postings", ACCOUNT, "DescribePostings", {**of, "kind": "Renewal", "maxKeys": 10}),
        Step("statement", ACCOUNT, "DescribeStatement", {"month": month, "maxKeys": 100}),
    ]


def endings() -> list[Step]:
    """What was bought is released, and a service deleted."""
    first, second = "$placed.serviceId", "$sold.serviceId"
    return [
        Step("still-placed", SERVICE, "DeleteService", {"serviceId": first}),
        Step("released", UNITS, "ReleaseComputeUnit", {"instanceId": "$bought.instanceId"}),
        show("after-release", "$bought.instanceId"),
        Step("idle", SERVICE, "DescribeService", {"serviceId": first}),
        Step("deleted", SERVICE, "DeleteService", {"serviceId": first}),
        Step("after-deletion", SERVICE, "DescribeService", {"serviceId": first}),
        Step("sold-released", UNITS, "ReleaseComputeUnit", {"instanceId": "$sold.instanceId"}),
        Step("sold-deleted", SERVICE, "DeleteService", {"serviceId": second}),
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
"""What is not to be, with the code and its number; everything else is answered well."""
