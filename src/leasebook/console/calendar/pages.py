"""The calendar of a user, and the form that makes a new address for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.api.inside.calls import UserGone
from leasebook.console.calendar import ical
from leasebook.console.desk import Desk, Look
from leasebook.console.frame.formats import moment
from leasebook.console.frame.languages import texts
from leasebook.console.frame.words import Translate, marked
from leasebook.console.pages.units.listing import end_of
from leasebook.console.routes import Fields, open_get, post
from leasebook.console.session.pages import record_of
from leasebook.contract import errors as e
from leasebook.contract.action import UNITS
from leasebook.translations.catalogues import language_of

AT_ONCE: Final = 1000
PAGES_MAX: Final = 100
"""Pages of instances that are read: 100,000 of them."""


async def calendar(look: Look, _: Fields) -> Response:
    """Answer with the coming ends that the user of the address may see. No session is needed, the address is signed."""
    parts = look.parts
    user = await parts.sessions.user_of_calendar(look.request.path_params["token"])
    if user is None:
        raise _ended(look)
    try:
        units = await _units(look, user.id)
    except UserGone:
        raise _ended(look) from None
    language = language_of(look.request.query_params.get("language", "")) or look.language
    now = parts.context.clock.now()
    ends = sorted((moment(end), one.instance_id, one) for one in units if (end := end_of(one)) is not None)
    translate = texts(language).gettext
    entries = [_entry(look, one, end, translate) for end, _, one in ends if end > moment(now)]
    name = translate(marked("Leasebook: coming ends"))
    return Response(ical.calendar(name, entries, moment(now)), media_type=ical.MEDIA_TYPE)


async def renew(desk: Desk) -> Response:
    """Make a new address of the user's calendar: the present one holds no more."""
    user = desk.session.user
    if desk.parts.attempts.wait_s(f"calendar {user.id}"):
        raise Fault(e.TOO_MANY_REQUESTS, desk.gettext("There were too many new addresses. Try again in a minute."))
    await desk.parts.sessions.end_calendar(user, record_of(desk.parts, desk.request, "RenewCalendar"))
    return desk.go("/account")


def _ended(look: Look) -> Fault:
    return Fault(
        e.RESOURCE_NOT_FOUND,
        look.gettext("This calendar has ended, or its address is not complete. The page behind your name has it."),
    )


async def _units(look: Look, user_id: str) -> list[Any]:
    """Return the instances that the user may see. Raises Fault and UserGone."""
    visitor, found, marker = look.visitor(user_id), [], None
    for _ in range(PAGES_MAX):
        asked = {"maxKeys": AT_ONCE} | ({"marker": marker} if marker else {})
        page = await look.parts.calls.do(visitor, UNITS, "DescribeComputeUnits", asked)
        found += page.compute_unit_instance_list
        marker = page.next_marker
        if not marker:
            break
    return found


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
