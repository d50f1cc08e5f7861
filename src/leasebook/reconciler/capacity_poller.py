"""Asks an engine which units it really has, and writes that into the books, where stock is compared with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from leasebook.batch import OutageLog, Outdated
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import ENGINE_CAPACITIES
from leasebook.domain.commands.store.engine_capacity import ReportSupply
from leasebook.domain.model.engine_capacity import FITS, SHARED, CapacityReport, EngineCapacity, changes, served_types
from leasebook.domain.model.lease import LEFT, Worker
from leasebook.domain.model.offering import Offering
from leasebook.domain.replicas.engine_route import Routes
from leasebook.engines.contract import ReplicaEngine, Unreachable
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.reconciler.beats import Beats
from leasebook.reconciler.ports import LATER, Books, Meter, Reader, Time, Timing

log = structlog.get_logger()


class Reporter(NamedTuple):
    """A worker on a node that reports.

    ``alone``: no other worker is on the store. ``notify_account_id``: the account whose events report differences.
    """

    worker_id: str
    node: str
    alone: bool
    notify_account_id: str | None


class Known(NamedTuple):
    """The store's rows about an engine: its capacity, the offerings, and the workers that reported it."""

    supply: EngineCapacity
    offerings: list[Offering]
    holders: list[Worker]


class CapacityPoller:
    """Asks one engine every ``count_s`` what it has, and reports it where that is news, or was not reported lately."""

    def __init__(
        self,
        engine: ReplicaEngine,
        reader: Reader,
        books: Books,
        routes: Routes,
        reporter: Reporter,
        *,
        timing: Timing,
        time: Time,
        meter: Meter,
    ) -> None:
        self._engine: Final = engine
        self._reader: Final = reader
        self._books: Final = books
        self._routes: Final = routes
        self._reporter: Final = reporter
        self._timing: Final = timing
        self._time: Final = time
        self._meter: Final = meter
        self._node: Final = reporter.node if engine.local else SHARED
        self._beats: Final = Beats(time)
        self._reported_at = float("-inf")
        self._outage: Final = OutageLog(log)

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            try:
                await self.look()
                self._outage.ends()
            except Outdated:
                return
            except LATER as error:
                self._outage.goes_on(
                    "what an engine has waits for the store", engine=self._engine.name, error=repr(error)
                )
            except Exception:
                log.exception("stock cannot be compared", engine=self._engine.name)
            await asyncio.sleep(self._timing.count_s)

    async def look(self) -> None:
        """Ask the engine for its capacity, and report changes. Passes on errors of the store and the sequencer."""
        word = await self._ask()
        known = await self._read()
        command = self._news(word, known)
        if command is not None and await self._books.submit(command):
            self._reported_at = self._time.steady()
            known = await self._read()
        self._meter.stock_counted(self._engine.name, known.supply.stocks)

    async def _ask(self) -> CapacityReport:
        word = CapacityReport(self._node, self._reporter.worker_id)
        try:
            async with asyncio.timeout(self._timing.call_s):
                units = await self._engine.capacity()
            return msgspec.structs.replace(word, units=dict(sorted(units.items())), seen_at=self._time.wall())
        except TimeoutError:
            trouble = f"no answer within {self._timing.call_s:g} s"
        except Unreachable as error:
            trouble = str(error) or "unreachable"
        except Exception as error:
            log.exception("engine cannot say what it has", engine=self._engine.name)
            trouble = repr(error)
        return msgspec.structs.replace(word, trouble=trouble, trouble_since=self._time.wall())

    async def _read(self) -> Known:
        name = self._engine.name

        def look(ask: ReadRepository) -> Known:
            supply = next((one for one in ask.supplies() if one.engine == name), EngineCapacity(name))
            return Known(supply, ask.offerings(), ask.workers_named([word.holder for word in supply.words]))

        return await self._reader.read(look)

    def _news(self, word: CapacityReport, known: Known) -> ReportSupply | None:
        """Return the command that reports; None if nothing changed, or another live worker reports the engine."""
        supply, offerings = known.supply, known.offerings
        dead, standing = self._standing(supply, known.holders)
        gone = [
            one.node
            for one in supply.words
            if one.node != self._node and (self._reporter.alone or standing.get(one.holder, 0.0) > self._timing.gone_s)
        ]
        heard = supply.with_notify_account(self._reporter.notify_account_id).hear(word, dead.keys(), set(gone))
        if heard is None:
            return None
        types = served_types(self._engine.name, offerings, self._routes)
        for unit_type in sorted({*types, *supply.stocks}):
            shelf = [one for one in offerings if one.type == unit_type]
            heard, changed = heard.reckon(unit_type, shelf, self._routes)
            if changed:
                break
        else:
            is_new = _without_age(heard, self._node) != _without_age(supply, self._node)
            keeps = word.units is not None and self._time.steady() - self._reported_at >= self._timing.count_keep_s
            if not is_new and not keeps:
                return None
        return ReportSupply(
            engine=self._engine.name,
            word=word,
            routes=self._routes,
            notify_account_id=self._reporter.notify_account_id,
            types=tuple(sorted({*types, *supply.stocks})),
            dead=tuple(sorted(dead.items())),
            gone=tuple(sorted(gone)),
        )

    def _standing(self, supply: EngineCapacity, workers: Sequence[Worker]) -> tuple[dict[str, int], dict[str, float]]:
        """Return the other reporters that are dead, with their beats; and the seconds since each beat has moved."""
        # A worker that the store does not know any more never beats again.
        beats = {word.holder: LEFT for word in supply.words} | {one.id: one.beat for one in workers}
        beats.pop(self._reporter.worker_id, None)
        standing = self._beats.standing(beats)
        dead = {
            one: beat
            for one, beat in beats.items()
            if self._reporter.alone or beat == LEFT or standing[one] > self._timing.lease_s
        }
        return dead, standing


def _without_age(supply: EngineCapacity, node: str) -> EngineCapacity:
    """Return the capacity without the time at which the node was seen."""
    words = tuple(msgspec.structs.replace(one, seen_at=0) if one.node == node else one for one in supply.words)
    return msgspec.structs.replace(supply, words=words)


def log_differences(differences: Changes) -> None:
    """Write a line for each difference between stock and engine that a commit of this server brought, or ended."""
    before = {one.engine: one.stocks for one in differences.before.get(ENGINE_CAPACITIES, ())}
    for rows in (differences.inserted.get(ENGINE_CAPACITIES, ()), differences.updated.get(ENGINE_CAPACITIES, ())):
        for supply in rows:
            for unit_type, count in changes(before.get(supply.engine, {}), supply.stocks):
                facts = {"engine": supply.engine, "type": unit_type, "offered": count.offered, "has": count.has}
                if count.gap == FITS:
                    log.info("stock is what the engine has again", **facts)
                else:
                    log.warning(
                        "stock is not what the engine has",
                        difference=count.difference,
                        oversold=count.oversold,
                        **facts,
                    )
