"""Engines that fail on demand: for servers that were started with faults, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.replica import Isolation, Seen, Wanted
from leasebook.engines.contract import CannotRun, LogPart, LogPlace, ReplicaEngine, Unreachable

ReplicaFault = Literal["EngineSilent", "EngineFails", "ReplicaLost"]


class Withholding(Protocol):
    """Decides which confirmations an engine withholds."""

    def withholds(self, unit: Instance) -> bool:
        """Whether the engine does not confirm the transition that an instance is in."""
        ...


class FaultyEngine(Engine, frozen=True):
    """The rules' view of engines, less the confirmations that faults withhold."""

    engine: Engine
    faults: Withholding

    def confirmations(self, unit: Instance) -> Sequence[Command]:
        """Return the confirmations of the engine, or none."""
        reports = self.engine.confirmations(unit)
        return () if reports and self.faults.withholds(unit) else reports


class FaultyReplicas:
    """An engine whose replicas do not start, cannot be run, or die. All else is the engine's own."""

    def __init__(self, engine: ReplicaEngine, happens: Callable[[ReplicaFault], bool]) -> None:
        """``happens`` decides whether a fault of a kind happens now, and counts it."""
        self._engine = engine
        self._happens = happens
        self.name = engine.name
        self.local = engine.local
        self.has_log_parts = engine.has_log_parts

    def isolation(self) -> Isolation:
        """Return the engine's isolation."""
        return self._engine.isolation()

    async def start(self, wanted: Wanted) -> None:
        """Start a replica. Raises Unreachable or CannotRun where a fault happens."""
        if self._happens("EngineSilent"):
            raise Unreachable("A fault that is set keeps the engine silent.")
        if self._happens("EngineFails"):
            raise CannotRun("A fault that is set has the engine fail.")
        await self._engine.start(wanted)

    async def stop(self, name: str, grace_s: float) -> None:
        """Stop a replica."""
        await self._engine.stop(name, grace_s)

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Set a replica's deadline."""
        await self._engine.end_in(name, seconds)

    async def observe(self) -> dict[str, Seen]:
        """Return the replicas. Those that a fault happens to are ended behind the reconciler's back, and are gone."""
        seen = await self._engine.observe()
        for name, found in list(seen.items()):
            if found.state == "Ready" and self._happens("ReplicaLost"):
                await self._engine.stop(name, 0.0)
                del seen[name]
        return seen

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines of a replica."""
        return await self._engine.logs(name, lines_max)

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return the next lines of a replica."""
        return await self._engine.log_part(name, after, bytes_max)

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Note a place in a replica's log."""
        await self._engine.log_sent(name, place)

    async def capacity(self) -> dict[str, int]:
        """Return the engine's units."""
        return await self._engine.capacity()

    async def close(self) -> None:
        """Close the connections to the engine."""
        await self._engine.close()


def with_faults(
    engines: Mapping[str, ReplicaEngine], happens: Callable[[ReplicaFault], bool]
) -> dict[str, ReplicaEngine]:
    """Return engines that also fail on demand."""
    return {name: FaultyReplicas(engine, happens) for name, engine in engines.items()}
