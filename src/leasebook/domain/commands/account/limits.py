"""Setting an account's limits."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import UsageTotals
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, PROJECTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.limits import AccountLimits, GuardRules, ProjectRules, month_name
from leasebook.domain.model.resource import tag_budget
from leasebook.domain.model.resource.project import DEFAULT_PROJECT
from leasebook.domain.rules.limits_change import GuardChange
from leasebook.domain.rules.ownership import own_project
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class LimitsChanged(AccountLimits, frozen=True):
    """The limits after a change, and the rules before it; None: the answer was kept before answers had them."""

    before: GuardRules | None = None
    projects_before: dict[str, ProjectRules] | None = None


class SetGuardRails(Command, frozen=True, kw_only=True):
    """Change an account's limits. They apply to commands decided from now on. Returns the limits and their usage.

    With ``replace`` the change is applied to an account without limits, so that what it does not name is cleared.
    ``month_began`` is the start of the current month: charges since then count.
    """

    answer: ClassVar[type] = LimitsChanged

    account_id: str
    change: GuardChange
    month_began: Instant
    replace: bool = False

    def needs(self) -> Needs:
        """The account, its limits, and its usage."""
        yield ACCOUNTS, (self.account_id,)
        yield ACCOUNT_LIMITS, (self.account_id,)
        yield UsageTotals(self.account_id, self.month_began, by_tags=self._counts_tags)
        for project_id in self._named():
            yield PROJECTS, (project_id,)

    @property
    def _counts_tags(self) -> bool:
        """Whether there may be new budgets by tag, whose charges of the month are to be counted."""
        return isinstance(self.change.tags, dict)

    def _named(self) -> list[str]:
        """Return the projects that get limits, without the default one."""
        projects = self.change.projects
        return (
            [name for name, change in (projects or {}).items() if change is not None and name != DEFAULT_PROJECT]
            if isinstance(projects, dict)
            else []
        )

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> LimitsChanged:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown account or project (NO_RESOURCE), or limits that contradict each other.

        (WRONG_STATE): a month began since ``month_began`` was read, and budgets by tag are to be counted.
        """
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        guard = draft.get(ACCOUNT_LIMITS, self.account_id)
        month = month_name(self.month_began, account.time_zone)
        if guard is None:
            usage = draft.book.usage_totals(self.account_id)
            guard = AccountLimits(
                self.account_id,
                GuardRules(),
                usage.units,
                month,
                usage.spent,
                project_units=usage.project_units,
                project_spent=usage.project_spent,
            )
        for project_id in self._named():
            own_project(draft, self.account_id, project_id, "limits.projects")
        before, projects_before = guard.rules, guard.project_rules
        after = self.change.applied(GuardRules() if self.replace else before)
        projects = self.change.applied_to_projects(None if self.replace else projects_before)
        by_tag = None
        if self._counts_tags:
            if month_name(now, account.time_zone) != month:
                raise Refusal(WRONG_STATE, "A month has begun meanwhile. Nothing was changed: send the call again.")
            by_tag = tag_budget.counted(after.tag_budgets, draft.book.usage_totals(self.account_id).by_tags or {})
        guard = guard.with_rules(after, month, projects, by_tag)
        draft.put(ACCOUNT_LIMITS, guard)
        return LimitsChanged(**msgspec.structs.asdict(guard), before=before, projects_before=projects_before)
