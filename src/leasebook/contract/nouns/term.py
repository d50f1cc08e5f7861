"""The term of an instance: quotes, renewals, auto-renew rules, and changes of billing."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import CHARGE, ENDS, UNITS, read, write
from leasebook.contract.nouns.instance import Billing, ComputeUnitConfig, Months, PaymentTiming, Reservation
from leasebook.contract.shapes import (
    MAX_AMOUNT,
    PROJECT_GIVEN,
    AcrossRequest,
    Amount,
    Id,
    Marker,
    Owned,
    PageSize,
    PositiveCount,
    Request,
    ResourceName,
    Shape,
    Tags,
)

Term = Annotated[int, Meta(ge=1, le=36)]
Day = Annotated[int, Meta(ge=1, le=31)]


class RenewComputeUnitRequest(Request, kw_only=True):
    """Renew a prepaid instance by ``months``, or until the next day ``expiryDay`` of a month, or first one, then both.

    In a month without that day the term ends on the last day. A day costs one thirty-first of the month's price, and
    the last day of a shorter month costs the remainder: the same end costs the same, by days, by months, or by both.
    """

    instance_id: Annotated[Id, Meta(description="The instance.")]
    months: Annotated[Term | None, Meta(description="By how many months.")] = None
    expiry_day: Annotated[Day | None, Meta(description="The day of the month to which it is renewed.")] = None
    max_amount: Annotated[Amount | None, Meta(description=MAX_AMOUNT)] = None


class Renewed(Shape, kw_only=True):
    """The renewal's order, and when the term ends now."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    order_id: Annotated[str, Meta(description="The order.")]
    expired_time: Annotated[str, Meta(description="When the term ends now.")]


class ChangeBillingRequest(Request, kw_only=True):
    """Make a postpaid instance prepaid now (give a ``reservation``), or a prepaid one postpaid when its term ends.

    The new term begins where the minute ends that has been charged already.
    """

    instance_id: Annotated[Id, Meta(description="The instance.")]
    payment_timing: Annotated[PaymentTiming, Meta(description="How it is to be paid.")]
    reservation: Annotated[Reservation | None, Meta(description="For how long; required to become Prepaid.")] = None
    max_amount: Annotated[Amount | None, Meta(description=MAX_AMOUNT)] = None


class BillingChanged(Shape, kw_only=True):
    """The order of the change, and the release time that the instance gave up with it, where it had one."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    order_id: Annotated[str, Meta(description="The order.")]
    dropped_release_time: Annotated[
        str | None, Meta(description="The release time that the instance had, and has no more: its term ends it.")
    ] = None


class QuotePurchaseRequest(Request, kw_only=True):
    """Ask what a purchase would cost and whether it would be refused; ``hold`` its price for some minutes."""

    billing: Annotated[Billing, Meta(description="How it is paid.")]
    compute_unit_config: Annotated[ComputeUnitConfig, Meta(description="The units to buy.")]
    compute_unit_count: Annotated[PositiveCount, Meta(description="How many units.")]
    hold: Annotated[bool | None, Meta(description="Whether the price is to be kept, for a purchase with quoteId.")] = (
        None
    )
    name: Annotated[ResourceName | None, Meta(description="The name of the purchase; a quote does not keep it.")] = None
    tags: Annotated[
        Tags | None, Meta(description="The tags of the purchase, for the tag policy; a quote does not keep them.")
    ] = None
    project_id: Annotated[Id | None, Meta(description=PROJECT_GIVEN)] = None


class Verdict(Shape, kw_only=True, omit_defaults=False):
    """One rule's verdict on the purchase. ``code`` is the error that the purchase would be refused with."""

    rule: Annotated[
        Literal[
            "permission",
            "releaseTime",
            "end",
            "stock",
            "units",
            "price",
            "spend",
            "balance",
            "approval",
            "tags",
            "state",
        ],
        Meta(description="The rule."),
    ]
    passed: Annotated[bool, Meta(description="Whether this rule allows the purchase.")]
    code: Annotated[
        str | None,
        Meta(
            description=("The code of the error that the purchase would be refused with; null if this rule allows it.")
        ),
    ]
    message: Annotated[str | None, Meta(description="The reason and what to do; null if this rule allows it.")]


class Quote(Shape, kw_only=True):
    """The price of a purchase and the verdict of every rule; nothing is bought. Prices are decimal strings.

    ``amount`` is paid at once. ``pricePerUnit`` is the price of a unit for a minute (Postpaid) or a month (Prepaid).
    """

    passed: Annotated[bool, Meta(description="Whether every rule allows the purchase.")]
    verdicts: Annotated[list[Verdict], Meta(description="The verdict of each rule.")]
    region: Annotated[str, Meta(description="The region that the purchase would be made in.")]
    type: Annotated[str, Meta(description="The type of unit.")]
    compute_unit_count: Annotated[int, Meta(description="How many units.")]
    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    price_per_unit: Annotated[str | None, Meta(description="The price of one unit; null: it is not sold that way.")]
    price_unit: Annotated[
        Literal["Minute", "Month"],
        Meta(description="The time that pricePerUnit pays for: a Minute with Postpaid, a Month with Prepaid."),
    ]
    amount: Annotated[str, Meta(description="The amount to pay at once; zero with Postpaid.")]
    balance_needed: Annotated[
        str,
        Meta(
            description=(
                "The balance that the purchase needs: the whole price of a term, or a minimum for metered use."
            )
        ),
    ]
    balance: Annotated[str, Meta(description="The balance now.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    quote_id: Annotated[str | None, Meta(description="The quote that keeps the price, where that was asked for.")] = (
        None
    )
    quote_expired_time: Annotated[str | None, Meta(description="Until when the price is kept.")] = None


class QuoteChangeRequest(Request, kw_only=True):
    """Ask what a renewal, a resize or a change of billing would cost and whether it would be refused.

    A resize has ``count``; a renewal has ``months``, or ``expiryDay``, or both, as RenewComputeUnit has them; a change
    of billing has ``paymentTiming``, and a ``reservation`` to become Prepaid, as ChangeBilling has them.
    """

    instance_id: Annotated[Id, Meta(description="The instance.")]
    count: Annotated[PositiveCount | None, Meta(description="How many units it would have after a resize.")] = None
    months: Annotated[Term | None, Meta(description="By how many months it would be renewed.")] = None
    expiry_day: Annotated[Day | None, Meta(description="The day of the month to which it would be renewed.")] = None
    payment_timing: Annotated[PaymentTiming | None, Meta(description="How it would be paid.")] = None
    reservation: Annotated[
        Reservation | None, Meta(description="For how long it would be; required to become Prepaid.")
    ] = None


class ChangeQuote(Shape, kw_only=True):
    """The price of a change and the verdict of every rule; nothing is changed. Prices are decimal strings.

    ``amount`` is paid at once. A postpaid instance pays nothing at once: ``pricePerUnit`` is that of a unit for a
    minute. An instance that becomes Prepaid also pays its use until now. If the rule ``state`` does not allow the
    change, no other rule is asked.
    """

    passed: Annotated[bool, Meta(description="Whether every rule allows the change.")]
    verdicts: Annotated[list[Verdict], Meta(description="The verdict of each rule.")]
    instance_id: Annotated[str, Meta(description="The instance.")]
    region: Annotated[str, Meta(description="Its region.")]
    type: Annotated[str, Meta(description="Its type of unit.")]
    compute_unit_count: Annotated[int, Meta(description="How many units it has after the change.")]
    payment_timing: Annotated[PaymentTiming, Meta(description="How it is paid after the change: Prepaid, or Postpaid.")]
    expired_time: Annotated[
        str | None, Meta(description="When its term ends after the change; absent: it has no term.")
    ] = None
    price_per_unit: Annotated[
        str | None, Meta(description="The price of one unit now; absent: it is not sold that way.")
    ] = None
    price_unit: Annotated[
        Literal["Minute", "Month"],
        Meta(description="The time that pricePerUnit pays for: a Minute with Postpaid, a Month with Prepaid."),
    ]
    amount: Annotated[str, Meta(description="The amount to pay at once; zero with Postpaid.")]
    balance: Annotated[str, Meta(description="The balance now.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]


InstanceType = Literal["ComputingUnit", "TPM"]


class CreateAutoRenewRulesRequest(Request, kw_only=True):
    """Renew a prepaid instance whenever its term runs out."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    instance_type: Annotated[InstanceType, Meta(description="ComputingUnit, or TPM for quota.")]
    auto_renew_time_unit: Annotated[Literal["Month"] | None, Meta(description="Month is the only unit.")] = None
    auto_renew_time: Annotated[
        Months | None, Meta(description="By how many months it is renewed, from 1 to 6; 1 where it is left out.")
    ] = None


class DescribeAutoRenewRulesRequest(AcrossRequest, kw_only=True):
    """List the account's auto-renew rules; that of one instance where it is named."""

    instance_id: Annotated[Id | None, Meta(description="Only the rule of this instance.")] = None
    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class AutoRenewRule(Owned, kw_only=True):
    """By how many months an instance is renewed; and when that is tried next, and its term ends."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    instance_type: Annotated[InstanceType, Meta(description="ComputingUnit, or TPM for quota.")]
    auto_renew_time_unit: Annotated[Literal["Month"], Meta(description="Month is the only unit.")]
    auto_renew_time: Annotated[int, Meta(description="By how many months it is renewed.")]
    status: Annotated[
        str,
        Meta(
            description=(
                "Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units "
                "are kept), Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released."
            )
        ),
    ]
    expired_time: Annotated[str | None, Meta(description="When the term ends.")] = None
    next_try_time: Annotated[str | None, Meta(description="When the renewal is tried next.")] = None


class AutoRenewRules(Shape, kw_only=True):
    """A page of rules, in the order in which the instances were bought."""

    rules: Annotated[list[AutoRenewRule], Meta(description="The rules.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DeleteAutoRenewRulesRequest(Request, kw_only=True):
    """Do not renew an instance any more."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    instance_type: Annotated[InstanceType | None, Meta(description="ComputingUnit, or TPM for quota.")] = None


ACTIONS: Final = (
    write(
        UNITS,
        "RenewComputeUnit",
        "renew_unit",
        RenewComputeUnitRequest,
        Renewed,
        "Renew a prepaid instance by months, to a day of a month, or both; a stopped one runs again.",
        errors=(*ENDS, e.INSUFFICIENT_BALANCE),
        example={"instanceId": "unit-Qw4rTy7U", "months": 1, "expiryDay": 15},
        answer={
            "instanceId": "unit-Qw4rTy7U",
            "orderId": "5b943d0d12f64c560dc233c7116e7527",
            "expiredTime": "2027-06-15T06:13:45+08:00",
        },
    ),
    write(
        UNITS,
        "ChangeBilling",
        "change_billing",
        ChangeBillingRequest,
        BillingChanged,
        "Make a postpaid instance prepaid now, or a prepaid one postpaid from the end of its term.",
        errors=(*ENDS, e.INSUFFICIENT_BALANCE),
        example={"instanceId": "unit-Qw4rTy7U", "paymentTiming": "Postpaid"},
        answer={"instanceId": "unit-Qw4rTy7U", "orderId": "14ebc85718ca16c295f05236cc699be9"},
    ),
    write(
        UNITS,
        "QuotePurchase",
        "quote_purchase",
        QuotePurchaseRequest,
        Quote,
        "Judge a purchase by every rule without buying; and hold its price for some minutes if asked to.",
        policies=p.READERS,
        errors=(e.QUOTA_EXCEEDED,),
        example={
            "billing": {
                "paymentTiming": "Prepaid",
                "reservation": {"reservationTimeUnit": "Month", "reservationLength": 5},
            },
            "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
            "computeUnitCount": 2,
            "hold": True,
        },
        answer={
            "passed": True,
            "verdicts": [{"rule": "permission", "passed": True, "code": None, "message": None}],
            "region": "bj",
            "type": "gpu-1",
            "computeUnitCount": 2,
            "paymentTiming": "Prepaid",
            "pricePerUnit": "9000.00",
            "priceUnit": "Month",
            "amount": "90000.00",
            "balanceNeeded": "90000.00",
            "balance": "99650929.50",
            "currency": "CNY",
            "quoteId": "a78efeb2de942b4c25cb5a3c485cf633",
            "quoteExpiredTime": "2026-11-30T07:33:45+08:00",
        },
    ),
)


CHANGES: Final = (
    write(
        UNITS,
        "QuoteChange",
        "quote_change",
        QuoteChangeRequest,
        ChangeQuote,
        "Judge a renewal, a resize or a change of billing by every rule without making it, and tell its price.",
        policies=p.READERS,
        errors=(e.INSTANCE_NOT_FOUND,),
        example={"instanceId": "unit-Qw4rTy7U", "months": 1},
        answer={
            "passed": True,
            "verdicts": [{"rule": "state", "passed": True, "code": None, "message": None}],
            "instanceId": "unit-Qw4rTy7U",
            "region": "bj",
            "type": "gpu-1",
            "computeUnitCount": 1,
            "paymentTiming": "Prepaid",
            "expiredTime": "2027-05-30T06:13:45+08:00",
            "pricePerUnit": "9000.00",
            "priceUnit": "Month",
            "amount": "9000.00",
            "balance": "99650929.50",
            "currency": "CNY",
        },
    ),
)


AUTO_RENEW_RULES: Final = (
    write(
        CHARGE,
        "CreateAutoRenewRules",
        "create_auto_renew_rule",
        CreateAutoRenewRulesRequest,
        bool,
        "Renew a prepaid instance whenever its term runs out.",
        errors=ENDS,
        example={"instanceId": "unit-Qw4rTy7U", "instanceType": "ComputingUnit", "autoRenewTime": 1},
        answer=True,
    ),
    read(
        CHARGE,
        "DescribeAutoRenewRules",
        "describe_auto_renew_rules",
        DescribeAutoRenewRulesRequest,
        AutoRenewRules,
        "List the instances that are renewed by themselves.",
        across=p.FLEET_READERS,
        errors=(e.INSTANCE_NOT_FOUND, e.INVALID_MARKER),
        example={"instanceId": "unit-Qw4rTy7U"},
        answer={
            "rules": [
                {
                    "instanceId": "unit-Qw4rTy7U",
                    "instanceType": "ComputingUnit",
                    "autoRenewTimeUnit": "Month",
                    "autoRenewTime": 1,
                    "status": "Running",
                    "expiredTime": "2027-04-30T06:13:45+08:00",
                    "nextTryTime": "2027-04-23T06:13:45+08:00",
                }
            ],
            "isTruncated": False,
            "maxKeys": 100,
        },
    ),
    write(
        CHARGE,
        "DeleteAutoRenewRules",
        "delete_auto_renew_rule",
        DeleteAutoRenewRulesRequest,
        bool,
        "Do not renew an instance any more.",
        errors=ENDS,
        example={"instanceId": "unit-Qw4rTy7U", "instanceType": "ComputingUnit"},
        answer=True,
    ),
)
