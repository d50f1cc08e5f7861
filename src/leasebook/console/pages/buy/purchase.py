"""A purchase as a form describes it: its body, its quote, and what a page shows of the quote."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import choices, words
from leasebook.console.pages.units.bulk import now_of, tags_of
from leasebook.contract import errors as e
from leasebook.contract.action import CATALOG, UNITS

DIGITS_MAX: Final = 9
MINUTES_A_DAY: Final = 1440
MINUTE: Final = timedelta(minutes=1)


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


async def quoted(desk: Desk, filled: Filled, *, hold: bool = False) -> tuple[Any | None, Fault | None]:
    """Ask for the quote; returns it, or why there is none."""
    try:
        body = purchase_of(desk, filled) | ({"hold": True} if hold else {})
        return await desk.do(UNITS, "QuotePurchase", body), None
    except Fault as fault:
        return None, fault


def billing_of(desk: Desk, filled: Filled) -> dict[str, Any]:
    """Return how it is paid, as requests say it; raises Fault where a field has no value that could be sent."""
    billing: dict[str, Any] = {"paymentTiming": filled.timing}
    if filled.timing == "Prepaid":
        billing["reservation"] = {
            "reservationTimeUnit": "Month",
            "reservationLength": whole(desk, filled.months, desk.gettext("Months")),
            **({"autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 1} if filled.auto else {}),
        }
    elif (at := _release(desk, filled)) is not None:
        billing["releaseTime"] = at
    return billing


def purchase_of(desk: Desk, filled: Filled) -> dict[str, Any]:
    """Return the body of the purchase; raises Fault where a field has no value that could be sent."""
    region, kind = filled.region_and_type
    if not kind:
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("Choose a type."))
    tags = tags_of(filled.tags)
    return {
        "billing": billing_of(desk, filled),
        "computeUnitConfig": {"region": region, "type": kind},
        "computeUnitCount": whole(desk, filled.count, desk.gettext("Count")),
        **({"name": filled.name} if filled.name else {}),
        **({"tags": tags} if tags else {}),
        **({"projectId": filled.project} if filled.project not in ("", "default") else {}),
    }


def _release(desk: Desk, filled: Filled) -> str | None:
    try:
        return choices.meant(filled.choice, filled.at, desk.zone, now_of(desk))
    except choices.BadChoice:
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("Choose a release time, or type one.")) from None


def whole(desk: Desk, text: str, what: str) -> int:
    """Return a number that was typed; raises Fault, which names the field."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("%(what)s is a whole number from 1 on.") % {"what": what})
    return int(text)


def quote_values(desk: Desk, filled: Filled, found: Any | None, fault: Fault | None) -> dict[str, Any]:
    """Return what shows a quote: with the costs of a day, and until the release where there is one."""
    release, a_day, until_release = None, None, None
    if found is not None and filled.timing == "Postpaid":
        release = _release(desk, filled)
        if found.price_per_unit is not None:
            a_minute = Decimal(found.price_per_unit) * found.compute_unit_count
            a_day = a_minute * MINUTES_A_DAY
            # Started minutes are charged. It begins a moment after this, so there are no more of them.
            until_release = None if release is None else a_minute * minutes_until(release, now_of(desk))
    return {
        "filled": filled,
        "quote": found,
        "fault": fault,
        "release": release,
        "a_day": a_day,
        "until_release": until_release,
        "rule": lambda name: words.word(desk.gettext, words.RULES, name),
    }


def minutes_until(release: str, now: datetime) -> int:
    """Return the minutes from now until a release, a started one as a whole one."""
    return max(0, -(-(datetime.fromisoformat(release) - now) // MINUTE))


async def sold_to(desk: Desk) -> tuple[list[Any], Fault | None]:
    """Return the offerings of units that are sold, or why they are not shown."""
    offerings, refusal = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    rows = [] if offerings is None else offerings.offerings
    return [row for row in rows if row.kind == "ComputingUnit" and row.closed_time is None], refusal
