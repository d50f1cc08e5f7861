"""Subscriptions to events, and their deliveries."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.addressing.mail import ADDRESS
from leasebook.addressing.webhook import BadAddress, check_url
from leasebook.api import ids
from leasebook.api.across import EVERY, Owners, accounts_meant, is_at_home, owners_of, require
from leasebook.api.auth.secret_replay import secret_of_hook
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.handlers.account.events import place_of, types_of
from leasebook.api.paging import OWN, delivery_of, marker_of, part
from leasebook.api.presenters.tags import marked as with_tags
from leasebook.api.presenters.tags import new_tags, wanted_tags
from leasebook.contract.errors import ACCESS_DENIED, INSTANCE_NOT_FOUND, OPERATION_NOT_SUPPORTED, RESOURCE_NOT_FOUND
from leasebook.contract.nouns import subscription as n
from leasebook.contract.policies import FULL, READERS, SUPPORTERS
from leasebook.domain.commands.account import subscription as commands
from leasebook.domain.commands.account.delivery import LoggedEvent
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.subscription import Delivery, HookKind, Subscription
from leasebook.domain.record.event import Event
from leasebook.domain.record.event_rights import hidden_across, hidden_from_subscriber
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.notifications.webhook_signature import new_secret
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace
from leasebook.ports.queries.read_repository import EventPlace, ReadRepository


async def create_subscription(context: Context, call: Call[n.CreateSubscriptionRequest]) -> n.SubscriptionDetail:
    """Subscribe to events from now on: the account's own, or those of other accounts."""
    asked, account_id = call.request, call.caller.account_id
    types = types_of(asked.types) or ()
    accounts = _accounts(call, types)
    projects = _projects(call)

    async def check() -> None:
        _check_target(context, asked)

    def look(ask: ReadRepository) -> tuple[int, Instance | None]:
        if EVERY not in accounts:
            require(ask, *accounts, field="accounts")
        return _last(ask, account_id, is_wide=bool(accounts)), ask.unit(asked.instance_id or "")

    last, unit = await context.read(call, look)
    owners = accounts or (account_id,)
    if asked.instance_id is not None and (unit is None or not (EVERY in owners or unit.account_id in owners)):
        raise Fault(INSTANCE_NOT_FOUND, f"There is no instance {asked.instance_id!r}.", "instanceId")
    hook_id = ids.hook_id()
    secret = new_secret() if asked.kind == "Webhook" else None
    command = commands.CreateHook(
        token=call.personal_token(),
        hook_id=hook_id,
        account_id=account_id,
        kind=asked.kind,
        target=(asked.address if asked.kind == "Email" else asked.url) or "",
        sealed=b"" if secret is None else context.keys.seal(hook_id, secret),
        types=types,
        unit_id=asked.instance_id,
        page=last,
        accounts=accounts,
        projects=projects,
        tags=new_tags(asked.name, asked.tags),
    )
    made: Subscription = await context.submit_checked(call, command, check)
    shown = _detail(context, made, secret if made.id == hook_id else await secret_of_hook(context, call, made))
    return await _marked(context, call, shown)


def _accounts(call: Call[n.CreateSubscriptionRequest], types: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accounts that a new subscription is over; none: the caller's. Raises Fault where it may not be."""
    asked, caller = call.request.accounts, call.caller
    if asked is None:
        if not _manages(call) and call.within is None:
            raise bad_field(
                "accounts",
                f"Say over which accounts: a list of them, or ['*'] for all. One over the account itself takes {FULL}.",
            )
        return ()
    hidden = hidden_from_subscriber(caller.policies)
    if hidden is None:
        raise Fault(
            ACCESS_DENIED,
            f"A subscription over accounts takes one of {', '.join(sorted(SUPPORTERS))}, and this key's user has "
            "none of them.",
            "accounts",
        )
    accounts = tuple(dict.fromkeys(asked))
    if EVERY in accounts and len(accounts) > 1:
        raise bad_field("accounts", "`*` means every account: give it alone, and not with others.")
    for kind in hidden & set(types):
        raise Fault(ACCESS_DENIED, f"Your policies do not show {kind} of other accounts.", "types")
    return accounts


def _projects(call: Call[n.CreateSubscriptionRequest]) -> tuple[str, ...]:
    """Return the projects that a new subscription is for; none: it is for the account, or over others.

    Raises Fault where the user has a policy for projects, and not for these.
    """
    asked = call.request
    projects = tuple(sorted(set(asked.project_ids or ())))
    if projects and asked.accounts is not None:
        raise bad_field("projectIds", "A subscription is over accounts, or for projects of its own: leave one out.")
    if call.within is not None and asked.accounts is None and not (projects and call.within.issuperset(projects)):
        raise bad_field(
            "projectIds",
            f"Say for which of your projects: {', '.join(sorted(call.within))}. Your policy is for these, and a "
            "subscription to all events of the account takes it for the account.",
        )
    return projects


def _manages(call: Call[Any]) -> bool:
    return FULL in call.caller.policies


def _manages_some(call: Call[Any]) -> bool:
    """Whether the caller manages the account, or projects of it, to which reads and commands are confined then."""
    return _manages(call) or call.within is not None


def _sees_all(call: Call[Any]) -> bool:
    return hidden_from_subscriber(call.caller.policies) is not None


def _kinds(call: Call[Any]) -> frozenset[str]:
    """Return which kinds of the account's subscriptions the caller acts on."""
    return frozenset(name for name, may in (("own", _manages_some(call)), ("wide", _sees_all(call))) if may)


def _last(ask: ReadRepository, account_id: str, *, is_wide: bool) -> int:
    """Return the last page of the events that a subscription is over."""
    if is_wide:
        return ask.last_page()
    last = ask.last_event(account_id)
    return 0 if last is None else last.page


def _check_target(context: Context, asked: n.CreateSubscriptionRequest) -> None:
    """Raise Fault for a URL or an address that the settings of this server do not allow, or that is none."""
    kind: HookKind = asked.kind
    if kind == "Email":
        if not context.hooks.mails:
            raise Fault(OPERATION_NOT_SUPPORTED, "This server sends no e-mail: its operator has set no mail server.")
        if context.public_base is None:
            raise Fault(
                OPERATION_NOT_SUPPORTED,
                "A mail address is confirmed by a link, and this server's operator has not set public_url, with which "
                "links begin.",
            )
        if asked.url is not None:
            raise bad_field("url", "An e-mail subscription has an address and no URL.")
        if asked.address is None or not ADDRESS.fullmatch(asked.address):
            raise bad_field("address", "An e-mail subscription needs one mail address, such as ops@example.org.")
        return
    if asked.address is not None:
        raise bad_field("address", "A webhook has a URL and no address.")
    if asked.url is None:
        raise bad_field("url", "A webhook needs a URL.")
    try:
        check_url(asked.url, context.hooks.allowed)
    except BadAddress as error:
        raise bad_field("url", str(error)) from None


async def describe_subscriptions(context: Context, call: Call[n.DescribeSubscriptionsRequest]) -> n.SubscriptionList:
    """List subscriptions: the account's, or those of several."""
    account_id, meant = call.caller.account_id, accounts_meant(call)
    wanted = wanted_tags(call.request.name, call.request.tags)

    def look(ask: ReadRepository) -> tuple[list[Subscription], dict[str, ResourceTags], Owners]:
        meant.require(ask)
        found = ask.hooks_across(Across(meant.ids))
        seen = [hook for hook in found if hook.account_id != account_id or _is_shown(call, hook)]
        tags = ask.tags_of([hook.id for hook in seen])
        seen = [hook for hook in seen if wanted.has(tags.get(hook.id))] if wanted else seen
        return seen, tags, owners_of(ask, meant, [hook.account_id for hook in seen])

    hooks, tags, owners = await context.read(call, look, long=meant.named)
    scope = f"subscriptions {account_id} {meant if meant.named else ''}"
    page, end = part(hooks, lambda hook: (hook.created_at, hook.id), call.request, scope)

    def shown(hook: Subscription) -> n.SubscriptionDetail:
        detail: n.SubscriptionDetail = with_tags(_listed(context, call, hook), tags.get(hook.id))
        return owners.mark(detail, hook.account_id)

    return n.SubscriptionList(subscriptions=[shown(hook) for hook in page], **end)


def _is_shown(call: Call[Any], hook: Subscription) -> bool:
    return _sees_all(call) if hook.is_wide else _manages_some(call)


def _listed(context: Context, call: Call[Any], hook: Subscription) -> n.SubscriptionDetail:
    """Show a subscription; where another account's is sent to may hold a secret, which operators may see."""
    shown = _detail(context, hook)
    if hook.account_id == call.caller.account_id or call.caller.is_operator:
        return shown
    return msgspec.structs.replace(shown, url=None, address=None, reason=None)


async def modify_subscription(context: Context, call: Call[n.ModifySubscriptionRequest]) -> n.SubscriptionDetail:
    """Change a subscription."""
    asked, account_id = call.request, call.caller.account_id

    def look(ask: ReadRepository) -> tuple[Subscription | None, int]:
        row = ask.hook(asked.subscription_id)
        return row, _last(ask, account_id, is_wide=row is not None and row.is_wide)

    hook, last = await context.read(call, look)
    types = None if asked.types is None else types_of(asked.types) or ()
    if hook is not None and hook.is_wide:
        for kind in (hidden_from_subscriber(call.caller.policies) or frozenset()) & set(types or ()):
            raise Fault(ACCESS_DENIED, f"Your policies do not show {kind} of other accounts.", "types")
    if (
        (asked.rotate_secret or asked.revoke_secret)
        and hook is not None
        and hook.account_id == account_id
        and hook.kind == "Email"
    ):
        raise bad_field(
            "rotateSecret" if asked.rotate_secret else "revokeSecret", "An e-mail subscription has no secret."
        )
    secret = new_secret() if asked.rotate_secret else None
    token = call.personal_token()
    command = commands.SetHook(
        token=token,
        account_id=account_id,
        hook_id=asked.subscription_id,
        status=asked.status,
        types=types,
        kinds=_kinds(call),
        sealed=None if secret is None else context.keys.seal(asked.subscription_id, secret),
        revoke=bool(asked.revoke_secret),
        page=last if asked.skip_missed else None,
    )
    made: Subscription = await context.submit(call, command)
    if secret is not None and token is not None:
        # Whether it is this call's secret, or that of the one that came before with the same token, the row says.
        secret = await secret_of_hook(context, call, made)
    return await _marked(context, call, _detail(context, made, secret))


async def delete_subscription(context: Context, call: Call[n.SubscriptionRequest]) -> bool:
    """End a subscription."""
    command = commands.DeleteHook(
        token=call.token(),
        account_id=call.caller.account_id,
        hook_id=call.request.subscription_id,
        kinds=_kinds(call),
    )
    done: bool = await context.submit(call, command)
    return done


async def test_subscription(context: Context, call: Call[n.SubscriptionRequest]) -> bool:
    """Have a test event sent."""
    hook = await context.read(call, lambda ask: ask.hook(call.request.subscription_id))
    command = commands.TestHook(
        token=call.token(),
        account_id=call.caller.account_id,
        hook_id=call.request.subscription_id,
        address="" if hook is None else hook.target,
        kinds=_kinds(call),
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_deliveries(context: Context, call: Call[n.DescribeDeliveriesRequest]) -> n.DeliveryPage:
    """List deliveries: the account's, or those of several."""
    asked, meant = call.request, accounts_meant(call)
    is_home = is_at_home(call, meant.ids)
    reads = not READERS.isdisjoint(call.caller.policies)
    wanted = DeliveryFilter(
        **meant.of(),
        hook_id=asked.subscription_id,
        unit_id=asked.instance_id,
        state=asked.state,
        wide=None if not is_home or (reads and _sees_all(call)) else not reads,
        hidden=frozenset() if is_home else hidden_across(call.caller.policies) or frozenset(),
    )
    scope, size = f"deliveries {wanted}", OWN.of(asked.max_keys)
    after = delivery_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[list[Delivery], Owners]:
        meant.require(ask)
        rows = ask.deliveries(wanted, after=after, limit=size + 1)
        return rows, owners_of(ask, meant, [row.account_id for row in rows])

    found, owners = await context.read(call, look, long=wanted.across is not None)
    page, more = found[:size], len(found) > size
    last = DeliveryPlace(page[-1].page, page[-1].line, page[-1].hook_id) if more else None
    return n.DeliveryPage(
        deliveries=[owners.mark(_delivery(context, row), row.account_id) for row in page],
        is_truncated=more,
        max_keys=size,
        next_marker=None if last is None else marker_of(last, scope),
    )


async def redeliver_event(context: Context, call: Call[n.RedeliverEventRequest]) -> n.DeliveryDetail:
    """Send an event again."""
    asked, account_id = call.request, call.caller.account_id
    place = place_of(asked.event_id) or EventPlace(0, 0)
    hidden = hidden_from_subscriber(call.caller.policies)

    def look(ask: ReadRepository) -> tuple[Subscription | None, tuple[str, Event] | None]:
        return ask.hook(asked.subscription_id), ask.event_anywhere(place)

    hook, found = await context.read(call, look)
    is_wide = hook is not None and hook.account_id == account_id and hook.is_wide and hidden is not None
    of, event = found or ("", None)
    if is_wide:
        assert hook is not None  # noqa: S101 - it is one
        may = hook.is_over(of) and event is not None and event.type not in (hidden or frozenset())
    else:
        may = of == account_id
    if event is None or not may:
        raise Fault(
            RESOURCE_NOT_FOUND, f"There is no event {asked.event_id} here. DescribeEvents lists them.", "eventId"
        )
    command = commands.Redeliver(
        token=call.token(),
        account_id=account_id,
        hook_id=asked.subscription_id,
        logged=LoggedEvent(place.page, place.line, event),
        of=of if is_wide else None,
        kinds=_kinds(call),
    )
    return _delivery(context, await context.submit(call, command))


async def redeliver_given_up(context: Context, call: Call[n.RedeliverGivenUpRequest]) -> n.Redelivered:
    """Send given-up deliveries again."""
    asked, size = call.request, OWN.of(call.request.max_keys)
    since = context.time(asked.start_time, "startTime") if asked.start_time else Instant(0)
    found = await context.read(
        call,
        lambda ask: ask.given_up(call.caller.account_id, asked.subscription_id, since=since, limit=size + 1),
        long=True,
    )
    command = commands.RedeliverGivenUp(
        token=call.token(),
        account_id=call.caller.account_id,
        hook_id=asked.subscription_id,
        found=tuple(found[:size]),
        more=len(found) > size,
        kinds=_kinds(call),
    )
    done = await context.submit(call, command)
    return n.Redelivered(redelivered=done.count, is_truncated=done.more)


async def _marked(context: Context, call: Call[Any], shown: n.SubscriptionDetail) -> n.SubscriptionDetail:
    """Add the name and the tags, as they are now, to a subscription that a command answered with."""
    hook_id = shown.subscription_id
    row = await context.read(call, lambda ask: ask.tags_of([hook_id]).get(hook_id))
    marked: n.SubscriptionDetail = with_tags(shown, row)
    return marked


def _detail(context: Context, hook: Subscription, secret: str | None = None) -> n.SubscriptionDetail:
    until, is_webhook = hook.before_until, hook.kind == "Webhook"
    return n.SubscriptionDetail(
        subscription_id=hook.id,
        kind=hook.kind,
        url=hook.target if hook.kind == "Webhook" else None,
        address=hook.target if hook.kind == "Email" else None,
        types=list(hook.types),
        instance_id=hook.unit_id,
        status=hook.status if hook.status in ("Active", "Pending") else "Paused",
        reason=hook.reason,
        create_time=context.shown(hook.created_at),
        secret=secret,
        secret_time=context.shown(hook.sealed_at) if is_webhook else None,
        old_secret_end_time=context.shown(until) if until is not None and until > context.clock.now() else None,
        confirm_end_time=context.shown(hook.confirm_until) if hook.confirm_until is not None else None,
        accounts=list(hook.accounts) or None,
        project_ids=list(hook.projects) or None,
        owner_id=hook.created_by if hook.goes_by_owner else None,
    )


def _delivery(context: Context, row: Delivery) -> n.DeliveryDetail:
    def when(at: Instant | None) -> str | None:
        return None if at is None else context.shown(at)

    return n.DeliveryDetail(
        delivery_id=row.id,
        subscription_id=row.hook_id,
        event_id=row.event_id,
        type=row.type,
        instance_id=row.unit_id,
        state=row.state,
        attempts=row.attempts,
        create_time=context.shown(row.since),
        next_try_time=when(row.next_at),
        end_time=when(row.done_at),
        answer=row.status,
        failure=row.failure,
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "create_subscription": create_subscription,
    "describe_subscriptions": describe_subscriptions,
    "modify_subscription": modify_subscription,
    "delete_subscription": delete_subscription,
    "test_subscription": test_subscription,
    "describe_deliveries": describe_deliveries,
    "redeliver_event": redeliver_event,
    "redeliver_given_up": redeliver_given_up,
}
