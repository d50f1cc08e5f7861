"""Bounds on the number of rows that one account can create, so that no account fills the shared store.

A bound is checked in the batch that creates the row, by a count that was read after the account's row was locked and
that the batch updates since (``book.store_queries``). Concurrent creations, on any number of servers, cannot exceed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from leasebook.domain.book import store_queries as asked
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import QUOTA, Refusal
from leasebook.domain.values.rule_settings import Rules

ANY_TIME: Final = Instant(0)


class Bound(NamedTuple):
    """A bound: its owner and its things in words, how to stay below it, and the operator's setting for it."""

    whose: str
    things: str
    remedy: str
    setting: str


BOUNDS: Final = {
    asked.USERS: Bound("The account", "users", "Use those that there are", "account.users_max"),
    asked.KEYS: Bound(
        "The account", "active access keys", "Disable some (DisableAccessKey, /v2/iam)", "account.access_keys_max"
    ),
    asked.USER_KEYS: Bound(
        "The user",
        "active access keys",
        "To exchange one, disable the key that is no longer used first (DisableAccessKey, /v2/iam)",
        "user.access_keys_max",
    ),
    asked.MODEL_SETS: Bound(
        "The account", "model sets", "Take some out (DeleteModelSet, /v2/model)", "account.model_sets_max"
    ),
    asked.MODELS: Bound(
        "The account", "versions of models", "Take some out (DeleteModel, /v2/model)", "account.models_max"
    ),
    asked.SERVICES: Bound(
        "The account", "services", "Delete some (DeleteService, /v2/service)", "account.services_max"
    ),
    asked.HOOKS: Bound(
        "The account",
        "subscriptions",
        "Delete some (DeleteSubscription, /v2/notification)",
        "account.subscriptions_max",
    ),
    asked.QUOTES: Bound(
        "The account", "held quotes", "Buy with some, or wait until they expire", "account.held_quotes_max"
    ),
    asked.SERVICE_KEYS: Bound(
        "The account", "service keys", "Delete some (DeleteServiceKey, /v2/service)", "account.service_keys_max"
    ),
    asked.APPROVALS: Bound(
        "The account",
        "requests that wait for an approval",
        "Have some approved or rejected (DescribeApprovals, /v2/account)",
        "account.open_approvals_max",
    ),
    asked.PROJECTS: Bound("The account", "projects", "Close some (CloseProject, /v2/project)", "account.projects_max"),
}
"""The bounds, by the query that counts."""


def bound_needs(account_id: str, *counts: Asked) -> Iterator[Needed]:
    """Yield the needs for checking bounds: the counts, and the lock on the account that keeps the counts true."""
    yield ACCOUNTS, (account_id,)
    yield from counts


def check_bound(draft: Draft, rules: Rules, what: str, of: str) -> None:
    """Raise Refusal (QUOTA) if one more would exceed the bound."""
    if what in rules.bounds:
        check_number(rules, what, draft.book.answers.count(what, of))


def check_number(rules: Rules, what: str, has: int) -> None:
    """Raise Refusal (QUOTA) if one more than ``has`` would exceed the bound."""
    most, bound = rules.bounds.get(what), BOUNDS[what]
    if most is not None and has >= most:
        raise Refusal(
            QUOTA,
            f"{bound.whose} has {has} {bound.things}, and at most {most} are allowed. {bound.remedy}, or ask the "
            f"operator to allow more (the setting {bound.setting}).",
        )


def counted(what: str, of: str, at: Instant = ANY_TIME) -> Asked:
    """Return the need for a count."""
    return Asked(what, of, at)
