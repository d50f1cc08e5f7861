"""Actions on compute units, by themselves and by service."""

from __future__ import annotations

from typing import Any

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, ENDS, UNITS, Action, read, write
from leasebook.contract.nouns import instance as s
from leasebook.contract.nouns import instance_life as u


def unit_actions() -> list[Action]:
    """Return the actions keyed by instance."""
    return [*_plain_actions(), *_life_actions()]


def _plain_actions() -> list[Action]:
    return [
        write(
            UNITS,
            "PurchaseComputeUnit",
            "purchase_units",
            s.PurchaseComputeUnitRequest,
            s.Purchased,
            "Buy compute units of a type.",
            errors=(*BUYS, e.INVALID_STATE),
        ),
        read(
            UNITS,
            "DescribeComputeUnits",
            "describe_units",
            s.DescribeComputeUnitsRequest,
            s.ComputeUnitList,
            "List the account's live instances, or those in one status.",
            errors=(e.INVALID_MARKER,),
        ),
        read(
            UNITS,
            "DescribeComputeUnit",
            "describe_unit",
            s.DescribeComputeUnitRequest,
            s.ComputeUnitDetail,
            "Show one instance, released ones included.",
            errors=(e.INSTANCE_NOT_FOUND,),
        ),
        write(
            UNITS,
            "ReleaseComputeUnit",
            "release_unit",
            s.ReleaseComputeUnitRequest,
            bool,
            "Release a postpaid instance now.",
            errors=ENDS,
        ),
        write(
            UNITS,
            "AutoReleaseComputeUnit",
            "schedule_release",
            s.AutoReleaseComputeUnitRequest,
            bool,
            "Set, move or clear the release time of a postpaid instance.",
            errors=ENDS,
        ),
    ]


def _life_actions() -> list[Action]:
    return [
        resize(UNITS, legacy=False),
        write(
            UNITS,
            "RenewComputeUnit",
            "renew_unit",
            u.RenewComputeUnitRequest,
            u.Renewed,
            "Renew a prepaid instance by months, to a day of a month, or both; a stopped one runs again.",
            errors=(*ENDS, e.INSUFFICIENT_BALANCE),
        ),
        write(
            UNITS,
            "ChangeBilling",
            "change_billing",
            u.ChangeBillingRequest,
            u.BillingChanged,
            "Make a postpaid instance prepaid now, or a prepaid one postpaid from the end of its term.",
            errors=(*ENDS, e.INSUFFICIENT_BALANCE),
        ),
        write(
            UNITS,
            "QuotePurchase",
            "quote_purchase",
            u.QuotePurchaseRequest,
            u.Quote,
            "Judge a purchase by every rule without buying; and hold its price for some minutes if asked to.",
            policies=p.READERS,
            errors=(e.QUOTA_EXCEEDED,),
        ),
    ]


def resize(path: str, *, legacy: bool) -> Action:
    """Return the action that resizes an instance, under one path."""
    return write(
        path,
        "ResizeComputeUnit",
        "resize_unit",
        u.ResizeComputeUnitRequest,
        s.Purchased,
        "Change the number of units of an instance.",
        errors=(*ENDS, e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE),
        legacy=legacy,
    )


def replica_actions(path: str, names: dict[str, str], *, legacy: bool) -> list[Action]:
    """Return the actions keyed by service, under one path's names for them."""
    return [
        write(
            path,
            names["purchase"],
            "purchase_replicas",
            s.PurchaseReplicasRequest,
            s.Purchased,
            "Buy the compute units for replicas of a service.",
            errors=(*BUYS, e.SERVICE_NOT_FOUND, e.UNTRUSTED_MODEL),
            legacy=legacy,
        ),
        read(
            path,
            names["list"],
            "describe_service_instances",
            s.DescribeServiceInstancesRequest,
            s.ServiceInstances,
            "List the live instances of a service.",
            errors=(e.SERVICE_NOT_FOUND, e.INVALID_MARKER),
            legacy=legacy,
        ),
        read(
            path,
            names["show"],
            "describe_service_instance",
            s.DescribeServiceInstanceRequest,
            s.ServiceInstanceDetail,
            "Show one instance of a service.",
            errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND),
            legacy=legacy,
        ),
        write(
            path,
            names["release"],
            "release_replicas",
            s.ReleaseReplicasRequest,
            bool,
            "Release a postpaid instance of a service now.",
            errors=ENDS,
            legacy=legacy,
        ),
    ]


def schedule(path: str, *, legacy: bool, **more: Any) -> Action:
    """Return the action that schedules a release, under one path."""
    return write(
        path,
        "AutoReleaseComputeUnit",
        "schedule_release",
        s.AutoReleaseComputeUnitRequest,
        bool,
        "Set, move or clear the release time of a postpaid instance.",
        errors=ENDS,
        legacy=legacy,
        **more,
    )


NAMES = {
    "purchase": "PurchaseComputeUnit",
    "list": "DescribeComputeUnits",
    "show": "DescribeComputeUnit",
    "release": "ReleaseComputeUnit",
}
LEGACY_NAMES = {
    "purchase": "PurchaseServiceResource",
    "list": "DescribeServiceResources",
    "show": "DescribeServiceResource",
    "release": "ReleaseServiceResource",
}
