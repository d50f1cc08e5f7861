"""Instances of compute units: their purchase, their release, their size."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, ENDS, UNITS, read, write
from leasebook.contract.nouns.event import CloudEvent
from leasebook.contract.shapes import (
    ACCOUNTS_MEANT,
    BREAKS_WANTED,
    ENDS_WANTED,
    MAX_AMOUNT,
    NAME_GIVEN,
    NAME_WANTED,
    NAMED,
    PROJECT_GIVEN,
    PROJECT_SHOWN,
    PROJECT_WANTED,
    TAGGED,
    TAGS_GIVEN,
    TAGS_WANTED,
    USER_NAMED,
    AccountsMeant,
    Amount,
    Id,
    Marker,
    Owned,
    PageInfo,
    PageSize,
    Part,
    PositiveCount,
    Reason,
    Region,
    RegionOrAny,
    Request,
    ResourceName,
    Shape,
    TagFilter,
    Tags,
    Time,
    UnitStatus,
    UnitType,
)

PaymentTiming = Literal["Prepaid", "Postpaid"]


class Reservation(Part, kw_only=True):
    """For how long a prepaid purchase is; ignored with Postpaid (decision 5)."""

    reservation_time_unit: Annotated[str | None, Meta(description="Month; required.")] = None
    reservation_length: Annotated[int | None, Meta(description="For how many months, from 1 to 12; required.")] = None
    auto_renew: Annotated[
        bool | None, Meta(description="Whether the instance is to be renewed when its term runs out.")
    ] = None
    auto_renew_time_unit: Annotated[str | None, Meta(description="Month is the only unit.")] = None
    auto_renew_time: Annotated[
        int | None, Meta(description="By how many months it is renewed, from 1 to 6; 1 where it is left out.")
    ] = None


class Billing(Part, kw_only=True):
    """How it is paid. ``releaseTime`` counts with Postpaid only, ``reservation`` with Prepaid only."""

    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    reservation: Annotated[Reservation | None, Meta(description="For how long; required with Prepaid.")] = None
    release_time: Annotated[Time | None, Meta(description="When the instance is released by itself.")] = None
    charge_type: Annotated[
        Literal["ComputingUnit", "Tokens"] | None,
        Meta(description="ComputingUnit. A service cannot be paid by Tokens here; elsewhere the field is ignored."),
    ] = None


class ComputeUnitConfig(Part, kw_only=True):
    """The units to buy: their type, and a region or the first one with enough stock (decision 8)."""

    region: Annotated[
        RegionOrAny | None,
        Meta(description="The region; empty or left out: the first in the catalogue's order with stock enough."),
    ] = None
    type: Annotated[UnitType, Meta(description="The type of unit.")]


class PurchaseComputeUnitRequest(Request, kw_only=True):
    """Buy compute units; with ``quoteId`` at the price that was quoted (an addition of ours)."""

    billing: Annotated[Billing, Meta(description="How it is paid.")]
    compute_unit_config: Annotated[ComputeUnitConfig, Meta(description="The units to buy.")]
    compute_unit_count: Annotated[PositiveCount, Meta(description="How many units.")]
    quote_id: Annotated[
        Id | None,
        Meta(
            description=(
                "The quote whose price is to count. It must be for the same purchase. Units that a resize adds "
                "later cost what the catalogue says."
            )
        ),
    ] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_GIVEN)] = None
    tags: Annotated[Tags | None, Meta(description=TAGS_GIVEN)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_GIVEN)] = None


class Purchased(Shape, kw_only=True):
    """The instance and the order that a purchase made."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    order_id: Annotated[str, Meta(description="The order.")]


class DescribeComputeUnitsRequest(Request, kw_only=True):
    """List the account's live instances, or those in one status.

    With a marker or maxKeys it answers a page; without, as documented, everything.
    """

    payment_timing: Annotated[PaymentTiming | None, Meta(description="Only instances that are paid this way.")] = None
    region: Annotated[Region | None, Meta(description="Only instances in this region.")] = None
    type: Annotated[UnitType | None, Meta(description="Only instances of this type.")] = None
    status: Annotated[
        UnitStatus | None, Meta(description="Only instances in this status; left out: all but released ones.")
    ] = None
    marker: Annotated[
        Marker | None, Meta(description="The nextMarker of the page before, or the id of its last instance.")
    ] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page, 1000 at most; with neither it nor a marker all are listed.")
    ] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_WANTED)] = None
    tags: Annotated[TagFilter | None, Meta(description=TAGS_WANTED)] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_WANTED)] = None
    breaks_tag_policy: Annotated[bool | None, Meta(description=BREAKS_WANTED)] = None
    user_id: Annotated[Id | None, Meta(description="Only instances that this user bought.")] = None
    coming_ends: Annotated[bool | None, Meta(description=ENDS_WANTED)] = None


class DescribeComputeUnitRequest(Request, kw_only=True):
    """Ask for one instance."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class ComputeUnitInstance(Owned, kw_only=True):
    """An instance (decision 23). Times are RFC 3339 in the service's zone."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    region: Annotated[str, Meta(description="The region.")]
    status: Annotated[
        str,
        Meta(
            description=(
                "Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units "
                "are kept), Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released."
            )
        ),
    ]
    type: Annotated[str, Meta(description="The type of unit.")]
    total_compute_units: Annotated[int, Meta(description="How many units the instance has.")]
    used_compute_units: Annotated[int, Meta(description="How many of its units replicas take.")]
    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    start_time: Annotated[str | None, Meta(description="Since when it runs, and is paid for.")] = None
    expired_time: Annotated[str | None, Meta(description="Prepaid: when the term ends. Postpaid: when it ended.")] = (
        None
    )
    release_time: Annotated[str | None, Meta(description="When the instance is released by itself.")] = None
    duration: Annotated[
        int | None,
        Meta(description="The months of a prepaid term, on the account's clocks; a part of a month counts as one."),
    ] = None
    duration_unit: Annotated[str | None, Meta(description="Month, with Prepaid.")] = None
    target_compute_units: Annotated[
        int | None, Meta(description="How many units it will have when it is resized, while that is under way.")
    ] = None
    reason: Annotated[
        str | None, Meta(description="Why it could not be provided or resized, in the engine's words.")
    ] = None
    name: Annotated[str | None, Meta(description=NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None
    project_id: Annotated[str | None, Meta(description=PROJECT_SHOWN)] = None


class ServiceUsage(Shape, kw_only=True):
    """The replicas that a service has on an instance, and the units that they take."""

    service_id: Annotated[str, Meta(description="The service.")]
    service_name: Annotated[str, Meta(description="The service's name for people.")]
    replicas_count: Annotated[int, Meta(description="How many replicas.")]
    used_compute_units: Annotated[int, Meta(description="How many of its units the service's replicas take.")]


class ComputeUnitList(Shape, kw_only=True):
    """The account's live instances, in the order in which they were bought."""

    compute_unit_instance_list: Annotated[list[ComputeUnitInstance], Meta(description="The instances.")]
    page_info: Annotated[
        PageInfo | None, Meta(description="The same as the fields beside it, where a page was asked for.")
    ] = None
    is_truncated: Annotated[bool | None, Meta(description="Whether more rows follow, where a page was asked for.")] = (
        None
    )
    max_keys: Annotated[int | None, Meta(description="The rows a page that were used, where a page was asked for.")] = (
        None
    )
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class ComputeUnitDetail(Shape, kw_only=True):
    """One instance, and which services use it."""

    compute_unit_instance: Annotated[ComputeUnitInstance, Meta(description="The instance.")]
    service_usage_list: Annotated[
        list[ServiceUsage], Meta(description="Which services use the instance, and how much of it.")
    ]


class ReleaseComputeUnitRequest(Request, kw_only=True):
    """Release a postpaid instance now."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    account_id: Annotated[
        Id | None, Meta(description="Another account, whose instance it is; it takes a policy over every account.")
    ] = None
    reason: Annotated[
        Reason | None, Meta(description="Why, for the owner to read; required where another account is named.")
    ] = None


class AutoReleaseComputeUnitRequest(Request, kw_only=True):
    """Set, move or (without releaseTime) clear the release time of a postpaid instance.

    With ``instanceType`` it is an auto-renew rule instead: what one official client sends (decision 4).
    """

    instance_id: Annotated[Id, Meta(description="The instance.")]
    service_id: Annotated[
        Id | None, Meta(description="The service that the instance must belong to, where one is named.")
    ] = None
    release_time: Annotated[Time | None, Meta(description="The new release time; empty, null or left out: none.")] = (
        None
    )
    instance_type: Annotated[
        Literal["ComputingUnit", "TPM"] | None, Meta(description="Given only to set an auto-renew rule instead.")
    ] = None
    auto_renew_time_unit: Annotated[Literal["Month"] | None, Meta(description="Month is the only unit.")] = None
    auto_renew_time: Annotated[
        Months | None, Meta(description="By how many months it is renewed, from 1 to 6; 1 where it is left out.")
    ] = None
    account_id: Annotated[
        Id | None, Meta(description="Another account, whose instance it is; it takes a policy over every account.")
    ] = None
    reason: Annotated[
        Reason | None, Meta(description="Why, for the owner to read; required where another account is named.")
    ] = None


Months = Annotated[int, Meta(ge=1, le=6)]


class ResizeComputeUnitRequest(Request, kw_only=True):
    """Change the number of units of an instance (decision 15). ``count`` is how many there are afterwards."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    count: Annotated[PositiveCount, Meta(description="How many units the instance is to have.")]
    max_amount: Annotated[Amount | None, Meta(description=MAX_AMOUNT)] = None


class ExplainComputeUnitRequest(Request, kw_only=True):
    """Ask why an instance is alive, what ends it, and what it costs."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class Attempt(Shape, kw_only=True):
    """A call that named the instance and was refused: by whom, when, and which rule said no."""

    time: Annotated[str, Meta(description="When it was tried.")]
    request_id: Annotated[str, Meta(description="The id that its answer had.")]
    user_id: Annotated[str | None, Meta(description="Who tried; missing where the signature was not proved.")] = None
    user_name: Annotated[str | None, Meta(description=USER_NAMED)] = None
    action: Annotated[str, Meta(description="The action that was called.")]
    code: Annotated[str, Meta(description="The error code.")]
    message: Annotated[str | None, Meta(description="The message of the refusal.")] = None


class Explanation(Shape, kw_only=True):
    """Why an instance is alive, what ends it and when, what it cost and will have cost by the end of the month.

    ``text`` says the same in sentences. ``events`` has its last events, at most 100, and ``attempts`` the last refused
    calls, at most 20; both newest first.
    """

    instance_id: Annotated[str, Meta(description="The instance.")]
    alive: Annotated[bool, Meta(description="Whether it holds units and is not about to be gone.")]
    text: Annotated[str, Meta(description="The explanation, for people: a sentence a line.")]
    ends_time: Annotated[
        str | None,
        Meta(description="When it stops or is released, if nothing changes; absent: it has no end."),
    ] = None
    ends_by: Annotated[
        Literal["schedule", "expiry", "arrears", "retention"] | None, Meta(description="The reason for that end.")
    ] = None
    cost: Annotated[str, Meta(description="The charges so far.")]
    month_end_cost: Annotated[
        str, Meta(description="The expected charges by the end of the account's month, if nothing changes.")
    ]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    events: Annotated[list[CloudEvent], Meta(description="Its events, newest first, at most 100.")]
    attempts: Annotated[
        list[Attempt], Meta(description="Calls that named it and were refused, newest first, at most 20.")
    ]


ACTIONS: Final = (
    write(
        UNITS,
        "PurchaseComputeUnit",
        "purchase_units",
        PurchaseComputeUnitRequest,
        Purchased,
        "Buy compute units of a type.",
        errors=(*BUYS, e.INVALID_STATE),
        example={
            "billing": {"paymentTiming": "Postpaid", "releaseTime": "2030-01-15T09:30:00+08:00"},
            "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
            "computeUnitCount": 2,
        },
        answer={"instanceId": "unit-c7aM0na9", "orderId": "c4fdd9c2c079793ff74867f6b76edab7"},
    ),
    read(
        UNITS,
        "DescribeComputeUnits",
        "describe_units",
        DescribeComputeUnitsRequest,
        ComputeUnitList,
        "List the account's live instances, or those in one status.",
        errors=(e.INVALID_MARKER,),
        across=p.FLEET_READERS,
        example={"paymentTiming": "Postpaid", "region": "bj"},
        answer={
            "computeUnitInstanceList": [
                {
                    "instanceId": "unit-xxx",
                    "region": "bj",
                    "status": "Running",
                    "type": "gpu-1",
                    "totalComputeUnits": 1,
                    "usedComputeUnits": 0,
                    "paymentTiming": "Postpaid",
                    "startTime": "2026-11-30T06:13:45+08:00",
                    "releaseTime": "2030-01-15T09:30:00+08:00",
                },
                {
                    "instanceId": "unit-Fz8kMh6J",
                    "region": "bj",
                    "status": "Running",
                    "type": "gpu-1",
                    "totalComputeUnits": 5,
                    "usedComputeUnits": 5,
                    "paymentTiming": "Postpaid",
                    "startTime": "2026-11-30T06:13:45+08:00",
                },
            ]
        },
    ),
    read(
        UNITS,
        "DescribeComputeUnit",
        "describe_unit",
        DescribeComputeUnitRequest,
        ComputeUnitDetail,
        "Show one instance, released ones included.",
        errors=(e.INSTANCE_NOT_FOUND,),
        across=p.FLEET_READERS,
        example={"instanceId": "unit-xxx"},
        answer={
            "computeUnitInstance": {
                "instanceId": "unit-xxx",
                "region": "bj",
                "status": "Running",
                "type": "gpu-1",
                "totalComputeUnits": 1,
                "usedComputeUnits": 0,
                "paymentTiming": "Postpaid",
                "startTime": "2026-11-30T06:13:45+08:00",
                "releaseTime": "2030-01-15T09:30:00+08:00",
            },
            "serviceUsageList": [],
        },
    ),
    write(
        UNITS,
        "ReleaseComputeUnit",
        "release_unit",
        ReleaseComputeUnitRequest,
        bool,
        "Release a postpaid instance now.",
        errors=ENDS,
        across=p.SUPPORTERS,
        example={"instanceId": "unit-xxx"},
        answer=True,
    ),
    write(
        UNITS,
        "AutoReleaseComputeUnit",
        "schedule_release",
        AutoReleaseComputeUnitRequest,
        bool,
        "Set, move or clear the release time of a postpaid instance.",
        errors=ENDS,
        across=p.SUPPORTERS,
        example={"instanceId": "unit-xxx", "releaseTime": "2030-01-15T09:30:00+08:00"},
        answer=True,
    ),
    write(
        UNITS,
        "ResizeComputeUnit",
        "resize_unit",
        ResizeComputeUnitRequest,
        Purchased,
        "Change the number of units of an instance.",
        errors=(*ENDS, e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE, e.APPROVAL_NEEDED),
        example={"instanceId": "unit-xxx", "count": 3},
        answer={"instanceId": "unit-xxx", "orderId": "1c87a7257485abca91b1ec4ef841f9f1"},
    ),
)


EXPLAIN: Final = (
    read(
        UNITS,
        "ExplainComputeUnit",
        "explain_unit",
        ExplainComputeUnitRequest,
        Explanation,
        "Explain why an instance is alive, what ends it and when, what it costs, and which calls were refused.",
        errors=(e.INSTANCE_NOT_FOUND,),
        across=p.FLEET_READERS,
        example={"instanceId": "unit-xxx"},
        answer={
            "instanceId": "unit-xxx",
            "alive": True,
            "text": (
                "unit-xxx is Running: 1 unit of gpu-1 in bj, bought by "
                "f0e1d2c3b4a5968778695a4b3c2d1e0f on 2026-11-30T06:13:45+08:00, postpaid.\nIt is alive "
                "because nobody has released it, and it has no release time.\nNothing ends it by "
                "itself: release it, or give it a release time (AutoReleaseComputeUnit).\nIt was "
                "charged 9.40 CNY so far, and at the present price will have been charged 213.40 by "
                "the end of 2026-11.\nf0e1d2c3b4a5968778695a4b3c2d1e0f tried ResizeComputeUnit at "
                "2026-11-30T07:18:45+08:00 and was refused (InvalidState): unit-xxx has 1 unit already. "
                "param[count]"
            ),
            "cost": "9.40",
            "monthEndCost": "213.40",
            "currency": "CNY",
            "events": [
                {
                    "specversion": "1.0",
                    "id": "179599042506200001-1",
                    "source": "/v2/account/00112233445566778899aabbccddeeff",
                    "type": "unit.running",
                    "subject": "unit-xxx",
                    "time": "2026-11-30T06:13:45+08:00",
                    "datacontenttype": "application/json",
                    "data": {"status": "Running"},
                }
            ],
            "attempts": [
                {
                    "time": "2026-11-30T07:18:45+08:00",
                    "requestId": "a7ec46a6-fc82-40f8-bace-4879e1a0a072",
                    "userId": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "userName": "root",
                    "action": "ResizeComputeUnit",
                    "code": "InvalidState",
                    "message": "unit-xxx has 1 unit already. param[count]",
                }
            ],
        },
    ),
)
