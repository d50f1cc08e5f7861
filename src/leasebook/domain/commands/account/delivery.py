"""Deliveries of events: enqueuing them, claiming the queues, and recording each result."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from leasebook.contract.policies import MANAGERS
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_PLACES, DELIVERIES, DELIVERY_QUEUES, SUBSCRIPTIONS, USERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import User, holds_for
from leasebook.domain.model.resource.project import stored_project
from leasebook.domain.model.subscription import (
    EVERY_ACCOUNT,
    RECEIVING,
    AccountPlace,
    Delivery,
    DeliveryQueue,
    Outcome,
    Subscription,
    delivery_of,
    settle,
)
from leasebook.domain.record.event import Event
from leasebook.domain.record.event_rights import hidden_from_subscriber
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event, and its place in the log."""

    page: int
    line: int
    event: Event


class EnqueueDeliveries(Command, frozen=True, kw_only=True):
    """Create a subscription's deliveries for the events on the pages after ``after`` up to ``page``.

    Returns how many. The subscription remembers the last page, so each delivery is created exactly once, even if
    several servers try. ``owner`` is the user by whose rights a subscription for projects goes; without them it is
    paused instead.
    """

    answer: ClassVar[type] = int

    hook_id: str
    after: int
    page: int
    found: tuple[LoggedEvent, ...]
    owner: str | None = None

    def needs(self) -> Needs:
        """The subscription, its owner, and the queues of the events."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        if self.owner is not None:
            yield USERS, (self.owner,)
        for name in self._lanes():
            yield DELIVERY_QUEUES, (self.hook_id, name)

    def _lanes(self) -> set[str]:
        return {delivery.lane for delivery in self._deliveries(NOBODY, Instant(0))}

    def _deliveries(self, hook: Subscription, now: Instant) -> list[Delivery]:
        return [delivery_of(hook, logged.page, logged.line, logged.event, now) for logged in self.found]

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002
        """Do nothing if another server was faster."""
        hook = draft.get(SUBSCRIPTIONS, self.hook_id)
        if hook is None or hook.status not in RECEIVING or hook.page != self.after:
            return 0
        if hook.goes_by_owner and hook.status != "Pending":
            if hook.created_by != self.owner:
                return 0  # Another user activated it meanwhile: the next look goes by that one's rights.
            if hidden_from(draft, hook) is None:
                draft.put(SUBSCRIPTIONS, without_rights(hook))
                return 0
        wanted = [
            one for one, logged in zip(self._deliveries(hook, now), self.found, strict=True) if hook.wants(logged.event)
        ]
        for delivery in wanted:
            lane = draft.get(DELIVERY_QUEUES, hook.id, delivery.lane) or DeliveryQueue(hook.id, delivery.lane)
            draft.put(DELIVERY_QUEUES, lane.plus(1, now))
            draft.put(DELIVERIES, delivery)
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, page=self.page))
        return len(wanted)


NOBODY = Subscription("", "", "Webhook", "", b"", (), None, "Active", "", Instant(0), Instant(0), 0)
WIDE = msgspec.structs.replace(NOBODY, accounts=(EVERY_ACCOUNT,))


class EnqueueAcross(Command, frozen=True, kw_only=True):
    """Create the deliveries of one account's events to a subscription over several accounts.

    ``of`` is the account, and ``owner`` the user by whose rights the subscription goes. The place in the account is
    kept, so each delivery is created exactly once, even if several servers try. If the owner has no right to see other
    accounts any more, the subscription is paused instead. Returns whether the events were looked through. If not, the
    caller looks again, for a subscription may be active again by then: it was paused, its owner changed, or another
    server was faster.
    """

    answer: ClassVar[type] = bool

    hook_id: str
    owner: str
    of: str
    after: int
    page: int
    found: tuple[LoggedEvent, ...]

    def needs(self) -> Needs:
        """The subscription, its owner, its place in the account, and the queues of the events."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield USERS, (self.owner,)
        yield ACCOUNT_PLACES, (self.hook_id, self.of)
        for name in {one.lane for one in self._deliveries(WIDE, Instant(0))}:
            yield DELIVERY_QUEUES, (self.hook_id, name)

    def _deliveries(self, hook: Subscription, now: Instant) -> list[Delivery]:
        return [delivery_of(hook, one.page, one.line, one.event, now, self.of) for one in self.found]

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Look at the subscription and the owner as they are in this batch."""
        hook = draft.get(SUBSCRIPTIONS, self.hook_id)
        if hook is None or hook.status not in RECEIVING:
            return False
        if hook.created_by != self.owner or place_in(draft, hook, self.of) != self.after:
            return False
        hidden = hidden_from(draft, hook)
        if hidden is None and hook.status != "Pending":
            draft.put(SUBSCRIPTIONS, without_rights(hook))
            return False
        wanted = [
            one
            for one, logged in zip(self._deliveries(hook, now), self.found, strict=True)
            if hidden is not None and logged.event.type not in hidden and hook.wants(logged.event, self.of)
        ]
        for delivery in wanted:
            lane = draft.get(DELIVERY_QUEUES, hook.id, delivery.lane) or DeliveryQueue(hook.id, delivery.lane)
            draft.put(DELIVERY_QUEUES, lane.plus(1, now))
            draft.put(DELIVERIES, delivery)
        draft.put(ACCOUNT_PLACES, AccountPlace(hook.id, self.of, self.page))
        return True


def place_in(draft: Draft, hook: Subscription, account_id: str | None) -> int:
    """Return how far a subscription came in an account's events; None: its own account."""
    if account_id is None or not hook.is_wide:
        return hook.page
    place = draft.get(ACCOUNT_PLACES, hook.id, account_id)
    return hook.page if place is None else max(hook.page, place.page)


def hidden_from(draft: Draft, hook: Subscription) -> frozenset[str] | None:
    """Return the types that the owner of a subscription over accounts or for projects may not see; None: all."""
    return hidden_from_owner(hook, draft.get(USERS, hook.created_by))


def hidden_from_owner(hook: Subscription, owner: User | None) -> frozenset[str] | None:
    """Return the types that a user, by whose rights a subscription goes, may not see; None: all of them.

    Where a subscription for projects sends events to is a manager's to say, as it is for the account.
    """
    if owner is None or owner.deleted_at is not None:
        return None
    if hook.is_wide:
        return hidden_from_subscriber(owner.policies)
    may = owner.account_id == hook.account_id and all(
        owner.is_root or holds_for(owner, stored_project(one), MANAGERS) for one in hook.projects
    )
    return frozenset() if may else None


def without_rights(hook: Subscription) -> Subscription:
    """Return a subscription as it is once its owner may not see what it is over any more: paused.

    A Pending one stays as it is, and gets nothing: its address was not confirmed, so it cannot be activated.
    """
    if hook.status == "Pending":
        return hook
    if hook.is_wide:
        reason = f"The user {hook.created_by} has no policy any more that shows the events of other accounts."
    else:
        reason = f"The user {hook.created_by} has no policy any more for all projects of this subscription."
    return msgspec.structs.replace(hook, status="Paused", reason=reason)


class ClaimLanes(Command, frozen=True, kw_only=True):
    """Claim queues whose first delivery is due, for ``lease_us`` microseconds. Returns the queues claimed.

    A lease is about servers, so it needs a clock that runs. Where the store's clock is virtual and may be paused,
    ``machine_now`` counts. ``alone``: no other server works on the store, so another holder is dead. ``owners`` are the
    owners of the subscriptions over several accounts: without the right to see these, a subscription is paused.
    """

    answer: ClassVar[type] = list[tuple[str, str]]

    lanes: tuple[tuple[str, str], ...]
    holder: str
    lease_us: int
    machine_now: Instant | None = None
    alone: bool = False
    owners: tuple[str, ...] = ()

    def needs(self) -> Needs:
        """The queues, and their subscriptions, and the owners."""
        for user_id in self.owners:
            yield USERS, (user_id,)
        for hook_id, name in self.lanes:
            yield SUBSCRIPTIONS, (hook_id,)
            yield DELIVERY_QUEUES, (hook_id, name)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> list[tuple[str, str]]:  # noqa: ARG002
        """Skip queues that another server holds, or has delivered meanwhile."""
        claimed: list[tuple[str, str]] = []
        leased_at = now if self.machine_now is None else self.machine_now
        for hook_id, name in self.lanes:
            hook, lane = draft.get(SUBSCRIPTIONS, hook_id), draft.get(DELIVERY_QUEUES, hook_id, name)
            if hook is None or lane is None or lane.next_at is None:
                continue
            is_due = hook.status == "Deleting" or (hook.status in RECEIVING and lane.next_at <= now)
            is_free = lane.is_free(leased_at) or (self.alone and lane.holder != self.holder)
            if is_due and is_free and hook.goes_by_owner and hook.status in RECEIVING:
                if hook.created_by not in self.owners:
                    continue  # Another user activated it meanwhile: the next turn asks for that one.
                if hidden_from(draft, hook) is None:
                    draft.put(SUBSCRIPTIONS, without_rights(hook))
                    continue
            if is_due and is_free:
                until = Instant(leased_at + self.lease_us)
                draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, holder=self.holder, leased_until=until))
                claimed.append((hook_id, name))
        return claimed


class DeliveryDone(Command, frozen=True, kw_only=True):
    """Record the result of an attempt, and release the queue. Returns the delivery; None if another server has it."""

    answer: ClassVar[Any] = Delivery | None

    hook_id: str
    lane: str
    page: int
    line: int
    holder: str
    outcome: Outcome

    def needs(self) -> Needs:
        """The subscription, the queue and the delivery."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield DELIVERY_QUEUES, (self.hook_id, self.lane)
        yield DELIVERIES, (self.hook_id, self.page, self.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Delivery | None:
        """A server that lost the queue meanwhile records nothing: the next holder tries again under the same id."""
        lane = draft.get(DELIVERY_QUEUES, self.hook_id, self.lane)
        before = draft.get(DELIVERIES, self.hook_id, self.page, self.line)
        if lane is None or before is None or lane.holder != self.holder or before.state != "Waiting":
            return None
        hook = draft.require(SUBSCRIPTIONS, self.hook_id)
        after = settle(before, hook, self.outcome, rules, now)
        if after.state == "Waiting":
            draft.put(DELIVERY_QUEUES, lane.released(lane.waiting, after.next_at or now))
        else:
            draft.put(DELIVERY_QUEUES, lane.released(lane.waiting - 1, now))
        draft.put(DELIVERIES, after)
        if self.outcome.kind == "Gone" and hook.status == "Active":
            reason = "The receiver answered 410 Gone."
            draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Paused", reason=reason))
        return after
