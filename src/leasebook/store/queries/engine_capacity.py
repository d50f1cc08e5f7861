"""Queries about engine capacity, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leasebook.domain.book.tables import ENGINE_CAPACITIES, WORKERS
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.lease import Worker
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.rows.codec import CODECS


class SupplyQueries(ReadRepository):
    """Queries about engine capacity."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def supplies(self) -> list[EngineCapacity]:
        """Return the last reports about every engine, by the engine's name."""
        codec = CODECS[ENGINE_CAPACITIES]
        names = ", ".join(f'"{name}"' for name in codec.columns)
        return [codec.read(row) for row in self._fetch(f"SELECT {names} FROM supplies ORDER BY engine", ())]

    def workers_named(self, worker_ids: Sequence[str]) -> list[Worker]:
        """Return workers by id, in order; unknown ids are left out."""
        codec, found = CODECS[WORKERS], []
        names = ", ".join(f'"{name}"' for name in codec.columns)
        for worker_id in sorted(set(worker_ids)):
            found += self._fetch(f"SELECT {names} FROM workers WHERE id = ?", (worker_id,))
        return [codec.read(row) for row in found]
