"""A change of an account's limits: a named limit is set, ``None`` clears it, and the others stay."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.limits import GuardRules, WhoExtends
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

ENTRIES_MAX: Final = 1000
"""Upper bound of the types or users that a limit names, since all of them are in the account's row."""
_PARTS: Final = ("budget_warn_percent", "budget_refuse_percent")
"""Fields that depend on the budget and are cleared with it."""


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

    def applied(self, rules: GuardRules) -> GuardRules:
        """Return the changed rules; raises Refusal (BAD_VALUE) if they contradict each other."""
        named = {
            name: value for name in self.__struct_fields__ if not isinstance(value := getattr(self, name), UnsetType)
        }
        if named.get("budget", UNSET) is None:
            named = dict.fromkeys(_PARTS) | named
        changed = {name: _changed(name, getattr(rules, name), value) for name, value in named.items()}
        after = msgspec.structs.replace(rules, **changed)
        if after.budget is None and (after.budget_warn_percent or after.budget_refuse_percent):
            raise Refusal(BAD_VALUE, "Parts of a budget need the budget: give it.", field="limits.budget")
        for name, limits in (
            ("units", after.units),
            ("userUnits", after.user_units),
            ("userSpend", after.user_spend),
            ("userNeedsApproval", after.user_needs_approval),
        ):
            if not isinstance(limits, UnsetType) and len(limits) > ENTRIES_MAX:
                raise Refusal(
                    BAD_VALUE,
                    f"{name} would name {len(limits)}, and {ENTRIES_MAX} are allowed; clear some with null.",
                    field=f"limits.{name}",
                )
        return after


CLEARED: Final = GuardChange(**dict.fromkeys(GuardChange.__struct_fields__))
"""The change that clears all limits."""
_NONE: Final = GuardRules()


def _changed(name: str, before: Any, change: Any) -> Any:
    if change is None:
        return getattr(_NONE, name)
    if not isinstance(change, dict):
        return change
    # An empty mapping is no limit, and is stored as one that was never set.
    return _merged({} if isinstance(before, UnsetType) else before, change) or getattr(_NONE, name)


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
