"""How much one batch takes: pure functions of what waits, of the limits, and of who else is at work.

Nothing here waits, reads a clock or keeps state: times come in as arguments, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leasebook.batch.ports import BatchLimits, DueRequest
from leasebook.domain.record.agenda import Due

IDLE_AFTER_S: Final = 0.5
"""A server is idle after this time without a call: a batch then takes ``BatchLimits.idle_times`` as much due work."""
CALLERS_MIN: Final = 24
"""A backlog is divided only above this number of callers: smaller batches do not repay the fixed cost of a batch."""
ROW_WAIT_S: Final = 0.002
"""Loading that takes longer has waited for rows that another server had locked, if another server writes at all."""


def callers_to_take(waiting: int, unanswered: int, limits: BatchLimits, *, is_contended: bool) -> int:
    """Return how many of the ``waiting`` callers the next batch takes.

    The backlog is those who wait and the ``unanswered`` callers of the last batch, who are likely to call again. The
    batch takes its part of the backlog (``BatchLimits.backlog_parts``). While another server competes for the rows it
    takes the whole backlog, because the rows are the other's meanwhile and both servers share what a batch costs.
    """
    backlog = waiting + unanswered
    share = backlog if is_contended else max(CALLERS_MIN, -(-backlog // limits.backlog_parts))
    return min(waiting, share, limits.batch_max)


def is_contended(*, has_concurrent_writers: bool, load_s: float, has_due_work: bool) -> bool:
    """Whether another server competes with this one for the rows of a batch, which took ``load_s`` seconds to load.

    A batch with due work gives no evidence: loading much due work takes longer than ``ROW_WAIT_S`` by itself.
    """
    return has_concurrent_writers and load_s > ROW_WAIT_S and not has_due_work


def is_idle(since_last_call_s: float) -> bool:
    """Whether no call has come for a while, so that probably none will come while the next batch is taken."""
    return since_last_call_s > IDLE_AFTER_S


def due_to_take(limits: BatchLimits, *, moves_clock: bool, is_idle: bool) -> int:
    """Return how many pieces of due work a batch takes at most."""
    if moves_clock:
        return limits.due_max * limits.moving_times
    return limits.due_max * (limits.idle_times if is_idle else 1)


def select_due(found: Sequence[Due], request: DueRequest, most: int) -> list[Due]:
    """Return at most ``most`` of the due work that the store found, in its order.

    Work that rests is left out. A batch that moves the virtual clock takes the work of the first moment only, because
    that work may make more work due before the next moment.
    """
    due = [item for item in found if item not in request.resting][:most] if request.resting else list(found)
    return [item for item in due if item.at == due[0].at] if request.moving else due
