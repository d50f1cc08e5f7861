"""Changes of one unit or of many, and the sentence about each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import choices
from leasebook.console.frame.formats import moment
from leasebook.console.frame.words import marked
from leasebook.contract import errors as e
from leasebook.contract.action import TAG, UNITS

MOST: Final = 1000
"""Units of one form."""


OUTCOMES: Final[dict[str, str]] = {
    "set": marked("Their release time is set. At that time they are released, and their bill ends."),
    "clear": marked("They have no release time any more: they cost until they are released by hand."),
    "tag": marked("Their tags are set."),
    "release": marked("They were released, and their bill ends."),
}
"""By the change of many units: the sentence about those that were changed."""


class Outcome(msgspec.Struct, frozen=True):
    """A unit, and why it was not changed; empty: it was."""

    unit_id: str
    why: str


async def each(unit_ids: Sequence[str], change: Callable[[str], Awaitable[Any]]) -> list[Outcome]:
    """Change units one after another; a refusal of one does not keep the others."""
    outcomes = []
    for unit_id in unit_ids[:MOST]:
        try:
            await change(unit_id)
        except Fault as fault:
            outcomes.append(Outcome(unit_id, fault.message))
        else:
            outcomes.append(Outcome(unit_id, ""))
    return outcomes


async def bulk(desk: Desk) -> Response:
    """Change the selected units: their release times, their tags, or end them, which is asked once more."""
    unit_ids, deed = desk.many("unit"), desk.field("deed")
    if not unit_ids:
        return desk.go("/units", none="1")
    match deed:
        case "set":
            at = time_of(desk)
            outcomes = await each(unit_ids, lambda unit: schedule(desk, unit, at))
        case "clear":
            outcomes = await each(unit_ids, lambda unit: schedule(desk, unit, None))
        case "tag":
            tags = tags_of(desk.field("tags"))
            outcomes = await each(
                unit_ids, lambda unit: desk.do(TAG, "TagResource", {"resourceId": unit, "tags": tags})
            )
        case "release" if desk.field("sure") == "1":
            outcomes = await each(unit_ids, lambda unit: release(desk, unit))
        case "release":
            return await _ask(desk, unit_ids)
        case _:
            raise Fault(e.INAPPROPRIATE_JSON, f"There is no change {deed[:64]!r}.")
    failed = [one for one in outcomes if one.why]
    return desk.page(
        "units/outcomes.html",
        200 if not failed else 409,
        outcomes=outcomes,
        failed=failed,
        deed=deed,
        said_of=desk.gettext(OUTCOMES[deed]),
        all=len(unit_ids),
    )


async def _ask(desk: Desk, unit_ids: Sequence[str]) -> Response:
    """Ask whether these units are to end now, with each of them."""
    units = []
    for unit_id in unit_ids[:MOST]:
        answer = await desk.do(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
        units.append(answer.compute_unit_instance)
    return desk.page("units/sure.html", units=units, count=sum(unit.total_compute_units for unit in units))


def schedule(desk: Desk, unit_id: str, at: str | None) -> Awaitable[Any]:
    """Set, move or clear a release time."""
    return desk.do(UNITS, "AutoReleaseComputeUnit", {"instanceId": unit_id, "releaseTime": at})


def release(desk: Desk, unit_id: str) -> Awaitable[Any]:
    """End a unit now."""
    return desk.do(UNITS, "ReleaseComputeUnit", {"instanceId": unit_id})


def time_of(desk: Desk) -> str:
    """Return the release time that the form means; raises Fault where it means none."""
    try:
        at = choices.meant(desk.field("choice"), desk.field("at"), desk.zone, now_of(desk))
    except choices.BadChoice:
        at = None
    if at is None:
        raise Fault(e.INAPPROPRIATE_JSON, desk.gettext("Choose a release time, or type one."))
    return at


def now_of(desk: Desk) -> datetime:
    """Return the service's time."""
    return moment(desk.now)


def tags_of(text: str) -> dict[str, str]:
    """Read tags as people type them: ``team=vision, stage=test``."""
    found = {}
    for part in text.replace("\n", ",").split(","):
        key, _, value = part.partition("=")
        if key.strip():
            found[key.strip()] = value.strip()
    return found
