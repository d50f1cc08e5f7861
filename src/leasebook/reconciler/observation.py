"""Looking at an engine: what it shows, since when, or why it cannot be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from leasebook.domain.model.replica import Seen
from leasebook.domain.replicas.planner import Observation
from leasebook.engines.contract import ReplicaEngine, Unreachable
from leasebook.reconciler.ports import Meter, Time, Timing

log = structlog.get_logger()

UNSEEN: Final = Observation(None)
"""There was no observation since the last step. That is no sign of a fault."""


class EngineMonitor:
    """One engine and the last observation of it."""

    def __init__(self, engine: ReplicaEngine, timing: Timing, time: Time, meter: Meter) -> None:
        self.engine: Final = engine
        self.calls: Final = asyncio.Semaphore(timing.calls_max)
        self._timing: Final = timing
        self._time: Final = time
        self._meter: Final = meter
        self._began = float("-inf")
        self._sight = UNSEEN

    def sight(self, touched: float) -> Observation:
        """Return the last observation if it began after ``touched`` (steady seconds), else UNSEEN."""
        if self._sight.seen is not None and self._began <= touched:
            return UNSEEN
        return self._sight

    @property
    def seen(self) -> Mapping[str, Seen]:
        """The replicas of the last observation, by name; empty if the engine cannot be asked."""
        return self._sight.seen or {}

    async def look(self) -> set[str]:
        """Observe the engine, and return the names of replicas whose state has changed."""
        began = self._time.steady()
        try:
            async with asyncio.timeout(self._timing.call_s):
                seen = await self.engine.observe()
        except TimeoutError:
            self._lost(f"no answer within {self._timing.call_s:g} s")
        except Unreachable as error:
            self._lost(str(error) or "unreachable")
        except Exception as error:
            log.exception("engine cannot be observed", engine=self.engine.name)
            self._lost(repr(error))
        else:
            return self._found(began, seen)
        return set()

    def _found(self, began: float, seen: Mapping[str, Seen]) -> set[str]:
        if self._sight.error is not None:
            log.info("engine can be asked again", engine=self.engine.name)
        before = self.seen
        self._began, self._sight = began, Observation(seen)
        self._meter.engine_reachable(self.engine.name, reachable=True)
        return {name for name in before.keys() | seen.keys() if before.get(name) != seen.get(name)}

    def _lost(self, error: str) -> None:
        if self._sight.error is None:
            log.error("engine cannot be asked", engine=self.engine.name, error=error)
        self._sight = Observation(None, error, self._sight.since or self._time.wall())
        self._meter.engine_reachable(self.engine.name, reachable=False)
