"""How often somebody may be written to because a caller asks for it, and which links were used.

Tests and confirmations are asked for by whoever manages an account, and arrive at somebody else's. So each kind has a
rate, which is kept in the store: deleting a subscription and making it anew, or asking another server, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant
from leasebook.domain.values.rule_settings import Rules

MAILS_A_DAY: Final = 3
"""Confirmations that one account may have sent to one address in a day."""
AT_ONCE: Final = 5
"""Tests of a subscription that may come at once, where its rate allows so many; of an account ten times as many."""


class NoticeRate(msgspec.Struct, frozen=True):
    """How far ahead of its rate something is: at ``free_at`` it is as if nothing had ever been asked for."""

    name: str
    free_at: Instant


class UsedLink(msgspec.Struct, frozen=True):
    """That a link of a reminder was used: all links of that deadline of that instance are void from then on, for ever.

    The deadline may come back, for releases can be moved. It is remembered until it has passed, when no link of it
    holds anyhow.
    """

    unit_id: str
    deadline: Instant
    deed: str
    used_at: Instant


class Bound(msgspec.Struct, frozen=True):
    """So many of something at once, and then one every so many microseconds. ``what`` is it in words."""

    name: str
    at_once: int
    every_us: int
    what: str


def bounds_of_tests(account_id: str, hook_id: str, rules: Rules) -> Iterator[Bound]:
    """Return what bounds the tests of a subscription."""
    yield Bound(
        f"test {hook_id}",
        min(AT_ONCE, rules.tests_an_hour),
        HOUR_US // rules.tests_an_hour,
        f"A subscription is tested at most {rules.tests_an_hour} times an hour",
    )
    yield account_bound(account_id, rules)


def bounds_of_mails(account_id: str, address: str, rules: Rules) -> Iterator[Bound]:
    """Return what bounds the confirmations that are sent to an address."""
    yield Bound(
        mail_name(account_id, address),
        MAILS_A_DAY,
        DAY_US // MAILS_A_DAY,
        f"An address is asked for its confirmation at most {MAILS_A_DAY} times a day",
    )
    yield account_bound(account_id, rules)


def account_bound(account_id: str, rules: Rules) -> Bound:
    """Return what bounds the tests and the confirmations of an account together."""
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
    """Return the name of the rate of an address; the address itself is not kept when its subscription is gone."""
    return f"mail {sha256(f'{account_id} {address.lower()}'.encode()).hexdigest()[:32]}"


def taken(bound: Bound, before: NoticeRate | None, now: Instant) -> NoticeRate | Instant:
    """Count one more; where that is too much, return from when on one more is not."""
    free_at = now if before is None else max(before.free_at, now)
    first_at = free_at - bound.every_us * (bound.at_once - 1)
    return Instant(first_at) if first_at > now else NoticeRate(bound.name, Instant(free_at + bound.every_us))
