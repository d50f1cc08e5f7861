"""Which replica gets a call, and whether it gets one at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from leasebook.gateway.ports import Target

SERVICES_MAX: Final = 10_000


class Balance:
    """Counts the calls that each replica has. The one with the fewest gets the next; among equals they take turns."""

    def __init__(self, concurrency_max: int) -> None:
        self._most = concurrency_max
        self._calls: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._turn = 0

    def take(self, targets: Sequence[Target], tried: set[str]) -> Target | None:
        """Choose a replica that was not tried yet and note the call; None where each has as many as it may."""
        free = [
            target for target in targets if target.name not in tried and self._calls.get(target.name, 0) < self._most
        ]
        if not free:
            return None
        chosen = min(free, key=lambda one: (self._calls.get(one.name, 0), self._last.get(one.name, 0)))
        self._turn += 1
        if len(self._last) >= SERVICES_MAX:
            self._last.clear()
        self._last[chosen.name] = self._turn
        self._calls[chosen.name] = self._calls.get(chosen.name, 0) + 1
        return chosen

    def give_back(self, target: Target) -> None:
        """Note that a call has ended."""
        left = self._calls[target.name] - 1
        if left:
            self._calls[target.name] = left
        else:
            del self._calls[target.name]

    def calls(self, name: str) -> int:
        """Return how many calls a replica has."""
        return self._calls.get(name, 0)


class Rates:
    """Holds services to their queries per second, each server for the calls that come through it.

    A bucket for each service holds what a second allows, at least one call, and fills evenly.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, service_id: str, rate: float, now: float) -> int:
        """Take a call out of the bucket; returns 0, or after how many whole seconds to try again."""
        most = max(rate, 1.0)
        level, at = self._buckets.get(service_id, (most, now))
        level = min(most, level + (now - at) * rate)
        if len(self._buckets) >= SERVICES_MAX:
            self._buckets.clear()
        if level < 1.0:
            self._buckets[service_id] = level, now
            return max(1, math.ceil((1.0 - level) / rate))
        self._buckets[service_id] = level - 1.0, now
        return 0
