"""The clock."""

from __future__ import annotations

from typing import Final

import structlog

from leasebook.api.context import Call, Context, Operation
from leasebook.contract import shapes as base
from leasebook.contract.nouns import clock as clk
from leasebook.domain.commands.store.clock import NoteClock
from leasebook.domain.values.calendar import Instant
from leasebook.ports.clock import RealClock

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


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_clock": describe_clock,
    "advance_clock": advance_clock,
    "confirm_clock": confirm_clock,
}
