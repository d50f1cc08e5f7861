"""Events: pages of them, and following them as they happen."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import msgspec

from leasebook.api.across import Meant, accounts_meant, is_at_home, sees_money
from leasebook.api.context import Call, Context, Followed, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.paging import OWN, event_of, marker_of
from leasebook.api.presenters import rows as present
from leasebook.api.streams.events import Edges
from leasebook.batch import StaleIdentity
from leasebook.contract.errors import ACCESS_DENIED, INVALID_MARKER
from leasebook.contract.nouns import event as v
from leasebook.contract.policies import BILLING_READERS, FULL, WRITERS
from leasebook.domain.record.event import TYPES, Event
from leasebook.domain.record.event_pattern import EVERY, covered, unknown
from leasebook.domain.record.event_rights import IAM, OF_MONEY, without_money
from leasebook.ports.queries.costs import PostingEdge
from leasebook.ports.queries.read_repository import EventFilter, EventPlace, ReadRepository
from leasebook.ports.queries.tags import NO_NAMES, Names, names_in

AT_ONCE: Final = 200
KEEP_ALIVE_S: Final = 15.0
"""Upper bound on the silence of a stream, in seconds: proxies close connections that are silent for longer."""
_ID: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_encode: Final = msgspec.json.Encoder().encode
_NEVER_GIVEN: Final = (
    " is of no event of this account in this store. It may be another account's, or of events that were lost when the "
    "store was restored from a backup."
)
_BEGIN_ANEW: Final = (
    "The account may have changed since: look at the instances, list the events with DescribeEvents (oldestFirst), "
    "and follow after the id of the last one."
)


def types_of(given: list[str] | None) -> tuple[str, ...] | None:
    """Read event types and patterns of them; None where none are given. Raises Fault for one that covers no type."""
    if not given:
        return None
    for kind in given:
        message = unknown(kind)
        if message is not None:
            raise bad_field("types", message)
    return tuple(sorted(set(given)))


def _covered(given: list[str] | None) -> tuple[str, ...] | None:
    """Return the types that a call asks for, without patterns; None: all that the caller may see."""
    patterns = types_of(given)
    return None if patterns is None or EVERY in patterns else covered(patterns)


async def describe_events(context: Context, call: Call[v.DescribeEventsRequest]) -> v.EventPage:
    """List the account's events."""
    asked = call.request
    oldest_first = bool(asked.oldest_first)
    meant = accounts_meant(call)
    wanted = EventFilter(
        **meant.of(),
        unit_id=asked.instance_id,
        types=_permitted(call, meant.ids, _covered(asked.types)),
        since=context.time(asked.start_time, "startTime") if asked.start_time else None,
        until=context.time(asked.end_time, "endTime") if asked.end_time else None,
    )
    scope, size = f"events {wanted} {oldest_first}", OWN.of(asked.max_keys)
    after = event_of(asked.marker, scope)
    if after is not None and not meant.named:
        await _require_given(
            context,
            call,
            call.caller.account_id,
            after,
            Fault(INVALID_MARKER, f"The marker{_NEVER_GIVEN} Begin without one.", "marker"),
        )

    def look(ask: ReadRepository) -> tuple[list[tuple[EventPlace, str, Event]], Names]:
        meant.require(ask)
        found = ask.events_across(wanted, after=after, limit=size + 1, oldest_first=oldest_first)
        return found, names_in(ask, (event for _, _, event in found))

    found, names = await context.read(call, look, long=wanted.across is not None)
    page, more = found[:size], len(found) > size
    return v.EventPage(
        events=[_shown(context, call, account_id, place, event, names) for place, account_id, event in page],
        is_truncated=more,
        max_keys=size,
        next_marker=marker_of(page[-1][0], scope) if more else None,
    )


def _permitted(
    call: Call[Any], account_ids: tuple[str, ...] | None, types: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return the event types that the caller gets of these accounts (None: all accounts).

    Only the managers of an account get those of its users and keys, and only who sees its money those of money. Raises
    Fault if another caller asks for one of these by name.
    """
    manages = call.caller.is_operator or (FULL in call.caller.policies and is_at_home(call, account_ids))
    hidden: frozenset[str] = frozenset()
    for permitted, some, what, policies in (
        (manages, IAM, "users and keys", f"{FULL}, in the user's own account"),
        (sees_money(call, account_ids), OF_MONEY, "money", f"one of {', '.join(sorted(BILLING_READERS))}"),
    ):
        if permitted:
            continue
        if types is not None and not some.isdisjoint(types):
            raise Fault(
                ACCESS_DENIED, f"Events of {what} take {policies}, and this key's user does not have it.", "types"
            )
        hidden |= some
    if types is not None or not hidden:
        return types
    return tuple(kind for kind in TYPES if kind not in hidden)


def _shown(
    context: Context, call: Call[Any], account_id: str, place: EventPlace, event: Event, names: Names
) -> v.CloudEvent:
    """Show an event. Only the buyer and the account's managers get a reminder's links: they could do the same."""
    caller = call.caller
    own = event.data.get("buyerId") == caller.user_id and not WRITERS.isdisjoint(caller.policies)
    manages = FULL in caller.policies and account_id == caller.account_id
    links = context.links if own or manages else None
    seen = event if sees_money(call, (account_id,)) else without_money(event)
    return present.event(account_id, place, seen, context.shown, links, names)


async def follow_events(context: Context, call: Call[v.FollowEventsRequest]) -> Followed:
    """Follow events: those of the caller's account, of another, or of several."""
    asked, meant = call.request, accounts_meant(call)
    types = _covered(asked.types)
    _permitted(call, meant.ids, types)
    wanted = EventFilter(**meant.of(), unit_id=asked.instance_id, types=types)
    after = _place(asked.after or call.last_event_id)
    # A refused call must not cost a query. Streams count for the account that follows.
    mine = call.caller.account_id
    context.hub.streams.check(mine, call.caller.access_key_id)
    if meant.ids != (mine,):
        await context.read(call, meant.require)
    if after is not None:
        never = f"The id {after.page}-{after.line}{_NEVER_GIVEN} {_BEGIN_ANEW}"
        await _require_of(context, call, meant, after, bad_field("after", never))
    if wanted.across is not None:
        pieces = _stream_across(context, call, wanted, after)
    else:
        if after is None:
            # From now on: what happens after this was read is in the stream.
            after = await context.read(call, lambda ask: ask.last_event(wanted.account_id)) or EventPlace(0, -1)
        pieces = _stream(context, call, wanted, after)
    return Followed(context.hub.streams.opened(mine, call.caller.access_key_id, pieces))


async def _require_of(context: Context, call: Call[Any], meant: Meant, place: EventPlace, otherwise: Fault) -> None:
    """Raise the fault if none of the accounts has an event at that place: going on after it could skip events."""
    found = await context.read(call, lambda ask: ask.event_anywhere(place))
    if found is None or not meant.has(found[0]):
        raise otherwise


async def _require_given(
    context: Context, call: Call[Any], account_id: str, place: EventPlace, otherwise: Fault
) -> None:
    """Raise the fault if the account has no event at that place: going on after it could skip events."""
    if await context.read(call, lambda ask: ask.event_at(account_id, place)) is None:
        raise otherwise


def place_of(text: str) -> EventPlace | None:
    """Read an event's id; None if the text is no id."""
    found = _ID.fullmatch(text)
    return EventPlace(int(found[1]), int(found[2])) if found else None


def _place(text: str | None) -> EventPlace | None:
    if not text:
        return None
    place = place_of(text)
    if place is None:
        # Beginning now instead would silently skip the events since then.
        raise bad_field("after", f"{text[:64]!r} is no id of an event.")
    return place


async def _stream(
    context: Context, call: Call[v.FollowEventsRequest], wanted: EventFilter, after: EventPlace
) -> AsyncIterator[bytes]:
    """Send what there is, then wait for more. It ends with the server, or with the caller's rights."""
    yield b": this stream has every event, in order\n\n"
    place, silent_since = after, time.monotonic()
    with context.hub.following((wanted.account_id,)) as follower:
        while not context.hub.stopping and await context.still(call):
            follower.clear()
            try:
                # The caller's rights may have changed since the stream began, in this account as well.
                accounts_meant(call)
                mine = msgspec.structs.replace(wanted, types=_permitted(call, (wanted.account_id,), wanted.types))
            except Fault:
                return
            try:
                last, found, names = await context.read(call, partial(_next, wanted=mine, after=place))
            except StaleIdentity:
                context.identities.forget()
                continue
            if found:
                place = found[-1][0]
                yield b"".join(_written(context, call, wanted.account_id, *one, names) for one in found)
                silent_since = time.monotonic()
                continue
            # Those up to the last one are not for this stream, and are not looked at again.
            place = max(place, last)
            silent_s = time.monotonic() - silent_since
            if silent_s >= KEEP_ALIVE_S:
                yield b": nothing happened\n\n"
                silent_since, silent_s = time.monotonic(), 0.0
            await context.hub.wait(follower, KEEP_ALIVE_S - silent_s)


async def _stream_across(
    context: Context, call: Call[v.FollowEventsRequest], wanted: EventFilter, after: EventPlace | None
) -> AsyncIterator[bytes]:
    """Send the events of several accounts in the order of their ids, each when no lower id is still to come.

    Without ``after`` it begins with a comment once all earlier events are committed: what a caller reads from then on
    has them.
    """
    edges, place, silent_since, is_told = Edges(), after, time.monotonic(), False
    with context.hub.following(None if wanted.across is None else wanted.across.ids) as follower:
        while not context.hub.stopping and await context.still(call):
            follower.clear()
            try:
                ids = accounts_meant(call).ids
                mine = msgspec.structs.replace(wanted, types=_permitted(call, ids, wanted.types))
                edge, found, names = await context.read(call, partial(_next_across, wanted=mine, after=place))
            except Fault:
                return
            except StaleIdentity:
                context.identities.forget()
                continue
            edges.see(edge)
            if place is None:
                # All pages up to the first edge are of before; the stream begins when they are complete.
                place = EventPlace(edge.last, 2**31)
                found = []
            if not is_told and edges.whole >= place.page:
                yield b": this stream has every event, in order\n\n"
                is_told = True
            whole = [one for one in found if one[0].page <= edges.whole]
            if whole:
                place = whole[-1][0]
                yield b"".join(_written(context, call, of, where, event, names) for where, of, event in whole)
                silent_since = time.monotonic()
                continue
            silent_s = time.monotonic() - silent_since
            if silent_s >= KEEP_ALIVE_S:
                yield b": nothing happened\n\n"
                silent_since, silent_s = time.monotonic(), 0.0
            pause_s = edges.pause_s
            if pause_s is not None:
                await asyncio.sleep(pause_s)
            else:
                await context.hub.wait(follower, KEEP_ALIVE_S - silent_s)


def _next_across(
    ask: ReadRepository, wanted: EventFilter, after: EventPlace | None
) -> tuple[PostingEdge, list[tuple[EventPlace, str, Event]], Names]:
    """Return where the pages end, the next events of a stream over several accounts, and the names beside their ids.

    The edge is read first: every page that it has is among those that are read after it.
    """
    edge = ask.event_edge()
    if after is None:
        return edge, [], NO_NAMES
    found = ask.events_across(wanted, after=after, limit=AT_ONCE, oldest_first=True)
    return edge, found, names_in(ask, (event for _, _, event in found))


def _next(
    ask: ReadRepository, wanted: EventFilter, after: EventPlace
) -> tuple[EventPlace, list[tuple[EventPlace, Event]], Names]:
    """Return the account's last event, the next events of a stream, and the names to show beside their ids.

    The last event is read first: every event up to it is among those that are read after it.
    """
    last = ask.last_event(wanted.account_id) or after
    found = ask.events(wanted, after=after, limit=AT_ONCE, oldest_first=True)
    return last, found, names_in(ask, (event for _, event in found))


def _written(
    context: Context, call: Call[v.FollowEventsRequest], account_id: str, place: EventPlace, event: Event, names: Names
) -> bytes:
    shown = _shown(context, call, account_id, place, event, names)
    return f"id: {shown.id}\nevent: {shown.type}\ndata: ".encode() + _encode(shown) + b"\n\n"


OPERATIONS: Final[dict[str, Operation]] = {"describe_events": describe_events, "follow_events": follow_events}
