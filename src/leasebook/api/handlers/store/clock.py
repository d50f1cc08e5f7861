"""The clock."""

from __future__ import annotations

from typing import Final

import structlog

from leasebook.api.context import Call, Context, Operation
from leasebook.api.server_work import SeenServer
from leasebook.contract import shapes as base
from leasebook.contract.nouns import clock as clk
from leasebook.domain.commands.store.clock import NoteClock
from leasebook.domain.record.agenda import DueKind
from leasebook.domain.values.calendar import HOUR_US, SECOND_US, Instant
from leasebook.ports.clock import RealClock
from leasebook.ports.queries.due_work import DueCount

log = structlog.get_logger()


def _detail(context: Context) -> clk.ClockDetail:
    reason = context.clock.pause_reason()
    return clk.ClockDetail(
        now=context.shown(context.clock.now()),
        mode=context.clock.mode,
        held=reason is not None,
        reason=reason,
    )


async def describe_clock(context: Context, call: Call[base.Empty]) -> clk.ClockDetail:
    """Return the time and the mode of the clock. A virtual clock is read from the store: other servers move it too."""
    if call.caller.epoch is not None:
        moved_to = (await context.standing(call)).virtual_now
        if moved_to is not None:
            context.clock.moved(Instant(int(moved_to)))
    return _detail(context)


async def advance_clock(context: Context, call: Call[clk.AdvanceClockRequest]) -> clk.ClockDetail:
    """Move the virtual clock, and do everything that falls due on the way."""
    await context.confirm(call)
    await context.scheduler.advance(context.time(call.request.to, "to"), call.record)
    return _detail(context)


async def confirm_clock(context: Context, call: Call[base.Empty]) -> clk.ClockDetail:
    """Take the time that the clock shows for right."""
    await context.confirm(call)
    context.clock.confirm()
    if isinstance(context.clock, RealClock) and (mark := context.clock.mark()) is not None:
        # Every other server hears of it by the store.
        context.clock.heed(await context.sequencer.submit(NoteClock(mark=mark, confirms=True)))
    log.warning("clock confirmed by an operator", user_id=call.caller.user_id)
    return _detail(context)


async def describe_due_work(context: Context, call: Call[base.Empty]) -> clk.DueWorkReport:
    """Show late and coming work by kind, how late this server was, and the servers of the store."""
    now = context.clock.now()
    soon = Instant(now + HOUR_US)
    oldest, counts, workers = await context.read(
        call, lambda ask: (ask.oldest_release_due(now), ask.due_counts(now, soon), ask.workers_up()), long=True
    )
    work = context.work
    done = work.figures.done_by_kind()
    return clk.DueWorkReport(
        now=context.shown(now),
        oldest_release_time=None if oldest is None else context.shown(oldest),
        oldest_release_late_seconds=_late_s(oldest, now),
        kinds=[
            _kind(context, kind, counts.get(kind, DueCount(0, 0, None)), done.get(kind.name.lower(), 0), now)
            for kind in DueKind
        ],
        lateness=[
            clk.LatenessCount(up_to_seconds=bound, releases=releases)
            for bound, releases in work.figures.release_lateness()
        ],
        servers=[
            clk.SeenServer(
                server_id=seen.worker.id,
                node=seen.worker.node,
                start_time=context.shown(Instant(seen.worker.started_at)),
                engines=[name for name in seen.worker.engines.split(",") if name],
                is_answering=seen.worker.id == work.server_id,
                silent_seconds=_silent_s(seen, is_answering=seen.worker.id == work.server_id),
            )
            for seen in work.peers.look(workers)
        ],
    )


def _kind(context: Context, kind: DueKind, count: DueCount, done: int, now: Instant) -> clk.DueKindWork:
    name: clk.DueKindName = kind.name.lower()  # type: ignore[assignment]
    return clk.DueKindWork(
        kind=name,
        overdue=count.overdue,
        oldest_time=None if count.oldest is None else context.shown(count.oldest),
        late_seconds=_late_s(count.oldest, now),
        due_within_hour=count.soon - count.overdue,
        done=done,
    )


def _late_s(since: Instant | None, now: Instant) -> int:
    return 0 if since is None else max(0, now - since) // SECOND_US


def _silent_s(seen: SeenServer, *, is_answering: bool) -> int | None:
    """Return how long a server has been silent: the one that answers lives."""
    if is_answering:
        return 0
    return None if seen.silent_s is None else int(seen.silent_s)


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_clock": describe_clock,
    "advance_clock": advance_clock,
    "confirm_clock": confirm_clock,
    "describe_due_work": describe_due_work,
}
