"""Subscriptions to events: making and changing them, and what becomes of each delivery."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import HOOKS as MADE
from leasebook.domain.book.tables import ACCOUNTS, DELIVERIES, DELIVERY_QUEUES, NOTICE_RATES, SUBSCRIPTIONS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.subscription import (
    CONFIRM_US,
    LIVE,
    OLD_SECRET_US,
    TOLD,
    Delivery,
    DeliveryQueue,
    HookKind,
    HookStatus,
    Outcome,
    Subscription,
    delivery_of,
    settle,
    waits_anew,
)
from leasebook.domain.record.event import Event
from leasebook.domain.record.notice import (
    Bound,
    NoticeRate,
    account_name,
    bounds_of_mails,
    bounds_of_tests,
    mail_name,
    taken,
)
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.values.calendar import SECOND_US, Instant, rfc3339
from leasebook.domain.values.refusal import NO_RESOURCE, QUOTA, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class Told(msgspec.Struct, frozen=True):
    """An event, and where it stands in the log."""

    page: int
    line: int
    event: Event


class CreateHook(Command, frozen=True, kw_only=True):
    """Subscribe to an account's events after a page of the log. Answers the hook without its secret.

    A mail address is asked first whether it wants them.
    """

    answer: ClassVar[type] = Subscription

    hook_id: str
    account_id: str
    kind: HookKind
    target: str
    sealed: bytes
    types: tuple[str, ...]
    unit_id: str | None
    page: int

    def needs(self) -> Needs:
        """The new row, how many the account has, and how often such an address was asked."""
        if self.kind == "Email":
            yield from _account_rate(self.account_id)
            yield NOTICE_RATES, (mail_name(self.account_id, self.target),)
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield from bound_needs(self.account_id, counted(MADE, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Subscription:
        """Raises Refusal where the account has too many, or the address, or others, were asked too often."""
        check_bound(draft, rules, MADE, self.account_id)
        is_mail = self.kind == "Email"
        if is_mail:
            _take(draft, bounds_of_mails(self.account_id, self.target, rules), rules, now)
        hook = Subscription(
            id=self.hook_id,
            account_id=self.account_id,
            kind=self.kind,
            target=self.target,
            sealed=self.sealed,
            types=self.types,
            unit_id=self.unit_id,
            status="Pending" if is_mail else "Active",
            created_by=self.by or "",
            created_at=now,
            since=now,
            page=self.page,
            sealed_at=now,
            confirms=int(is_mail),
            confirm_until=Instant(now + CONFIRM_US) if is_mail else None,
        )
        draft.put(SUBSCRIPTIONS, hook)
        return _without_secrets(hook)


def _without_secrets(hook: Subscription) -> Subscription:
    """Return a hook as an answer has it, which is kept for a client token and never sealed anew."""
    return msgspec.structs.replace(hook, sealed=b"", sealed_before=b"")


class _OfHook(Command, frozen=True, kw_only=True):
    """What concerns one hook of an account."""

    account_id: str
    hook_id: str

    def needs(self) -> Needs:
        """The hook."""
        yield SUBSCRIPTIONS, (self.hook_id,)


class SetHook(_OfHook, frozen=True, kw_only=True):
    """Change a hook; what is None stays. Answers it without its secrets.

    With a new secret the old one goes on signing for a while, unless it is to be revoked. ``page`` moves it forward in
    the log: what stands before is not delivered.
    """

    answer: ClassVar[type] = Subscription

    status: HookStatus | None = None
    types: tuple[str, ...] | None = None
    sealed: bytes | None = None
    revoke: bool = False
    page: int | None = None

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Subscription:  # noqa: ARG002
        """Raises Refusal where the account has no such hook, or it does not stand so that this can be done."""
        hook = own_hook(draft, self.account_id, self.hook_id)
        changed: dict[str, Any] = {}
        if self.status is not None and hook.status == "Pending":
            raise Refusal(
                WRONG_STATE,
                "The address was not confirmed yet: the link in the mail to it does that. TestSubscription sends one.",
                field="status",
            )
        if self.status is not None and self.status != hook.status:
            changed |= {"status": self.status, "reason": None}
            if self.status == "Active":
                changed["since"] = now
        if self.types is not None:
            changed["types"] = self.types
        if self.sealed is not None:
            until = Instant(now + OLD_SECRET_US)
            changed |= {"sealed": self.sealed, "sealed_at": now, "sealed_before": hook.sealed, "before_until": until}
        if self.revoke:
            if self.sealed is None and (hook.before_until is None or hook.before_until <= now):
                raise Refusal(
                    WRONG_STATE,
                    "No old secret signs any more. With rotateSecret as well, the one in use is void at once.",
                    field="revokeSecret",
                )
            changed |= {"sealed_before": b"", "before_until": None}
        if self.page is not None:
            changed["page"] = max(hook.page, self.page)
        hook = msgspec.structs.replace(hook, **changed)
        draft.put(SUBSCRIPTIONS, hook)
        return _without_secrets(hook)


class DeleteHook(_OfHook, frozen=True, kw_only=True):
    """Delete a hook, and its secrets at once. What waits for it is dropped piece by piece."""

    answer: ClassVar[type] = bool

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal where the account has no such hook."""
        hook = own_hook(draft, self.account_id, self.hook_id)
        draft.put(
            SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Deleting", sealed=b"", sealed_before=b"", target="")
        )
        return True


class EndHook(_OfHook, frozen=True, kw_only=True):
    """Note that nothing waits any more for a hook that is deleted. Answers whether that was news."""

    answer: ClassVar[type] = bool

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Nothing comes to wait for a hook that is being deleted, so whoever looked was right."""
        hook = draft.require(SUBSCRIPTIONS, self.hook_id)
        if hook.status != "Deleting":
            return False
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Deleted"))
        return True


class TestHook(_OfHook, frozen=True, kw_only=True):
    """Have a test event written, which goes to this hook like any other.

    A mail address that was not confirmed yet is asked anew: ``address``, where the hook has one.
    """

    answer: ClassVar[type] = bool
    __test__: ClassVar[bool] = False
    """It tests no code."""

    address: str

    def needs(self) -> Needs:
        """The hook, and how often it was tested."""
        yield from _account_rate(self.account_id)
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield NOTICE_RATES, (f"test {self.hook_id}",)
        yield NOTICE_RATES, (mail_name(self.account_id, self.address),)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal where the account has no such hook, it is paused, or it was tested too often."""
        hook = own_hook(draft, self.account_id, self.hook_id)
        if hook.status == "Pending":
            _take(draft, bounds_of_mails(self.account_id, self.address, rules), rules, now)
            until = Instant(now + CONFIRM_US)
            draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, confirms=hook.confirms + 1, confirm_until=until))
            return True
        if hook.status != "Active":
            raise Refusal(
                WRONG_STATE, "The subscription is paused; activate it with ModifySubscription.", field="subscriptionId"
            )
        _take(draft, bounds_of_tests(self.account_id, hook.id, rules), rules, now)
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, tests=hook.tests + 1))
        return True


class ConfirmHook(Command, frozen=True, kw_only=True):
    """Have a mail address be told of events from now on: whoever reads its mail used the link that was sent there."""

    answer: ClassVar[type] = bool

    hook_id: str
    until: Instant

    def needs(self) -> Needs:
        """The hook."""
        yield SUBSCRIPTIONS, (self.hook_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal where the link does not hold any more. Answers whether it was news."""
        hook = draft.get(SUBSCRIPTIONS, self.hook_id)
        if hook is None or hook.status not in LIVE:
            raise Refusal(NO_RESOURCE, "The subscription is gone.")
        if hook.status != "Pending":
            return False
        if hook.confirm_until != self.until or self.until <= now:
            raise Refusal(
                WRONG_STATE,
                f"This link ended at {rfc3339(min(self.until, now), rules.time_zone)}, or another mail came after it.",
            )
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Active", since=now, confirm_until=None))
        return True


def _account_rate(account_id: str) -> Needs:
    """The account's rate; with the account's row, on which take turns whoever makes the rate's."""
    yield ACCOUNTS, (account_id,)
    yield NOTICE_RATES, (account_name(account_id),)


def _take(draft: Draft, bounds: Iterable[Bound], rules: Rules, now: Instant) -> None:
    """Count a notice against everything that bounds it; raises Refusal."""
    rates: list[NoticeRate] = []
    for bound in bounds:
        rate = taken(bound, draft.get(NOTICE_RATES, bound.name), now)
        if not isinstance(rate, NoticeRate):
            again = rfc3339(Instant(-(-rate // SECOND_US) * SECOND_US), rules.time_zone)
            raise Refusal(QUOTA, f"{bound.what}. Try again at {again}.", field="subscriptionId", again_us=rate - now)
        rates.append(rate)
    for rate in rates:
        draft.put(NOTICE_RATES, rate)


class EnqueueDeliveries(Command, frozen=True, kw_only=True):
    """Turn pages of the log into deliveries for a hook: those after ``after`` up to ``page``.

    Answers how many there are. The hook remembers where it stands, so that none is made twice and none left out,
    whoever else is at it.
    """

    answer: ClassVar[type] = int

    hook_id: str
    after: int
    page: int
    found: tuple[Told, ...]

    def needs(self) -> Needs:
        """The hook, and the lanes of what was found."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        for name in self._lanes():
            yield DELIVERY_QUEUES, (self.hook_id, name)

    def _lanes(self) -> set[str]:
        return {delivery.lane for delivery in self._deliveries(_NOBODY, Instant(0))}

    def _deliveries(self, hook: Subscription, now: Instant) -> list[Delivery]:
        return [delivery_of(hook, told.page, told.line, told.event, now) for told in self.found]

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002
        """Do nothing where another server was quicker."""
        hook = draft.get(SUBSCRIPTIONS, self.hook_id)
        if hook is None or hook.status not in TOLD or hook.page != self.after:
            return 0
        wanted = [
            one for one, told in zip(self._deliveries(hook, now), self.found, strict=True) if hook.wants(told.event)
        ]
        for delivery in wanted:
            lane = draft.get(DELIVERY_QUEUES, hook.id, delivery.lane) or DeliveryQueue(hook.id, delivery.lane)
            draft.put(DELIVERY_QUEUES, lane.plus(1, now))
            draft.put(DELIVERIES, delivery)
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, page=self.page))
        return len(wanted)


_NOBODY = Subscription("", "", "Webhook", "", b"", (), None, "Active", "", Instant(0), Instant(0), 0)


class ClaimLanes(Command, frozen=True, kw_only=True):
    """Take lanes whose first delivery is due, for so long. Answers those that were had.

    A lease is about servers, not about what is leased: where the service's clock is a virtual one, which may stand
    still for ever, ``machine_now`` counts. ``alone``: no other server works on the store, so a holder that is somebody
    else is no more.
    """

    answer: ClassVar[type] = list[tuple[str, str]]

    lanes: tuple[tuple[str, str], ...]
    holder: str
    lease_us: int
    machine_now: Instant | None = None
    alone: bool = False

    def needs(self) -> Needs:
        """The lanes, and their hooks."""
        for hook_id, name in self.lanes:
            yield SUBSCRIPTIONS, (hook_id,)
            yield DELIVERY_QUEUES, (hook_id, name)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> list[tuple[str, str]]:  # noqa: ARG002
        """Leave out what another server has, or has done meanwhile."""
        claimed: list[tuple[str, str]] = []
        leased_at = now if self.machine_now is None else self.machine_now
        for hook_id, name in self.lanes:
            hook, lane = draft.get(SUBSCRIPTIONS, hook_id), draft.get(DELIVERY_QUEUES, hook_id, name)
            if hook is None or lane is None or lane.next_at is None:
                continue
            is_due = hook.status == "Deleting" or (hook.status in TOLD and lane.next_at <= now)
            is_free = lane.is_free(leased_at) or (self.alone and lane.holder != self.holder)
            if is_due and is_free:
                until = Instant(leased_at + self.lease_us)
                draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, holder=self.holder, leased_until=until))
                claimed.append((hook_id, name))
        return claimed


class DeliveryDone(Command, frozen=True, kw_only=True):
    """Note what came of an attempt, and let go of the lane. Answers the delivery; None: the lane is another's."""

    answer: ClassVar[Any] = Delivery | None

    hook_id: str
    lane: str
    page: int
    line: int
    holder: str
    outcome: Outcome

    def needs(self) -> Needs:
        """The hook, the lane and the delivery."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield DELIVERY_QUEUES, (self.hook_id, self.lane)
        yield DELIVERIES, (self.hook_id, self.page, self.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Delivery | None:
        """Whoever lost the lane meanwhile has nothing to say: the next one tries again under the same id."""
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


class Redeliver(_OfHook, frozen=True, kw_only=True):
    """Have an event delivered to a hook anew, whether it was before or not. Answers the delivery."""

    answer: ClassVar[type] = Delivery

    told: Told

    def needs(self) -> Needs:
        """The hook, the lane and the delivery."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        lane = delivery_of(_NOBODY, self.told.page, self.told.line, self.told.event, Instant(0)).lane
        yield DELIVERY_QUEUES, (self.hook_id, lane)
        yield DELIVERIES, (self.hook_id, self.told.page, self.told.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Delivery:  # noqa: ARG002
        """Raises Refusal where the account has no such hook, or the hook did not come to that event yet."""
        hook = own_hook(draft, self.account_id, self.hook_id)
        _require_confirmed(hook)
        told = self.told
        if told.page > hook.page:
            raise Refusal(WRONG_STATE, "The event is about to be delivered for the first time.", field="eventId")
        before = draft.get(DELIVERIES, hook.id, told.page, told.line)
        new = delivery_of(hook, told.page, told.line, told.event, now)
        lane = draft.get(DELIVERY_QUEUES, hook.id, new.lane) or DeliveryQueue(hook.id, new.lane)
        if before is None or before.state != "Waiting":
            lane = lane.plus(1, now)
        delivery = new if before is None else waits_anew(before, now)
        draft.put(DELIVERIES, delivery)
        draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, next_at=now))
        return delivery


class Redelivered(msgspec.Struct, frozen=True):
    """How many deliveries wait anew, and whether more were given up than were looked at."""

    count: int
    more: bool


class RedeliverGivenUp(_OfHook, frozen=True, kw_only=True):
    """Have what was given up for a hook delivered anew: ``found``, which is part of it where there is ``more``.

    Each waits in its place among what else waits for its instance. What does not stand as given up any more is left
    alone, so that doing it twice, or two at once, is like doing it once.
    """

    answer: ClassVar[type] = Redelivered

    found: tuple[Delivery, ...]
    more: bool

    def needs(self) -> Needs:
        """The hook, the lanes and the deliveries."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        for lane in sorted({one.lane for one in self.found}):
            yield DELIVERY_QUEUES, (self.hook_id, lane)
        for one in self.found:
            yield DELIVERIES, (self.hook_id, one.page, one.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Redelivered:  # noqa: ARG002
        """Raises Refusal where the account has no such hook."""
        hook = own_hook(draft, self.account_id, self.hook_id)
        _require_confirmed(hook)
        count = 0
        for one in self.found:
            before = draft.get(DELIVERIES, hook.id, one.page, one.line)
            if before is None or before.state != "GivenUp":
                continue
            lane = draft.get(DELIVERY_QUEUES, hook.id, before.lane) or DeliveryQueue(hook.id, before.lane)
            draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane.plus(1, now), next_at=now))
            draft.put(DELIVERIES, waits_anew(before, now))
            count += 1
        return Redelivered(count, self.more)


def _require_confirmed(hook: Subscription) -> None:
    if hook.status == "Pending":
        raise Refusal(
            WRONG_STATE,
            "The address was not confirmed yet, and is told of nothing. TestSubscription sends the link anew.",
            field="subscriptionId",
        )


def own_hook(draft: Draft, account_id: str, hook_id: str) -> Subscription:
    """Return the account's hook; raises Refusal."""
    hook = draft.get(SUBSCRIPTIONS, hook_id)
    if hook is None or hook.account_id != account_id or hook.status not in LIVE:
        raise Refusal(
            NO_RESOURCE,
            f"The account has no subscription {hook_id[:64]!r}. DescribeSubscriptions lists them.",
            field="subscriptionId",
        )
    return hook
