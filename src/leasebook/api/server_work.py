"""A server's own part in due work, and the other servers and workers on its store, as that server sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from leasebook.domain.model.lease import Worker

LEFT_OUT_S: Final = 600.0
"""A server that has not said for this long that it lives is left out, in seconds."""


class DueFigures(Protocol):
    """Where due work was counted."""

    def done_by_kind(self) -> Mapping[str, int]:
        """Return how much due work this server has done since it started, by kind."""
        ...

    def release_lateness(self) -> Sequence[tuple[float | None, int]]:
        """Return, by upper bound of the lateness in seconds (None: no bound), the releases beyond the bound before."""
        ...


class SeenServer(NamedTuple):
    """A server, and for how many seconds it has not been seen to live; None: this server has only just looked."""

    worker: Worker
    silent_s: float | None


class Peers:
    """Remembers when each server's beat was last seen to move, by this server's own steady clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now: Final = now
        self._seen: dict[str, tuple[int, float, bool]] = {}
        """By server: its beat, when that was seen first, and whether an earlier one was seen before."""

    def look(self, workers: Iterable[Worker]) -> list[SeenServer]:
        """Return these servers, the last started first, without those that have been silent for long."""
        now, found = self._now(), []
        former, self._seen = self._seen, {}
        for worker in workers:
            beat, since, moved = former.get(worker.id, (worker.beat, now, False))
            if beat != worker.beat:
                beat, since, moved = worker.beat, now, True
            self._seen[worker.id] = beat, since, moved
            silent = now - since
            if silent <= LEFT_OUT_S:
                found.append(SeenServer(worker, silent if moved or silent > 0 else None))
        return sorted(found, key=lambda one: (-one.worker.started_at, one.worker.id))


class ServerWork(NamedTuple):
    """A server's part in due work, besides the books: its id among the servers, its figures, and its peers."""

    server_id: str
    figures: DueFigures
    peers: Peers
