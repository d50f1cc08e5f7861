"""Shapes of values: limits. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import UNSET, UnsetType

from leasebook.client.shape import Shape
from leasebook.client.shapes.approval.approval_limit import ApprovalLimit
from leasebook.client.shapes.finance.tag_budget import TagBudget


class ProjectLimits(Shape, kw_only=True):
    """The limits of a project, beside those of the account and its users: all of them must hold."""

    units: dict[str, int] | None = None
    """How many units of each type the project holds at most."""
    spend: Decimal | None = None
    """How much the project is charged in a calendar month at most."""
    budget: Decimal | None = None
    """The planned spending of the project in a calendar month."""
    budget_warn_percent: list[int] | None = None
    """Percentages of the budget; an event is emitted when the charges reach one, once a month."""
    budget_refuse_percent: int | None = None
    """The percentage of the budget from which on purchases in the project are refused."""
    release_max_seconds: int | None = None
    """How far ahead the release of a postpaid instance may lie."""
    release_default_seconds: int | None = None
    """As for the account; the project's goes before the account's."""
    end_required: bool | None = None
    """Whether a postpaid instance must have a release time."""


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

    units: dict[str, int] | None = None
    """How many units of each type the account holds at most."""
    user_units: dict[str, dict[str, int]] | None = None
    """How many units of each type each user's purchases hold at most."""
    spend: Decimal | None = None
    """How much the account is charged in a calendar month at most."""
    user_spend: dict[str, Decimal] | None = None
    """How much each user's purchases cost in a calendar month at most."""
    budget: Decimal | None = None
    """The planned spending of a calendar month."""
    budget_warn_percent: list[int] | None = None
    """Percentages of the budget; an event is emitted when the charges reach one, once a month."""
    budget_refuse_percent: int | None = None
    """The percentage of the budget from which on purchases are refused."""
    release_max_seconds: int | None = None
    """How far ahead the release of a postpaid instance may lie."""
    release_default_seconds: int | None = None
    """How far ahead the release of a postpaid instance lies where none is given: from the purchase on, or from the
    moment in which a prepaid one becomes postpaid.
    """
    end_required: bool | None = None
    """Whether a postpaid instance must have a release time."""
    extend_by: str | None = None
    """Who moves a release to later or takes it away: anybody, the buyer, or only managers."""
    extensions_max: int | None = None
    """How often the release time of one instance may be moved to later; managers may do it more often."""
    needs_approval: ApprovalLimit | None = None
    """The limits above which a purchase needs an approval."""
    user_needs_approval: dict[str, ApprovalLimit] | None = None
    """The limits above which each user's purchases need an approval."""
    projects: dict[str, ProjectLimits] | None = None
    """Limits of projects by id; `default` is the default project."""
    tags: dict[str, dict[str, TagBudget]] | None = None
    """Budgets by the key and the value of a tag."""


class ProjectUsed(Shape, kw_only=True):
    """The units of a project, and its charges in the month."""

    units: dict[str, int]
    """The units of each type that the project holds."""
    spend: Decimal
    """The project's charges in the month, less refunds."""


class Used(Shape, kw_only=True):
    """How much of the limits is used: units by user and type, and the month's charges by user, project and tag."""

    units: dict[str, int]
    """The units of each type that the account holds."""
    user_units: dict[str, dict[str, int]]
    """The units of each type that each user's purchases hold, by the user's id."""
    month: str | None
    """The calendar month that the charges are of, such as 2026-11."""
    spend: Decimal
    """The account's charges in the month, less refunds."""
    user_spend: dict[str, Decimal]
    """The charges of each user's purchases in the month, by the user's id."""
    user_names: dict[str, str]
    """The names, as they are now, of the users in limits and usage, by their ids."""
    projects: dict[str, ProjectUsed]
    """The same of each project that has something, by its id."""
    tag_spend: dict[str, dict[str, Decimal]]
    """The month's charges for each budget by tag, by the key and the value of the tag."""


class GuardRailsChanged(Shape, kw_only=True):
    """The limits before and after the change, and how much of them is used. ``limits`` is the same as ``after``."""

    account_id: str
    """The account."""
    limits: GuardRails
    """Its limits now; an absent field means no limit."""
    used: Used | None = None
    """How much of them is used; absent while the account has no limits."""
    before: GuardRails | None = None
    """The limits before the change; absent if version 0.1.0 answered the client token first."""
    after: GuardRails
    """The limits after the change."""


class GuardRailsDetail(Shape, kw_only=True):
    """The limits, and how much of them is used. Usage is not counted for an account without limits."""

    account_id: str
    """The account."""
    limits: GuardRails
    """Its limits; an absent field means no limit."""
    used: Used | None = None
    """How much of them is used; absent while the account has no limits."""


class ProjectLimitsChange(Shape, kw_only=True):
    """Changes of the limits of a project, as in GuardRailsChange."""

    units: dict[str, int | None] | UnsetType | None = UNSET
    """How many units of each type the project holds at most."""
    spend: Decimal | UnsetType | None = UNSET
    """How much the project is charged in a calendar month at most."""
    budget: Decimal | UnsetType | None = UNSET
    """The planned spending of the project in a calendar month."""
    budget_warn_percent: list[int] | UnsetType | None = UNSET
    """Percentages of the budget; an event is emitted when the charges reach one, once a month."""
    budget_refuse_percent: int | UnsetType | None = UNSET
    """The percentage of the budget from which on purchases in the project are refused."""
    release_max_seconds: int | UnsetType | None = UNSET
    """How far ahead the release of a postpaid instance may lie."""
    release_default_seconds: int | UnsetType | None = UNSET
    """As for the account; the project's goes before the account's."""
    end_required: bool | UnsetType | None = UNSET
    """Whether a postpaid instance must have a release time."""


class GuardRailsChange(Shape, kw_only=True):
    """Changes of the limits in GuardRails: a value sets a field, null clears it, and an absent field keeps its value.

    The same holds for each entry of ``units``, ``userUnits``, ``userSpend``, ``userNeedsApproval``, ``projects`` and
    ``tags``; a limit on approvals and a budget by tag are set as a whole. Clearing ``budget`` also clears
    ``budgetWarnPercent`` and ``budgetRefusePercent``.
    """

    units: dict[str, int | None] | UnsetType | None = UNSET
    """How many units of each type the account holds at most."""
    user_units: dict[str, dict[str, int | None] | None] | UnsetType | None = UNSET
    """How many units of each type each user's purchases hold at most."""
    spend: Decimal | UnsetType | None = UNSET
    """How much the account is charged in a calendar month at most."""
    user_spend: dict[str, Decimal | None] | UnsetType | None = UNSET
    """How much each user's purchases cost in a calendar month at most."""
    budget: Decimal | UnsetType | None = UNSET
    """The planned spending of a calendar month."""
    budget_warn_percent: list[int] | UnsetType | None = UNSET
    """Percentages of the budget; an event is emitted when the charges reach one, once a month."""
    budget_refuse_percent: int | UnsetType | None = UNSET
    """The percentage of the budget from which on purchases are refused."""
    release_max_seconds: int | UnsetType | None = UNSET
    """How far ahead the release of a postpaid instance may lie."""
    release_default_seconds: int | UnsetType | None = UNSET
    """How far ahead the release of a postpaid instance lies where none is given: from the purchase on, or from the
    moment in which a prepaid one becomes postpaid.
    """
    end_required: bool | UnsetType | None = UNSET
    """Whether a postpaid instance must have a release time."""
    extend_by: Literal["anybody", "buyer", "managers"] | UnsetType | None = UNSET
    """Who moves a release to later or takes it away: anybody, the buyer, or only managers."""
    extensions_max: int | UnsetType | None = UNSET
    """How often the release time of one instance may be moved to later; managers may do it more often."""
    needs_approval: ApprovalLimit | UnsetType | None = UNSET
    """The limits above which a purchase needs an approval."""
    user_needs_approval: dict[str, ApprovalLimit | None] | UnsetType | None = UNSET
    """The limits above which each user's purchases need an approval."""
    projects: dict[str, ProjectLimitsChange | None] | UnsetType | None = UNSET
    """Limits of projects by id, `default` for the default one; null clears those of a project."""
    tags: dict[str, dict[str, TagBudget | None] | None] | UnsetType | None = UNSET
    """Budgets by the key and the value of a tag; null clears one, or all of a key."""
