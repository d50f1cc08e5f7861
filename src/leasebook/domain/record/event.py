"""Events: changes of an instance or an account, written in the transaction of the change.

No command writes events. They are derived from the difference between a row before and after a command, so no change
can lack its event, and no event can report a change that did not happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Any, Final

import msgspec

from leasebook.domain.model.account import Account
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.engine_capacity import FITS, EngineCapacity, changes
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.model import Model
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.resource.project import public_project, stored_project
from leasebook.domain.model.resource.tag_budget import pairs
from leasebook.domain.model.service import Service
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.rules.reminder import deadline_of, what_of
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.tag_policy import NO_POLICY

# Append only: the meaning of a type never changes.
BOUGHT: Final = "unit.bought"
RUNNING: Final = "unit.running"
CREATE_FAILED: Final = "unit.createFailed"
RESIZING: Final = "unit.resizing"
RESIZED: Final = "unit.resized"
RESIZE_FAILED: Final = "unit.resizeFailed"
RENEWED: Final = "unit.renewed"
RENEWAL_FAILED: Final = "unit.renewalFailed"
BILLING_CHANGING: Final = "unit.billingChanging"
BILLING_CHANGED: Final = "unit.billingChanged"
BILLING_KEPT: Final = "unit.billingKept"
STOPPED: Final = "unit.stopped"
RESUMED: Final = "unit.resumed"
RELEASE_SET: Final = "unit.releaseSet"
RELEASE_MOVED: Final = "unit.releaseMoved"
RELEASE_CLEARED: Final = "unit.releaseCleared"
REMINDED: Final = "unit.reminder"
RELEASING: Final = "unit.releasing"
RELEASED: Final = "unit.released"
ARREARS: Final = "account.arrears"
RECOVERED: Final = "account.recovered"
BUDGET_CROSSED: Final = "account.budgetCrossed"
ENGINE_TROUBLE: Final = "engine.trouble"
HOOK_TESTED: Final = "subscription.test"
HOOK_PAUSED: Final = "subscription.paused"
HOOK_GAVE_UP: Final = "subscription.givenUp"
HOOK_CONFIRMING: Final = "subscription.confirming"
HOOK_CONFIRMED: Final = "subscription.confirmed"
STOCK_DIFFERS: Final = "engine.stockDiffers"
STOCK_FITS: Final = "engine.stockFits"
MODEL_APPROVED: Final = "model.approved"
MODEL_WITHDRAWN: Final = "model.approvalWithdrawn"
IAM_ACCOUNT_CREATED: Final = "iam.accountCreated"
IAM_ACCOUNT_CHANGED: Final = "iam.accountChanged"
IAM_USER_CREATED: Final = "iam.userCreated"
IAM_USER_CHANGED: Final = "iam.userChanged"
IAM_KEY_CREATED: Final = "iam.accessKeyCreated"
IAM_KEY_CHANGED: Final = "iam.accessKeyChanged"
IAM_SERVICE_KEY_CREATED: Final = "iam.serviceKeyCreated"
IAM_SERVICE_KEY_CHANGED: Final = "iam.serviceKeyChanged"
IAM_FOUND: Final = "iam.found"
REPLICA_FAILING: Final = "replica.failing"
LOG_STORE_ATTACHED: Final = "service.logStoreAttached"
LOG_STORE_DETACHED: Final = "service.logStoreDetached"
ACCOUNT_SUSPENDED: Final = "account.suspended"
ACCOUNT_RESUMED: Final = "account.resumed"
ACCOUNT_CLOSED: Final = "account.closed"
TAGGED: Final = "resource.tagged"
CRASH_LOOP: Final = "replica.crashLoop"
REPLICA_RECOVERED: Final = "replica.recovered"
APPROVAL_ASKED: Final = "approval.asked"
APPROVAL_REMINDER: Final = "approval.reminder"
APPROVAL_APPROVED: Final = "approval.approved"
APPROVAL_REJECTED: Final = "approval.rejected"
APPROVAL_LAPSED: Final = "approval.lapsed"
SERVICE_OFF: Final = "service.deactivated"
SERVICE_ON: Final = "service.activated"
TAG_POLICY_CHANGED: Final = "account.tagPolicyChanged"
MOVED: Final = "resource.moved"

TYPES: Final[dict[str, str]] = {
    BOUGHT: "An instance was bought.",
    RUNNING: "Its capacity is there; its term or its meter runs.",
    CREATE_FAILED: "Its capacity could not be had; what it held was given back.",
    RESIZING: "It is to have another number of units.",
    RESIZED: "It has its new number of units.",
    RESIZE_FAILED: "It could not be resized, and runs on as it was.",
    RENEWED: "Its term is longer now.",
    RENEWAL_FAILED: "A renewal by rule could not be paid.",
    BILLING_CHANGING: "It is to become postpaid at the end of its term.",
    BILLING_CHANGED: "It is paid another way from now on.",
    BILLING_KEPT: "It was to become postpaid and stays prepaid.",
    STOPPED: "Its term, or its account's credit, is over; its units are kept for a while.",
    RESUMED: "A stopped instance runs again.",
    RELEASE_SET: "It has a release time now.",
    RELEASE_MOVED: "Its release time is another one now.",
    RELEASE_CLEARED: "It has no release time any more.",
    REMINDED: "Its release or its expiry comes near.",
    RELEASING: "It ended, and its bill with it.",
    RELEASED: "Nothing of it is left; its units are free again.",
    ARREARS: "The account's balance turned negative.",
    RECOVERED: "The account paid its debt.",
    BUDGET_CROSSED: "The month's spending crossed a part of the budget.",
    ENGINE_TROUBLE: "An engine cannot do what it is to do.",
    HOOK_TESTED: "A subscription is tried; only that subscription gets it.",
    HOOK_PAUSED: "A receiver answered 410 Gone, and its subscription is paused.",
    HOOK_GAVE_UP: "An event could not be delivered to a subscription, and is not tried any more.",
    STOCK_DIFFERS: "An engine's units of a type and the units offered or sold differ, or differ by another number.",
    STOCK_FITS: "An engine's units of a type and the units offered are the same number again.",
    HOOK_CONFIRMING: "A mail address is asked whether it wants an account's events; only that address gets it.",
    HOOK_CONFIRMED: "A mail address was confirmed; its subscription gets events from now on.",
    MODEL_APPROVED: "An operator made or approved a version of a model: it runs on every engine.",
    MODEL_WITHDRAWN: "An operator took back the approval of a version: it runs only where it is kept apart.",
    IAM_ACCOUNT_CREATED: "The account was opened.",
    IAM_ACCOUNT_CHANGED: "The account's name or its time zone changed.",
    IAM_USER_CREATED: "A user was added.",
    IAM_USER_CHANGED: "A user's policies, or something else of the user, are others now.",
    IAM_KEY_CREATED: "A user got an access key.",
    IAM_KEY_CHANGED: "An access key was disabled, or its secret or something else of it is another one now.",
    IAM_SERVICE_KEY_CREATED: "A key for calling services was made.",
    IAM_SERVICE_KEY_CHANGED: "A key for calling services was deleted, or something else of it is another one now.",
    IAM_FOUND: "An account, user or key was there when the store began to tell of them; nothing happened to it.",
    REPLICA_FAILING: "A replica failed three times in a row; it is paid, and tried again with longer rests.",
    LOG_STORE_ATTACHED: "The lines of a service's replicas are sent to a log store from now on, or to another one.",
    LOG_STORE_DETACHED: "The lines of a service's replicas are sent to no log store any more.",
    ACCOUNT_SUSPENDED: "An operator suspended the account: nothing new is bought or made until it is resumed.",
    ACCOUNT_RESUMED: "An operator ended the account's suspension.",
    ACCOUNT_CLOSED: "An operator closed the account for ever; its books stay.",
    TAGGED: "The name or the tags of something that was bought or made are others now.",
    CRASH_LOOP: "The instance is paid, and for some minutes no replica of a service on it has stayed healthy.",
    REPLICA_RECOVERED: "After a crash loop, a replica of the service on the instance is healthy again.",
    APPROVAL_ASKED: "A purchase needs an approval, and waits for it as a request.",
    APPROVAL_REMINDER: "A request for an approval still waits, and its end comes near.",
    APPROVAL_APPROVED: "A request was approved, and the purchase was made.",
    APPROVAL_REJECTED: "A request was rejected; nothing was bought.",
    APPROVAL_LAPSED: "A request ended without an answer; nothing was bought.",
    SERVICE_OFF: "A service was taken off: its replicas end, and its instances stay.",
    SERVICE_ON: "A service that was off runs again.",
    TAG_POLICY_CHANGED: "The account's tag policy is another one now; what exists keeps its tags.",
    MOVED: "An instance, quota, a service or a package was put into another project; its bill follows from then on.",
}
"""Every type, and what it means."""

_BY_STATUS: Final = {
    ("Creating", "Running"): RUNNING,
    ("Creating", "CreateFailed"): CREATE_FAILED,
    ("Reconfiguring", "Running"): RESIZED,
    ("Reconfiguring", "ReconfigureFailed"): RESIZE_FAILED,
    ("BillingChanging", "Running"): BILLING_KEPT,
    ("Stopped", "Running"): RESUMED,
}
_BY_END: Final = {
    "Reconfiguring": RESIZING,
    "BillingChanging": BILLING_CHANGING,
    "Stopped": STOPPED,
    "Releasing": RELEASING,
    "Released": RELEASED,
}

OPERATOR_REASON: Final = "operatorReason"
"""The key of the reason in the events of an instance that an operator changed for its owner."""
_BY_ACCOUNT_STATUS: Final = {"Active": ACCOUNT_RESUMED, "Suspended": ACCOUNT_SUSPENDED, "Closed": ACCOUNT_CLOSED}

STORY: Final = ("status", "count", "payment_timing", "release_at", "expires_at")
"""The fields of an instance that events report when they change. An instance's events together give its present state.
"""


_story: Final = attrgetter(*STORY)


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One change of an instance or an account. ``user_id`` is the user who asked for it; None: it happened by itself.

    ``data`` has the new values of those fields of ``STORY`` that changed, and further fields of the type.
    """

    at: Instant
    type: str
    unit_id: str | None
    user_id: str | None
    data: dict[str, Any]


class EventPage(msgspec.Struct, frozen=True):
    """An account's events of one batch, stored as one row because that costs much less than a row each.

    ``types`` has a bit for each type on the page, by the type's place in ``TYPES``.
    """

    account_id: str
    first_at: Instant
    last_at: Instant
    types: int
    events: tuple[Event, ...]


FAILURES_REPORTED: Final = 3
"""Failures in a row after which a replica counts as failing: fewer may be a mishap."""
REASON_MAX: Final = 500
"""Upper bound of a reason in characters; it includes the last lines of a log."""

_BIT: Final = {kind: 1 << place for place, kind in enumerate(TYPES)}


def types_mask(types: Iterable[str]) -> int:
    """Return the bits of some types; an unknown type has no bit."""
    return reduce(or_, (_BIT.get(kind, 0) for kind in types), 0)


def page_of(account_id: str, events: Sequence[Event]) -> EventPage:
    """Put an account's events of a batch on a page, in their order."""
    times = [event.at for event in events]
    return EventPage(account_id, min(times), max(times), types_mask({event.type for event in events}), tuple(events))


def unit_events(before: Instance | None, after: Instance) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events that a change of an instance causes: type and data of each."""
    if before is None:
        yield BOUGHT, _bought(after)
        return
    yield from moved_events(before, after)
    changed = {name: now for name, was, now in zip(STORY, _story(before), _story(after), strict=True) if now != was}
    is_renewed = "expires_at" in changed and before.expires_at is not None and after.expires_at is not None
    if is_renewed:
        yield RENEWED, {"expires_at": changed.pop("expires_at")}
    if after.status != before.status:
        yield _status_event(before, after, changed)
        return
    # An instance that becomes prepaid loses its release time: that is part of the change, and no second event.
    if "payment_timing" in changed:
        yield BILLING_CHANGED, changed
    elif "release_at" in changed:
        kind = (
            RELEASE_CLEARED if after.release_at is None else RELEASE_SET if before.release_at is None else RELEASE_MOVED
        )
        yield kind, changed
    elif after.reminded_at is not None and after.reminded_at != before.reminded_at:
        yield REMINDED, _reminded(after, after.reminded_at)
    elif not is_renewed and before.renew_at not in (None, after.renew_at) and after.auto_renew:
        # A renewal that is paid moves the next attempt as well.
        yield RENEWAL_FAILED, {"nextTry": after.renew_at}


def _bought(unit: Instance) -> dict[str, Any]:
    story = {name: value for name in STORY if (value := getattr(unit, name)) is not None}
    story |= {"region": unit.region, "type": unit.type, "orderId": unit.order_id}
    return story if unit.project_id is None else story | {"projectId": unit.project_id}


def moved_events(
    before: Instance | Service | TokenPackage | None, after: Instance | Service | TokenPackage
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the event that a thing is in another project now."""
    if before is not None and before.project_id != after.project_id:
        projects = {
            "projectId": public_project(after.project_id),
            "formerProjectId": public_project(before.project_id),
        }
        yield MOVED, {"resourceId": after.id, **projects}


def _reminded(unit: Instance, at: Instant) -> dict[str, Any]:
    deadline = deadline_of(unit)
    assert deadline is not None  # noqa: S101 - a reminder is only set for an instance with a deadline
    return {
        "deadline": deadline,
        "offsetSeconds": (deadline - at) // SECOND_US,
        "what": what_of(unit),
        "buyerId": unit.created_by,
    }


def _status_event(before: Instance, after: Instance, changed: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = _BY_STATUS.get((before.status, after.status)) or _BY_END[after.status]
    if kind == BILLING_KEPT and "payment_timing" in changed:
        kind = BILLING_CHANGED
    if kind == RELEASING:
        changed |= {"reason": after.end_reason, "endedAt": after.ended_at, "charged": after.charged}
    elif kind in (CREATE_FAILED, RESIZE_FAILED):
        # The failure stays in the row until the next resize; other events do not report it.
        changed["failure"] = after.failure
    return kind, changed


def guard_events(before: AccountLimits | None, after: AccountLimits) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an event for each percentage of its budget that an account, a project or a tag of it has crossed."""
    known = before.crossed if before is not None and before.month == after.month else ()
    for part in after.crossed:
        if part not in known:
            spent = sum(after.spent.values())
            yield BUDGET_CROSSED, {"percent": part, "month": after.month, "spent": spent, "budget": after.rules.budget}
    if after.tag_crossed:
        yield from _tag_events(before, after)
    if not after.project_crossed:
        return
    before_of = before.project_crossed if before is not None and before.month == after.month else {}
    for name, crossed in after.project_crossed.items():
        rules, of_project = after.rules_of(stored_project(name)), stored_project(name)
        for part in crossed:
            if part not in before_of.get(name, ()):
                charged = after.project_spends(after.month, of_project)
                data = {"percent": part, "month": after.month, "spent": charged, "budget": rules.budget}
                yield BUDGET_CROSSED, data | {"projectId": name}


def _tag_events(before: AccountLimits | None, after: AccountLimits) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an event for each percentage of a budget by tag that is newly crossed."""
    before_of = before.tag_crossed if before is not None and before.month == after.month else {}
    for key, value, budget in pairs(after.rules.tag_budgets):
        for part in after.tag_crossed.get(key, {}).get(value, ()):
            if part not in before_of.get(key, {}).get(value, ()):
                spent = after.tag_spends(after.month, key, value)
                data = {"percent": part, "month": after.month, "spent": spent, "budget": budget.budget}
                yield BUDGET_CROSSED, data | {"tagKey": key, "tagValue": value}


def account_events(before: Account | None, after: Account) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events that an account's balance turned negative or no longer is, that its status or policy changed."""
    if before is not None and before.status != after.status == "Closed":
        # A debt that is written off was not paid: so the account did not recover.
        yield ACCOUNT_CLOSED, {"balance": before.balance}
        return
    was = None if before is None else before.arrears_since
    if (was is None) != (after.arrears_since is None):
        yield (RECOVERED if after.arrears_since is None else ARREARS), {"balance": after.balance}
    if before is not None and before.status != after.status:
        yield _BY_ACCOUNT_STATUS[after.status], {"reason": after.status_reason} if after.status_reason else {}
    if before is not None and before.tag_policy is not after.tag_policy and before.tag_policy != after.tag_policy:
        policy, former = (msgspec.to_builtins(row.tag_policy or NO_POLICY) for row in (after, before))
        yield TAG_POLICY_CHANGED, {"policy": policy, "before": former}


def approval_events(before: Approval | None, after: Approval) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a request for an approval: that it was made, the reminders, and its one end."""
    data: dict[str, Any] = {"approvalId": after.id, "askedBy": after.asked_by}
    terms = {"type": after.type, "count": after.count, "payment_timing": after.payment_timing, "cost": after.cost}
    if before is None:
        yield APPROVAL_ASKED, data | terms | {"reason": after.reasons, "lapseTime": after.lapses_at}
    elif after.status != before.status:
        match after.status:
            case "Approved":
                made = {"orderId": after.order_id, "instanceId": after.unit_id, "serviceId": after.service_id}
                yield APPROVAL_APPROVED, data | {name: value for name, value in made.items() if value is not None}
            case "Rejected":
                yield APPROVAL_REJECTED, data | {"reason": after.reason}
            case _:
                yield APPROVAL_LAPSED, data | {"reason": after.reason}
    elif after.reminded_at != before.reminded_at:
        yield APPROVAL_REMINDER, data | terms | {"reason": after.reasons, "lapseTime": after.lapses_at}


def model_events(before: Model | None, after: Model) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the event that an operator approved a model version, or withdrew the approval."""
    was_trusted, was_withdrawn = (False, None) if before is None else (before.is_trusted, before.withdrawn_at)
    data = {"modelId": after.id, "modelSetId": after.set_id, "version": after.version}
    if after.is_trusted and not was_trusted:
        yield MODEL_APPROVED, data
    elif after.withdrawn_at is not None and was_withdrawn is None:
        yield MODEL_WITHDRAWN, data


def service_events(before: Service | None, after: Service) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events that a service is in another project, was taken off or on, and that its log store changed."""
    yield from moved_events(before, after)
    if before is not None and before.active is not after.active and after.deleted_at is None:
        yield (SERVICE_ON if after.active else SERVICE_OFF), {"serviceId": after.id}
    was = None if before is None else before.log_store
    if after.log_store == was:
        return
    if after.log_store is None:
        yield LOG_STORE_DETACHED, {"serviceId": after.id}
        return
    names = {"logProject": after.log_store.project, "logStoreName": after.log_store.name}
    region = {} if after.log_store.region is None else {"logRegion": after.log_store.region}
    yield LOG_STORE_ATTACHED, {"serviceId": after.id, **region, **names}


def tag_events(before: ResourceTags | None, after: ResourceTags) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the event that a thing has another name or other tags, with those of before."""
    was = (None, {}) if before is None else (before.name, before.tags)
    if was != (after.name, after.tags):
        former = {"name": was[0], "tags": was[1]}
        yield TAGGED, {"resourceId": after.id, "name": after.name, "tags": after.tags, "before": former}


def replica_events(before: Replica | None, after: Replica) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of engines in trouble, of replicas that keep failing, and of crash loops: once a series each."""
    yield from _outage_events(before, after)
    if (
        after.trouble is None
        and after.restarts >= FAILURES_REPORTED
        and (before is None or before.restarts < FAILURES_REPORTED)
    ):
        yield (
            REPLICA_FAILING,
            {
                "engine": after.engine,
                "serviceId": after.service_id,
                "replica": after.number,
                "failures": after.restarts,
                "message": (after.reason or "")[:REASON_MAX],
            },
        )
    if after.trouble is not None and (before is None or before.trouble is None):
        yield (
            ENGINE_TROUBLE,
            {
                "engine": after.engine,
                "serviceId": after.service_id,
                "replica": after.number,
                "state": after.state,
                "message": after.trouble,
            },
        )


def _outage_events(before: Replica | None, after: Replica) -> Iterator[tuple[str, dict[str, Any]]]:
    was = "None" if before is None else before.outage
    if was == after.outage:
        return
    data = {"engine": after.engine, "serviceId": after.service_id}
    if after.outage == "Reported":
        message = "; ".join(text for text in (after.trouble, after.reason) if text is not None)
        yield CRASH_LOOP, data | {"downSince": after.down_since, "message": message[:REASON_MAX]}
    elif before is not None and was == "Reported" and after.outage == "None":
        yield REPLICA_RECOVERED, data | {"downSince": before.down_since}


def supply_events(before: EngineCapacity | None, after: EngineCapacity) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield events where the stock on offer differs from an engine's units: when that begins, changes or ends."""
    for unit_type, count in changes({} if before is None else before.stocks, after.stocks):
        yield (
            STOCK_FITS if count.gap == FITS else STOCK_DIFFERS,
            {
                "engine": after.engine,
                "type": unit_type,
                "regions": list(count.regions),
                "offered": count.offered,
                "engineUnits": count.has,
                "difference": count.difference,
                "oversold": count.oversold,
            },
        )


def whose(row: Any) -> tuple[str | None, str | None]:
    """Return the account and the instance that events about a row belong to; None where there is none."""
    match row:
        case Instance():
            return row.account_id, row.id
        case Account():
            return row.id, None
        case Replica():
            return row.account_id, row.unit_id
        case ResourceTags():
            return row.account_id, row.id if row.kind in ("unit", "tpm") else None
        case EngineCapacity():
            return row.told_to, None
        case Model():
            return row.account_id or None, None
        case _:
            return row.account_id, None
