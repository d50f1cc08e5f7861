"""Commands on an account itself: its name, and its suspension."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import Account
from leasebook.domain.record.identity_log import log_needs
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class OfAccount(Command, frozen=True, kw_only=True):
    """A command that changes what identity events report of an account. Returns the account after it."""

    answer: ClassVar[type] = Account

    account_id: str

    def needs(self) -> Needs:
        """The account, and the end of the identity log."""
        yield from log_needs()
        yield ACCOUNTS, (self.account_id,)

    def own(self, draft: Draft) -> Account:
        """Return the account; raises Refusal (NO_RESOURCE)."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        return account


def refuse_closed(account: Account) -> None:
    """Raise Refusal (WRONG_STATE) if the account is closed."""
    if account.status == "Closed":
        raise Refusal(
            WRONG_STATE,
            f"The account {account.id} is closed, and a closed account stays closed. CreateAccount (/v2/iam) opens "
            "another one.",
            field="accountId",
        )


class RenameAccount(OfAccount, frozen=True, kw_only=True):
    """Give an account another name. Another account may have the same one."""

    name: str

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - no setting matters
        """Raises Refusal (NO_RESOURCE) if the account does not exist."""
        account = msgspec.structs.replace(self.own(draft), name=self.name)
        draft.put(ACCOUNTS, account)
        return account


class SuspendAccount(OfAccount, frozen=True, kw_only=True):
    """Suspend an account: it refuses the commands of ``rules.suspension.REFUSED``, and everything that runs goes on."""

    reason: str

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - no setting matters
        """Raises Refusal: no account of that id (NO_RESOURCE), or suspended or closed already (WRONG_STATE)."""
        account = self.own(draft)
        refuse_closed(account)
        if account.status == "Suspended":
            raise Refusal(WRONG_STATE, f"The account is suspended already: {account.status_reason}", field="accountId")
        account = msgspec.structs.replace(account, status="Suspended", status_reason=self.reason)
        draft.put(ACCOUNTS, account)
        return account


class ResumeAccount(OfAccount, frozen=True, kw_only=True):
    """End an account's suspension. Renewals that were refused meanwhile are tried again at their next attempt."""

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - no setting matters
        """Raises Refusal: no account of that id (NO_RESOURCE), or not suspended (WRONG_STATE)."""
        account = self.own(draft)
        refuse_closed(account)
        if account.status != "Suspended":
            raise Refusal(WRONG_STATE, f"The account is {account.status}, not suspended.", field="accountId")
        account = msgspec.structs.replace(account, status="Active", status_reason="")
        draft.put(ACCOUNTS, account)
        return account
