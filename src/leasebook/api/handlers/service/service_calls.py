"""Calls of services: counting them, and summing them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final, TypeVar

from leasebook.api.across import account_meant, require
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.paging import WHOLE, ends, key_of, marker_of, unknown_marker
from leasebook.contract.nouns import service_call as k
from leasebook.domain.commands.service.usage import CountCalls, shown_since
from leasebook.domain.model.usage import ServiceUsage
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US, Instant
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.ports.queries.service_calls import Used, UsedIn

INTERVALS_MAX: Final = 1500
"""Intervals of one answer: a day of minutes, two months of hours, four years of days."""
ANSWER_MAX: Final = 20_000
"""Intervals of one answer, of all its services and apps together; its page ends before there are more."""
TOO_MUCH: Final = (
    f"The calls of the service {{}} are more than {ANSWER_MAX} intervals of apps, more than one answer has. Ask for a "
    "shorter time, a longer interval, or one appId."
)
RATE_DIGITS: Final = 6

Asked = k.CallsRequest
R = TypeVar("R")
S = TypeVar("S")
Listed = tuple[list[S], dict[str, Any]]


async def describe_service_metric(context: Context, call: Call[k.DescribeServiceMetricRequest]) -> k.ServiceMetrics:
    """Sum up the calls of services. Every service that the caller names is listed, without calls too."""
    asked, account_id = call.request, account_meant(call)
    since, _, until = _period(context, asked)
    apps = _apps(asked)
    scope = f"metrics {account_id} {since} {until} {_named(asked)} {apps} {asked.protocol_version}"

    def look(ask: ReadRepository) -> Listed[k.ServiceMetric]:
        require(ask, account_id)

        def rows(service_id: str) -> list[Used]:
            return ask.calls(account_id, since, until, services=(service_id,), apps=apps, most=ANSWER_MAX + 1)

        def shown(service_id: str, name: str, found: list[Used]) -> k.ServiceMetric:
            apps_of = [k.AppMetric(app_id=used.app_id, metric=k.Metric(**_sums(used))) for used in found]
            return k.ServiceMetric(service_id=service_id, service_name=name, app_list=apps_of)

        called = _named(asked) or ask.called(account_id, since, until, apps=apps)
        return _listed(ask, call, called, scope, rows, shown)

    page, end = await context.read(call, look)
    times = {"start_time": asked.start_time, "end_time": asked.end_time}
    start, stop = (context.shown(context.time(text, name)) for name, text in times.items())
    return k.ServiceMetrics(start_time=start, end_time=stop, service_list=page, **end)


async def describe_service_stats(context: Context, call: Call[k.DescribeServiceStatsRequest]) -> k.ServiceStatsPage:
    """Sum up the calls of services by minute, hour or day."""
    asked, account_id = call.request, account_meant(call)
    since, last, before = _period(context, asked)
    seconds = asked.interval
    interval_us = seconds * SECOND_US
    if (last - since) // interval_us >= INTERVALS_MAX:
        raise bad_field("endTime", f"That is more than {INTERVALS_MAX} intervals of {seconds} s. Ask for a part of it.")
    apps = _apps(asked)
    scope = f"stats {account_id} {since} {before} {seconds} {_named(asked)} {apps} {asked.protocol_version}"
    by_minute = interval_us < HOUR_US
    begin = cache(lambda number: context.shown(Instant(since + number * interval_us)))

    def look(ask: ReadRepository) -> Listed[k.ServiceStats]:
        require(ask, account_id)
        first, until, most = since, before, ANSWER_MAX + 1
        if by_minute:
            first = max(Instant(since // HOUR_US * HOUR_US), shown_since(context.clock.now()))
            until = Instant(last + MINUTE_US)

        def rows(service_id: str) -> list[UsedIn]:
            one = (service_id,)
            if by_minute:
                hours = ask.hours_with_minutes(account_id, first, until, services=one, apps=apps)
                return list(islice(_minutes(hours, since, last), most))
            return ask.call_intervals(account_id, first, until, interval_us, services=one, apps=apps, most=most)

        def shown(service_id: str, name: str, found: list[UsedIn]) -> k.ServiceStats:
            by_app: dict[str, list[k.IntervalMetric]] = {}
            for number, used in found:
                by_app.setdefault(used.app_id, []).append(_interval(used, begin(number), seconds // 60))
            apps_of = [k.AppStats(app_id=app_id, metrics=metrics) for app_id, metrics in by_app.items()]
            return k.ServiceStats(service_id=service_id, service_name=name, app_list=apps_of)

        called = _named(asked) or ask.called(account_id, first, until, apps=apps)
        return _listed(ask, call, called, scope, rows, shown, sure=not by_minute)

    page, end = await context.read(call, look)
    return k.ServiceStatsPage(service_list=page, **end)


def _listed(
    ask: ReadRepository,
    call: Call[Any],
    called: Sequence[str],
    scope: str,
    rows: Callable[[str], list[R]],
    shown: Callable[[str, str, list[R]], S],
    *,
    sure: bool = True,
) -> Listed[S]:
    """Return the services of a page, and what the page says of itself. Raises Fault.

    The rows of a service are asked for when its turn comes, and the page ends before ``ANSWER_MAX`` rows are exceeded.
    ``sure``: a service that was called has rows.
    """
    asked: Asked = call.request
    size, left, page, last = WHOLE.of(asked.max_keys), ANSWER_MAX, list[S](), ""
    after = _after(ask, call, called, scope)
    for service_id, name in _services(ask, call, (one for one in called if one > after)):
        if len(page) == size and sure:
            return page, ends(asked, size, marker_of([last], scope))
        found = rows(service_id)
        if not found and not asked.service_id:
            continue
        if page and (len(page) == size or len(found) > left):
            return page, ends(asked, size, marker_of([last], scope))
        if len(found) > left:
            raise bad_field("endTime", TOO_MUCH.format(service_id))
        left -= len(found)
        page.append(shown(service_id, name, found))
        last = service_id
    return page, ends(asked, size, None)


def _after(ask: ReadRepository, call: Call[Any], called: Sequence[str], scope: str) -> str:
    """Return the service after which the page begins, which a marker may also name itself; raises Fault."""
    marker = call.request.marker
    try:
        after = key_of(marker, scope)
    except Fault:
        if marker not in called or not list(_services(ask, call, [marker])):
            raise
        return str(marker)
    if after is None:
        return ""
    if [type(part) for part in after] != [str]:
        raise unknown_marker()
    return str(after[0])


def _minutes(hours: Iterable[ServiceUsage], since: Instant, last: Instant) -> Iterator[UsedIn]:
    """Yield the minutes of some hours that lie in a period; ``last`` is its last minute."""
    for row in hours:
        for minute, *sums in row.minutes:
            at = row.hour + minute * MINUTE_US
            if since <= at <= last:
                yield UsedIn((at - since) // MINUTE_US, Used(row.service_id, row.app_id, *sums))


def _interval(used: Used, start: str, minutes: int) -> k.IntervalMetric:
    sums = _sums(used)
    return k.IntervalMetric(
        start_time=start,
        tpm=round(sums["tokens_total"] / minutes, RATE_DIGITS),
        rpm=round(sums["call_total"] / minutes, RATE_DIGITS),
        **sums,
    )


def _period(context: Context, asked: Asked) -> tuple[Instant, Instant, Instant]:
    """Return the first and the last minute that are asked for, and before when its hours begin; raises Fault.

    The seconds of the start count as 00 and those of the end as 59. Only an end at the very beginning of an hour leaves
    that hour out (decision 40a).
    """
    since, until = context.time(asked.start_time, "startTime"), context.time(asked.end_time, "endTime")
    first, last = (Instant(at // MINUTE_US * MINUTE_US) for at in (since, until))
    if last < first or until <= since:
        raise bad_field("endTime", "The end comes after the start.")
    return first, last, Instant(until if until % HOUR_US == 0 else last + MINUTE_US)


def _services(ask: ReadRepository, call: Call[Any], ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield id and name of those of some services that are to be listed.

    A name that the caller does not have is left out, like a service with another version of the protocol than asked
    for.
    """
    asked: Asked = call.request
    account_id = account_meant(call)
    version = None if asked.service_id else asked.protocol_version
    for one in ids:
        row = ask.service(one)
        if row is not None and row.account_id == account_id and version in (None, row.protocol_version):
            yield one, row.name


def _named(asked: Asked) -> list[str]:
    """Return the services that the caller names, by id; none: all that were called are asked for."""
    return sorted(set(asked.service_id or ()))


def _apps(asked: Asked) -> tuple[str, ...] | None:
    """Return the apps that are asked for, which may be one in a text; None: all."""
    apps = (asked.app_id,) if isinstance(asked.app_id, str) else tuple(asked.app_id or ())
    return apps or None


def _sums(used: Used) -> dict[str, int]:
    """Return the fields of ``Metric``."""
    return {
        "input_tokens_total": used.input_tokens,
        "output_tokens_total": used.output_tokens,
        "tokens_total": used.input_tokens + used.output_tokens,
        "succeed_call_total": used.succeeded,
        "failure_call_total": used.failed,
        "call_total": used.succeeded + used.failed,
    }


async def count_service_calls(context: Context, call: Call[k.CountServiceCallsRequest]) -> bool:
    """Count calls of a service."""
    asked = call.request
    command = CountCalls(
        token=call.token(),
        account_id=call.caller.account_id,
        service_id=asked.service_id,
        app_id=asked.app_id,
        at=context.time(asked.time, "time") if asked.time else context.clock.now(),
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        succeeded=asked.succeeded,
        failed=asked.failed,
        package_id=asked.package_id,
    )
    done: bool = await context.submit(call, command)
    return done


_ALL: Final[tuple[Any, ...]] = (describe_service_metric, describe_service_stats, count_service_calls)
OPERATIONS: Final[dict[str, Operation]] = {operation.__name__: operation for operation in _ALL}
