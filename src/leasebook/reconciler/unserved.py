"""What runs and nobody looks after, as it was seen last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final

import structlog

from leasebook.domain.replicas.address import LOCAL
from leasebook.domain.replicas.planner import Job
from leasebook.domain.replicas.unserved import counted
from leasebook.reconciler.ports import Meter

log = structlog.get_logger()


class LeftBehind:
    """Counts the live replicas that no server can look after, and tells monitors and the log of them.

    What runs on an engine that this server does not have makes it not ready: it was started with other settings than
    whoever started that. What runs on a machine whose servers are gone does not: all else is served.
    """

    def __init__(self, engines: Collection[str], node: str, meter: Meter, *, after_s: float) -> None:
        self._engines: Final = engines
        self._node = node
        self._meter = meter
        self._after_s = after_s
        self._since: dict[tuple[str, str], float] = {}
        self._said: dict[tuple[str, str], int] = {}
        self._foreign: Counter[str] = Counter()

    def look(self, jobs: Iterable[Job], is_free: Callable[[Job], bool], now: float) -> None:
        """Take everything that runs, and whether somebody who lives looks after it; ``now`` in steady seconds."""
        self._foreign = Counter()
        alone: Counter[tuple[str, str]] = Counter()
        for job in jobs:
            for row in job.replicas:
                if not row.is_live:
                    continue
                if row.engine not in self._engines:
                    self._foreign[row.engine] += 1
                if is_free(job) and (row.engine not in self._engines or self._is_away(row.engine, row.node)):
                    alone[row.engine, row.node] += 1
        self._since = {place: self._since.get(place, now) for place in alone}
        lasting = {place: count for place, count in alone.items() if now - self._since[place] >= self._after_s}
        for (engine, node), count in lasting.items():
            if (engine, node) not in self._said:
                log.error(
                    "replicas are nobody's to look after: start a server where they run, or see the setting "
                    "engines_gone",
                    engine=engine,
                    node=node,
                    replicas=count,
                )
        self._said = lasting
        by_engine: Counter[str] = Counter()
        for (engine, _), count in lasting.items():
            by_engine[engine] += count
        self._meter.unserved(by_engine)

    def _is_away(self, engine: str, node: str) -> bool:
        return engine in LOCAL and node != self._node

    def unready(self) -> str | None:
        """Why this server does not do what it is for: others run what it has no engine for."""
        if not self._foreign:
            return None
        shown = ", ".join(f"{counted(count)} on engine {name}" for name, count in sorted(self._foreign.items()))
        why = f"Elsewhere there run: {shown}. This server's setting engines has no such engine"
        return f"{why}: give all servers the same."

    def broken(self) -> str | None:
        """Nothing of this is for ever."""
        return None
