"""What an account's guard rails look like."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.contract.nouns.account import Amount
from leasebook.contract.nouns.instance import Id, Part, Request, Shape

Limit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[int, msgspec.Meta(ge=60, le=100 * 366 * 86400)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=1000)]
UnitLimits = Annotated[dict[str, Limit], msgspec.Meta(max_length=1000)]


class GuardRails(Shape, kw_only=True):
    """Limits; what is absent is not limited. Users are named by id, ``*`` means every other one by itself.

    ``units`` and ``userUnits`` limit the units of each type that the account and each user's purchases hold, ``spend``
    and ``userSpend`` what is charged in a calendar month of the account. Crossing each of ``budgetWarnPercent`` of
    ``budget`` is an event; from ``budgetRefusePercent`` on nothing is bought. ``releaseMaxSeconds`` is how far ahead
    the release of a postpaid unit may lie, ``releaseDefaultSeconds`` what it is where none is given, or from the moment
    on in which a prepaid one becomes postpaid; with ``endRequired`` none may be without one. ``extendBy`` says who
    moves a release to later, ``extensionsMax`` how often for one unit.
    """

    units: UnitLimits | None = None
    user_units: Annotated[dict[str, UnitLimits], msgspec.Meta(max_length=1000)] | None = None
    spend: Amount | None = None
    user_spend: Annotated[dict[str, Amount], msgspec.Meta(max_length=1000)] | None = None
    budget: Amount | None = None
    budget_warn_percent: Annotated[list[Percent], msgspec.Meta(max_length=20)] | None = None
    budget_refuse_percent: Percent | None = None
    release_max_seconds: Seconds | None = None
    release_default_seconds: Seconds | None = None
    end_required: bool | None = None
    extend_by: Literal["anybody", "buyer", "managers"] | None = None
    extensions_max: Limit | None = None


LimitsChange = Annotated[dict[str, Limit | None], msgspec.Meta(max_length=1000)]


class GuardRailsChange(Part, kw_only=True):
    """Limits as in GuardRails. What is named changes, null clears, and what is absent stays as it is.

    Of ``units``, ``userUnits`` and ``userSpend`` the entries that are named change, and null clears one. A budget
    that is cleared takes its parts with it.
    """

    units: LimitsChange | UnsetType | None = UNSET
    user_units: Annotated[dict[str, LimitsChange | None], msgspec.Meta(max_length=1000)] | UnsetType | None = UNSET
    spend: Amount | UnsetType | None = UNSET
    user_spend: Annotated[dict[str, Amount | None], msgspec.Meta(max_length=1000)] | UnsetType | None = UNSET
    budget: Amount | UnsetType | None = UNSET
    budget_warn_percent: Annotated[list[Percent], msgspec.Meta(max_length=20)] | UnsetType | None = UNSET
    budget_refuse_percent: Percent | UnsetType | None = UNSET
    release_max_seconds: Seconds | UnsetType | None = UNSET
    release_default_seconds: Seconds | UnsetType | None = UNSET
    end_required: bool | UnsetType | None = UNSET
    extend_by: Literal["anybody", "buyer", "managers"] | UnsetType | None = UNSET
    extensions_max: Limit | UnsetType | None = UNSET


class SetGuardRailsRequest(Request, kw_only=True):
    """Change the account's limits; null for ``limits`` takes all away. An operator may name another account."""

    limits: GuardRailsChange | None
    account_id: Id | None = None


class DescribeGuardRailsRequest(Request, kw_only=True):
    """Show the account's limits, and what is used of them. An operator may name another account."""

    account_id: Id | None = None


class Used(Shape, kw_only=True, omit_defaults=False):
    """What counts against the limits: units held by user and type, and the month's charges by user."""

    units: dict[str, int]
    user_units: dict[str, dict[str, int]]
    month: str | None
    spend: str
    user_spend: dict[str, str]


class GuardRailsDetail(Shape, kw_only=True):
    """The limits, and what is used of them; an account without limits is not counted."""

    account_id: str
    limits: GuardRails
    used: Used | None = None
