"""The list of units, and the page of one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import choices, words
from leasebook.console.pages.units import bulk
from leasebook.console.pages.units.csv_file import units_csv
from leasebook.console.pages.units.listing import buyers, end_of, listed, projects, wanted_by
from leasebook.console.pages.units.replicas import replicas_on
from leasebook.console.routes import get, post
from leasebook.contract.action import ACCOUNT, CATALOG, UNITS
from leasebook.contract.amounts import PLAIN

CONFLICT: Final = 409
DIGITS_MAX: Final = 3
RELEASES: Final = ("unit.releaseSet", "unit.releaseMoved")
"""Events whose line has the release time."""
NOTICES: Final = {
    "kept": words.marked("It is kept longer."),
    "set": words.marked("Its release time is set."),
    "cleared": words.marked("It has no release time any more."),
    "released": words.marked("It was released, and its bill ends."),
    "prepaid": words.marked("It is prepaid now."),
    "bought": words.marked("It was bought."),
}
"""By the query of the unit's page: the sentence about the form that was just sent."""


async def units(desk: Desk) -> Response:
    """List the units."""
    wanted = wanted_by(desk)
    found = await listed(desk, wanted)
    offerings, _ = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    rows = [] if offerings is None else [one for one in offerings.offerings if one.kind == "ComputingUnit"]
    return desk.page(
        "units/list_part.html" if desk.is_fragment else "units/list.html",
        wanted=wanted,
        found=found,
        projects=await projects(desk),
        buyers=await buyers(desk, wanted.filters.get("userId", "")),
        types=sorted({one.type for one in rows}),
        regions=sorted({one.region for one in rows}),
        statuses=[name for name in words.STATUSES if name != "Released"],
        end_of=end_of,
        status_of=lambda name: words.status(desk.gettext, name),
        choices=choices.CHOICES,
        is_none=desk.asked("none") == "1",
    )


async def unit(desk: Desk) -> Response:
    """Show a unit: its state, its costs, its story, and the deeds that matter."""
    return await _unit_page(desk, desk.request.path_params["unit"])


async def _unit_page(desk: Desk, unit_id: str, fault: Fault | None = None) -> Response:
    answer = await desk.do(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
    explained, _ = await desk.try_to(UNITS, "ExplainComputeUnit", {"instanceId": unit_id})
    row = answer.compute_unit_instance
    return desk.page(
        "units/unit.html",
        200 if fault is None else fault.error.status,
        unit=row,
        usages=answer.service_usage_list,
        explained=explained,
        lines=[] if explained is None else _explained(desk, row, explained.text),
        story=[] if explained is None else [_story_line(desk, event) for event in explained.events],
        end=end_of(row),
        price=await _price(desk, row.region, row.type),
        project_names=await projects(desk),
        running=await replicas_on(desk, unit_id, answer.service_usage_list),
        state_of=lambda name: words.status(desk.gettext, name, words.REPLICA_STATES),
        status_of=lambda name: words.status(desk.gettext, name),
        choices=choices.CHOICES,
        notice=desk.gettext(NOTICES[desk.asked("done")]) if desk.asked("done") in NOTICES else "",
        fault=fault,
        times=_times,
    )


def _explained(desk: Desk, row: Any, text: str) -> list[Markup]:
    """Return the lines of an explanation; the first one says the status and the billing, in the reader's words."""
    first, *others = (desk.sentence(line) for line in text.splitlines())
    if desk.language == "en":
        return [first, *others]
    name, paren, rest = first.partition(")" if row.name else row.status)
    known = {
        row.status: words.status(desk.gettext, row.status)[0],
        row.payment_timing.lower(): desk.gettext(words.TIMINGS[row.payment_timing]).lower(),
    }
    rest = paren + rest
    for word, said in known.items():
        rest = rest.replace(word, said, 1)
    return [name + rest, *others]


def _story_line(desk: Desk, event: Any) -> dict[str, Any]:
    """Return an event as the story shows it."""
    data = event.data
    return {
        "text": words.word(desk.gettext, words.EVENTS, event.type),
        "time": event.time,
        "who": data.get("userName"),
        "why": data.get("operatorReason"),
        "release_time": data.get("releaseTime") if event.type in RELEASES else None,
    }


def _times(price: str, units_count: int, months: int = 1) -> Decimal:
    """Return a price for some units, exactly."""
    return Decimal(price) * units_count * months


async def _price(desk: Desk, region: str, kind: str) -> Any:
    """Return the offering of a unit, for its prices; None where there is none any more."""
    answer, _ = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    rows = [] if answer is None else answer.offerings
    return next((one for one in rows if (one.region, one.type) == (region, kind)), None)


async def keep(desk: Desk) -> Response:
    """Keep a unit longer: its release moves by some hours."""
    unit_id = desk.request.path_params["unit"]
    answer = await desk.do(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
    hours = choices.HOURS.get(desk.field("hours"), choices.HOURS["2h"])
    present = answer.compute_unit_instance.release_time
    at = choices.later(present, hours, bulk.now_of(desk), desk.field("counted_from"))
    return await _done(desk, unit_id, "AutoReleaseComputeUnit", {"releaseTime": at}, "kept")


async def release_at(desk: Desk) -> Response:
    """Set, move or clear the release time of a unit."""
    unit_id = desk.request.path_params["unit"]
    if desk.field("choice") == "none":
        return await _done(desk, unit_id, "AutoReleaseComputeUnit", {"releaseTime": None}, "cleared")
    try:
        at = bulk.time_of(desk)
    except Fault as fault:
        return await _unit_page(desk, unit_id, fault)
    return await _done(desk, unit_id, "AutoReleaseComputeUnit", {"releaseTime": at}, "set")


async def release_now(desk: Desk) -> Response:
    """End a unit, once its reader is sure."""
    unit_id = desk.request.path_params["unit"]
    if desk.field("sure") != "1":
        answer = await desk.do(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
        row = answer.compute_unit_instance
        return desk.page("units/sure.html", units=[row], count=row.total_compute_units)
    return await _done(desk, unit_id, "ReleaseComputeUnit", {}, "released")


async def make_prepaid(desk: Desk) -> Response:
    """Pay a postpaid unit by the month from now on, once its reader has seen the price and is sure."""
    unit_id, typed = desk.request.path_params["unit"], desk.field("months")
    months = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= DIGITS_MAX else 1
    has_changed = False
    if desk.field("sure") == "1":
        shown = desk.field("shown")
        body = {
            "instanceId": unit_id,
            "paymentTiming": "Prepaid",
            "reservation": {"reservationTimeUnit": "Month", "reservationLength": months},
            # Where no price was shown, none was confirmed.
            "maxAmount": shown if PLAIN.fullmatch(shown) else "0",
        }
        try:
            await desk.do(UNITS, "ChangeBilling", body, client_token=desk.field("once") or None)
        except Fault as fault:
            if fault.field != "maxAmount":
                return await _unit_page(desk, unit_id, fault)
            has_changed = True
        else:
            return desk.go(f"/units/{unit_id}", done="prepaid")
    row = (await desk.do(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})).compute_unit_instance
    price = await _price(desk, row.region, row.type)
    a_month = None if price is None else price.price_per_month
    account, _ = await desk.try_to(ACCOUNT, "DescribeAccount")
    return desk.page(
        "units/sure_prepaid.html",
        CONFLICT if has_changed else 200,
        unit=row,
        months=months,
        a_month=None if a_month is None else _times(a_month, row.total_compute_units),
        total=None if a_month is None else _times(a_month, row.total_compute_units, months),
        account_now=account,
        has_changed=has_changed,
    )


async def _done(desk: Desk, unit_id: str, action: str, body: dict[str, Any], done: str) -> Response:
    """Change a unit and show it; a refusal is shown on its page."""
    try:
        await desk.do(UNITS, action, {"instanceId": unit_id, **body}, client_token=desk.field("once") or None)
    except Fault as fault:
        return await _unit_page(desk, unit_id, fault)
    return desk.go(f"/units/{unit_id}", done=done)


ROUTES: Final = (
    get("/units", units),
    get("/units.csv", units_csv),
    post("/units/change", bulk.bulk),
    get("/units/{unit}", unit),
    post("/units/{unit}/keep", keep),
    post("/units/{unit}/release-at", release_at),
    post("/units/{unit}/release", release_now),
    post("/units/{unit}/prepaid", make_prepaid),
)
