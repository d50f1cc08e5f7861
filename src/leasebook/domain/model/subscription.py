"""The outbox: who is told of an account's events, and what became of telling them.

Events are a log that is numbered in the order of commits. A hook remembers how far the log was turned into deliveries
for it, so that what happens costs nothing more for having hooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

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
from leasebook.domain.values.calendar import DAY_US, HOUR_US, SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules

HookKind = Literal["Webhook", "Email"]
HookStatus = Literal["Active", "Paused", "Deleting", "Deleted", "Pending"]
DeliveryState = Literal["Waiting", "Delivered", "GivenUp", "Dropped"]
OutcomeKind = Literal["Delivered", "Retry", "Refused", "Gone", "Dropped", "PutBack"]

HOOK_STATUSES: Final[tuple[HookStatus, ...]] = ("Active", "Paused", "Deleting", "Deleted", "Pending")
DELIVERY_STATES: Final[tuple[DeliveryState, ...]] = ("Waiting", "Delivered", "GivenUp", "Dropped")
LIVE: Final = frozenset({"Active", "Paused", "Pending"})
TOLD: Final = frozenset({"Active", "Pending"})
"""Of which status hooks are told something: one that is to be confirmed is told of that, and of nothing else."""

BACK_OFF_MIN_US: Final = 5 * SECOND_US
BACK_OFF_MAX_US: Final = HOUR_US
OLD_SECRET_US: Final = DAY_US
"""So long both signatures are sent after a secret was replaced."""
FAILURE_MAX: Final = 300
"""Characters that are kept of what went wrong."""
CONFIRM_US: Final = 2 * DAY_US
"""How long the link in a confirmation holds."""

_ABOUT_HOOKS: Final = frozenset({HOOK_GAVE_UP, HOOK_PAUSED})
_OWN_LANES: Final = {HOOK_TESTED: "test", HOOK_CONFIRMING: "confirm"}
_ACCOUNT_LANE: Final = "account"


class Subscription(msgspec.Struct, frozen=True):
    """Where an account's events go: a URL or a mail address, which ``target`` is.

    ``types`` are the event types that it gets; empty: all. With ``unit_id`` it gets only what happens to that
    instance. ``page`` is the last page of the account's events that was turned into deliveries. ``since`` is when it
    last became active: before that nobody tried, so no time to give up runs. ``sealed`` is the secret of a webhook;
    until ``before_until`` the one before it, ``sealed_before``, signs too. ``tests`` counts the tests asked for.

    ``sealed_at`` is when its secret was made. A mail address is Pending until the link in a confirmation is used, which
    holds until ``confirm_until``; ``confirms`` counts the confirmations asked for.

    A hook that is deleted is Deleting until nothing waits for it any more.
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

    def wants(self, event: Event) -> bool:
        """Whether an event of its account goes there.

        What was found at an upgrade did not happen. A test goes to the hook that is tested only, and a confirmation to
        the hook that is to be confirmed. What went wrong with a hook is not told to that hook.
        """
        if event.type == IAM_FOUND:
            return False
        about = event.data.get("subscriptionId")
        if event.type in _OWN_LANES:
            return bool(about == self.id)
        if self.status == "Pending":
            return False
        if event.type in _ABOUT_HOOKS and about == self.id:
            return False
        return (not self.types or event.type in self.types) and self.unit_id in (None, event.unit_id)


class DeliveryQueue(msgspec.Struct, frozen=True):
    """What waits for one hook about one instance: it is delivered in order, and by one server at a time.

    ``next_at`` is when the first of them may be tried; None: nothing waits. ``holder`` is who delivers it, for as long
    as ``leased_until`` has not passed: a server that dies is replaced then.
    """

    hook_id: str
    name: str
    waiting: int = 0
    next_at: Instant | None = None
    holder: str | None = None
    leased_until: Instant | None = None

    def is_free(self, now: Instant) -> bool:
        """Whether nobody is at it."""
        return self.leased_until is None or self.leased_until <= now

    def plus(self, count: int, now: Instant) -> DeliveryQueue:
        """Return the lane with more that waits."""
        at = now if self.next_at is None else self.next_at
        return msgspec.structs.replace(self, waiting=self.waiting + count, next_at=at)

    def released(self, waiting: int, next_at: Instant | None) -> DeliveryQueue:
        """Return the lane without a holder."""
        at = next_at if waiting else None
        return msgspec.structs.replace(self, waiting=waiting, next_at=at, holder=None, leased_until=None)


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to a hook: ``page`` and ``line`` are where the event stands.

    ``since`` is when it began to wait, ``attempts`` how often it was tried since, ``next_at`` when it is tried again
    after a failure. ``status`` and ``failure`` are the last answer, and what was wrong with it. ``done_at`` is when it
    stopped to wait, and ``clear_at`` when it may be forgotten.
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
        """What the receiver knows it by, the same on every attempt."""
        return f"{self.hook_id}-{self.page}-{self.line}"

    @property
    def event_id(self) -> str:
        """The event's id, as lists of events show it."""
        return f"{self.page}-{self.line}"

    @property
    def feeds_back(self) -> bool:
        """Whether it tells of hooks itself, so that its own end must not be an event."""
        return self.type in _ABOUT_HOOKS or self.type == HOOK_TESTED


class Outcome(msgspec.Struct, frozen=True):
    """What came of an attempt.

    Retry: it failed and may succeed later. Refused: it never will. Gone: the receiver wants nothing any more (410).
    Dropped: it must not be sent at all. PutBack: it was not tried to the end, because the server stops.
    ``retry_after_us`` is how long the receiver asks to be left alone.
    """

    kind: OutcomeKind
    status: int | None = None
    failure: str | None = None
    retry_after_us: int | None = None


def delivery_of(hook: Subscription, page: int, line: int, event: Event, now: Instant) -> Delivery:
    """Return an event's delivery to a hook."""
    lane = _OWN_LANES.get(event.type) or event.unit_id or _ACCOUNT_LANE
    return Delivery(hook.id, page, line, hook.account_id, lane, event.unit_id, event.type, now)


def back_off_us(delivery_id: str, attempts: int) -> int:
    """Return how long to wait after so many failed attempts, in microseconds: from 5 seconds to an hour.

    The bound doubles with each attempt, and the wait lies anywhere below it, so that what failed together does not
    come back together. Where it lies is reckoned from the id, so that it is no matter of chance.
    """
    bound = min(BACK_OFF_MIN_US << min(attempts, 20), BACK_OFF_MAX_US)
    part = int.from_bytes(sha256(f"{delivery_id} {attempts}".encode()).digest()[:4], "big")
    return BACK_OFF_MIN_US + (bound - BACK_OFF_MIN_US) * part // 2**32


def too_late(event: Event, now: Instant) -> str | None:
    """Return why an event must not be told any more: a reminder of what has passed; None: it may."""
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
    """Return a delivery that is to be tried from the beginning."""
    return msgspec.structs.replace(
        delivery, since=now, state="Waiting", attempts=0, next_at=None, done_at=None, clear_at=None
    )


def hook_events(before: Subscription | None, after: Subscription) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tell what happened to a subscription between two of its rows."""
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
    """Tell that a delivery was given up; never of one that tells of subscriptions itself, which would have no end."""
    if before is not None and before.state != "GivenUp" == after.state and not after.feeds_back:
        yield HOOK_GAVE_UP, {"subscriptionId": after.hook_id, "eventId": after.event_id, "reason": after.failure}
