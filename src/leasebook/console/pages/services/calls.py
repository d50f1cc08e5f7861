"""The calls and tokens of a service, as charts and as sums by app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame.chart import Chart, stacked
from leasebook.console.frame.formats import moment
from leasebook.console.frame.words import marked
from leasebook.contract.action import SERVICE

HOUR_S: Final = 3600
DAY_S: Final = 86_400
PAGES_MAX: Final = 20
"""Pages of apps that are summed up: two thousand apps."""


class Span(NamedTuple):
    """A length of time that a reader may choose: its name, how many intervals, and the seconds of each."""

    name: str
    intervals: int
    seconds: int


SPANS: Final = {
    "day": Span(marked("24 hours"), 24, HOUR_S),
    "week": Span(marked("7 days"), 7, DAY_S),
    "month": Span(marked("30 days"), 30, DAY_S),
}


class Sums(msgspec.Struct):
    """Calls and tokens of an app."""

    succeeded: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class Calls(msgspec.Struct, frozen=True):
    """The calls of a span: the two charts, and the sums by app. ``fault``: why they are not shown."""

    span: str
    calls: Chart | None = None
    tokens: Chart | None = None
    apps: Mapping[str, Sums] = {}
    is_complete: bool = True
    fault: Fault | None = None


async def calls_of(desk: Desk, service_id: str) -> Calls | None:
    """Return the calls of a service in the span that the reader asked for; None where the user may not see them."""
    if not desk.can(SERVICE, "DescribeServiceStats"):
        return None
    name = desk.asked("span") if desk.asked("span") in SPANS else "week"
    span = SPANS[name]
    starts = starts_of(span, moment(desk.now).astimezone(ZoneInfo(desk.zone)))
    asked: dict[str, Any] = {
        "startTime": starts[0].isoformat(),
        "endTime": last_minute_of(span, starts).isoformat(),
        "interval": span.seconds,
        "serviceId": [service_id],
        "maxKeys": 100,
    }
    places = {start.timestamp(): place for place, start in enumerate(starts)}
    names = names_of(span, starts)
    calls: dict[tuple[str, str], Decimal] = {}
    tokens: dict[tuple[str, str], Decimal] = {}
    apps: dict[str, Sums] = {}
    marker = None
    for _ in range(PAGES_MAX):
        found, fault = await desk.try_to(
            SERVICE, "DescribeServiceStats", asked | ({"marker": marker} if marker else {})
        )
        if found is None:
            return Calls(name, fault=fault)
        for app in (app for service in found.service_list for app in service.app_list):
            sums = apps.setdefault(app.app_id, Sums())
            for one in app.metrics:
                period = names[places[moment(one.start_time).timestamp()]]
                sums.succeeded += one.succeed_call_total
                sums.failed += one.failure_call_total
                sums.tokens_in += one.input_tokens_total
                sums.tokens_out += one.output_tokens_total
                _add(calls, period, desk.gettext("succeeded"), one.succeed_call_total)
                _add(calls, period, desk.gettext("failed"), one.failure_call_total)
                _add(tokens, period, desk.gettext("tokens in"), one.input_tokens_total)
                _add(tokens, period, desk.gettext("tokens out"), one.output_tokens_total)
        marker = found.next_marker
        if not marker:
            break
    return Calls(
        name,
        stacked(names, calls, least_step=Decimal(1)),
        stacked(names, tokens, least_step=Decimal(1)),
        apps=dict(sorted(apps.items())),
        is_complete=not marker,
    )


def starts_of(span: Span, local: datetime) -> list[datetime]:
    """Return when the intervals begin, the present one last; days begin at midnight."""
    if span.seconds == HOUR_S:
        last = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        return [(last - timedelta(hours=back)).astimezone(local.tzinfo) for back in reversed(range(span.intervals))]
    # Days of 24 hours, as the action counts them, back from the last midnight.
    midnight = datetime.combine(local.date(), time(), local.tzinfo).astimezone(UTC)
    return [(midnight - timedelta(days=back)).astimezone(local.tzinfo) for back in reversed(range(span.intervals))]


def last_minute_of(span: Span, starts: Sequence[datetime]) -> datetime:
    """Return the last minute of the last interval; the action counts it whole."""
    return starts[-1].astimezone(UTC) + timedelta(seconds=span.seconds - 60)


def names_of(span: Span, starts: Sequence[datetime]) -> list[str]:
    """Return the names of the intervals, all different: an hour that comes twice has its offset the second time.

    A day that begins an hour off behind a change of clocks has its own date.
    """
    if span.seconds == HOUR_S:
        return [f"{start:%m-%d %H:%M}" + (f" {start:%z}" if start.fold else "") for start in starts]
    zone = starts[-1].tzinfo
    return [f"{(start.astimezone(UTC) + timedelta(hours=12)).astimezone(zone):%Y-%m-%d}" for start in starts]


def _add(amounts: dict[tuple[str, str], Decimal], period: str, series: str, number: int) -> None:
    amounts[period, series] = amounts.get((period, series), Decimal(0)) + number
