"""Buying units: the form, the price and the verdicts beside it, and the confirmation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import choices, words
from leasebook.console.pages.units.bulk import now_of, tags_of
from leasebook.console.pages.units.listing import projects
from leasebook.console.routes import get, post
from leasebook.contract import errors as e
from leasebook.contract.action import CATALOG, UNITS

FIELDS: Final = (
    *("offering", "count", "timing", "months", "choice", "at", "name", "tags", "project", "auto"),
    *("quote", "once"),
)
DIGITS_MAX: Final = 9
MINUTES_A_DAY: Final = 1440
CONFLICT: Final = 409


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """The form as it was filled in: a text for each field."""

    offering: str = ""
    count: str = "1"
    timing: str = "Postpaid"
    months: str = "1"
    choice: str = "none"
    at: str = ""
    name: str = ""
    tags: str = ""
    project: str = ""
    auto: str = ""
    quote: str = ""
    once: str = ""

    @property
    def region_and_type(self) -> tuple[str, str]:
        """The region and the type of the offering."""
        region, _, kind = self.offering.partition("/")
        return region, kind


async def buy_page(desk: Desk) -> Response:
    """Show the form; a link may fill in fields."""
    given = {name: desk.asked(name) for name in FIELDS if desk.asked(name)}
    return await _form(desk, Filled(**given))


async def quote(desk: Desk) -> Response:
    """Show what the purchase would cost, and every rule's verdict: beside the form, or with it without a script."""
    filled = _filled(desk)
    if not desk.is_fragment:
        return await _form(desk, filled, *await _quoted(desk, filled))
    found, fault = await _quoted(desk, filled)
    return desk.page("buy/quote_part.html", **_quote_values(desk, filled, found, fault))


async def confirm(desk: Desk) -> Response:
    """Ask for the confirmation, at a price that is kept for some minutes."""
    filled = _filled(desk)
    found, fault = await _quoted(desk, filled, hold=True)
    if found is None or not found.passed:
        return await _form(desk, filled, found, fault, status=CONFLICT)
    values = _quote_values(desk, filled, found, None)
    return desk.page("buy/confirm.html", **values, names=await projects(desk), tag_map=tags_of(filled.tags))


async def buy(desk: Desk) -> Response:
    """Buy, once for each confirmation, and show the unit."""
    filled = _filled(desk)
    try:
        body = _purchase(desk, filled) | ({"quoteId": filled.quote} if filled.quote else {})
        bought = await desk.do(UNITS, "PurchaseComputeUnit", body, client_token=filled.once or None)
    except Fault as fault:
        return await _form(desk, filled, None, fault, status=fault.error.status)
    return desk.go(f"/units/{bought.instance_id}", done="bought")


def _filled(desk: Desk) -> Filled:
    return Filled(**{name: desk.field(name) for name in FIELDS if name in desk.fields})


async def _quoted(desk: Desk, filled: Filled, *, hold: bool = False) -> tuple[Any | None, Fault | None]:
    """Ask for the quote; returns it, or why there is none."""
    try:
        body = _purchase(desk, filled) | ({"hold": True} if hold else {})
        return await desk.do(UNITS, "QuotePurchase", body), None
    except Fault as fault:
        return None, fault


def _purchase(desk: Desk, filled: Filled) -> dict[str, Any]:
    """Return the body of the purchase; raises Fault where a field has no value that could be sent."""
    region, kind = filled.region_and_type
    if not kind:
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("Choose a type."))
    billing: dict[str, Any] = {"paymentTiming": filled.timing}
    if filled.timing == "Prepaid":
        billing["reservation"] = {
            "reservationTimeUnit": "Month",
            "reservationLength": _whole(desk, filled.months, desk.gettext("Months")),
            **({"autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 1} if filled.auto else {}),
        }
    elif (at := _release(desk, filled)) is not None:
        billing["releaseTime"] = at
    tags = tags_of(filled.tags)
    return {
        "billing": billing,
        "computeUnitConfig": {"region": region, "type": kind},
        "computeUnitCount": _whole(desk, filled.count, desk.gettext("Count")),
        **({"name": filled.name} if filled.name else {}),
        **({"tags": tags} if tags else {}),
        **({"projectId": filled.project} if filled.project not in ("", "default") else {}),
    }


def _release(desk: Desk, filled: Filled) -> str | None:
    try:
        return choices.meant(filled.choice, filled.at, desk.zone, now_of(desk))
    except choices.BadChoice:
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("Choose a release time, or type one.")) from None


def _whole(desk: Desk, text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("%(what)s is a whole number from 1 on.") % {"what": what})
    return int(text)


async def _form(
    desk: Desk, filled: Filled, found: Any | None = None, fault: Fault | None = None, *, status: int = 200
) -> Response:
    offerings, refusal = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    rows = [] if offerings is None else offerings.offerings
    sold = [row for row in rows if row.kind == "ComputingUnit" and row.closed_time is None]
    if not filled.offering and sold:
        filled = msgspec.structs.replace(filled, offering=f"{sold[0].region}/{sold[0].type}")
    if found is None and fault is None and sold:
        found, fault = await _quoted(desk, filled)
    return desk.page(
        "buy/buy.html",
        status,
        **_quote_values(desk, filled, found, fault or refusal),
        sold=sold,
        projects=await projects(desk),
        choices=choices.CHOICES,
    )


def _quote_values(desk: Desk, filled: Filled, found: Any | None, fault: Fault | None) -> dict[str, Any]:
    """Return what shows a quote: with the costs of a day, and until the release where there is one."""
    release, a_day = None, None
    if found is not None and filled.timing == "Postpaid":
        release = _release(desk, filled)
        if found.price_per_unit is not None:
            a_day = Decimal(found.price_per_unit) * found.compute_unit_count * MINUTES_A_DAY
    return {
        "filled": filled,
        "quote": found,
        "fault": fault,
        "release": release,
        "a_day": a_day,
        "rule": lambda name: words.word(desk.gettext, words.RULES, name),
    }


ROUTES: Final = (
    get("/buy", buy_page),
    post("/buy/quote", quote),
    post("/buy/confirm", confirm),
    post("/buy", buy),
)
