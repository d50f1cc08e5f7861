"""The leases of one worker: it renews its own, knows which workers are dead, and takes what those had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from leasebook.batch import OutageLog, Outdated
from leasebook.domain.commands.service.replica import GiveBackLease, HoldLeases, TakeLeases
from leasebook.domain.model.lease import LEFT, NOBODY, Worker
from leasebook.domain.replicas.planner import Job
from leasebook.reconciler.beats import Beats
from leasebook.reconciler.ports import LATER, RETRY_S, Books, Time, Timing

log = structlog.get_logger()

TAKEN_MAX: Final = 200
"""Instances taken at a time, so that workers that start together share."""


class LeaseKeeper:
    """Says that a worker lives, and knows which others do; a worker looks after instances whose leases it has.

    ``engines``: those that the worker works with. ``alone``: no other worker is on the store, so that each one in the
    books is dead. ``keys`` returns which master keys this server knows, for each beat.
    """

    def __init__(
        self,
        books: Books,
        *,
        worker_id: str,
        node: str,
        alone: bool,
        engines: Iterable[str],
        keys: Callable[[], str],
        timing: Timing,
        time: Time,
    ) -> None:
        self._books: Final = books
        self._worker_id: Final = worker_id
        self._node: Final = node
        self._alone: Final = alone
        self._engines: Final = ",".join(sorted(engines))
        self._keys: Final = keys
        self._timing: Final = timing
        self._time: Final = time
        self._started_at: Final = time.wall()
        self._outage: Final = OutageLog(log)
        self._beat = 0
        self._renewed_at = float("-inf")
        """When the last beat that was committed was sent, in steady seconds."""
        self._beats: Final = Beats(time)
        self._other_nodes: frozenset[str] = frozenset()

    def _worker(self, beat: int) -> Worker:
        return Worker(self._worker_id, self._node, beat, self._started_at, self._keys(), self._engines)

    def may_act(self) -> bool:
        """Whether this worker's leases are certainly still its own.

        Others take them after ``lease_s`` without a beat. Half of that is left for what an engine was asked to do.
        """
        return self._time.steady() - self._renewed_at < self._timing.lease_s / 2

    async def beat(self) -> None:
        """Renew the leases: say that this worker lives. Raises what the sequencer raises."""
        began = self._time.steady()
        self._beat += 1
        await self._books.submit(HoldLeases(worker=self._worker(self._beat)))
        self._renewed_at = began

    async def keep(self, renewed: Callable[[], None]) -> None:
        """Beat five times in ``lease_s`` until cancelled, and call ``renewed`` after each; ends on a newer store."""
        while True:
            try:
                await self.beat()
                self._outage.ends()
                renewed()
                await asyncio.sleep(self._timing.lease_s / 5)
            except Outdated:
                return
            except LATER as error:
                self._outage.goes_on("the worker cannot say that it lives", error=repr(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("the worker cannot say that it lives")
                await asyncio.sleep(RETRY_S)

    async def leave(self) -> None:
        """Give up all leases at once, so that others need not wait for the bound; nothing, where none was had."""
        if self._beat == 0:
            return
        try:
            await self._books.submit(HoldLeases(worker=self._worker(LEFT)))
        except Outdated:
            return
        except LATER as error:
            log.warning("leases run out by themselves", error=repr(error))

    def dead(self, workers: Iterable[Worker]) -> dict[str, int]:
        """Return the workers that are dead, each with its last beat; ``workers``: all of the store, read just now."""
        others = [worker for worker in workers if worker.id != self._worker_id]
        standing = self._beats.standing({one.id: one.beat for one in others})
        dead = {
            one.id: one.beat
            for one in others
            if self._alone or one.beat == LEFT or standing[one.id] > self._timing.lease_s
        }
        self._other_nodes = frozenset({one.node for one in others if one.id not in dead} - {self._node})
        return dead

    @property
    def has_other_nodes(self) -> bool:
        """Whether workers on other nodes lived when ``dead`` was last asked."""
        return bool(self._other_nodes)

    def has(self, job: Job) -> bool:
        """Whether this worker has the lease of an instance."""
        return job.lease is not None and job.lease.holder == self._worker_id

    @staticmethod
    def is_free(job: Job, dead: Mapping[str, int]) -> bool:
        """Whether no live worker has the lease of an instance."""
        return job.lease is None or job.lease.holder == NOBODY or job.lease.holder in dead

    async def take(self, unit_ids: Sequence[str], dead: Mapping[str, int], taken: Callable[[str], None]) -> None:
        """Take the leases of instances, and call ``taken`` with each that this worker has now.

        Raises what the sequencer raises; those before are taken then.
        """
        for begin in range(0, len(unit_ids), TAKEN_MAX):
            now_had = await self._books.submit(
                TakeLeases(
                    worker_id=self._worker_id,
                    node=self._node,
                    at=self._time.wall(),
                    unit_ids=tuple(unit_ids[begin : begin + TAKEN_MAX]),
                    dead=tuple(sorted(dead.items())),
                )
            )
            for unit_id in now_had:
                taken(unit_id)

    async def give_back(self, unit_id: str) -> None:
        """Give up one lease: another node may have room for the instance. Raises what the sequencer raises."""
        await self._books.submit(GiveBackLease(worker_id=self._worker_id, unit_id=unit_id))
