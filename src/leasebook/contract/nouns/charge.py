"""What requests and results look like, for quota, auto-renew rules and packages."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.instance import (
    Billing,
    Count,
    Id,
    Months,
    Paged,
    PagedRequest,
    PaymentTiming,
    Request,
    Shape,
    Text,
    Time,
)

Model = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*(?!\\n)$",
        description="A model's name, such as ernie-4.0-8k",
    ),
]
InstanceType = Literal["ComputingUnit", "TPM"]


class CreateAutoRenewRulesRequest(Request, kw_only=True):
    """Renew a prepaid instance whenever its term runs out."""

    instance_id: Id
    instance_type: InstanceType
    auto_renew_time_unit: Literal["Month"] | None = None
    auto_renew_time: Months | None = None


class DescribeAutoRenewRulesRequest(Request, kw_only=True):
    """List the account's auto-renew rules; that of one instance where it is named."""

    instance_id: Id | None = None
    marker: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class AutoRenewRule(Shape, kw_only=True):
    """By how many months an instance is renewed; and when that is tried next, and its term ends."""

    instance_id: str
    instance_type: InstanceType
    auto_renew_time_unit: Literal["Month"]
    auto_renew_time: int
    status: str
    expired_time: str | None = None
    next_try_time: str | None = None


class AutoRenewRules(Shape, kw_only=True):
    """A page of rules, in the order in which the instances were bought."""

    rules: list[AutoRenewRule]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class DeleteAutoRenewRulesRequest(Request, kw_only=True):
    """Do not renew an instance any more."""

    instance_id: Id
    instance_type: InstanceType | None = None


class PurchaseTpmRequest(Request, kw_only=True):
    """Buy quota of a model: a unit is 10,000 tokens and 33 requests a minute. It is postpaid."""

    model: Model
    billing: Billing
    purchase_count: Count


class PurchasedTpm(Shape, kw_only=True):
    """The quota, and its order."""

    instance_id: str
    order_id: str


class DescribeTpmRequest(PagedRequest, kw_only=True):
    """List the account's quota of a model; one instance of it where it is named, released ones included."""

    model: Model
    payment_timing: PaymentTiming | None = None
    instance_id: Id | None = None
    status: Literal["Creating", "Running", "Stopped"] | None = None


class TpmInstance(Shape, kw_only=True):
    """Quota: so many tokens and requests a minute."""

    instance_id: str
    model: str
    tpm: int
    rpm: int
    count: int
    status: str
    payment_timing: PaymentTiming
    start_time: str | None = None
    expired_time: str | None = None
    release_time: str | None = None


class TpmInstances(Paged, kw_only=True):
    """The account's quota of a model."""

    instances: list[TpmInstance]


class ReleaseTpmRequest(Request, kw_only=True):
    """Release quota now."""

    model: Model
    instance_id: Id


class ResizeTpmRequest(Request, kw_only=True):
    """Change quota. ``count`` is how many units of it there are afterwards; without it nothing changes."""

    instance_id: Id
    count: Count | None = None


class AutoReleaseTpmRequest(Request, kw_only=True):
    """Set, move or (without releaseTime) clear the release time of quota."""

    instance_id: Id
    release_time: Time | None = None


class DescribePackagesRequest(PagedRequest, kw_only=True):
    """List the account's packages."""


class DescribePackageRequest(Request, kw_only=True):
    """Ask for one package."""

    package_id: Id


class PackageDetail(Shape, kw_only=True):
    """A number of tokens, and how many of them are used."""

    package_id: str
    service_name: str
    specification: str
    used: str
    status: Literal["Active", "Exhausted", "Expired"]
    creator: str
    start_time: str
    expired_time: str


class PackageList(Paged, kw_only=True):
    """The account's packages, oldest first."""

    instances: list[PackageDetail]


class PackageResult(Shape, kw_only=True):
    """One package."""

    instance: PackageDetail


class GrantPackageRequest(Request, kw_only=True):
    """Give an account a package of tokens; the caller's where none is named."""

    service_name: Text
    specification: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    expired_time: Time
    account_id: Id | None = None
