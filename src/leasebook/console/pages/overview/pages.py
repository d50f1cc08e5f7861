"""The overview: spending, holdings, stock, ends that come soon, and the latest events; kept current by a stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from leasebook.api.context import Followed
from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.console.frame.formats import moment
from leasebook.console.pages.money.costs import charges_by_day
from leasebook.console.pages.money.forecasts import account_of, is_small
from leasebook.console.pages.overview import figures
from leasebook.console.pages.units.listing import AT_ONCE, projects
from leasebook.console.routes import SESSION_COOKIE, get
from leasebook.contract.action import ACCOUNT, CATALOG, EVENTS, UNITS
from leasebook.contract.nouns.resource.unit_count import UnitCount

EVENTS_SHOWN: Final = 8
ENDS_SHOWN: Final = 6
ENDS_DRAWN: Final = 100
"""Ends on the timeline, the soonest ones of the whole account: a dot takes a hundred bytes."""
STUCK_SHOWN: Final = 5


async def overview(desk: Desk) -> Response:
    """Show the overview, or its part that changes."""
    now = moment(desk.now)
    # First: the stream begins after the newest of these, and the rest of the page is at least as new.
    events, _ = await desk.try_to(EVENTS, "DescribeEvents", {"maxKeys": EVENTS_SHOWN})
    try:
        account = await account_of(desk)
    except Fault:
        account = None
    counts = await _counts(desk)
    coming, _ = await desk.try_to(UNITS, "DescribeComputeUnits", {"comingEnds": True, "maxKeys": ENDS_DRAWN})
    offerings, _ = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": AT_ONCE})
    ends = figures.soonest([] if coming is None else coming.compute_unit_instance_list, now)
    dots, height = figures.timeline(ends, now)
    return desk.page(
        "overview/part.html" if desk.is_fragment else "overview/overview.html",
        last_event=events.events[0].id if events is not None and events.events else "",
        account_now=account,
        money=await _money(desk, account),
        is_counted=counts is not None,
        types=figures.by_type(counts or ()),
        by_project=figures.by_project(counts or ()),
        project_names=await projects(desk),
        stock=[] if offerings is None else [one for one in offerings.offerings if one.closed_time is None],
        ends=ends[:ENDS_SHOWN],
        ends_all=len(ends),
        # More than are drawn may end within thirty days, if all that are drawn do.
        has_more_ends=coming is not None and coming.is_truncated and len(ends) == ENDS_DRAWN,
        dots=dots,
        height=height,
        ticks=[(x, _tick(desk, seconds)) for x, seconds in figures.ticks()],
        stuck=await _stuck(desk),
        status_of=lambda name: words.status(desk.gettext, name),
        events=[] if events is None else [_event(desk, event) for event in events.events],
        share=figures.share,
        can_follow=desk.can(EVENTS, "FollowEvents"),
    )


async def _counts(desk: Desk) -> Sequence[UnitCount] | None:
    """Return how many units there are by project and type; None where the user may not see them.

    A hundred thousand are counted in some hundredths of a second. Their counts may then be some seconds old, where
    something has happened since.
    """
    if not desk.can(UNITS, "DescribeComputeUnitCounts"):
        return None
    account_id = desk.session.account.id
    event = await desk.parts.context.reader.read(lambda ask: ask.last_event(account_id), party=account_id)
    # Users of an account may have rights for different projects.
    key = ("counts", desk.rights)
    found: Sequence[UnitCount] | None = desk.parts.kept.find(key, event)
    if found is None:
        began = time.monotonic()
        answer, _ = await desk.try_to(UNITS, "DescribeComputeUnitCounts")
        if answer is None:
            return None
        found = answer.counts
        desk.parts.kept.keep(key, found, time.monotonic() - began, event, also_quick=True)
    return found


async def _stuck(desk: Desk) -> list[Any]:
    """Return the first units that need a look: the few of each of these statuses have an index."""
    found: list[Any] = []
    for status in figures.STUCK:
        asked = {"status": status, "maxKeys": STUCK_SHOWN - len(found)}
        answer, _ = await desk.try_to(UNITS, "DescribeComputeUnits", asked)
        found += [] if answer is None else answer.compute_unit_instance_list
        if len(found) == STUCK_SHOWN:
            break
    return found


async def _money(desk: Desk, account: Any) -> dict[str, Any] | None:
    """Return this month's spending by day, of small accounts with a forecast; None where the user does not see it."""
    since, until = figures.month_of(moment(desk.now), desk.zone)
    period = {"from": since, "to": until}
    whole, _ = await desk.try_to(ACCOUNT, "DescribeCosts", {**period, "forecast": is_small(account)})
    if whole is None:
        return None
    try:
        # The bars of a large account come after its page.
        bars = await charges_by_day(desk) if is_small(account) else None
    except Fault:
        bars = []
    budget = None if account is None else account.budget
    return {
        "total": whole.total,
        "budget": budget,
        "over": max(Decimal(0), Decimal(whole.total.billed) - Decimal(budget)) if budget else None,
        "bars": bars,
        "month": since[:7],
    }


def _event(desk: Desk, event: Any) -> dict[str, Any]:
    return {
        "text": words.word(desk.gettext, words.EVENTS, event.type),
        "time": event.time,
        "unit": event.subject if event.type.startswith("unit.") else None,
        "name": event.data.get("instanceName") or event.subject,
        "who": event.data.get("userName"),
    }


def _tick(desk: Desk, seconds: int) -> str:
    if not seconds:
        return desk.gettext("now")
    if seconds < figures.DAY_S:
        return desk.gettext("%(hours)s h") % {"hours": seconds // figures.HOUR_S}
    return desk.gettext("%(days)s d") % {"days": seconds // figures.DAY_S}


async def live(desk: Desk) -> Response:
    """Say whenever something has happened since the page was made, until the session or the server ends."""
    last = desk.request.headers.get("last-event-id") or desk.request.query_params.get("after") or None
    followed = await desk.follow(EVENTS, "FollowEvents", {}, last)
    return StreamingResponse(_changes(desk, followed), media_type="text/event-stream")


async def _changes(desk: Desk, followed: Followed) -> AsyncIterator[bytes]:
    cookie = desk.request.cookies.get(SESSION_COOKIE, "")
    try:
        async for piece in followed.pieces:
            # A stream outlives the call that began it, and must not outlive its session.
            if await desk.parts.sessions.find(cookie) is None:
                yield b"event: ended\ndata:\n\n"
                return
            last = piece.rpartition(b"id: ")[2].partition(b"\n")[0] if b"id: " in piece else None
            yield b": still here\n\n" if last is None else b"id: " + last + b"\nevent: changed\ndata: 1\n\n"
    finally:
        await followed.pieces.aclose()  # type: ignore[attr-defined]


ROUTES: Final = (get("/", overview), get("/live", live))
