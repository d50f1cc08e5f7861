"""Replicas that run and that no server can manage."""

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
    """Counts the live replicas that no server can manage, for metrics, the log and /readyz.

    Replicas on an engine that this server does not have make it not ready: its settings differ from those of the
    server that started them. Replicas on a machine without a live server do not: everything else is served.
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
        """Count them. ``is_free`` says whether no live worker has an instance's lease; ``now`` is in steady seconds."""
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
                    "no server can manage these replicas: start a server where they run, or see the setting "
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
        """Why this server is not ready: replicas run on engines that it does not have."""
        if not self._foreign:
            return None
        shown = ", ".join(f"{counted(count)} on engine {name}" for name, count in sorted(self._foreign.items()))
        why = f"Other servers run {shown}. This server's setting engines does not have that engine"
        return f"{why}: give all servers the same setting."

    def broken(self) -> str | None:
        """Always None: a restart of this server would not help."""
        return None
