"""Top-ups, and the instances that run again or renew because of them."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import SUSPENDED_MAX, SuspendedInstances
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.renewal import renew_if_paid
from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import FUNDING, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import start_meter
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro, amount_text
from leasebook.domain.values.refusal import BAD_VALUE, NO_RESOURCE, Refusal
from leasebook.domain.values.rule_settings import Rules


class TopUp(Command, frozen=True, kw_only=True):
    """Add a positive amount to the balance. Returns the account after it.

    If that pays a debt, suspended instances run again (decision 14): the first few hundred at once, the others right
    after, as due work. Automatic renewals that waited for money are made (decision 30).
    """

    answer: ClassVar[type] = Account

    account_id: str
    amount: Micro

    def needs(self) -> Needs:
        """The account, and its suspended instances."""
        yield SuspendedInstances(account_id=self.account_id)
        yield ACCOUNTS, (self.account_id,)

    def needs_more(self, book: Book) -> Needs:
        """The offerings and services of the suspended instances."""
        return halted_needs(book, self.account_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:
        """Raises Refusal if the account does not exist (NO_RESOURCE) or its balance would be too large (BAD_VALUE)."""
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
        resume_some(draft, self.account_id, now)
        renew_waiting(draft, self.account_id, rules, now)
        return draft.require(ACCOUNTS, self.account_id)


def halted_needs(book: Book, account_id: str) -> Needs:
    """Yield the offerings and services of an account's waiting instances, and the limits that renewals obey."""
    for unit_id in book.suspended_ids(account_id):
        unit = book.get(INSTANCES, unit_id)
        if unit is not None and unit.awaits_renewal:
            yield ACCOUNT_LIMITS, (account_id,)
            yield OFFERINGS, unit.offering
        if unit is not None:
            yield OFFERINGS, unit.offering
            for placed in unit.placements:
                yield SERVICES, (placed.service_id,)


def resume_some(draft: Draft, account_id: str, now: Instant) -> None:
    """Let suspended instances run again, if the account is not in debt.

    They are loaded a few hundred at a time. If there may be more, the last one loaded is not resumed but becomes due at
    once, and with it the next few hundred. The size of a batch therefore stays bounded.
    """
    if draft.require(ACCOUNTS, account_id).arrears_since is not None:
        return
    halted = draft.suspended(account_id)
    more = len(halted) >= SUSPENDED_MAX
    for unit in halted[: SUSPENDED_MAX - 1] if more else halted:
        start_meter(draft, unit, now)
    if more:
        change(draft, halted[SUSPENDED_MAX - 1], resume_at=now)


def renew_waiting(draft: Draft, account_id: str, rules: Rules, now: Instant) -> None:
    """Make automatic renewals that waited for money, the oldest instance first, as far as the balance allows.

    Beyond a few hundred, the rest waits for its next attempt.
    """
    for unit in draft.unrenewed(account_id):
        renew_if_paid(draft, unit, rules, now)
