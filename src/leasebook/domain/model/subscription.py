"""Subscriptions: who receives an account's events, and the result of each delivery.

Events are a log that is numbered in the order of commits. A subscription remembers up to which page of the log its
deliveries are made. A command that writes events therefore costs the same with and without subscriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from leasebook.domain.model.resource.whereabouts import Place, Whereabouts, seen_in
from leasebook.domain.record.event import (
    HOOK_CONFIRMED,
    HOOK_CONFIRMING,
    HOOK_GAVE_UP,
    HOOK_PAUSED,
    HOOK_TESTED,
    IAM_FOUND,
    REMINDED,
    Event,
)
from leasebook.domain.record.event_pattern import covers
from leasebook.domain.values.calendar import DAY_US, HOUR_US, SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules

HookKind = Literal["Webhook", "Email"]
HookStatus = Literal["Active", "Paused", "Deleting", "Deleted", "Pending"]
DeliveryState = Literal["Waiting", "Delivered", "GivenUp", "Dropped"]
OutcomeKind = Literal["Delivered", "Retry", "Refused", "Gone", "Dropped", "PutBack"]

HOOK_STATUSES: Final[tuple[HookStatus, ...]] = ("Active", "Paused", "Deleting", "Deleted", "Pending")
DELIVERY_STATES: Final[tuple[DeliveryState, ...]] = ("Waiting", "Delivered", "GivenUp", "Dropped")
LIVE: Final = frozenset({"Active", "Paused", "Pending"})
RECEIVING: Final = frozenset({"Active", "Pending"})
"""Statuses in which a subscription receives events. A Pending one receives only its own confirmation."""

BACK_OFF_MIN_US: Final = 5 * SECOND_US
BACK_OFF_MAX_US: Final = HOUR_US
OLD_SECRET_US: Final = DAY_US
"""How long messages carry both signatures after a secret was replaced, in microseconds."""
FAILURE_MAX: Final = 300
"""Upper bound of a stored failure message, in characters."""
CONFIRM_US: Final = 2 * DAY_US
"""How long the link in a confirmation is valid, in microseconds."""

_ABOUT_HOOKS: Final = frozenset({HOOK_GAVE_UP, HOOK_PAUSED})
_OWN_LANES: Final = {HOOK_TESTED: "test", HOOK_CONFIRMING: "confirm"}
ACCOUNT_LANE: Final = "account"
EVERY_ACCOUNT: Final = "*"
"""All accounts, among those that a subscription is over."""


class Subscription(msgspec.Struct, frozen=True):
    """A subscription: the URL or mail address (``target``) to which an account's events are sent.

    ``types`` are the event types that it receives, or patterns of them (``unit.*``); empty: all. With ``unit_id`` it
    receives only events of that instance. ``page`` is the last page of the account's events for which deliveries were
    made. ``since`` is when it last became active; the time until a delivery is given up does not run before that, since
    no attempt was made. ``sealed`` is the secret of a webhook; until ``before_until`` messages are signed with the
    former one, ``sealed_before``, too. ``sealed_at`` is when the secret was made. ``tests`` counts the tests asked for.

    A mail address is Pending until the link in a confirmation is used, which is valid until ``confirm_until``;
    ``confirms`` counts the confirmations asked for. A deleted subscription is Deleting until no delivery waits for it.

    ``accounts`` are the accounts that a subscription of an operator is over, or only ``EVERY_ACCOUNT``; empty: it is
    over its own account. An operator's subscription has a place in the events of each account (``AccountPlace``), and
    none before ``page``. It goes on while the user ``created_by`` may see events of other accounts.

    ``projects`` are the public ids of the projects that it is for; empty: it is for all of the account. It gets what
    happens to things while they are in these, and goes on while ``created_by`` has a policy for all of them.
    """

    id: str
    account_id: str
    kind: HookKind
    target: str
    sealed: bytes
    types: tuple[str, ...]
    unit_id: str | None
    status: HookStatus
    created_by: str
    created_at: Instant
    since: Instant
    page: int
    sealed_before: bytes = b""
    before_until: Instant | None = None
    reason: str | None = None
    tests: int = 0
    sealed_at: Instant = Instant(0)
    confirms: int = 0
    confirm_until: Instant | None = None
    accounts: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether it is an operator's, over other accounts."""
        return bool(self.accounts)

    @property
    def goes_by_owner(self) -> bool:
        """Whether it goes on only while the user ``created_by`` may see the events."""
        return bool(self.accounts or self.projects)

    def is_over(self, account_id: str) -> bool:
        """Whether events of an account can be sent to it."""
        if not self.accounts:
            return account_id == self.account_id
        return account_id in self.accounts or EVERY_ACCOUNT in self.accounts

    def looks_through(self, account_id: str) -> bool:
        """Whether it has a place in an account's events: its tests are events of its own account."""
        return account_id == self.account_id or self.is_over(account_id)

    def sees(self, event: Event, place: Place, places: Whereabouts) -> Event | None:
        """Return an event of its account as it is sent; None: the event is of none of its projects.

        An event about the subscription itself is of no project.
        """
        if not self.projects or event.type in _OWN_LANES:
            return event
        return seen_in(event, place, places, frozenset(self.projects))

    def wants(self, event: Event, of: str | None = None) -> bool:
        """Whether an event is sent to this subscription. ``of`` is the event's account; None: the subscription's own.

        Findings of an upgrade are not events of the account's life, so they are never sent. A test is sent only to the
        tested subscription, and a confirmation only to the one to be confirmed. An event about a failure of a
        subscription is not sent to that subscription.
        """
        if event.type == IAM_FOUND:
            return False
        about = event.data.get("subscriptionId")
        if event.type in _OWN_LANES:
            return bool(about == self.id)
        if self.status == "Pending" or not self.is_over(self.account_id if of is None else of):
            return False
        if event.type in _ABOUT_HOOKS and about == self.id:
            return False
        if self.unit_id not in (None, event.unit_id):
            return False
        return not self.types or any(covers(pattern, event.type) for pattern in self.types)


class AccountPlace(msgspec.Struct, frozen=True):
    """How far a subscription over several accounts came in one account: the last page for which deliveries were made.

    Pages are numbered in the order of commits only within an account, so there is a place for each. An account without
    one is still at the page of the subscription.
    """

    hook_id: str
    account_id: str
    page: int


class DeliveryQueue(msgspec.Struct, frozen=True):
    """The deliveries that wait for one subscription about one instance: sent in order, and by one server at a time.

    ``next_at`` is when the first of them may be tried; None: none waits. ``holder`` is the server that sends them,
    until ``leased_until``; then another server may take over.
    """

    hook_id: str
    name: str
    waiting: int = 0
    next_at: Instant | None = None
    holder: str | None = None
    leased_until: Instant | None = None

    def is_free(self, now: Instant) -> bool:
        """Whether no server holds it."""
        return self.leased_until is None or self.leased_until <= now

    def plus(self, count: int, now: Instant) -> DeliveryQueue:
        """Return the queue with ``count`` more deliveries waiting."""
        at = now if self.next_at is None else self.next_at
        return msgspec.structs.replace(self, waiting=self.waiting + count, next_at=at)

    def released(self, waiting: int, next_at: Instant | None) -> DeliveryQueue:
        """Return the queue without a holder."""
        at = next_at if waiting else None
        return msgspec.structs.replace(self, waiting=waiting, next_at=at, holder=None, leased_until=None)


class Delivery(msgspec.Struct, frozen=True):
    """The delivery of one event to one subscription: ``page`` and ``line`` locate the event in the log.

    ``since`` is when it began to wait, ``attempts`` how often it was tried since, ``next_at`` when it is tried again
    after a failure. ``status`` is the HTTP status of the last answer, ``failure`` the reason why that was a failure.
    ``done_at`` is when it stopped waiting, ``clear_at`` when the row may be deleted.
    """

    hook_id: str
    page: int
    line: int
    account_id: str
    lane: str
    unit_id: str | None
    type: str
    since: Instant
    state: DeliveryState = "Waiting"
    attempts: int = 0
    next_at: Instant | None = None
    status: int | None = None
    failure: str | None = None
    done_at: Instant | None = None
    clear_at: Instant | None = None

    @property
    def id(self) -> str:
        """The id that the receiver sees, the same on every attempt."""
        return f"{self.hook_id}-{self.page}-{self.line}"

    @property
    def event_id(self) -> str:
        """The event's id, as lists of events show it."""
        return f"{self.page}-{self.line}"

    @property
    def feeds_back(self) -> bool:
        """Whether the event is about subscriptions.

        Giving up this delivery must not be an event then, or events never end.
        """
        return self.type in _ABOUT_HOOKS or self.type == HOOK_TESTED


class Outcome(msgspec.Struct, frozen=True):
    """The result of an attempt.

    Retry: it failed and may succeed later. Refused: it can never succeed. Gone: the receiver wants no more messages
    (410). Dropped: it must not be sent at all. PutBack: the attempt was cut short, because the server stops.
    ``retry_after_us`` is how long the receiver asks the server to wait, in microseconds.
    """

    kind: OutcomeKind
    status: int | None = None
    failure: str | None = None
    retry_after_us: int | None = None


def account_lane(hook: Subscription, account_id: str) -> str:
    """Return the queue of events about an account itself: each account has its own."""
    return f"{ACCOUNT_LANE} {account_id}" if hook.is_wide else ACCOUNT_LANE


def delivery_of(
    hook: Subscription, page: int, line: int, event: Event, now: Instant, of: str | None = None
) -> Delivery:
    """Return an event's delivery to a hook. ``of`` is the event's account; None: the hook's own."""
    lane = _OWN_LANES.get(event.type) or event.unit_id or account_lane(hook, hook.account_id if of is None else of)
    return Delivery(hook.id, page, line, hook.account_id, lane, event.unit_id, event.type, now)


def back_off_us(delivery_id: str, attempts: int) -> int:
    """Return how long to wait after that many failed attempts, in microseconds: from 5 seconds to an hour.

    The upper bound doubles with each attempt, and the wait lies anywhere below it, so that deliveries that failed
    together are not retried together. The wait is computed from the delivery's id, so that it does not depend on
    chance.
    """
    bound = min(BACK_OFF_MIN_US << min(attempts, 20), BACK_OFF_MAX_US)
    part = int.from_bytes(sha256(f"{delivery_id} {attempts}".encode()).digest()[:4], "big")
    return BACK_OFF_MIN_US + (bound - BACK_OFF_MIN_US) * part // 2**32


def too_late(event: Event, now: Instant) -> str | None:
    """Return why an event must not be sent any more, such as a reminder after its deadline; None: it may be sent."""
    deadline = event.data.get("deadline")
    if event.type == REMINDED and isinstance(deadline, int) and deadline <= now:
        return "The deadline that it reminds of has passed."
    if event.type == HOOK_CONFIRMING and event.data["untilTime"] <= now:
        return "The link in it has ended."
    return None


def settle(delivery: Delivery, hook: Subscription, outcome: Outcome, rules: Rules, now: Instant) -> Delivery:
    """Return a delivery after an attempt; one that still waits is tried again at its ``next_at``."""
    if outcome.kind == "PutBack":
        return delivery
    failure = None if outcome.failure is None else outcome.failure[:FAILURE_MAX]
    tried = msgspec.structs.replace(
        delivery,
        attempts=delivery.attempts + (outcome.kind != "Dropped"),
        status=outcome.status,
        failure=failure,
        next_at=None,
    )
    match outcome.kind:
        case "Delivered":
            return _done(tried, "Delivered", now, rules.delivered_keep_us)
        case "Dropped":
            return _done(tried, "Dropped", now, rules.delivered_keep_us)
        case "Refused":
            return _done(tried, "GivenUp", now, rules.given_up_keep_us)
        case "Gone":
            return msgspec.structs.replace(tried, next_at=now)
        case _:
            end = max(delivery.since, hook.since) + rules.give_up_us
            if now >= end:
                return _done(tried, "GivenUp", now, rules.given_up_keep_us)
            wait = max(back_off_us(delivery.id, tried.attempts), min(outcome.retry_after_us or 0, BACK_OFF_MAX_US))
            return msgspec.structs.replace(tried, next_at=Instant(min(now + wait, end)))


def _done(delivery: Delivery, state: DeliveryState, now: Instant, keep_us: int) -> Delivery:
    return msgspec.structs.replace(delivery, state=state, done_at=now, clear_at=Instant(now + keep_us))


def waits_anew(delivery: Delivery, now: Instant) -> Delivery:
    """Return a delivery that starts again with its first attempt."""
    return msgspec.structs.replace(
        delivery, since=now, state="Waiting", attempts=0, next_at=None, done_at=None, clear_at=None
    )


def hook_events(before: Subscription | None, after: Subscription) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events that a change of a subscription causes: type and data."""
    if after.status == "Pending" and after.confirms != (0 if before is None else before.confirms):
        yield HOOK_CONFIRMING, {"subscriptionId": after.id, "untilTime": after.confirm_until}
    if before is None:
        return
    if (before.status, after.status) == ("Pending", "Active"):
        yield HOOK_CONFIRMED, {"subscriptionId": after.id}
    if after.tests != before.tests:
        yield HOOK_TESTED, {"subscriptionId": after.id}
    if (before.status, after.status) == ("Active", "Paused") and after.reason is not None:
        yield HOOK_PAUSED, {"subscriptionId": after.id, "reason": after.reason}


def delivery_events(before: Delivery | None, after: Delivery) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the event that a delivery was given up. A delivery about subscriptions causes none, or events never end."""
    if before is not None and before.state != "GivenUp" == after.state and not after.feeds_back:
        yield HOOK_GAVE_UP, {"subscriptionId": after.hook_id, "eventId": after.event_id, "reason": after.failure}
