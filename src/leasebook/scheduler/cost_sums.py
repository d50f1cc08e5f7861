"""Keeping the sums of costs: postings are added to them soon after they are written, some thousand at a time.

No purchase and no charge waits for that, and while due work is late the sums wait for it. ``DescribeCosts`` reads
postings that are not added yet one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Final, NamedTuple, Protocol

import structlog

from leasebook.batch import Closed, OutcomeUnknown, Outdated, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.account.costs import FoldCosts
from leasebook.domain.costs.folding import GROUPS_MAX, Fold, Folded, Groups, Payment, fold_payments
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import Clock
from leasebook.ports.queries.costs import PostingEdge, Span
from leasebook.ports.queries.read_repository import Reader, ReadRepository

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
PAUSE_S: Final = 0.02
"""Seconds between two parts while it is behind, so that callers come first."""
LATE_US: Final = SECOND_US
"""Due work that is this late comes first."""
WAIT_MAX_S: Final = 10.0
"""The time between two parts while due work is late for long."""
POSTINGS_MAX: Final = 20_000
"""Postings that one look reads. An hour of many instances that are alike is a few rows."""
PARTS_MAX: Final = 800
"""Parts of sums in one command, so that callers do not wait noticeably for its batch. A single payment may have more:
up to one for each month of its term."""
STOP_S: Final = 2.0
"""How long the last look at the end may take."""
_LATER: Final = (Closed, Overloaded, Unavailable, OutcomeUnknown)


class Meter(Protocol):
    """Where it is shown how far the sums are."""

    def costs_behind(self, postings: int) -> None:
        """Set how many numbers of postings are not yet part of the sums."""


class _Next(NamedTuple):
    """The next addition; ``command`` None: there is nothing to add."""

    edge: PostingEdge
    summed: int
    command: FoldCosts | None


class CostSums:
    """Adds new postings to the sums. Several servers may do so at once: what one has added, others find done."""

    def __init__(
        self, reader: Reader, sequencer: Sequencer, clock: Clock, meter: Meter, groups_max: int = GROUPS_MAX
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._meter = meter
        self._groups_max = groups_max
        self._edges: deque[PostingEdge] = deque(maxlen=100)
        self._whole = 0
        self._at_once = POSTINGS_MAX
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="cost-sums")

    async def stop(self) -> None:
        """Add the last postings, if that is quick, and stop. The next server adds the rest."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STOP_S):
                await self.catch_up()

    async def catch_up(self) -> None:
        """Add all postings that are there. Raises what reader and sequencer raise."""
        for _ in range(2):  # On a shared store a posting is known to be the last one only with the second look.
            while await self.look():
                pass

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        looked_at = now() - WAIT_MAX_S
        while True:
            pause = LOOK_EVERY_S
            try:
                if now() - looked_at >= WAIT_MAX_S or not await self.is_work_late():
                    looked_at = now()
                    pause = PAUSE_S if await self.look() else LOOK_EVERY_S
            except Outdated:
                return
            except _LATER as error:
                log.info("costs are summed later", reason=str(error))
            except Exception:
                log.exception("costs cannot be summed")
            await asyncio.sleep(pause)

    async def is_work_late(self) -> bool:
        """Whether due work is late, on this server or another. Raises what the reader raises."""
        late = Instant(self._clock.now() - LATE_US)
        return bool(await self._reader.read(lambda ask: ask.due(late, 1)))

    async def look(self) -> bool:
        """Add the next postings; returns whether there are more. Raises what reader and sequencer raise."""
        found = await self._reader.read(self._next, long=True)
        summed = found.summed
        if found.command is not None:
            await self._sequencer.submit(found.command)
            summed = found.command.until
        self._meter.costs_behind(max(0, found.edge.last - summed))
        return found.command is not None and summed < self._whole

    def _next(self, ask: ReadRepository) -> _Next:
        with ask.at_one_instant():
            edge, summed = ask.posting_edge(), ask.costs_summed()
            self._edges.append(edge)
            while self._edges and self._edges[0].begun <= edge.over:
                self._whole = max(self._whole, self._edges.popleft().last)
            last = ask.postings_after(summed, min(self._at_once, POSTINGS_MAX))
            if last is None or summed >= self._whole:
                return _Next(edge, summed, None)
            span = Span(summed, min(last, self._whole))
            command = command_of(ask, span, self._groups_max)
            # Next time about as many as make a full command: reading more, and cutting them off, costs as much again.
            fits = PARTS_MAX * (command.until - summed) // max(1, len(command.parts))
            self._at_once = max(1, min(2 * self._at_once, fits))
            return _Next(edge, summed, command)


def command_of(ask: ReadRepository, span: Span, groups_max: int) -> FoldCosts:
    """Return the command that adds the first postings of a span, as many as are quickly written."""
    payments, refunded = ask.payments(span), ask.payments_of
    accounts = {payment.posting.account_id for payment in payments}
    units = [payment.posting.unit_id or "" for payment in payments if payment.posting.kind == "Refund"]
    earlier = refunded(sorted(set(units)), span.after)
    span, folded = _first(ask, span, payments, earlier, accounts, groups_max)
    return FoldCosts(after=span.after, until=span.until, groups=tuple(folded.groups), parts=tuple(folded.parts))


def _first(
    ask: ReadRepository,
    span: Span,
    payments: list[Payment],
    earlier: dict[str, list[Payment]],
    accounts: set[str],
    groups_max: int,
) -> tuple[Span, Folded]:
    """Cut a span so that few sums change, and return it with them."""
    while True:
        charges = ask.charges(span)
        names = accounts | {charge.account_id for charge in charges}
        groups = Groups(ask.cost_group_ids(names), groups_max)
        fold = Fold(groups, ask.zones_of(names))
        for charge in charges:
            fold.charge(charge)
        here = [payment for payment in payments if payment.seq <= span.until]
        fold_payments(fold, here, earlier)
        numbers = span.until - span.after
        if len(fold) <= PARTS_MAX or numbers == 1:
            return span, fold.folded()
        span = Span(span.after, span.after + max(1, numbers * PARTS_MAX // (2 * len(fold))))
