"""Health: due and late work, the servers, the capacity of engines, and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.navigation import marked
from leasebook.contract.action import CATALOG, CLOCK
from leasebook.contract.nouns.clock import DueKindWork, LatenessCount

READY: Final = 200
RELEASE: Final = "release"
LATE_S: Final = 60
"""From this many seconds of lateness on, a release is shown as late; before, as in hand."""
SILENT_S: Final = 30
"""From this many seconds without a sign of life on, a server is shown as silent."""
KINDS: Final[dict[str, str]] = {
    "renew": marked("Renewals"),
    "release": marked("Releases"),
    "expire": marked("Expiries"),
    "retire": marked("Ends of retention"),
    "charge": marked("Charges"),
    "stop": marked("Stops for unpaid hours"),
    "resume": marked("Resumptions"),
    "remind": marked("Reminders"),
    "approval": marked("Requests for approval"),
}
STEPS: Final = (
    (0.1, marked("up to 0.1 s"), "week"),
    (1.0, marked("up to 1 s"), "week"),
    (10.0, marked("up to 10 s"), "day"),
    (60.0, marked("up to a minute"), "day"),
    (300.0, marked("up to 5 minutes"), "soon"),
    (3600.0, marked("up to an hour"), "now"),
    (None, marked("longer"), "now"),
)
"""The bars of the histogram: a bound in seconds, its name, and the class that colours it."""
LEAST: Final = 1.5
"""Percent that the bar of a single release has at least, beside a million others."""


class LateBar(NamedTuple):
    """A bar of the histogram: its name, how many releases it has, its breadth in percent, and its class."""

    name: str
    releases: int
    width: float
    kind: str


async def health(desk: Desk) -> Response:
    """Show the page, or its part about due work, which loads again by itself."""
    work, fault = await desk.try_to(CLOCK, "DescribeDueWork")
    about: dict[str, Any] = {
        "work": work,
        "work_fault": fault,
        "bars": () if work is None else histogram(work.lateness),
        "shown": [] if work is None else [one for one in work.kinds if one.kind == RELEASE or is_busy(one)],
        "coming": 0 if work is None else sum(one.due_within_hour for one in work.kinds if one.kind == RELEASE),
        "releases": 0 if work is None else sum(one.releases for one in work.lateness),
        "kinds": KINDS,
        "late_s": LATE_S,
        "silent_s": SILENT_S,
    }
    if desk.is_fragment:
        return desk.page("admin/health_work.html", **about)
    clock, _ = await desk.try_to(CLOCK, "DescribeClock")
    ready = await desk.parts.health.public_page("/readyz")
    return desk.page(
        "admin/health.html",
        engines=await desk.do(CATALOG, "DescribeEngines"),
        clock=clock,
        is_ready=ready is not None and ready.status == READY,
        may_move=desk.can(CLOCK, "AdvanceClock") and clock is not None and clock.mode == "virtual",
        **about,
    )


async def move_clock(desk: Desk) -> Response:
    """Move a virtual clock, with everything that falls due until then."""
    await desk.do(CLOCK, "AdvanceClock", {"to": desk.on_own_clocks(desk.field("to"))})
    return desk.go("/admin/health", done="clock-moved")


def is_busy(work: DueKindWork) -> bool:
    """Whether there was, is or comes work of a kind. The page leaves the other kinds out."""
    return bool(work.overdue or work.due_within_hour or work.done)


def histogram(counts: Sequence[LatenessCount]) -> list[LateBar]:
    """Return the bars of a histogram: each has the releases that are later than the bar before, up to its own bound."""
    sums = [0] * len(STEPS)
    for one in counts:
        bound = one.up_to_seconds
        place = next(
            (
                number
                for number, (most, _, _) in enumerate(STEPS)
                if most is not None and bound is not None and bound <= most
            ),
            len(STEPS) - 1,
        )
        sums[place] += one.releases
    most = max(sums)
    return [
        LateBar(name, releases, round(max(LEAST, 100 * releases / most), 2) if releases else 0.0, kind)
        for (_, name, kind), releases in zip(STEPS, sums, strict=True)
    ]
