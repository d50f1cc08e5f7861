"""For how long the beats of other workers stand still, which is how a worker knows that another one is dead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leasebook.reconciler.ports import Time


class Beats:
    """Remembers when each beat was first seen. Only this process's steady time counts: no clocks are compared."""

    def __init__(self, time: Time) -> None:
        self._time: Final = time
        self._seen: dict[str, tuple[int, float]] = {}
        """By worker its last beat, and when that was first seen, in steady seconds."""

    def standing(self, beats: Mapping[str, int]) -> dict[str, float]:
        """Return for how many seconds each worker's beat was seen to be what it is now; other workers are forgotten."""
        now = self._time.steady()
        self._seen = {
            worker_id: (beat, now) if self._seen.get(worker_id, (None, now))[0] != beat else self._seen[worker_id]
            for worker_id, beat in beats.items()
        }
        return {worker_id: now - since for worker_id, (_, since) in self._seen.items()}
