"""A store that sells what engines have, with workers that look, and a time that moves, when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from leasebook.batch import BatchLimits, Sequencer
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.purchase import Billing, BuyUnits, Purchase
from leasebook.domain.commands.instance.release import Release
from leasebook.domain.commands.service.replica import HoldLeases
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.lease import Worker
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.event import STOCK_DIFFERS, STOCK_FITS, Event
from leasebook.domain.replicas.engine_route import Route
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock
from leasebook.ports.queries.read_repository import EventFilter
from leasebook.reconciler.capacity_poller import CapacityPoller, Reporter, log_differences
from leasebook.reconciler.ports import Time, Timing
from leasebook.store.opening import OpenStore
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.contract.stores import KINDS
from tests.harness import play
from tests.reconciler.acts import ACCOUNT, USER, founding

ROUTES: Final = (Route(None, "", True, "fake"),)
TIMING: Final = Timing()
START: Final = 1_900_000_000 * SECOND_US


class MovedTime(Time):
    """A time that does not pass until the test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> int:
        return START + int(self.seconds * SECOND_US)

    def steady(self) -> float:
        return self.seconds

    def boot_us(self) -> int:
        return int(self.seconds * SECOND_US)

    def is_paused(self) -> bool:
        return False


class LoggedCommits:
    """Counts commits, and has differences logged as the reconciler has."""

    def __init__(self) -> None:
        self.number = 0

    def committed(self, changes: Changes) -> None:
        self.number += 1
        log_differences(changes)


class CapacityWorker:
    """A worker that only takes stock, and a beat that goes up when the test says so."""

    def __init__(self, market: Market, name: str, node: str, world: FakeWorld, *, local: bool, alone: bool) -> None:
        engine = FakeEngine(world)
        engine.local = local
        self.name, self.node, self.world = name, node, world
        self._market = market
        self._beat = 0
        speaker = Reporter(name, node, alone, ACCOUNT)
        self.taker = CapacityPoller(
            engine,
            market.store,
            market.sequencer,
            ROUTES,
            speaker,
            timing=TIMING,
            time=market.time,
            meter=market.metrics,
        )

    async def look(self) -> None:
        """Live, and look."""
        self._beat += 1
        await self._market.sequencer.submit(HoldLeases(worker=Worker(self.name, self.node, self._beat, START)))
        await self.taker.look()


class Market:
    """See the module."""

    def __init__(self, store: OpenStore) -> None:
        self.store = store
        self.time = MovedTime()
        self.metrics = Metrics()
        self.commits = LoggedCommits()
        self.bought = 0
        self.sequencer = self.seller(store)

    def seller(self, store: OpenStore) -> Sequencer:
        """Return a sequencer on a store."""
        made = Sequencer(
            store,
            RealClock(300 * SECOND_US),
            Rules(time_zone="UTC"),
            engine=RoutedEngine(ROUTES),
            limits=BatchLimits(),
            meter=self.metrics,
        )
        made.watch(self.commits)
        made.start()
        return made

    def world(self, units: int) -> FakeWorld:
        """Return a world with ``units`` gpu-1."""
        return FakeWorld(lambda: self.time.wall() / SECOND_US, {"gpu-1": units})

    def hand(
        self, name: str, world: FakeWorld, *, node: str = "node-1", local: bool = False, alone: bool = False
    ) -> CapacityWorker:
        """Hire a worker."""
        return CapacityWorker(self, name, node, world, local=local, alone=alone)

    async def say(self, command: Command) -> Any:
        """Have a command decided; returns its answer, or the refusal."""
        try:
            return await self.sequencer.submit(command)
        except Refusal as refusal:
            return refusal

    async def follow(self, region: str = "bj") -> Any:
        """Let a region's stock be what the engine has."""
        return await self.say(SetOffering(region=region, unit_type="gpu-1", stock_source="Engine", routes=ROUTES))

    async def offer(self, total: int, region: str = "bj") -> Any:
        """Set a region's stock."""
        return await self.say(
            SetOffering(region=region, unit_type="gpu-1", stock_source="Set", stock_total=total, routes=ROUTES)
        )

    def buying(self, count: int, region: str = "bj") -> BuyUnits:
        """Return a purchase of an instance of its own."""
        self.bought += 1
        purchase = Purchase(
            account_id=ACCOUNT,
            by=USER,
            unit_id=f"unit-{self.bought}",
            order_id=f"order-{self.bought}",
            billing=Billing(payment_timing="Postpaid"),
        )
        return BuyUnits(purchase=purchase, region=region, unit_type="gpu-1", count=count)

    async def buy(self, count: int, region: str = "bj") -> Any:
        """Buy ``count`` units; returns the purchase, or the refusal."""
        return await self.say(self.buying(count, region))

    async def release(self, number: int) -> None:
        """Release an instance by the number of its purchase."""
        assert await self.sequencer.submit(Release(account_id=ACCOUNT, unit_id=f"unit-{number}", service_id=None))

    def offering(self, region: str = "bj") -> Offering:
        """Return a region's offering."""
        return next(row for row in self.store.ask(lambda ask: ask.offerings()) if row.region == region)

    def stock(self, region: str = "bj") -> tuple[int, int, int]:
        """Return the total, the free and the oversold units."""
        row = self.offering(region)
        return row.stock_total, row.stock_free, row.oversold

    def supply(self) -> EngineCapacity:
        """Return what the engine is said to have."""
        (row,) = self.store.ask(lambda ask: ask.supplies())
        return row

    def stock_events(self) -> list[tuple[str, int, int]]:
        """Return the events of differences: Differs or Fits, the difference, and the oversold units."""
        wanted = EventFilter(account_id=ACCOUNT, types=(STOCK_DIFFERS, STOCK_FITS))
        found = self.store.ask(lambda ask: ask.events(wanted, after=None, limit=1000, oldest_first=True))
        events: list[Event] = [event for _, event in found]
        return [
            (event.type.removeprefix("engine.stock"), event.data["difference"], event.data["oversold"])
            for event in events
        ]


Scene = Callable[[Market], Awaitable[None]]


def trade(kind: str, scene: Scene) -> None:
    """Play a scene on a store of a kind, where twelve gpu-1 are set in bj."""

    async def whole(store: OpenStore) -> None:
        market = Market(store)
        try:
            for command in founding():
                await market.sequencer.submit(command)
            await scene(market)
        finally:
            await market.sequencer.close()
            await store.close()

    with KINDS[kind]() as opened:

        async def played() -> None:
            await whole(opened())

        play(played)


async def burst(market: Market, sellers: list[Sequencer], buyers: int) -> dict[str, int]:
    """Let a number of buyers buy a unit each at once, from several servers; counts purchases and refusals."""

    async def one(number: int) -> str:
        try:
            await sellers[number % len(sellers)].submit(market.buying(1))
        except Refusal as refusal:
            return refusal.reason
        return "bought"

    answers = await asyncio.gather(*(one(number) for number in range(buyers)))
    return {answer: answers.count(answer) for answer in sorted(set(answers))}
