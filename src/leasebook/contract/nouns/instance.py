"""What requests and results look like, for the actions of compute units."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
PaymentTiming = Literal["Prepaid", "Postpaid"]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Months = Annotated[int, msgspec.Meta(ge=1, le=6)]
TIME: Final = "time"
Time = Annotated[
    str,
    msgspec.Meta(
        max_length=64,
        description="RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone",
        extra={"means": TIME},
    ),
]
# To Python $ also stands before a last line break, which these forbid.
Region = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
RegionOrAny = Annotated[str, msgspec.Meta(max_length=32, pattern="^[a-z0-9-]*(?!\\n)$")]
UnitType = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
ClientToken = Annotated[str, msgspec.Meta(max_length=64, pattern="^[\\x21-\\x7e]*(?!\\n)$")]
Text = Annotated[str, msgspec.Meta(max_length=500, pattern="^[^\\x00]*$")]
Name = Annotated[str, msgspec.Meta(min_length=2, max_length=20, pattern="^[^\\x00]*$")]


class Shape(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A JSON object: lower camel case."""


class Part(Shape, kw_only=True, forbid_unknown_fields=True):
    """A JSON object in the body of a request. A key that is not known is told apart at once (decision 21)."""

    is_ours: ClassVar[bool] = False
    """Whether no document knows the object, so that its keys are ours also in the body of a documented action."""


class Request(Part, kw_only=True):
    """The body of a request. ``clientToken`` makes it idempotent (decision 10); reads ignore it."""

    client_token: ClientToken | None = None


class Empty(Request, kw_only=True):
    """A request without parameters."""


class PagedRequest(Request, kw_only=True):
    """Ask for a page: after a marker, of so many rows."""

    marker: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class Paged(Shape, kw_only=True):
    """A page. What says so stands there where a page was asked for, or more rows follow."""

    is_truncated: bool | None = None
    max_keys: int | None = None
    next_marker: str | None = None


class Reservation(Part, kw_only=True):
    """For how long a prepaid purchase is; ignored with Postpaid (decision 5)."""

    reservation_time_unit: str | None = None
    reservation_length: int | None = None
    auto_renew: bool | None = None
    auto_renew_time_unit: str | None = None
    auto_renew_time: int | None = None


class Billing(Part, kw_only=True):
    """How it is paid. ``releaseTime`` counts with Postpaid only, ``reservation`` with Prepaid only."""

    payment_timing: PaymentTiming
    reservation: Reservation | None = None
    release_time: Time | None = None
    charge_type: Literal["ComputingUnit", "Tokens"] | None = None


class ComputeUnitConfig(Part, kw_only=True):
    """What to buy: a type, in a region or in whichever has stock (decision 8)."""

    region: RegionOrAny | None = None
    type: UnitType


class PurchaseComputeUnitRequest(Request, kw_only=True):
    """Buy compute units; with ``quoteId`` at the price that was quoted (an addition of ours)."""

    billing: Billing
    compute_unit_config: ComputeUnitConfig
    compute_unit_count: Count
    quote_id: Id | None = None


class PurchaseReplicasRequest(Request, kw_only=True):
    """Buy the compute units for replicas of a service."""

    service_id: Id
    billing: Billing
    replicas_count: Count


class Purchased(Shape, kw_only=True):
    """The instance and the order that a purchase made."""

    instance_id: str
    order_id: str


UnitStatus = Literal[
    "Creating",
    "CreateFailed",
    "Running",
    "Stopped",
    "Releasing",
    "Released",
    "Reconfiguring",
    "ReconfigureFailed",
    "BillingChanging",
]


class DescribeComputeUnitsRequest(Request, kw_only=True):
    """List the account's live instances, or those in one status.

    With a marker or maxKeys it answers a page; without, as documented, everything.
    """

    payment_timing: PaymentTiming | None = None
    region: Region | None = None
    type: UnitType | None = None
    status: UnitStatus | None = None
    marker: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class DescribeComputeUnitRequest(Request, kw_only=True):
    """Ask for one instance."""

    instance_id: Id


class ComputeUnitInstance(Shape, kw_only=True):
    """An instance (decision 23). Times are RFC 3339 in the service's zone."""

    instance_id: str
    region: str
    status: str
    type: str
    total_compute_units: int
    used_compute_units: int
    payment_timing: PaymentTiming
    start_time: str | None = None
    expired_time: str | None = None
    release_time: str | None = None
    duration: int | None = None
    duration_unit: str | None = None
    target_compute_units: int | None = None
    reason: str | None = None


class ServiceUsage(Shape, kw_only=True):
    """What a service uses of an instance."""

    service_id: str
    service_name: str
    replicas_count: int
    used_compute_units: int


class ComputeUnitList(Shape, kw_only=True):
    """The account's live instances, in the order in which they were bought."""

    compute_unit_instance_list: list[ComputeUnitInstance]
    is_truncated: bool | None = None
    max_keys: int | None = None
    next_marker: str | None = None


class ComputeUnitDetail(Shape, kw_only=True):
    """One instance, and which services use it."""

    compute_unit_instance: ComputeUnitInstance
    service_usage_list: list[ServiceUsage]


class ReleaseComputeUnitRequest(Request, kw_only=True):
    """Release a postpaid instance now."""

    instance_id: Id


class ReleaseReplicasRequest(Request, kw_only=True):
    """Release a postpaid instance of a service now."""

    service_id: Id
    instance_id: Id


class AutoReleaseComputeUnitRequest(Request, kw_only=True):
    """Set, move or (without releaseTime) clear the release time of a postpaid instance.

    With ``instanceType`` it is an auto-renew rule instead: what one official client sends (decision 4).
    """

    instance_id: Id
    service_id: Id | None = None
    release_time: Time | None = None
    instance_type: Literal["ComputingUnit", "TPM"] | None = None
    auto_renew_time_unit: Literal["Month"] | None = None
    auto_renew_time: Months | None = None


class DescribeServiceInstancesRequest(PagedRequest, kw_only=True):
    """List the live instances of a service."""

    service_id: Id
    payment_timing: PaymentTiming | None = None


class DescribeServiceInstanceRequest(Request, kw_only=True):
    """Ask for one instance of a service."""

    service_id: Id
    instance_id: Id


class ServiceInstance(Shape, kw_only=True):
    """An instance as its service sees it (decision 23)."""

    instance_id: str
    payment_timing: PaymentTiming
    replicas_count: int
    status: str
    start_time: str | None = None
    expired_time: str | None = None
    release_time: str | None = None


class ServiceInstances(Paged, kw_only=True):
    """The live instances of a service."""

    instances: list[ServiceInstance]


class ServiceInstanceDetail(Shape, kw_only=True):
    """One instance of a service."""

    instance: ServiceInstance
