"""The calendar of a user, and the form that makes a new address for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.api.inside.calls import UserGone
from leasebook.console.calendar import ical
from leasebook.console.calendar.kept import Contents, Kept, tag_of
from leasebook.console.desk import Desk, Look
from leasebook.console.frame.formats import moment
from leasebook.console.frame.languages import texts
from leasebook.console.frame.words import Translate, marked
from leasebook.console.pages.units.listing import end_of
from leasebook.console.routes import Fields, open_get, post
from leasebook.console.session.pages import record_of
from leasebook.contract import errors as e
from leasebook.contract.action import UNITS
from leasebook.contract.actions import TABLE
from leasebook.domain.model.account import User
from leasebook.domain.values.calendar import from_datetime
from leasebook.translations.catalogues import Language, language_of

LIST: Final = "DescribeComputeUnits"
NOT_MODIFIED: Final = 304
ENTRIES_MAX: Final = 500
"""The first ends that a calendar has. The others come in when these have passed."""


async def calendar(look: Look, _: Fields) -> Response:
    """Answer with the coming ends that the user of the address may see. No session is needed, the address is signed."""
    parts = look.parts
    user = await parts.sessions.user_of_calendar(look.request.path_params["token"])
    if user is None:
        raise _ended(look)
    language = language_of(look.request.query_params.get("language", "")) or look.language
    try:
        kept = await _kept(look, user, language)
    except UserGone:
        raise _ended(look) from None
    headers = {
        "etag": kept.tag,
        "last-modified": format_datetime(moment(kept.made).astimezone(UTC), usegmt=True),
        # Its reader asks each time, and gets the text only where it has changed.
        "cache-control": "private, no-cache",
    }
    if kept.tag in look.request.headers.get("if-none-match", ""):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(kept.text, media_type=ical.MEDIA_TYPE, headers=headers)


async def _kept(look: Look, user: User, language: Language) -> Kept:
    """Return the calendar of a user: the one that was made last where nothing has happened since. Raises UserGone."""
    parts = look.parts
    identity = await parts.calls.identity(user.id)
    rights = (identity.policies, identity.project_policies)
    # The last event is read before the ends: what happens in between makes the calendar be made again.
    event = await parts.context.reader.read(lambda ask: ask.last_event(user.account_id), party=user.account_id)
    contents, now = Contents(rights, language, look.address("/"), event), parts.context.clock.now()
    kept = parts.calendars.find(user.id, contents, now) if identity.may(TABLE[UNITS, LIST]) else None
    if kept is not None:
        return kept
    asked = {"comingEnds": True, "maxKeys": ENTRIES_MAX}
    found = (await parts.calls.do(look.visitor(user.id), UNITS, LIST, asked)).compute_unit_instance_list
    translate = texts(language).gettext
    ends = [(moment(end), one) for one in found if (end := end_of(one)) is not None]
    entries = [_entry(look, one, end, translate) for end, one in ends]
    text = ical.calendar(translate(marked("Leasebook: coming ends")), entries, moment(now))
    kept = Kept(contents, now, from_datetime(ends[0][0]) if ends else None, text, tag_of(text))
    parts.calendars.keep(user.id, kept)
    return kept


async def renew(desk: Desk) -> Response:
    """Make a new address of the user's calendar: the present one holds no more."""
    user = desk.session.user
    if desk.parts.attempts.wait_s(f"calendar {user.id}"):
        raise Fault(e.TOO_MANY_REQUESTS, desk.gettext("There were too many new addresses. Try again in a minute."))
    await desk.parts.sessions.end_calendar(user, record_of(desk.parts, desk.request, "RenewCalendar"))
    return desk.go("/account", done="calendar-renewed")


def _ended(look: Look) -> Fault:
    return Fault(
        e.RESOURCE_NOT_FOUND,
        look.gettext("This calendar has ended, or its address is not complete. The page behind your name has it."),
    )


def _entry(look: Look, unit: Any, end: datetime, translate: Translate) -> ical.Entry:
    name = unit.name or unit.instance_id
    is_release = unit.release_time is not None
    lines = [f"{unit.total_compute_units} \N{MULTIPLICATION SIGN} {unit.type}, {unit.region}", unit.instance_id]
    lines += [f"{key}={value}" for key, value in (unit.tags or {}).items()]
    # A part of a second counts up: what a calendar shows must not come before the end.
    whole = end if not end.microsecond else end.replace(microsecond=0) + timedelta(seconds=1)
    return ical.Entry(
        uid=f"{unit.instance_id}.end@leasebook",
        at=whole,
        summary=(
            translate(marked("%(name)s is released")) if is_release else translate(marked("The term of %(name)s ends"))
        )
        % {"name": name},
        description="\n".join(lines),
        url=look.address(f"/units/{unit.instance_id}"),
        category=translate(marked("Release")) if is_release else translate(marked("Expiry")),
    )


ROUTES: Final = (
    open_get("/calendar/{token}.ics", calendar),
    post("/account/calendar", renew),
)
