"""Calls of services: counting them, and summing them up."""

from __future__ import annotations

from typing import Any, Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.paging import part
from leasebook.contract.nouns import service_call as k
from leasebook.domain.commands.service.usage import CountCalls
from leasebook.domain.model.service import Service
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.ports.queries.read_repository import ReadRepository, Used

NOTHING: Final = "-"


async def describe_service_metric(context: Context, call: Call[k.DescribeServiceMetricRequest]) -> k.ServiceMetrics:
    """Sum up the calls of services. Every service that the caller names is listed, without calls too."""
    asked, account_id = call.request, call.caller.account_id
    since, until = period(context, asked)
    services, apps = tuple(asked.service_id or ()) or None, _apps(asked)

    def look(ask: ReadRepository) -> tuple[list[Used], dict[str, Service]]:
        found = ask.calls(account_id, since, until, services=services, apps=apps)
        ids = dict.fromkeys((*(services or ()), *(used.service_id for used in found)))
        rows = {one: ask.service(one) for one in ids}
        return found, {one: row for one, row in rows.items() if row is not None and row.account_id == account_id}

    found, known = await context.read(call, look)
    shown = {one: _listed(one, known) for one in services or () if one in known}
    for used in found:
        row = known.get(used.service_id)
        if services is None and row is not None and asked.protocol_version not in (None, row.protocol_version):
            continue
        listed = shown.setdefault(used.service_id, _listed(used.service_id, known))
        listed.app_list.append(k.AppMetric(app_id=used.app_id, metric=_metric(used)))
    rows = sorted(shown.values(), key=lambda row: row.service_id)
    scope = f"metrics {account_id} {since} {until} {services} {apps} {asked.protocol_version}"
    page, end = part(rows, lambda row: (row.service_id,), asked, scope, row_id=lambda row: row.service_id)
    times = {"start_time": asked.start_time, "end_time": asked.end_time}
    start, stop = (context.shown(context.time(text, name)) for name, text in times.items())
    return k.ServiceMetrics(start_time=start, end_time=stop, service_list=page, **end)


def period(context: Context, asked: k.DescribeServiceMetricRequest) -> tuple[Instant, Instant]:
    """Return the minutes that are asked for, from the first until before the last one's end; raises Fault.

    The seconds of the start count as 00 and those of the end as 59.
    """
    since, until = context.time(asked.start_time, "startTime"), context.time(asked.end_time, "endTime")
    since, last = (Instant(at // MINUTE_US * MINUTE_US) for at in (since, until))
    if last <= since:
        raise bad_field("endTime", "The end comes after the start.")
    return since, last


def _apps(asked: k.DescribeServiceMetricRequest) -> tuple[str, ...] | None:
    """Return the apps that are asked for, which may be one in a text; None: all."""
    apps = (asked.app_id,) if isinstance(asked.app_id, str) else tuple(asked.app_id or ())
    return apps or None


def _listed(service_id: str, known: dict[str, Service]) -> k.ServiceMetric:
    row = known.get(service_id)
    return k.ServiceMetric(service_id=service_id, service_name=NOTHING if row is None else row.name, app_list=[])


def _metric(used: Used) -> k.Metric:
    return k.Metric(
        input_tokens_total=used.input_tokens,
        output_tokens_total=used.output_tokens,
        tokens_total=used.input_tokens + used.output_tokens,
        succeed_call_total=used.succeeded,
        failure_call_total=used.failed,
        call_total=used.succeeded + used.failed,
    )


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


_ALL: Final[tuple[Any, ...]] = (describe_service_metric, count_service_calls)
OPERATIONS: Final[dict[str, Operation]] = {operation.__name__: operation for operation in _ALL}
