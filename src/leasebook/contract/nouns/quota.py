"""Quota of models (TPM), the models that it is sold of, and packages of tokens."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, CHARGE, ENDS, SERVICE, read, write
from leasebook.contract.nouns.instance import Billing, PaymentTiming
from leasebook.contract.nouns.offering import Model
from leasebook.contract.nouns.service import Protocol, ServiceType, ServiceTypes
from leasebook.contract.shapes import (
    NAME_GIVEN,
    NAME_WANTED,
    NAMED,
    PROJECT_GIVEN,
    PROJECT_SHOWN,
    PROJECT_WANTED,
    TAGGED,
    TAGS_GIVEN,
    TAGS_WANTED,
    AcrossPagedRequest,
    AcrossRequest,
    Id,
    Ids,
    Owned,
    Paged,
    PagedRequest,
    PositiveCount,
    Request,
    ResourceName,
    Shape,
    TagFilter,
    Tags,
    Text,
    Time,
)


class PurchaseTpmRequest(Request, kw_only=True):
    """Buy quota of a model: a unit is 10,000 tokens and 33 requests a minute. It is postpaid."""

    model: Annotated[Model, Meta(description="The model.")]
    billing: Annotated[Billing, Meta(description="How it is paid.")]
    purchase_count: Annotated[PositiveCount, Meta(description="How many units of quota.")]
    name: Annotated[ResourceName | None, Meta(description=NAME_GIVEN)] = None
    tags: Annotated[Tags | None, Meta(description=TAGS_GIVEN)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_GIVEN)] = None


class PurchasedTpm(Shape, kw_only=True):
    """The quota, and its order."""

    instance_id: Annotated[str, Meta(description="The new instance.")]
    order_id: Annotated[str, Meta(description="The order.")]


TpmStatus = Literal["Creating", "Running", "Stopped"]


class DescribeTpmRequest(AcrossPagedRequest, kw_only=True):
    """List the account's quota of a model, what has ended included. Every field but the model narrows the list."""

    model: Annotated[Model, Meta(description="The model.")]
    payment_timing: Annotated[PaymentTiming | None, Meta(description="Only instances that are paid this way.")] = None
    instance_id: Annotated[
        Id | None, Meta(description="Only this instance; the list is empty if the account has no quota with this id.")
    ] = None
    status: Annotated[
        TpmStatus | None,
        Meta(description="Only instances in this status; left out: in every status. Stopped finds released ones too."),
    ] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_WANTED)] = None
    tags: Annotated[TagFilter | None, Meta(description=TAGS_WANTED)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_WANTED)] = None


class TpmInstance(Owned, kw_only=True):
    """Quota: a number of tokens and requests a minute."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    model: Annotated[str, Meta(description="The model.")]
    tpm: Annotated[int, Meta(description="How many tokens a minute.")]
    rpm: Annotated[int, Meta(description="How many requests a minute.")]
    count: Annotated[int, Meta(description="How many units.")]
    status: Annotated[
        TpmStatus,
        Meta(
            description="Creating, Running, or Stopped: it cannot be used, because of a debt or because it has ended."
        ),
    ]
    instance_status: Annotated[
        str,
        Meta(
            description=(
                "The status in full: Creating, CreateFailed, Running, Stopped (its account is in debt, its units are "
                "kept), Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released."
            )
        ),
    ]
    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    start_time: Annotated[str | None, Meta(description="Since when it runs, and is paid for.")] = None
    expired_time: Annotated[str | None, Meta(description="Prepaid: when the term ends. Postpaid: when it ended.")] = (
        None
    )
    release_time: Annotated[str | None, Meta(description="When the instance is released by itself.")] = None
    name: Annotated[str | None, Meta(description=NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None
    project_id: Annotated[str | None, Meta(description=PROJECT_SHOWN)] = None


class TpmInstances(Paged, kw_only=True):
    """The account's quota of a model."""

    instances: Annotated[list[TpmInstance], Meta(description="The instances.")]


class ReleaseTpmRequest(Request, kw_only=True):
    """Release quota now."""

    model: Annotated[Model, Meta(description="The model.")]
    instance_id: Annotated[Id, Meta(description="The instance.")]


class ResizeTpmRequest(Request, kw_only=True):
    """Change quota. ``count`` is how many units of it there are afterwards; without it nothing changes."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    count: Annotated[
        PositiveCount | None,
        Meta(description="How many units of quota there are to be; left out: as many as there are."),
    ] = None


class AutoReleaseTpmRequest(Request, kw_only=True):
    """Set, move or (without releaseTime) clear the release time of quota."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    release_time: Annotated[Time | None, Meta(description="The new release time; empty, null or left out: none.")] = (
        None
    )


PackageStatus = Literal["Pending", "Active", "Exhausted", "Expired"]


class DescribePackagesRequest(AcrossPagedRequest, kw_only=True):
    """List the account's packages. Every field narrows the list."""

    service_name: Annotated[
        Text | None, Meta(description="Only packages for the service or model of exactly this name; empty: for all.")
    ] = None
    status: Annotated[PackageStatus | None, Meta(description="Only packages in this status now.")] = None
    creator: Annotated[
        Text | None, Meta(description="Only packages that the user with this id or name gave; empty: of all.")
    ] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_WANTED)] = None
    tags: Annotated[TagFilter | None, Meta(description=TAGS_WANTED)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_WANTED)] = None


class DescribePackageRequest(AcrossRequest, kw_only=True):
    """Ask for one package."""

    package_id: Annotated[Id, Meta(description="The package.")]


class PackageDetail(Owned, kw_only=True):
    """A number of tokens, and how many of them are used: in thousands as documented, and in single tokens."""

    package_id: Annotated[str, Meta(description="The package.")]
    service_name: Annotated[str, Meta(description="The service or model that it is meant for.")]
    specification: Annotated[
        str, Meta(description="How many thousands of tokens, exact: 1000 for a million tokens, 1.5 for 1,500.")
    ]
    used: Annotated[
        float, Meta(description="How many thousands of tokens are used: 1.55 for 1,550. usedTokens has it exact.")
    ]
    tokens: Annotated[int, Meta(description="How many single tokens.")]
    used_tokens: Annotated[int, Meta(description="How many single tokens are used.")]
    status: Annotated[
        PackageStatus, Meta(description="Pending (startTime lies ahead), Active, Exhausted (all used) or Expired.")
    ]
    creator: Annotated[str, Meta(description="The operator who gave it.")]
    start_time: Annotated[str, Meta(description="Since when it can be used.")]
    expired_time: Annotated[str, Meta(description="Until when it can be used.")]
    name: Annotated[str | None, Meta(description=NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None
    project_id: Annotated[str | None, Meta(description=PROJECT_SHOWN)] = None


class PackageList(Paged, kw_only=True):
    """The account's packages, oldest first."""

    instances: Annotated[list[PackageDetail], Meta(description="The packages.")]


class PackageResult(Shape, kw_only=True):
    """One package."""

    instance: Annotated[PackageDetail, Meta(description="The package.")]


class GrantPackageRequest(Request, kw_only=True):
    """Give an account a package of tokens; the caller's where none is named."""

    service_name: Annotated[Text, Meta(description="The service or model that it is meant for.")]
    specification: Annotated[
        int, Meta(ge=1, le=2**53, description="How many single tokens; answers show thousands of them.")
    ]
    start_time: Annotated[
        Time | None, Meta(description="Since when it can be used, not in the past; left out: from now on.")
    ] = None
    expired_time: Annotated[Time, Meta(description="Until when it can be used.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_GIVEN)] = None
    tags: Annotated[Tags | None, Meta(description=TAGS_GIVEN)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_GIVEN)] = None


PresetChargeTypes = Annotated[list[Literal["TPM", "Tokens", "Calls", "Free"]], Meta(max_length=10)]
PresetChargeStatuses = Annotated[list[Literal["NotOpen", "Opened", "Stopped", "Free"]], Meta(max_length=10)]


class DescribePresetServicesRequest(PagedRequest, kw_only=True):
    """List the models that quota is sold of."""

    service_ids: Annotated[Ids | None, Meta(description="Only these; left out or empty: all.")] = None
    service_type: Annotated[
        ServiceTypes | None, Meta(description="Only models for one of these; here all are chat.")
    ] = None
    charge_type: Annotated[
        PresetChargeTypes | None, Meta(description="Only models that are paid in one of these ways; here all are TPM.")
    ] = None
    charge_status: Annotated[PresetChargeStatuses | None, Meta(description="Only models in one of these.")] = None
    protocol_version: Annotated[Protocol | None, Meta(description="1 or 2; only for display and filters.")] = None


class PresetService(Shape, kw_only=True):
    """A model that has quota for sale. Opened: the account has some; Stopped: all of it is suspended for a debt."""

    service_id: Annotated[str, Meta(description="The id of the model; it never changes.")]
    name: Annotated[str, Meta(description="The model.")]
    model: Annotated[Model, Meta(description="The model.")]
    service_type: Annotated[ServiceType, Meta(description="The purpose of the service; only for display and filters.")]
    charge_type: Annotated[Literal["TPM"], Meta(description="Always TPM.")]
    charge_status: Annotated[
        Literal["NotOpen", "Opened", "Stopped"],
        Meta(
            description=(
                "Opened: the account has quota of it. Stopped: all of that is suspended for a debt. Else NotOpen."
            )
        ),
    ]
    price_per_minute: Annotated[str | None, Meta(description="The price of one unit for a minute.")]


class PresetServices(Paged, kw_only=True):
    """The models that quota is sold of, in the catalogue's order."""

    service_list: Annotated[list[PresetService], Meta(description="The services.")]


ACTIONS: Final = (
    write(
        CHARGE,
        "PurchaseTPMResource",
        "purchase_quota",
        PurchaseTpmRequest,
        PurchasedTpm,
        "Buy quota of a model.",
        errors=(*BUYS, e.INVALID_STATE),
        example={
            "model": "ernie-4.0-8k",
            "billing": {"paymentTiming": "Postpaid", "releaseTime": "2030-01-15T09:30:00+08:00"},
            "purchaseCount": 5,
        },
        answer={"instanceId": "tpm-XJnLnGp4", "orderId": "1070d422e918ec0454d479f104728287"},
    ),
    read(
        CHARGE,
        "DescribeTPMResource",
        "describe_quota",
        DescribeTpmRequest,
        TpmInstances,
        "List the account's quota of a model.",
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={"model": "ernie-4.0-8k"},
        answer={
            "instances": [
                {
                    "instanceId": "tpm-Hs6dKf2L",
                    "model": "ernie-4.0-8k",
                    "tpm": 50000,
                    "rpm": 165,
                    "count": 5,
                    "status": "Running",
                    "instanceStatus": "Running",
                    "paymentTiming": "Postpaid",
                    "startTime": "2026-11-30T06:13:45+08:00",
                    "releaseTime": "2030-01-15T09:30:00+08:00",
                }
            ]
        },
    ),
    write(
        CHARGE,
        "ReleaseTPMResource",
        "release_quota",
        ReleaseTpmRequest,
        bool,
        "Release quota now.",
        errors=ENDS,
        example={"model": "ernie-4.0-8k", "instanceId": "tpm-Hs6dKf2L"},
        answer=True,
    ),
    write(
        CHARGE,
        "ResizeTPMResource",
        "resize_quota",
        ResizeTpmRequest,
        bool,
        "Change the amount of quota.",
        errors=(*ENDS, e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE, e.APPROVAL_NEEDED),
        example={"instanceId": "tpm-Hs6dKf2L", "count": 8},
        answer=True,
    ),
    write(
        CHARGE,
        "AutoReleaseTPMResource",
        "schedule_quota_release",
        AutoReleaseTpmRequest,
        bool,
        "Set, move or clear the release time of quota.",
        errors=ENDS,
        example={"instanceId": "tpm-Hs6dKf2L", "releaseTime": "2030-01-15T09:30:00+08:00"},
        answer=True,
    ),
    read(
        CHARGE,
        "DescribePackageResources",
        "describe_packages",
        DescribePackagesRequest,
        PackageList,
        "List the account's packages of tokens.",
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={"serviceName": "ernie-4.0-8k", "status": "Active"},
        answer={
            "instances": [
                {
                    "packageId": "pkg-9z8x7c6v5b4n",
                    "serviceName": "ernie-4.0-8k",
                    "specification": "1000",
                    "used": 1.55,
                    "tokens": 1_000_000,
                    "usedTokens": 1550,
                    "status": "Active",
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "startTime": "2026-11-30T06:13:45+08:00",
                    "expiredTime": "2031-01-01T00:00:00+08:00",
                }
            ]
        },
    ),
    read(
        CHARGE,
        "DescribePackageResource",
        "describe_package",
        DescribePackageRequest,
        PackageResult,
        "Show one package of tokens.",
        across=p.FLEET_READERS,
        example={"packageId": "pkg-9z8x7c6v5b4n"},
        answer={
            "instance": {
                "packageId": "pkg-9z8x7c6v5b4n",
                "serviceName": "ernie-4.0-8k",
                "specification": "1000",
                "used": 1.55,
                "tokens": 1_000_000,
                "usedTokens": 1550,
                "status": "Active",
                "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                "startTime": "2026-11-30T06:13:45+08:00",
                "expiredTime": "2031-01-01T00:00:00+08:00",
            }
        },
    ),
    write(
        CHARGE,
        "GrantPackageResource",
        "grant_package",
        GrantPackageRequest,
        PackageResult,
        "Give an account a package of tokens.",
        policies=p.OPERATORS,
        errors=(e.TAG_POLICY_NOT_MET,),
        example={"serviceName": "ernie-4.0-8k", "specification": 1_000_000, "expiredTime": "2031-01-01 00:00:00"},
        answer={
            "instance": {
                "packageId": "pkg-78og8jfs9e86",
                "serviceName": "ernie-4.0-8k",
                "specification": "1000",
                "used": 0.0,
                "tokens": 1_000_000,
                "usedTokens": 0,
                "status": "Active",
                "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                "startTime": "2026-11-30T07:18:45+08:00",
                "expiredTime": "2031-01-01T00:00:00+08:00",
            }
        },
    ),
)


PRESET_SERVICES: Final = (
    read(
        SERVICE,
        "DescribePresetServices",
        "describe_preset_services",
        DescribePresetServicesRequest,
        PresetServices,
        "List the models that quota is sold of.",
        own_only="The catalogue is the same for all accounts. DescribeTPMResource lists what each has bought.",
        policies=p.SERVICE_LISTERS,
        errors=(e.INVALID_MARKER,),
        example={"chargeStatus": ["NotOpen", "Opened"]},
        answer={
            "serviceList": [
                {
                    "serviceId": "svcp-cc8449d2add1",
                    "name": "ernie-4.0-8k",
                    "model": "ernie-4.0-8k",
                    "serviceType": "chat",
                    "chargeType": "TPM",
                    "chargeStatus": "Opened",
                    "pricePerMinute": "0.06",
                }
            ]
        },
    ),
)
