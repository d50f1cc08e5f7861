"""A change of an account's limits: a named limit is set, ``None`` clears it, and the others stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.limits import GuardRules, ProjectRules, WhoExtends
from leasebook.domain.model.resource.tag_budget import TagBudget, TagBudgets, pairs
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

ENTRIES_MAX: Final = 1000
"""Upper bound of the types or users that a limit names, since all of them are in the account's row."""
TAG_BUDGETS_MAX: Final = 200
"""Upper bound of the budgets by tag of an account."""
_PARTS: Final = ("budget_warn_percent", "budget_refuse_percent")
"""Fields that depend on the budget and are cleared with it."""


class ProjectChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of ``ProjectRules``, as in ``GuardChange``."""

    units: dict[str, int | None] | UnsetType | None = UNSET
    spend: Micro | UnsetType | None = UNSET
    budget: Micro | UnsetType | None = UNSET
    budget_warn_percent: tuple[int, ...] | UnsetType | None = UNSET
    budget_refuse_percent: int | UnsetType | None = UNSET
    release_max_us: int | UnsetType | None = UNSET
    release_default_us: int | UnsetType | None = UNSET
    end_required: bool | UnsetType | None = UNSET

    def applied(self, name: str, rules: ProjectRules) -> ProjectRules:
        """Return the changed rules of a project; raises Refusal (BAD_VALUE) if they contradict each other."""
        after = msgspec.structs.replace(rules, **_changes_of(self, rules, _NO_PROJECT))
        _check(after, f"limits.projects.{name}", (("units", after.units),))
        return after


class GuardChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of ``GuardRules``. UNSET: the limit stays; None: it is cleared, in a mapping entry by entry."""

    units: dict[str, int | None] | UnsetType | None = UNSET
    user_units: dict[str, dict[str, int | None] | None] | UnsetType | None = UNSET
    spend: Micro | UnsetType | None = UNSET
    user_spend: dict[str, Micro | None] | UnsetType | None = UNSET
    budget: Micro | UnsetType | None = UNSET
    budget_warn_percent: tuple[int, ...] | UnsetType | None = UNSET
    budget_refuse_percent: int | UnsetType | None = UNSET
    release_max_us: int | UnsetType | None = UNSET
    release_default_us: int | UnsetType | None = UNSET
    end_required: bool | UnsetType | None = UNSET
    extend_by: WhoExtends | UnsetType | None = UNSET
    extensions_max: int | UnsetType | None = UNSET
    needs_approval: ApprovalLimit | UnsetType | None = UNSET
    user_needs_approval: dict[str, ApprovalLimit | None] | UnsetType | None = UNSET
    tags: dict[str, dict[str, TagBudget | None] | None] | UnsetType | None = UNSET
    projects: dict[str, ProjectChange | None] | UnsetType | None = UNSET

    def applied_to_projects(self, before: dict[str, ProjectRules] | None) -> dict[str, ProjectRules] | None:
        """Return the changed rules of projects, those without a rule left out; raises Refusal (BAD_VALUE)."""
        if isinstance(self.projects, UnsetType):
            return before
        after = {} if self.projects is None else dict(before or {})
        for name, change in (self.projects or {}).items():
            rules = _NO_PROJECT if change is None else change.applied(name, after.get(name, _NO_PROJECT))
            after.pop(name, None)
            if rules != _NO_PROJECT:
                after[name] = rules
        _check_entries("limits", (("projects", after),))
        return after or None

    def applied(self, rules: GuardRules) -> GuardRules:
        """Return the changed rules; raises Refusal (BAD_VALUE) if they contradict each other."""
        after = msgspec.structs.replace(rules, **_changes_of(self, rules, _NONE))
        by_user = after.user_needs_approval
        _check(
            after,
            "limits",
            (
                ("units", after.units),
                ("userUnits", after.user_units),
                ("userSpend", after.user_spend),
                ("userNeedsApproval", {} if isinstance(by_user, UnsetType) else by_user),
            ),
        )
        _check_number(after.tag_budgets)
        return after


CLEARED: Final = GuardChange(**dict.fromkeys(GuardChange.__struct_fields__))
"""The change that clears all limits."""
_NONE: Final = GuardRules()
_NO_PROJECT: Final = ProjectRules()


def _changes_of(change: GuardChange | ProjectChange, rules: Any, none: Any) -> dict[str, Any]:
    """Return the changed fields of rules; ``none`` are rules without a limit."""
    named = {
        name: value for name in rules.__struct_fields__ if not isinstance(value := getattr(change, name), UnsetType)
    }
    if named.get("budget", UNSET) is None:
        named = dict.fromkeys(_PARTS) | named
    return {name: _changed(getattr(none, name), getattr(rules, name), value) for name, value in named.items()}


def _check(rules: GuardRules | ProjectRules, where: str, entries: Iterable[tuple[str, dict[str, Any]]]) -> None:
    if rules.budget is None and (rules.budget_warn_percent or rules.budget_refuse_percent):
        raise Refusal(BAD_VALUE, "Parts of a budget need the budget: give it.", field=f"{where}.budget")
    _check_entries(where, entries)


def _check_number(budgets: TagBudgets) -> None:
    """Raise Refusal (BAD_VALUE) for too many budgets by tag: every charge of the account writes their sums again."""
    number = sum(1 for _ in pairs(budgets))
    if number > TAG_BUDGETS_MAX:
        raise Refusal(
            BAD_VALUE,
            f"There would be {number} budgets by tag, and {TAG_BUDGETS_MAX} are allowed; clear some with null.",
            field="limits.tags",
        )


def _check_entries(where: str, entries: Iterable[tuple[str, dict[str, Any]]]) -> None:
    for name, limits in entries:
        if len(limits) > ENTRIES_MAX:
            raise Refusal(
                BAD_VALUE,
                f"{name} would name {len(limits)}, and {ENTRIES_MAX} are allowed; clear some with null.",
                field=f"{where}.{name}",
            )


def _changed(none: Any, before: Any, change: Any) -> Any:
    if change is None:
        return none
    if not isinstance(change, dict):
        return change
    # An empty mapping is no limit, and is stored as one that was never set.
    return _merged({} if isinstance(before, UnsetType) else before, change) or none


def _merged(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Change the named entries, and drop mappings that become empty."""
    merged = dict(before)
    for key, value in change.items():
        after = _merged(merged.get(key, {}), value) if isinstance(value, dict) else value
        if after is None or after == {}:
            merged.pop(key, None)
        else:
            merged[key] = after
    return merged
