"""Sends the lines of replicas to the log store, in order.

The files in which an engine keeps a log are the buffer: a part of a log is read when it can be sent, and its place is
noted beside the replica when the log store has it. The sender's memory is bounded by one request. While the log store
is away, lines stay where they are; those that a full log drops meanwhile are counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, Protocol

import structlog

from leasebook.batch import OutageLog, Outdated
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import REPLICAS
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.service import Service
from leasebook.engines.contract import LogPart
from leasebook.notifications.log_store import LogLines, LogOutcome
from leasebook.reconciler.followed_logs import FollowedLog, FollowedLogs
from leasebook.reconciler.line_warnings import LineWarnings
from leasebook.reconciler.ports import LATER, Reader

log = structlog.get_logger()

PART_BYTES: Final = 64 * 1024
"""Most bytes of one replica's lines in a request. A longer line comes in pieces of this size."""
BATCH_BYTES: Final = 8 * PART_BYTES
"""A request with this many bytes is full, and has a part more at most."""
LINE_BYTES: Final = 64
"""A line counts as this many bytes more than its text has: empty ones are not free."""
EVERY_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
STOP_S: Final = 3.0
"""How long a stopping sender may take for the request under way, in seconds."""


class LogMeter(Protocol):
    """Counts lines and requests for metrics."""

    def log_lines(self, outcome: Literal["sent", "refused", "lost"], count: int) -> None:
        """Count lines by what became of them."""

    def log_request(self, outcome: Literal["taken", "refused", "later"]) -> None:
        """Count a request with lines."""

    def log_store_away(self, *, away: bool) -> None:
        """Set whether the log store does not take lines now."""


class LogReceiver(Protocol):
    """Takes lines; the client of the log store does."""

    async def send(self, batch: Sequence[LogLines], observed_ns: int) -> LogOutcome:
        """Send lines that were read at a time, in nanoseconds since 1970 UTC."""
        ...


class _Patience:
    """How long to leave a log store alone that takes no lines."""

    def __init__(self, meter: LogMeter) -> None:
        self._meter: Final = meter
        self._outage: Final = OutageLog(log)
        self._pauses = 0

    def after(self, outcome: LogOutcome) -> float:
        """Take note that it took nothing; returns how many seconds to wait."""
        self._meter.log_store_away(away=True)
        self._outage.goes_on("the log store takes no lines", why=outcome.failure, detail=outcome.detail)
        pause_s = min(PAUSE_MAX_S, EVERY_S * 2.0 ** min(self._pauses, 10))
        self._pauses += 1
        return max(pause_s, outcome.again_s or 0.0)

    def over(self) -> None:
        """Take note that it answered."""
        self._meter.log_store_away(away=False)
        if self._pauses:
            log.info("the log store takes lines again")
        self._pauses = 0
        self._outage.ends()


class LogSender:
    """Sends the lines of replicas of the instances whose leases the worker ``holder`` has."""

    def __init__(
        self,
        reader: Reader,
        logs: FollowedLogs,
        receiver: LogReceiver,
        *,
        holder: str,
        meter: LogMeter,
        now_ns: Callable[[], int] = time.time_ns,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader: Final = reader
        self._logs: Final = logs
        self._receiver: Final = receiver
        self._holder: Final = holder
        self._meter: Final = meter
        self._now_ns: Final = now_ns
        self._services: Mapping[str, Service] = {}
        self._patience: Final = _Patience(meter)
        self._reading: Final = OutageLog(log)
        self._warnings: Final = LineWarnings(log, now_s)
        self._stopping: Final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="log-sender")

    async def stop(self) -> None:
        """Stop. Lines that were not sent yet are sent by the next server on this machine.

        A request that is under way may end, and its place be noted: the same lines would be sent again otherwise.
        """
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def committed(self, changes: Changes) -> None:
        """Follow each try of a replica from its first row on, even if it is gone before the next look."""
        for rows in (changes.inserted.get(REPLICAS, ()), changes.updated.get(REPLICAS, ())):
            for row in rows:
                if row.service_id in self._services and row.is_live:
                    self._logs.follow(row)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = EVERY_S
            try:
                wait_s = await self.turn()
                self._reading.ends()
            except Outdated:
                return
            except LATER as error:
                self._reading.goes_on("lines for the log store wait for the store", error=repr(error))
            except Exception:
                log.exception("lines cannot be sent to the log store")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def turn(self) -> float:
        """Send one request, if there are lines; returns how many seconds to wait. Raises what the store raises."""
        await self._look()
        batch, is_full = await self._gather()
        pause_s = await self._send(batch) if batch else 0.0
        self._warnings.say()
        # After a full request more lines wait. In between, the store is asked whether they still have somewhere to go.
        return pause_s or (0.0 if is_full else EVERY_S)

    async def _look(self) -> None:
        followed = self._logs.service_ids
        sources = await self._reader.read(lambda ask: ask.log_sources(self._holder, followed))
        self._services = sources.services
        for row in sources.replicas:
            self._logs.follow(row)
        # Without a log store nothing is sent; its place is noted, for the day on which one is attached again.
        self._logs.keep(sources.services.keys())

    async def _gather(self) -> tuple[list[tuple[FollowedLog, LogPart]], bool]:
        """Read the next parts, and say whether more may wait. Replicas whose lines go now have their next turn last."""
        size = 0
        batch: list[tuple[FollowedLog, LogPart]] = []
        for one in self._logs.in_turn():
            part = await self._logs.read(one, PART_BYTES)
            if part is None:
                continue
            self._count_lost(one, part)
            if part.lines:
                self._logs.put_last(one)
                batch.append((one, part))
                size += sum(map(len, part.lines)) + LINE_BYTES * len(part.lines)
            elif part.is_over:
                if part.lost:
                    # All that was left of it is gone; without the note it would be counted again.
                    await self._logs.sent(one, part.place)
                # Or it is about to start: then the store has its row, and it is followed again.
                self._logs.forget(one)
            if size >= BATCH_BYTES:
                return batch, True
        is_full = any(sum(map(len, part.lines)) >= PART_BYTES // 2 for _, part in batch)
        return batch, is_full

    def _count_lost(self, one: FollowedLog, part: LogPart) -> None:
        if part.lost > one.lost_known:
            lost = part.lost - one.lost_known
            one.lost_known = part.lost
            self._meter.log_lines("lost", lost)
            self._warnings.count("lines were dropped from a full log before the log store took them", one.row, lost)

    async def _send(self, batch: Sequence[tuple[FollowedLog, LogPart]]) -> float:
        """Send parts; returns for how many seconds to leave the log store alone."""
        lines = [LogLines(self._attributes(one.row), part.lines) for one, part in batch]
        outcome = await self._receiver.send(lines, self._now_ns())
        if outcome.kind == "Later":
            self._meter.log_request("later")
            return self._patience.after(outcome)
        self._meter.log_request("refused" if outcome.kind == "Refused" else "taken")
        self._patience.over()
        if outcome.kind == "Refused" and len(batch) > 1:
            # One of them may be at fault, and the others must not go with it.
            for alone in batch:
                pause_s = await self._send([alone])
                if pause_s:
                    return pause_s
            return 0.0
        count = sum(len(part.lines) for _, part in batch)
        rejected = count if outcome.kind == "Refused" else min(count, outcome.rejected)
        if rejected:
            self._meter.log_lines("refused", rejected)
            # A store that leaves out a part of the lines does not say whose they are.
            names = sorted({one.row.name for one, _ in batch})
            self._warnings.count(
                "the log store refused lines", batch[0][0].row, rejected, names=names, why=outcome.failure
            )
        if rejected < count:
            self._meter.log_lines("sent", count - rejected)
        for one, part in batch:
            await self._logs.sent(one, part.place)
        return 0.0

    def _attributes(self, row: Replica) -> dict[str, str]:
        service = self._services[row.service_id]
        attached = service.log_store
        assert attached is not None  # noqa: S101 - only services with one are followed
        region = {} if attached.region is None else {"leasebook.log_region": attached.region}
        return {
            "service.name": service.name,
            "service.instance.id": row.name,
            "leasebook.account_id": row.account_id,
            "leasebook.service_id": row.service_id,
            "leasebook.instance_id": row.unit_id,
            "leasebook.replica": str(row.number),
            "leasebook.log_project": attached.project,
            "leasebook.log_store": attached.name,
            **region,
        }
