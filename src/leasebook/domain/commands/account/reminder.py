"""Setting when an account is reminded of the ends of its instances."""

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
    """Remind an account of a release or an expiry so long before it, in microseconds; empty: not at all.

    It counts from the next time that an instance's deadline is set: what is armed stays so. Answers the account.
    """

    answer: ClassVar[type] = Account

    account_id: str
    offsets_us: tuple[int, ...]

    def needs(self) -> Needs:
        """The account."""
        yield ACCOUNTS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - at any time the same
        """Raises Refusal where there is no such account."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        account = msgspec.structs.replace(account, remind_before_us=to_offsets(self.offsets_us))
        draft.put(ACCOUNTS, account)
        return account
