"""Limits on messages that callers can cause, and the links of reminders that were used.

The manager of an account asks for tests and confirmations, and they arrive at a third party. Each kind therefore has a
rate, which is kept in the store: creating the subscription again, or asking another server, does not reset it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant
from leasebook.domain.values.rule_settings import Rules

MAILS_A_DAY: Final = 3
"""Confirmations that one account may have sent to one address per day."""
AT_ONCE: Final = 5
"""Tests of a subscription that may follow each other directly, if its rate allows as many.

For an account: ten times that.
"""


class NoticeRate(msgspec.Struct, frozen=True):
    """The state of a rate: at ``free_at`` the whole burst is available again."""

    name: str
    free_at: Instant


class UsedLink(msgspec.Struct, frozen=True):
    """A reminder's link that was used. All links for that deadline of that instance are void from then on.

    A release may be moved back to the same deadline, so the row is kept until the deadline has passed. After that no
    link for it is valid anyway.
    """

    unit_id: str
    deadline: Instant
    deed: str
    used_at: Instant


class Bound(msgspec.Struct, frozen=True):
    """A rate: ``at_once`` messages directly, then one every ``every_us`` microseconds. ``what`` words the rule."""

    name: str
    at_once: int
    every_us: int
    what: str


def bounds_of_tests(account_id: str, hook_id: str, rules: Rules) -> Iterator[Bound]:
    """Return the rates for tests of a subscription."""
    yield Bound(
        f"test {hook_id}",
        min(AT_ONCE, rules.tests_an_hour),
        HOUR_US // rules.tests_an_hour,
        f"A subscription is tested at most {rules.tests_an_hour} times an hour",
    )
    yield account_bound(account_id, rules)


def bounds_of_mails(account_id: str, address: str, rules: Rules) -> Iterator[Bound]:
    """Return the rates for confirmations that are sent to an address."""
    yield Bound(
        mail_name(account_id, address),
        MAILS_A_DAY,
        DAY_US // MAILS_A_DAY,
        f"An address is asked for its confirmation at most {MAILS_A_DAY} times a day",
    )
    yield account_bound(account_id, rules)


def account_bound(account_id: str, rules: Rules) -> Bound:
    """Return the rate for the tests and confirmations of an account together."""
    return Bound(
        account_name(account_id),
        min(10 * AT_ONCE, rules.account_tests_an_hour),
        HOUR_US // rules.account_tests_an_hour,
        f"An account has at most {rules.account_tests_an_hour} tests and confirmations sent an hour",
    )


def account_name(account_id: str) -> str:
    """Return the name of an account's rate."""
    return f"account {account_id}"


def mail_name(account_id: str, address: str) -> str:
    """Return the name of an address's rate. It is a hash, so that the address does not outlive its subscription."""
    return f"mail {sha256(f'{account_id} {address.lower()}'.encode()).hexdigest()[:32]}"


def taken(bound: Bound, before: NoticeRate | None, now: Instant) -> NoticeRate | Instant:
    """Count one message more. If the rate does not allow it, return the instant from which it will."""
    free_at = now if before is None else max(before.free_at, now)
    first_at = free_at - bound.every_us * (bound.at_once - 1)
    return Instant(first_at) if first_at > now else NoticeRate(bound.name, Instant(free_at + bound.every_us))
