"""Setting an account's limits."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import UsageTotals
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.limits import AccountLimits, GuardRules, month_name
from leasebook.domain.rules.limits_change import GuardChange
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, Refusal
from leasebook.domain.values.rule_settings import Rules


class LimitsChanged(AccountLimits, frozen=True):
    """The limits after a change, and the rules before it; None: the answer was kept before answers had them."""

    before: GuardRules | None = None


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
        yield UsageTotals(self.account_id, self.month_began)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> LimitsChanged:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown account (NO_RESOURCE), or limits that contradict each other (BAD_VALUE)."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        guard = draft.get(ACCOUNT_LIMITS, self.account_id)
        month = month_name(self.month_began, account.time_zone)
        if guard is None:
            units, spent = draft.book.usage_totals(self.account_id)
            guard = AccountLimits(self.account_id, GuardRules(), units, month, spent)
        before = guard.rules
        guard = guard.with_rules(self.change.applied(GuardRules() if self.replace else before), month)
        draft.put(ACCOUNT_LIMITS, guard)
        return LimitsChanged(**msgspec.structs.asdict(guard), before=before)
