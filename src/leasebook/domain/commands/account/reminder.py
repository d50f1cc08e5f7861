"""Setting when an account is reminded of releases and expiries."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import Account
from leasebook.domain.rules.reminder import to_offsets
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, Refusal
from leasebook.domain.values.rule_settings import Rules


class SetReminders(Command, frozen=True, kw_only=True):
    """Set how long before a release or an expiry an account is reminded, in microseconds; empty: never.

    Reminders already set stay; the change applies when an instance's deadline is set next. Returns the account.
    """

    answer: ClassVar[type] = Account

    account_id: str
    offsets_us: tuple[int, ...]

    def needs(self) -> Needs:
        """The account."""
        yield ACCOUNTS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - at any time the same
        """Raises Refusal (NO_RESOURCE) if the account does not exist."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        account = msgspec.structs.replace(account, remind_before_us=to_offsets(self.offsets_us))
        draft.put(ACCOUNTS, account)
        return account
