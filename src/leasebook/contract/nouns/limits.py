"""Limits of an account and its users: its guard rails, and its suspension."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, IAM, read, write
from leasebook.contract.nouns.account import AccountDetail
from leasebook.contract.nouns.approval.approval_limit import ApprovalLimit, Limit, Seconds
from leasebook.contract.nouns.finance.tag_budget import Percent, Percents, TagBudgets, TagBudgetsChange
from leasebook.contract.shapes import Amount, Id, Part, Request, Shape

UnitLimits = Annotated[dict[str, Limit], Meta(max_length=1000)]
UnitLimitsByUser = Annotated[dict[str, UnitLimits], Meta(max_length=1000)]
AmountByUser = Annotated[dict[str, Amount], Meta(max_length=1000)]
LimitByUser = Annotated[dict[str, ApprovalLimit], Meta(max_length=1000)]


class ProjectLimits(Shape, kw_only=True):
    """The limits of a project, beside those of the account and its users: all of them must hold."""

    units: Annotated[UnitLimits | None, Meta(description="How many units of each type the project holds at most.")] = (
        None
    )
    spend: Annotated[
        Amount | None, Meta(description="How much the project is charged in a calendar month at most.")
    ] = None
    budget: Annotated[Amount | None, Meta(description="The planned spending of the project in a calendar month.")] = (
        None
    )
    budget_warn_percent: Annotated[
        Percents | None,
        Meta(description="Percentages of the budget; an event is emitted when the charges reach one, once a month."),
    ] = None
    budget_refuse_percent: Annotated[
        Percent | None,
        Meta(description="The percentage of the budget from which on purchases in the project are refused."),
    ] = None
    release_max_seconds: Annotated[
        Seconds | None, Meta(description="How far ahead the release of a postpaid instance may lie.")
    ] = None
    release_default_seconds: Annotated[
        Seconds | None,
        Meta(description="As for the account; the project's goes before the account's."),
    ] = None
    end_required: Annotated[bool | None, Meta(description="Whether a postpaid instance must have a release time.")] = (
        None
    )


ProjectsLimits = Annotated[dict[str, ProjectLimits], Meta(max_length=1000)]


class GuardRails(Shape, kw_only=True):
    """The limits of an account. An absent field means no limit. Users are named by id; ``*`` means all others.

    ``units`` and ``userUnits`` limit the units of each type that the account, or each user's purchases, hold; ``spend``
    and ``userSpend`` limit the charges of a calendar month of the account. An event is emitted when the month's charges
    reach each percentage ``budgetWarnPercent`` of ``budget``; from ``budgetRefusePercent`` on purchases are refused.
    ``releaseMaxSeconds`` is how far ahead the release time of a postpaid instance may be. ``releaseDefaultSeconds``
    sets one if none is given, counted from the purchase or from the change to postpaid. With ``endRequired`` a postpaid
    instance must have a release time. ``extendBy`` says who may move a release time to later, and ``extensionsMax`` how
    often for one instance. A purchase beyond ``needsApproval``, or beyond ``userNeedsApproval`` of its user, waits for
    an approval. ``tags`` has budgets by the key and the value of a tag.
    """

    units: Annotated[UnitLimits | None, Meta(description="How many units of each type the account holds at most.")] = (
        None
    )
    user_units: Annotated[
        UnitLimitsByUser | None, Meta(description="How many units of each type each user's purchases hold at most.")
    ] = None
    spend: Annotated[
        Amount | None, Meta(description="How much the account is charged in a calendar month at most.")
    ] = None
    user_spend: Annotated[
        AmountByUser | None, Meta(description="How much each user's purchases cost in a calendar month at most.")
    ] = None
    budget: Annotated[Amount | None, Meta(description="The planned spending of a calendar month.")] = None
    budget_warn_percent: Annotated[
        Percents | None,
        Meta(description=("Percentages of the budget; an event is emitted when the charges reach one, once a month.")),
    ] = None
    budget_refuse_percent: Annotated[
        Percent | None, Meta(description="The percentage of the budget from which on purchases are refused.")
    ] = None
    release_max_seconds: Annotated[
        Seconds | None, Meta(description="How far ahead the release of a postpaid instance may lie.")
    ] = None
    release_default_seconds: Annotated[
        Seconds | None,
        Meta(
            description=(
                "How far ahead the release of a postpaid instance lies where none is given: from the purchase "
                "on, or from the moment in which a prepaid one becomes postpaid."
            )
        ),
    ] = None
    end_required: Annotated[bool | None, Meta(description="Whether a postpaid instance must have a release time.")] = (
        None
    )
    extend_by: Annotated[
        Literal["anybody", "buyer", "managers"] | None,
        Meta(description="Who moves a release to later or takes it away: anybody, the buyer, or only managers."),
    ] = None
    extensions_max: Annotated[
        Limit | None,
        Meta(
            description=(
                "How often the release time of one instance may be moved to later; managers may do it more often."
            )
        ),
    ] = None
    needs_approval: Annotated[
        ApprovalLimit | None, Meta(description="The limits above which a purchase needs an approval.")
    ] = None
    user_needs_approval: Annotated[
        LimitByUser | None, Meta(description="The limits above which each user's purchases need an approval.")
    ] = None
    projects: Annotated[
        ProjectsLimits | None, Meta(description="Limits of projects by id; `default` is the default project.")
    ] = None
    tags: Annotated[TagBudgets | None, Meta(description="Budgets by the key and the value of a tag.")] = None


LimitsChange = Annotated[dict[str, Limit | None], Meta(max_length=1000)]
UnitLimitsByUserChange = Annotated[dict[str, LimitsChange | None], Meta(max_length=1000)]
LimitByUserChange = Annotated[dict[str, ApprovalLimit | None], Meta(max_length=1000)]
AmountByUserChange = Annotated[dict[str, Amount | None], Meta(max_length=1000)]


class ProjectLimitsChange(Part, kw_only=True):
    """Changes of the limits of a project, as in GuardRailsChange."""

    units: Annotated[
        LimitsChange | UnsetType | None, Meta(description="How many units of each type the project holds at most.")
    ] = UNSET
    spend: Annotated[
        Amount | UnsetType | None, Meta(description="How much the project is charged in a calendar month at most.")
    ] = UNSET
    budget: Annotated[
        Amount | UnsetType | None, Meta(description="The planned spending of the project in a calendar month.")
    ] = UNSET
    budget_warn_percent: Annotated[
        Percents | UnsetType | None,
        Meta(description="Percentages of the budget; an event is emitted when the charges reach one, once a month."),
    ] = UNSET
    budget_refuse_percent: Annotated[
        Percent | UnsetType | None,
        Meta(description="The percentage of the budget from which on purchases in the project are refused."),
    ] = UNSET
    release_max_seconds: Annotated[
        Seconds | UnsetType | None, Meta(description="How far ahead the release of a postpaid instance may lie.")
    ] = UNSET
    release_default_seconds: Annotated[
        Seconds | UnsetType | None,
        Meta(description="As for the account; the project's goes before the account's."),
    ] = UNSET
    end_required: Annotated[
        bool | UnsetType | None, Meta(description="Whether a postpaid instance must have a release time.")
    ] = UNSET


ProjectsLimitsChange = Annotated[dict[Id, ProjectLimitsChange | None], Meta(max_length=1000)]


class GuardRailsChange(Part, kw_only=True):
    """Changes of the limits in GuardRails: a value sets a field, null clears it, and an absent field keeps its value.

    The same holds for each entry of ``units``, ``userUnits``, ``userSpend``, ``userNeedsApproval``, ``projects`` and
    ``tags``; a limit on approvals and a budget by tag are set as a whole. Clearing ``budget`` also clears
    ``budgetWarnPercent`` and ``budgetRefusePercent``.
    """

    units: Annotated[
        LimitsChange | UnsetType | None, Meta(description="How many units of each type the account holds at most.")
    ] = UNSET
    user_units: Annotated[
        UnitLimitsByUserChange | UnsetType | None,
        Meta(description="How many units of each type each user's purchases hold at most."),
    ] = UNSET
    spend: Annotated[
        Amount | UnsetType | None, Meta(description="How much the account is charged in a calendar month at most.")
    ] = UNSET
    user_spend: Annotated[
        AmountByUserChange | UnsetType | None,
        Meta(description="How much each user's purchases cost in a calendar month at most."),
    ] = UNSET
    budget: Annotated[Amount | UnsetType | None, Meta(description="The planned spending of a calendar month.")] = UNSET
    budget_warn_percent: Annotated[
        Percents | UnsetType | None,
        Meta(description=("Percentages of the budget; an event is emitted when the charges reach one, once a month.")),
    ] = UNSET
    budget_refuse_percent: Annotated[
        Percent | UnsetType | None,
        Meta(description=("The percentage of the budget from which on purchases are refused.")),
    ] = UNSET
    release_max_seconds: Annotated[
        Seconds | UnsetType | None, Meta(description="How far ahead the release of a postpaid instance may lie.")
    ] = UNSET
    release_default_seconds: Annotated[
        Seconds | UnsetType | None,
        Meta(
            description=(
                "How far ahead the release of a postpaid instance lies where none is given: from the purchase "
                "on, or from the moment in which a prepaid one becomes postpaid."
            )
        ),
    ] = UNSET
    end_required: Annotated[
        bool | UnsetType | None, Meta(description="Whether a postpaid instance must have a release time.")
    ] = UNSET
    extend_by: Annotated[
        Literal["anybody", "buyer", "managers"] | UnsetType | None,
        Meta(description="Who moves a release to later or takes it away: anybody, the buyer, or only managers."),
    ] = UNSET
    extensions_max: Annotated[
        Limit | UnsetType | None,
        Meta(
            description=(
                "How often the release time of one instance may be moved to later; managers may do it more often."
            )
        ),
    ] = UNSET
    needs_approval: Annotated[
        ApprovalLimit | UnsetType | None, Meta(description="The limits above which a purchase needs an approval.")
    ] = UNSET
    user_needs_approval: Annotated[
        LimitByUserChange | UnsetType | None,
        Meta(description="The limits above which each user's purchases need an approval."),
    ] = UNSET
    projects: Annotated[
        ProjectsLimitsChange | UnsetType | None,
        Meta(description="Limits of projects by id, `default` for the default one; null clears those of a project."),
    ] = UNSET
    tags: Annotated[
        TagBudgetsChange | UnsetType | None,
        Meta(description="Budgets by the key and the value of a tag; null clears one, or all of a key."),
    ] = UNSET


class SetGuardRailsRequest(Request, kw_only=True):
    """Change the account's limits; null for ``limits`` clears all of them. An operator may name another account.

    Limits that the call does not name stay. With ``replace`` they are cleared.
    """

    limits: Annotated[GuardRailsChange | None, Meta(description="The changes. Null clears all limits.")]
    replace: Annotated[
        bool | None, Meta(description="Whether limits that are not named are cleared; absent or false: they stay.")
    ] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DescribeGuardRailsRequest(Request, kw_only=True):
    """Ask for the account's limits and how much of them is used. An operator may name another account."""

    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class Used(Shape, kw_only=True, omit_defaults=False):
    """How much of the limits is used: units by user and type, and the month's charges by user, project and tag."""

    units: Annotated[dict[str, int], Meta(description="The units of each type that the account holds.")]
    user_units: Annotated[
        dict[str, dict[str, int]],
        Meta(description="The units of each type that each user's purchases hold, by the user's id."),
    ]
    month: Annotated[str | None, Meta(description="The calendar month that the charges are of, such as 2026-11.")]
    spend: Annotated[str, Meta(description="The account's charges in the month, less refunds.")]
    user_spend: Annotated[
        dict[str, str], Meta(description="The charges of each user's purchases in the month, by the user's id.")
    ]
    user_names: Annotated[
        dict[str, str], Meta(description="The names, as they are now, of the users in limits and usage, by their ids.")
    ]
    projects: Annotated[
        dict[str, ProjectUsed], Meta(description="The same of each project that has something, by its id.")
    ]
    tag_spend: Annotated[
        dict[str, dict[str, str]],
        Meta(description="The month's charges for each budget by tag, by the key and the value of the tag."),
    ]


class ProjectUsed(Shape, kw_only=True, omit_defaults=False):
    """The units of a project, and its charges in the month."""

    units: Annotated[dict[str, int], Meta(description="The units of each type that the project holds.")]
    spend: Annotated[str, Meta(description="The project's charges in the month, less refunds.")]


class GuardRailsDetail(Shape, kw_only=True):
    """The limits, and how much of them is used. Usage is not counted for an account without limits."""

    account_id: Annotated[str, Meta(description="The account.")]
    limits: Annotated[GuardRails, Meta(description="Its limits; an absent field means no limit.")]
    used: Annotated[
        Used | None, Meta(description=("How much of them is used; absent while the account has no limits."))
    ] = None


class GuardRailsChanged(Shape, kw_only=True):
    """The limits before and after the change, and how much of them is used. ``limits`` is the same as ``after``."""

    account_id: Annotated[str, Meta(description="The account.")]
    limits: Annotated[GuardRails, Meta(description="Its limits now; an absent field means no limit.")]
    used: Annotated[
        Used | None, Meta(description=("How much of them is used; absent while the account has no limits."))
    ] = None
    before: Annotated[
        GuardRails | None,
        Meta(description="The limits before the change; absent if version 0.1.0 answered the client token first."),
    ] = None
    after: Annotated[GuardRails, Meta(description="The limits after the change.")]


_LIMITS: Final = {
    "units": {"gpu-1": 20},
    "userUnits": {"*": {"gpu-1": 4}},
    "spend": "20000.00",
    "userSpend": {"*": "5000.00"},
    "budget": "15000.00",
    "budgetWarnPercent": [50, 90],
    "budgetRefusePercent": 120,
    "releaseMaxSeconds": 604_800,
    "releaseDefaultSeconds": 28800,
    "endRequired": True,
    "extendBy": "buyer",
    "extensionsMax": 3,
    "needsApproval": {"units": {"gpu-1": 16}, "cost": "5000000.00", "months": 12},
    "userNeedsApproval": {"*": {"units": {"gpu-1": 8}, "lapseSeconds": 86400}},
    "projects": {"default": {"units": {"gpu-1": 18}, "spend": "18000.00"}},
    "tags": {"team": {"vision": {"budget": "9000.00", "budgetWarnPercent": [80], "budgetRefusePercent": 100}}},
}
"""The limits of the examples."""


class SuspendAccountRequest(Request, kw_only=True):
    """Suspend an account: nothing is bought or made in it, and its instances and services go on by their own rules."""

    account_id: Annotated[Id, Meta(description="The account.")]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            pattern="^[^\\x00]*$",
            description="A sentence for the account: refusals, events and answers show it.",
        ),
    ]


class ResumeAccountRequest(Request, kw_only=True):
    """End an account's suspension."""

    account_id: Annotated[Id, Meta(description="The account.")]


class CloseAccountRequest(Request, kw_only=True):
    """Close an account for ever. Nothing may live in it; its keys and subscriptions end, and its books stay."""

    account_id: Annotated[Id, Meta(description="The account.")]
    pay_out: Annotated[
        bool, Meta(description="Pay back the rest of the balance; without it an account with money stays open.")
    ] = False
    write_off: Annotated[
        bool, Meta(description="Give up what the account owes; without it an account in debt stays open.")
    ] = False


_RESEARCH: Final = {
    "accountId": "0c5d1f9c4f7b4ad08b0e7f3c52d1a6ee",
    "balance": "0.00",
    "currency": "CNY",
    "name": "research",
    "timeZone": "Asia/Shanghai",
    "status": "Active",
    "createTime": "2026-11-30T06:13:45+08:00",
}

SUSPENSION: Final = (
    write(
        IAM,
        "SuspendAccount",
        "suspend_account",
        SuspendAccountRequest,
        AccountDetail,
        "Let nothing more be bought or made in an account.",
        policies=p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"accountId": "0c5d1f9c4f7b4ad08b0e7f3c52d1a6ee", "reason": "The project ended."},
        answer={**_RESEARCH, "status": "Suspended", "statusReason": "The project ended."},
    ),
    write(
        IAM,
        "ResumeAccount",
        "resume_account",
        ResumeAccountRequest,
        AccountDetail,
        "End an account's suspension.",
        policies=p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"accountId": "0c5d1f9c4f7b4ad08b0e7f3c52d1a6ee"},
        answer=_RESEARCH,
    ),
)

CLOSING: Final = (
    write(
        IAM,
        "CloseAccount",
        "close_account",
        CloseAccountRequest,
        AccountDetail,
        "Close an account for ever; its books stay.",
        policies=p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"accountId": "0c5d1f9c4f7b4ad08b0e7f3c52d1a6ee", "payOut": True},
        answer={**_RESEARCH, "status": "Closed"},
    ),
)

ACTIONS: Final = (
    write(
        ACCOUNT,
        "SetGuardRails",
        "set_guard_rails",
        SetGuardRailsRequest,
        GuardRailsChanged,
        "Limit what an account and its users hold and spend, and how long postpaid units live.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"limits": _LIMITS},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "limits": _LIMITS,
            "used": {
                "units": {"ernie-4.0-8k": 5, "gpu-1": 14},
                "userUnits": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": {"ernie-4.0-8k": 5, "gpu-1": 14}},
                "month": "2026-11",
                "spend": "418323.306452",
                "userSpend": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": "418323.306452"},
                "userNames": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": "root"},
                "projects": {"default": {"units": {"ernie-4.0-8k": 5, "gpu-1": 14}, "spend": "418323.306452"}},
                "tagSpend": {"team": {"vision": "0.00"}},
            },
            "before": {},
            "after": _LIMITS,
        },
    ),
    read(
        ACCOUNT,
        "DescribeGuardRails",
        "describe_guard_rails",
        DescribeGuardRailsRequest,
        GuardRailsDetail,
        "Show an account's limits, and how much of them is used.",
        across=p.BILLING_READERS,
        policies=p.READERS | p.OPERATORS,
        example={},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "limits": _LIMITS,
            "used": {
                "units": {"ernie-4.0-8k": 5, "gpu-1": 14},
                "userUnits": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": {"ernie-4.0-8k": 5, "gpu-1": 14}},
                "month": "2026-11",
                "spend": "418323.306452",
                "userSpend": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": "418323.306452"},
                "userNames": {"f0e1d2c3b4a5968778695a4b3c2d1e0f": "root"},
                "projects": {"default": {"units": {"ernie-4.0-8k": 5, "gpu-1": 14}, "spend": "418323.306452"}},
                "tagSpend": {"team": {"vision": "0.00"}},
            },
        },
    ),
)
