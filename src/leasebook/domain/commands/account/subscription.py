"""Subscriptions to events: creating and changing them, and recording each delivery."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import HOOKS as MADE
from leasebook.domain.book.tables import (
    ACCOUNT_PLACES,
    ACCOUNTS,
    DELIVERIES,
    DELIVERY_QUEUES,
    NOTICE_RATES,
    PROJECTS,
    SUBSCRIPTIONS,
)
from leasebook.domain.commands.account.delivery import NOBODY, WIDE, LoggedEvent, place_in
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.resource.project import stored_project
from leasebook.domain.model.subscription import (
    CONFIRM_US,
    LIVE,
    OLD_SECRET_US,
    Delivery,
    DeliveryQueue,
    HookKind,
    HookStatus,
    Subscription,
    delivery_of,
    waits_anew,
)
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
from leasebook.domain.rules.ownership import require_project
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.values.calendar import SECOND_US, Instant, rfc3339
from leasebook.domain.values.refusal import NO_RESOURCE, QUOTA, WRONG_STATE, Refusal
from leasebook.domain.values.resource_tags import NewTags
from leasebook.domain.values.rule_settings import Rules


class CreateHook(Command, frozen=True, kw_only=True):
    """Subscribe to an account's events after a page of the log. Returns the subscription without its secret.

    A mail address must confirm first that it wants them.
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
    accounts: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    tags: NewTags = NewTags()

    def needs(self) -> Needs:
        """The new row, the number of the account's subscriptions, its projects, and for mail the rates."""
        for project_id in map(stored_project, self.projects):
            if project_id is not None:
                yield PROJECTS, (project_id,)
        if self.kind == "Email":
            yield from _account_rate(self.account_id)
            yield NOTICE_RATES, (mail_name(self.account_id, self.target),)
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield from bound_needs(self.account_id, counted(MADE, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Subscription:
        """Raises Refusal (QUOTA): too many subscriptions, or too many confirmations to the address or the account.

        (NO_RESOURCE), (WRONG_STATE): the account does not have a project, or it is closed.
        """
        for project_id in self.projects:
            require_project(draft, self.account_id, stored_project(project_id))
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
            accounts=self.accounts,
            projects=self.projects,
        )
        draft.add(SUBSCRIPTIONS, hook)
        tag_new(draft, self.tags, hook.id, hook.account_id)
        return _without_secrets(hook)


def _without_secrets(hook: Subscription) -> Subscription:
    """Return a subscription without secrets. Answers are kept for client tokens and never sealed again."""
    return msgspec.structs.replace(hook, sealed=b"", sealed_before=b"")


class _OfHook(Command, frozen=True, kw_only=True):
    """A command on one subscription of an account.

    ``kinds`` are those that the caller acts on: managers of the account on its ``own``, and those who may see the
    events of other accounts on the ``wide`` ones, which are over these.
    """

    account_id: str
    hook_id: str
    kinds: frozenset[str] = frozenset({"own"})

    def needs(self) -> Needs:
        """The subscription."""
        yield SUBSCRIPTIONS, (self.hook_id,)


class SetHook(_OfHook, frozen=True, kw_only=True):
    """Change a subscription; None leaves a value. Returns it without its secrets.

    With a new secret, the old one still signs for a day (``OLD_SECRET_US``), unless it is revoked. ``page`` moves the
    subscription forward in the log: events before it are not delivered. Who activates a subscription over several
    accounts or for projects is the one whose rights it goes by from then on.
    """

    answer: ClassVar[type] = Subscription

    status: HookStatus | None = None
    types: tuple[str, ...] | None = None
    sealed: bytes | None = None
    revoke: bool = False
    page: int | None = None

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Subscription:  # noqa: ARG002
        """Raises Refusal: unknown subscription, unconfirmed address, or no old secret to revoke."""
        hook = _mine(draft, self)
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
                if hook.goes_by_owner and self.by is not None:
                    changed["created_by"] = self.by
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
    """Delete a subscription: its secrets at once, its waiting deliveries one after another."""

    answer: ClassVar[type] = bool

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal (NO_RESOURCE) if the account has no subscription of that id."""
        hook = _mine(draft, self)
        draft.put(SUBSCRIPTIONS, ended(hook))
        return True


def ended(hook: Subscription) -> Subscription:
    """Return a subscription as it is once deleted: without its secrets, and until no delivery waits for it."""
    return msgspec.structs.replace(hook, status="Deleting", sealed=b"", sealed_before=b"", target="")


class EndHook(_OfHook, frozen=True, kw_only=True):
    """Record that no delivery waits any more for a deleted subscription. Returns whether that changed its status."""

    answer: ClassVar[type] = bool

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """A Deleting subscription gets no new deliveries, so the caller's finding is still true here."""
        hook = draft.require(SUBSCRIPTIONS, self.hook_id)
        if hook.status != "Deleting":
            return False
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Deleted"))
        return True


class TestHook(_OfHook, frozen=True, kw_only=True):
    """Write a test event, which is delivered to this subscription like any other.

    If the mail address is not confirmed yet, ``address`` gets another confirmation instead.
    """

    answer: ClassVar[type] = bool
    __test__: ClassVar[bool] = False
    """Keeps pytest from collecting this class."""

    address: str

    def needs(self) -> Needs:
        """The subscription, and the rates of its tests and confirmations."""
        yield from _account_rate(self.account_id)
        yield SUBSCRIPTIONS, (self.hook_id,)
        yield NOTICE_RATES, (f"test {self.hook_id}",)
        yield NOTICE_RATES, (mail_name(self.account_id, self.address),)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: unknown or paused subscription, or too many tests."""
        hook = _mine(draft, self)
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
    """Activate a mail subscription: the link sent to the address was used, so its reader wants the events."""

    answer: ClassVar[type] = bool

    hook_id: str
    until: Instant

    def needs(self) -> Needs:
        """The subscription."""
        yield SUBSCRIPTIONS, (self.hook_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal if the link is no longer valid. Returns whether it changed the status."""
        hook = draft.get(SUBSCRIPTIONS, self.hook_id)
        if hook is None or hook.status not in LIVE:
            raise Refusal(NO_RESOURCE, "The subscription is gone.")
        if hook.status != "Pending":
            return False
        if hook.confirm_until != self.until or self.until <= now:
            ended = rfc3339(min(self.until, now), rules.written_zone)
            raise Refusal(WRONG_STATE, f"This link ended at {ended}, or another mail came after it.")
        draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, status="Active", since=now, confirm_until=None))
        return True


def _account_rate(account_id: str) -> Needs:
    """The account's rate, and the account's row: batches that create the rate lock that row, so only one does."""
    yield ACCOUNTS, (account_id,)
    yield NOTICE_RATES, (account_name(account_id),)


def _take(draft: Draft, bounds: Iterable[Bound], rules: Rules, now: Instant) -> None:
    """Count a message against all its rates; raises Refusal (QUOTA)."""
    rates: list[NoticeRate] = []
    for bound in bounds:
        rate = taken(bound, draft.get(NOTICE_RATES, bound.name), now)
        if not isinstance(rate, NoticeRate):
            again = rfc3339(Instant(-(-rate // SECOND_US) * SECOND_US), rules.written_zone)
            raise Refusal(QUOTA, f"{bound.what}. Try again at {again}.", field="subscriptionId", again_us=rate - now)
        rates.append(rate)
    for rate in rates:
        draft.put(NOTICE_RATES, rate)


class Redeliver(_OfHook, frozen=True, kw_only=True):
    """Deliver an event to a subscription again, delivered before or not. Returns the delivery.

    ``of`` is the event's account, where the subscription is over several.
    """

    answer: ClassVar[type] = Delivery

    logged: LoggedEvent
    of: str | None = None

    def needs(self) -> Needs:
        """The subscription, its place in the account of the event, the queue and the delivery."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        if self.of is not None:
            yield ACCOUNT_PLACES, (self.hook_id, self.of)
        hook = NOBODY if self.of is None else WIDE
        lane = delivery_of(hook, self.logged.page, self.logged.line, self.logged.event, Instant(0), self.of).lane
        yield DELIVERY_QUEUES, (self.hook_id, lane)
        yield DELIVERIES, (self.hook_id, self.logged.page, self.logged.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Delivery:  # noqa: ARG002
        """Raises Refusal: unknown or unconfirmed subscription, or an event whose first delivery is still ahead."""
        hook = _mine(draft, self)
        _require_confirmed(hook)
        logged = self.logged
        if logged.page > place_in(draft, hook, self.of):
            raise Refusal(WRONG_STATE, "The event is about to be delivered for the first time.", field="eventId")
        before = draft.get(DELIVERIES, hook.id, logged.page, logged.line)
        new = delivery_of(hook, logged.page, logged.line, logged.event, now, self.of)
        lane = draft.get(DELIVERY_QUEUES, hook.id, new.lane) or DeliveryQueue(hook.id, new.lane)
        if before is None or before.state != "Waiting":
            lane = lane.plus(1, now)
        delivery = new if before is None else waits_anew(before, now)
        draft.put(DELIVERIES, delivery)
        draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, next_at=now))
        return delivery


class Redelivered(msgspec.Struct, frozen=True):
    """How many deliveries wait again, and whether more were given up than were loaded."""

    count: int
    more: bool


class RedeliverGivenUp(_OfHook, frozen=True, kw_only=True):
    """Deliver again what was given up for a subscription: ``found``, which is only a part if ``more`` is true.

    Each delivery waits in the order of its queue. A delivery that is no longer given up is left alone, so repeated or
    concurrent calls have the effect of one.
    """

    answer: ClassVar[type] = Redelivered

    found: tuple[Delivery, ...]
    more: bool

    def needs(self) -> Needs:
        """The subscription, the queues and the deliveries."""
        yield SUBSCRIPTIONS, (self.hook_id,)
        for lane in sorted({one.lane for one in self.found}):
            yield DELIVERY_QUEUES, (self.hook_id, lane)
        for one in self.found:
            yield DELIVERIES, (self.hook_id, one.page, one.line)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Redelivered:  # noqa: ARG002
        """Raises Refusal: unknown or unconfirmed subscription."""
        hook = _mine(draft, self)
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
            "The address is not confirmed yet, and gets nothing. TestSubscription sends the link again.",
            field="subscriptionId",
        )


def _mine(draft: Draft, command: _OfHook) -> Subscription:
    """Return the subscription of a command; raises Refusal (NO_RESOURCE) if it is not one of the caller's kind."""
    hook = own_hook(draft, command.account_id, command.hook_id)
    if ("wide" if hook.is_wide else "own") not in command.kinds:
        raise _no_hook(command.hook_id)
    return hook


def _no_hook(hook_id: str) -> Refusal:
    return Refusal(
        NO_RESOURCE,
        f"The account has no subscription {hook_id[:64]!r}. DescribeSubscriptions lists them.",
        field="subscriptionId",
    )


def own_hook(draft: Draft, account_id: str, hook_id: str) -> Subscription:
    """Return the account's subscription; raises Refusal (NO_RESOURCE)."""
    hook = draft.get(SUBSCRIPTIONS, hook_id)
    if hook is None or hook.account_id != account_id or hook.status not in LIVE:
        raise _no_hook(hook_id)
    return hook
