"""The capacity that engines report, compared with the stock of offerings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.paging import part
from leasebook.contract.nouns import offering as cat
from leasebook.domain.model.engine_capacity import SHARED, UNBOUNDED, CapacityReport, EngineCapacity, TypeCapacity
from leasebook.domain.model.offering import BY_ENGINE, UNITS_OF_COMPUTE, Offering
from leasebook.domain.replicas.engine_route import engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import wall_us


async def describe_engines(context: Context, call: Call[cat.DescribeEnginesRequest]) -> cat.EngineReport:
    """Show the last report of every engine, and every offering that an engine serves."""
    supplies, offerings = await context.read(call, lambda ask: (ask.supplies(), ask.offerings()))
    # As the reporters do: replicas run in real time even if the clock is virtual.
    now = context.clock.now() if context.clock.mode == "real" else wall_us()
    known = {supply.engine: supply for supply in supplies}
    stocks = [*_offered(context, known, offerings, now), *_not_offered(context, supplies, offerings, now)]
    page, end = part(enumerate(stocks), lambda one: one[:1], call.request, "engines")
    return cat.EngineReport(
        nodes=[_node(context, supply.engine, report, now) for supply in supplies for report in supply.words],
        stocks=[row for _, row in page],
        **end,
    )


def _time(context: Context, at: int | None) -> str | None:
    return None if at is None else context.shown(Instant(at))


def _age(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, now - at) // SECOND_US


def _node(context: Context, engine: str, report: CapacityReport, now: int) -> cat.EngineNode:
    return cat.EngineNode(
        engine=engine,
        node=None if report.node == SHARED else report.node,
        counts=report.counts,
        engine_types=[
            cat.EngineUnits(type=name, units=None if count >= UNBOUNDED else count)
            for name, count in sorted((report.units or {}).items())
        ],
        seen_time=_time(context, report.seen_at),
        age_seconds=_age(report.seen_at, now),
        trouble=report.trouble,
        trouble_time=_time(context, report.trouble_since),
    )


def _offered(
    context: Context, known: dict[str, EngineCapacity], offerings: Iterable[Offering], now: int
) -> Iterator[cat.EngineStock]:
    """Yield every offering that an engine serves, and every other one whose stock should come from an engine."""
    for row in offerings:
        engine = INSTANT if row.kind != UNITS_OF_COMPUTE else engine_for(context.rules.routes, row.region, row.type)
        if engine == INSTANT and row.stock_source != BY_ENGINE:
            continue
        supply = known.get(engine, EngineCapacity(engine))
        count = supply.stocks.get(row.type, TypeCapacity((), 0, None))
        yield cat.EngineStock(
            engine=engine,
            region=row.region,
            type=row.type,
            stock_source=row.stock_source,
            stock_total=row.stock_total,
            engine_units=supply.has(row.type),
            stock_sold=row.reserved,
            stock_free=row.stock_free,
            difference=count.difference,
            oversold=row.oversold,
            seen_time=_time(context, supply.seen_at),
            age_seconds=_age(supply.seen_at, now),
            trouble=_trouble(engine, supply, row),
        )


def _not_offered(
    context: Context, supplies: Iterable[EngineCapacity], offerings: Iterable[Offering], now: int
) -> Iterator[cat.EngineStock]:
    """Yield every type that an engine has units of and that no offering which it serves has.

    A pattern such as ``gpu-*`` is no type that could be offered.
    """
    served = {
        (engine_for(context.rules.routes, row.region, row.type), row.type)
        for row in offerings
        if row.kind == UNITS_OF_COMPUTE
    }
    for supply in supplies:
        for unit_type in sorted({name for report in supply.words if report.counts for name in report.units or ()}):
            has = None if unit_type.endswith("*") else supply.has(unit_type)
            if has and (supply.engine, unit_type) not in served:
                yield cat.EngineStock(
                    engine=supply.engine,
                    region=None,
                    type=unit_type,
                    stock_source=None,
                    stock_total=0,
                    engine_units=has,
                    stock_sold=0,
                    stock_free=0,
                    difference=-has,
                    oversold=0,
                    seen_time=_time(context, supply.seen_at),
                    age_seconds=_age(supply.seen_at, now),
                    trouble=None,
                )


def _trouble(engine: str, supply: EngineCapacity, row: Offering) -> str | None:
    """Return why an offering's stock cannot be compared with its engine, or why the comparison is old."""
    if engine == INSTANT:
        return "No engine serves it any more, and its stock stays as it was. Route it to one, or set its stock."
    if not any(report.counts for report in supply.words):
        troubles = [report.trouble for report in supply.words if report.trouble is not None]
        return f"The engine has not said yet what it has. {' '.join(troubles)}".rstrip()
    found = [
        f"{report.node or 'The engine'} cannot be asked: {report.trouble}"
        for report in supply.words
        if report.trouble is not None and report.gone_since is None
    ]
    found += [f"{report.node} is gone, and does not count." for report in supply.words if report.gone_since is not None]
    if row.stock_source == BY_ENGINE and supply.has(row.type) is None:
        found.append("The engine has no bound for this type, so the stock stays as it was.")
    return " ".join(found) or None


OPERATIONS: Final[dict[str, Operation]] = {"describe_engines": describe_engines}
