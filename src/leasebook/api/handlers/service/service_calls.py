"""Calls of services: counting them, and summing them up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.paging import part
from leasebook.contract.nouns import service_call as k
from leasebook.domain.commands.service.usage import CountCalls
from leasebook.domain.model.usage import MINUTES_KEEP_US, ServiceUsage
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US, Instant
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.ports.queries.service_calls import Used, UsedIn

INTERVALS_MAX: Final = 1500
"""Intervals of one answer: a day of minutes, two months of hours, four years of days."""
RATE_DIGITS: Final = 6

Asked = k.DescribeServiceMetricRequest | k.DescribeServiceStatsRequest
Services = list[tuple[str, str]]


async def describe_service_metric(context: Context, call: Call[k.DescribeServiceMetricRequest]) -> k.ServiceMetrics:
    """Sum up the calls of services. Every service that the caller names is listed, without calls too."""
    asked, account_id = call.request, call.caller.account_id
    since, last = _period(context, asked)
    services, apps = tuple(asked.service_id or ()) or None, _apps(asked)

    def look(ask: ReadRepository) -> tuple[list[Used], Services]:
        # An end at a full hour leaves out the hour that begins there (decision 40a).
        found = ask.calls(account_id, since, last, services=services, apps=apps)
        return found, _services(ask, call, [used.service_id for used in found])

    found, known = await context.read(call, look)
    rows = [
        k.ServiceMetric(
            service_id=service_id,
            service_name=name,
            app_list=[
                k.AppMetric(app_id=used.app_id, metric=k.Metric(**_sums(used)))
                for used in found
                if used.service_id == service_id
            ],
        )
        for service_id, name in known
    ]
    scope = f"metrics {account_id} {since} {last} {services} {apps} {asked.protocol_version}"
    page, end = part(rows, lambda row: (row.service_id,), asked, scope, row_id=lambda row: row.service_id)
    times = {"start_time": asked.start_time, "end_time": asked.end_time}
    start, stop = (context.shown(context.time(text, name)) for name, text in times.items())
    return k.ServiceMetrics(start_time=start, end_time=stop, service_list=page, **end)


async def describe_service_stats(context: Context, call: Call[k.DescribeServiceStatsRequest]) -> k.ServiceStatsPage:
    """Sum up the calls of services by minute, hour or day."""
    asked, account_id = call.request, call.caller.account_id
    since, last = _period(context, asked)
    seconds = asked.interval
    interval_us = seconds * SECOND_US
    if (last - since) // interval_us >= INTERVALS_MAX:
        raise bad_field("endTime", f"That is more than {INTERVALS_MAX} intervals of {seconds} s. Ask for a part of it.")
    services, apps = tuple(asked.service_id or ()) or None, _apps(asked)

    def look(ask: ReadRepository) -> tuple[list[UsedIn], Services]:
        if interval_us < HOUR_US:
            first = Instant(max(since, context.clock.now() - MINUTES_KEEP_US) // HOUR_US * HOUR_US)
            until = Instant(last + MINUTE_US)
            hours = ask.hours_with_minutes(account_id, first, until, services=services, apps=apps)
            found = list(_minutes(hours, since, last))
        else:
            found = ask.call_intervals(account_id, since, last, interval_us, services=services, apps=apps)
        return found, _services(ask, call, [one.used.service_id for one in found])

    found, known = await context.read(call, look)
    rows: list[k.ServiceStats] = []
    for service_id, name in known:
        by_app: dict[str, list[k.IntervalMetric]] = {}
        for number, used in found:
            if used.service_id == service_id:
                shown = _interval(used, context.shown(Instant(since + number * interval_us)), seconds // 60)
                by_app.setdefault(used.app_id, []).append(shown)
        apps_of = [k.AppStats(app_id=app_id, metrics=metrics) for app_id, metrics in by_app.items()]
        rows.append(k.ServiceStats(service_id=service_id, service_name=name, app_list=apps_of))
    scope = f"stats {account_id} {since} {last} {seconds} {services} {apps} {asked.protocol_version}"
    page, end = part(rows, lambda row: (row.service_id,), asked, scope, row_id=lambda row: row.service_id)
    return k.ServiceStatsPage(service_list=page, **end)


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


def _period(context: Context, asked: Asked) -> tuple[Instant, Instant]:
    """Return the first and the last minute that are asked for; raises Fault.

    The seconds of the start count as 00 and those of the end as 59.
    """
    since, until = context.time(asked.start_time, "startTime"), context.time(asked.end_time, "endTime")
    first, last = (Instant(at // MINUTE_US * MINUTE_US) for at in (since, until))
    if last < first or until <= since:
        raise bad_field("endTime", "The end comes after the start.")
    return first, last


def _services(ask: ReadRepository, call: Call[Any], called: Iterable[str]) -> Services:
    """Return id and name of the services to list, by id: those that the caller names, or else those with calls.

    A name that the caller does not have is left out, like a service with another version of the protocol than asked
    for.
    """
    asked: Asked = call.request
    rows = {one: ask.service(one) for one in sorted(set(asked.service_id or called))}
    version = None if asked.service_id else asked.protocol_version
    return [
        (one, row.name)
        for one, row in rows.items()
        if row is not None and row.account_id == call.caller.account_id and version in (None, row.protocol_version)
    ]


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
