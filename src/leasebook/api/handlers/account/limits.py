"""An account's guard rails."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from msgspec import UnsetType

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field, refused
from leasebook.api.handlers.account.funds import amount
from leasebook.contract.errors import ACCESS_DENIED, RESOURCE_NOT_FOUND
from leasebook.contract.nouns import limits as g
from leasebook.contract.nouns.approval import approval_limit as asked_limits
from leasebook.contract.nouns.finance import tag_budget as asked_budgets
from leasebook.domain.commands.account.limits import LimitsChanged, SetGuardRails
from leasebook.domain.model.account import Account
from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.limits import AccountLimits, GuardRules, ProjectRules, month_name
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.model.resource.tag_budget import TagBudget, TagBudgets, pairs
from leasebook.domain.rules.limits_change import CLEARED, GuardChange, ProjectChange
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import SECOND_US, to_datetime
from leasebook.domain.values.money import Micro, amount_text
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import read_keys, read_values
from leasebook.ports.queries.read_repository import ReadRepository


async def set_guard_rails(context: Context, call: Call[g.SetGuardRailsRequest]) -> g.GuardRailsChanged:
    """Change an account's limits."""
    account_id = whose(call, "limits")
    account = await context.read(call, lambda ask: ask.account(account_id))
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.")
    today = to_datetime(context.clock.now(), account.time_zone)
    command = SetGuardRails(
        token=call.token(),
        account_id=account_id,
        change=_change(call.request.limits),
        replace=bool(call.request.replace),
        month_began=month_of(today.year, today.month, account.time_zone)[0],
    )
    changed: LimitsChanged = await context.submit(call, command)
    now = _detail(account_id, changed, await context.read(call, lambda ask: _users_named(ask, changed)))
    return g.GuardRailsChanged(
        account_id=account_id,
        limits=now.limits,
        used=now.used,
        before=None if changed.before is None else _shown(changed.before, changed.projects_before),
        after=now.limits,
    )


async def describe_guard_rails(context: Context, call: Call[g.DescribeGuardRailsRequest]) -> g.GuardRailsDetail:
    """Show an account's limits, and how much of them is used."""
    account_id = account_meant(call)

    def look(ask: ReadRepository) -> tuple[Account | None, AccountLimits | None, dict[str, str]]:
        guard = ask.guard(account_id)
        return ask.account(account_id), guard, {} if guard is None else _users_named(ask, guard)

    account, guard, names = await context.read(call, look)
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.")
    if guard is not None:
        # The stored sums may be those of an earlier month if nothing was charged since; those do not count.
        guard = guard.with_rules(guard.rules, month_name(context.clock.now(), account.time_zone), guard.project_rules)
    return _detail(account_id, guard, names)


def _users_named(ask: ReadRepository, guard: AccountLimits) -> dict[str, str]:
    """Return the names of the account's users in its limits and their usage, by id."""
    rules = guard.rules
    ids = {*guard.held, *guard.spent, *rules.user_units, *rules.user_spend}
    found = ask.people_named(sorted(ids))
    return {user: name for user, (account_id, name) in found.items() if account_id == guard.account_id}


def whose(call: Call[Any], what: str) -> str:
    """Return the account of a call; raises Fault if it is another account and the caller is no operator.

    ``what`` is a plural, such as limits: what the call sees or sets.
    """
    account_id: str = call.request.account_id or call.caller.account_id
    if account_id != call.caller.account_id and not call.caller.is_operator:
        raise Fault(ACCESS_DENIED, f"Only an operator sees or sets other accounts' {what}.")
    return account_id


def _us(seconds: int | UnsetType | None) -> int | UnsetType | None:
    return seconds * SECOND_US if isinstance(seconds, int) else seconds


def _change(asked: g.GuardRailsChange | None) -> GuardChange:
    if asked is None:
        return CLEARED
    warn, by_user = asked.budget_warn_percent, asked.user_spend
    return GuardChange(
        units=asked.units,
        user_units=asked.user_units,
        spend=_amount(asked.spend, "limits.spend"),
        user_spend={user: amount(most, f"limits.userSpend.{user}") for user, most in by_user.items()}
        if isinstance(by_user, dict)
        else by_user,
        budget=_amount(asked.budget, "limits.budget"),
        budget_warn_percent=tuple(sorted(set(warn))) if isinstance(warn, list) else warn,
        budget_refuse_percent=asked.budget_refuse_percent,
        release_max_us=_us(asked.release_max_seconds),
        release_default_us=_us(asked.release_default_seconds),
        end_required=asked.end_required,
        extend_by=asked.extend_by,
        extensions_max=asked.extensions_max,
        needs_approval=_approval(asked.needs_approval, "limits.needsApproval"),
        user_needs_approval={
            user: _approval(limit, f"limits.userNeedsApproval.{user}")
            for user, limit in asked.user_needs_approval.items()
        }
        if isinstance(asked.user_needs_approval, dict)
        else asked.user_needs_approval,
        projects={name: _project_change(name, change) for name, change in asked.projects.items()}
        if isinstance(asked.projects, dict)
        else asked.projects,
        tags=_tags_change(asked.tags) if isinstance(asked.tags, dict) else asked.tags,
    )


def _tags_change(
    asked: dict[str, dict[str, asked_budgets.TagBudget | None] | None],
) -> dict[str, dict[str, TagBudget | None] | None]:
    """Read budgets by tag; raises Fault for a key or a value that no tag can have, or that is given twice."""
    found: dict[str, dict[str, TagBudget | None] | None] = {}
    for given, values in asked.items():
        (key,) = _words(read_keys, given)
        if key in found:
            raise bad_field("limits.tags", f"The key {key[:40]!r} is given twice, in two spellings.")
        by_value: dict[str, TagBudget | None] = {}
        for one, budget in (values or {}).items():
            (value,) = _words(read_values, one)
            if value in by_value:
                raise bad_field(f"limits.tags.{key}", f"The value {value[:40]!r} is given twice, in two spellings.")
            by_value[value] = None if budget is None else _tag_budget(budget, f"limits.tags.{key}.{value}")
        found[key] = None if values is None else by_value
    return found


def _words(read: Callable[[tuple[str, ...], str], tuple[str, ...]], given: str) -> tuple[str, ...]:
    try:
        return read((given,), "limits.tags")
    except Refusal as refusal:
        raise refused(refusal) from None


def _tag_budget(asked: asked_budgets.TagBudget, where: str) -> TagBudget:
    planned = amount(asked.budget, f"{where}.budget")
    assert planned is not None  # noqa: S101 - None is read from None only
    return TagBudget(
        budget=planned,
        budget_warn_percent=tuple(sorted(set(asked.budget_warn_percent or ()))),
        budget_refuse_percent=asked.budget_refuse_percent,
    )


def _shown_tags(budgets: TagBudgets) -> dict[str, dict[str, asked_budgets.TagBudget]]:
    found: dict[str, dict[str, asked_budgets.TagBudget]] = {}
    for key, value, one in pairs(budgets):
        found.setdefault(key, {})[value] = asked_budgets.TagBudget(
            budget=Decimal(amount_text(one.budget)),
            budget_warn_percent=list(one.budget_warn_percent) or None,
            budget_refuse_percent=one.budget_refuse_percent,
        )
    return found


def _approval(given: Any, field: str) -> Any:
    """Read a limit on approvals; UNSET and None stay as they are."""
    if not isinstance(given, asked_limits.ApprovalLimit):
        return given
    return ApprovalLimit(
        units=given.units or {},
        cost=None if given.cost is None else amount(given.cost, f"{field}.cost"),
        release_us=None if given.release_seconds is None else given.release_seconds * SECOND_US,
        months=given.months,
        lapse_us=None if given.lapse_seconds is None else given.lapse_seconds * SECOND_US,
        self_approval=bool(given.self_approval),
    )


def _approval_shown(limit: ApprovalLimit) -> asked_limits.ApprovalLimit:
    return asked_limits.ApprovalLimit(
        units=limit.units or None,
        cost=_money(limit.cost),
        release_seconds=_seconds(limit.release_us),
        months=limit.months,
        lapse_seconds=_seconds(limit.lapse_us),
        self_approval=limit.self_approval or None,
    )


def _project_change(name: str, asked: g.ProjectLimitsChange | None) -> ProjectChange | None:
    if asked is None:
        return None
    warn, where = asked.budget_warn_percent, f"limits.projects.{name}"
    return ProjectChange(
        units=asked.units,
        spend=_amount(asked.spend, f"{where}.spend"),
        budget=_amount(asked.budget, f"{where}.budget"),
        budget_warn_percent=tuple(sorted(set(warn))) if isinstance(warn, list) else warn,
        budget_refuse_percent=asked.budget_refuse_percent,
        release_max_us=_us(asked.release_max_seconds),
        release_default_us=_us(asked.release_default_seconds),
        end_required=asked.end_required,
    )


def _amount(given: Decimal | UnsetType | None, field: str) -> Micro | UnsetType | None:
    return given if isinstance(given, UnsetType) else amount(given, field)


def _money(given: Micro | None) -> Decimal | None:
    return None if given is None else Decimal(amount_text(given))


def _seconds(span_us: int | None) -> int | None:
    return None if span_us is None else span_us // SECOND_US


def _shown_project(rules: ProjectRules) -> g.ProjectLimits:
    return g.ProjectLimits(
        units=rules.units or None,
        spend=_money(rules.spend),
        budget=_money(rules.budget),
        budget_warn_percent=list(rules.budget_warn_percent) or None,
        budget_refuse_percent=rules.budget_refuse_percent,
        release_max_seconds=_seconds(rules.release_max_us),
        release_default_seconds=_seconds(rules.release_default_us),
        end_required=rules.end_required or None,
    )


def _shown(rules: GuardRules, projects: dict[str, ProjectRules] | None) -> g.GuardRails:
    needs, by_user = rules.needs_approval, rules.user_needs_approval
    return g.GuardRails(
        units=rules.units or None,
        user_units=rules.user_units or None,
        spend=_money(rules.spend),
        user_spend={user: Decimal(amount_text(most)) for user, most in rules.user_spend.items()} or None,
        budget=_money(rules.budget),
        budget_warn_percent=list(rules.budget_warn_percent) or None,
        budget_refuse_percent=rules.budget_refuse_percent,
        release_max_seconds=_seconds(rules.release_max_us),
        release_default_seconds=_seconds(rules.release_default_us),
        end_required=rules.end_required or None,
        extend_by=None if rules.extend_by == "anybody" else rules.extend_by,
        extensions_max=rules.extensions_max,
        needs_approval=None if isinstance(needs, UnsetType) else _approval_shown(needs),
        user_needs_approval=None
        if isinstance(by_user, UnsetType)
        else {user: _approval_shown(limit) for user, limit in by_user.items()},
        projects={name: _shown_project(one) for name, one in sorted((projects or {}).items())} or None,
        tags=_shown_tags(rules.tag_budgets) or None,
    )


def _used_of_projects(guard: AccountLimits, types: list[str]) -> dict[str, g.ProjectUsed]:
    """Return what each project has that has something; the default one first."""
    found = {}
    for project_id in (None, *sorted(guard.project_units.keys() | guard.project_spent.keys())):
        units = {one: count for one in types if (count := guard.project_holds(one, project_id))}
        spent = guard.project_spends(guard.month, project_id)
        if units or spent:
            found[public_project(project_id)] = g.ProjectUsed(units=units, spend=amount_text(spent))
    return found


def _detail(account_id: str, guard: AccountLimits | None, names: dict[str, str]) -> g.GuardRailsDetail:
    if guard is None:
        return g.GuardRailsDetail(account_id=account_id, limits=g.GuardRails())
    types = sorted({unit_type for held in guard.held.values() for unit_type in held})
    return g.GuardRailsDetail(
        account_id=account_id,
        limits=_shown(guard.rules, guard.project_rules),
        used=g.Used(
            units={unit_type: guard.holds(unit_type) for unit_type in types},
            user_units={user: held for user, held in guard.held.items() if held},
            month=guard.month or None,
            spend=amount_text(guard.spends(guard.month)),
            user_spend={user: amount_text(spent) for user, spent in guard.spent.items() if spent},
            user_names=names,
            projects=_used_of_projects(guard, types),
            tag_spend={
                key: {value: amount_text(guard.tag_spends(guard.month, key, value)) for value in sorted(values)}
                for key, values in sorted(guard.rules.tag_budgets.items())
            },
        ),
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "set_guard_rails": set_guard_rails,
    "describe_guard_rails": describe_guard_rails,
}
