"""Putting money on an account."""

from __future__ import annotations

from typing import ClassVar

from leasehold.commands.command import Command, Needs
from leasehold.domain.account import Account
from leasehold.domain.book import ACCOUNTS, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.ledger import FUNDING, Posting, wallet
from leasehold.domain.money import MICRO_MAX, Micro, amount_text
from leasehold.domain.refusal import BAD_VALUE, NO_RESOURCE, Refusal
from leasehold.domain.rules import Rules


class TopUp(Command, frozen=True, kw_only=True):
    """Add a positive amount to the balance. Answers the account as it is then."""

    answer: ClassVar[type] = Account

    account_id: str
    amount: Micro

    def needs(self) -> Needs:
        """The account."""
        yield ACCOUNTS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002
        """Raises Refusal where there is no such account."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        if account.balance + self.amount >= MICRO_MAX:
            raise Refusal(BAD_VALUE, f"No account holds {amount_text(MICRO_MAX)} or more.", field="amount")
        draft.post(
            Posting(
                account_id=self.account_id,
                at=now,
                kind="TopUp",
                debit=FUNDING,
                credit=wallet(self.account_id),
                amount=self.amount,
            )
        )
        return draft.require(ACCOUNTS, self.account_id)
