"""A control plane under a clock that is moved: a store, workers that may die anywhere, and a world of replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, LEASES, METADATA, OFFERINGS, REPLICAS, SERVICES
from leasebook.domain.commands.command import Command, Decision
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.model.engine_capacity import TypeCapacity
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.replica import Isolation, Replica, Seen, Wanted
from leasebook.domain.replicas.engine_route import Route
from leasebook.domain.replicas.planner import Limits
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.engines.contract import LogPart, LogPlace
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.reconciler.ports import Timing
from leasebook.reconciler.worker import Reconciler
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.reconciler.acts import founding
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness

T = TypeVar("T")

ROUTES: Final = (Route(None, "", True, "fake"),)
START: Final = 1_900_000_000 * SECOND_US
TIMING: Final = Timing(again_s=0.0)


class Died(BaseException):
    """The process is no more; nothing that it does from now on has any effect."""


class CountedWire:
    """Counts what a worker does to the world outside, and lets it die before the n-th time, or right after."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.is_dead = False
        self.touched: list[str] = []

    def touch(self, what: str) -> None:
        """Count; raises Died."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.is_dead = True
        if self.is_dead:
            raise Died(what)
        self.touched.append(what)


class WiredEngine:
    """An engine on a wire like this."""

    name = "fake"
    local = False
    has_log_parts = False

    def __init__(self, engine: FakeEngine, wire: CountedWire) -> None:
        self._engine = engine
        self._wire = wire

    async def _do(self, what: str, work: Any) -> Any:
        try:
            self._wire.touch(what)
        except Died:
            work.close()
            raise
        answer = await work
        self._wire.touch(f"{what} done")
        return answer

    def isolation(self) -> Isolation:
        return self._engine.isolation()

    async def start(self, wanted: Wanted) -> None:
        await self._do("start", self._engine.start(wanted))

    async def stop(self, name: str, grace_s: float) -> None:
        await self._do("stop", self._engine.stop(name, grace_s))

    async def end_in(self, name: str, seconds: float | None) -> None:
        await self._do("deadline", self._engine.end_in(name, seconds))

    async def observe(self) -> dict[str, Seen]:
        answer: dict[str, Seen] = await self._do("observe", self._engine.observe())
        return answer

    async def logs(self, name: str, lines_max: int) -> list[str]:
        return await self._engine.logs(name, lines_max)

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        return await self._engine.log_part(name, after, bytes_max)

    async def log_sent(self, name: str, place: LogPlace) -> None:
        await self._engine.log_sent(name, place)

    async def capacity(self) -> dict[str, int]:
        return await self._engine.capacity()

    async def close(self) -> None:
        await self._engine.close()


class Silent:
    """A meter that counts in a dictionary."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self.stocks: dict[str, dict[str, TypeCapacity]] = {}
        self.orphans = 0

    def step_done(self, step: str, seconds: float) -> None:  # noqa: ARG002
        self.steps[step] = self.steps.get(step, 0) + 1

    def orphan_stopped(self, engine: str) -> None:  # noqa: ARG002
        self.orphans += 1

    def engine_reachable(self, engine: str, *, reachable: bool) -> None:
        """Not read by these tests."""

    def unserved(self, by_engine: Mapping[str, int]) -> None:
        """Not read by these tests."""

    def stock_counted(self, engine: str, stocks: Mapping[str, TypeCapacity]) -> None:
        """Keep what was counted last."""
        self.stocks[engine] = dict(stocks)


class WorldWorker:
    """A worker of the house, its wire, its commands and its questions."""

    def __init__(self, house: World, number: int, *, alone: bool, local: bool) -> None:
        self.wire = CountedWire()
        engine = WiredEngine(FakeEngine(house.world), self.wire)
        engine.local = local
        self.node = f"node-{number if local else 0}"
        self.worker_id = f"worker-{house.made}"
        self._house = house
        self.beat_at = float("-inf")
        self.worker = Reconciler(
            self,
            self,
            {"fake": engine},
            ROUTES,
            worker_id=self.worker_id,
            node=self.node,
            alone=alone,
            limits=house.limits,
            meter=house.meter,
            timing=TIMING,
            time=house,
        )

    async def submit(self, command: Command) -> Any:
        """Decide, unless it died."""
        self.wire.touch(type(command).__name__)
        (decided,) = await self._house.office.say([command], self._house.now)
        self.wire.touch(f"{type(command).__name__} done")
        return decided.result()

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:  # noqa: ARG002
        """Ask."""
        return self._house.store.ask(question)

    async def turn(self) -> None:
        """Live for a moment: beat, look at the engine, do the next step, and the one after that."""
        try:
            if self._house.steady() - self.beat_at >= TIMING.lease_s / 5:
                await self.worker.beat()
                self.beat_at = self._house.steady()
            for everything in (True, False, False):
                self._house.tick()
                await self.worker.look_at("fake")
                await self.worker.reconcile(everything=everything)
                await self.worker.settle_down()
        except Died:
            await self.worker.settle_down()


class World:
    """See the module. ``hands``: how many workers share the store; ``local``: each on a node of its own."""

    def __init__(self, *, hands: int = 1, local: bool = False, units: int = 12) -> None:
        self.now = Instant(START)
        self.limits = Limits()
        self.rules = Rules(time_zone="UTC")
        self.store = MemoryStore()
        self.world = FakeWorld(lambda: self.now / SECOND_US, {"gpu-1": units})
        self.meter = Silent()
        self.office = StoreHarness(self.store, self.rules, RoutedEngine(ROUTES), witness=self._committed)
        self.local = local
        self.made = 0
        self.hands: list[WorldWorker] = []
        self._alone = hands == 1
        self._hands_max = hands

    async def found(self) -> None:
        """Found the store, and start the workers."""
        transaction = await self.store.begin()
        book = Book()
        await transaction.load([(METADATA, (VIRTUAL_NOW,))], book)
        draft = Draft(book)
        draft.put(METADATA, StoreMetadata(VIRTUAL_NOW, str(self.now)))
        book.accept(draft, self.now, None)
        await transaction.save(book.changes())
        await transaction.commit()
        for command in founding():
            _ = (await self.say(command)).result()
        for _ in range(self._hands_max):
            self.hire()

    def hire(self, node: int | None = None) -> WorldWorker:
        """Start a worker; on the node of one that died where it is named."""
        self.made += 1
        hand = WorldWorker(self, self.made if node is None else node, alone=self._alone, local=self.local)
        self.hands.append(hand)
        return hand

    def wall(self) -> int:
        """The machine's time."""
        return self.now

    def steady(self) -> float:
        """The same: this clock is never set."""
        return (self.now - START) / SECOND_US

    def boot_us(self) -> int:
        """The same, in microseconds."""
        return self.now - START

    def service_now(self) -> int:
        """The same: the service has no other clock."""
        return self.now

    def is_paused(self) -> bool:
        """This clock is never in doubt."""
        return False

    def tick(self) -> None:
        """No two things happen at the same moment."""
        self.now = Instant(self.now + 1000)

    def _committed(self, changes: Changes, now: Instant, commands: object) -> None:
        del now, commands
        for hand in self.hands:
            hand.worker.committed(changes)

    async def say(self, command: Command) -> Decision:
        """Have a command decided now."""
        self.tick()
        return (await self.office.say([command], self.now))[0]

    async def live(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass: what falls due is done, and workers work; who died is replaced in the next moment."""
        until = self.now + int(seconds * SECOND_US)
        while self.now < until:
            self.now = Instant(min(until, self.now + int(step * SECOND_US)))
            await self.office.catch_up(self.now)
            for hand in list(self.hands):
                await hand.turn()
                if hand.wire.is_dead:
                    self.hands.remove(hand)
                    self.hire(int(hand.node.removeprefix("node-")) if self.local else None)
            self.check()

    # --- what must be so ----------------------------------------------------------------------------------

    def units(self) -> list[Instance]:
        return list(self.store.rows[INSTANCES].values())

    def unit(self, unit_id: str) -> Instance:
        row: Instance = self.store.rows[INSTANCES][unit_id,]
        return row

    def replicas(self) -> list[Replica]:
        return list(self.store.rows[REPLICAS].values())

    def check(self) -> None:
        """Fail unless the invariants of every moment hold."""
        self.world.settle()
        running = [run for run in self.world.runs if run.ended_at > self.now / SECOND_US]
        names = [run.wanted.name for run in running]
        assert len(set(names)) == len(names), f"started twice: {sorted(names)}"
        for run in running:
            status = self.unit(run.wanted.unit_id).status
            assert status not in GONE, f"{run.wanted.name} runs on a {status} instance"
        keys = [name.rpartition("-")[0] for name in names]
        assert len(set(keys)) == len(keys), f"two tries of one replica run: {sorted(names)}"
        for unit in self.units():
            used = sum(run.wanted.units for run in running if run.wanted.unit_id == unit.id)
            assert used <= max(unit.count, unit.target_count or 0), f"{unit.id} has {unit.count} units and runs {used}"
        held = sum(unit.reserved for unit in self.units())
        (offering,) = [row for row in self.store.rows[OFFERINGS].values() if row.type == "gpu-1" and row.region == "bj"]
        assert offering.stock_free + held == offering.stock_total
        for service in self.store.rows[SERVICES].values():
            ready = sum(row.state == "Ready" and row.service_id == service.id for row in self.replicas())
            assert service.ready == ready, f"{service.id} says {service.ready} are ready, and {ready} are"
        for row in self.replicas():
            unit = self.unit(row.unit_id)
            assert row.generation <= unit.generation
            assert not (row.is_live and unit.status in GONE), f"{row.name} is {row.state} on a {unit.status} instance"
        assert {lease.unit_id for lease in self.store.rows[LEASES].values()} <= {unit.id for unit in self.units()}
