"""The last lines of a replica's log, asked of the engine that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from leasebook.domain.model.replica import Replica
from leasebook.engines.contract import ReplicaEngine, Unreachable


class ReplicaLogs:
    """Asks the engines of this server for logs; ``call_s``: an engine that has not answered by then is not waited for.

    A local engine has the logs of its own machine (``node``) only.
    """

    def __init__(self, engines: Mapping[str, ReplicaEngine], node: str, call_s: float) -> None:
        self._engines: Final = engines
        self._node: Final = node
        self._call_s: Final = call_s

    @property
    def without_parts(self) -> frozenset[str]:
        """The engines of this server whose replicas cannot be sent to a log store."""
        return frozenset(name for name, engine in self._engines.items() if not engine.has_log_parts)

    async def last(self, row: Replica, lines_max: int) -> tuple[list[str], str | None]:
        """Return at most the last ``lines_max`` lines and None; or no lines, and why this server cannot get them."""
        engine = self._engines.get(row.engine)
        if engine is None or (engine.local and row.node != self._node):
            return [], f"This server cannot reach the engine {row.engine} of {row.node}; ask one on that machine."
        try:
            async with asyncio.timeout(self._call_s):
                return await engine.logs(row.name, lines_max), None
        except TimeoutError:
            return [], f"The engine {row.engine} did not answer within {self._call_s:g} s."
        except Unreachable as error:
            return [], f"The engine {row.engine} cannot be asked: {error}"
