"""Answered requests, counted at the price of a few additions: every request is, and most take tens of microseconds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Family(NamedTuple):
    """The description of a metric: its name, kind, meaning and labels."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]


class Key(NamedTuple):
    """The labels by which requests are counted."""

    path: str
    action: str
    status: int
    code: str


ANSWERED: Final = Family("leasebook_requests_total", "counter", "Answered requests.", Key._fields)
SECONDS: Final = Family(
    "leasebook_request_seconds", "histogram", "Time from a request's last byte to its answer.", ("action",)
)


class _Tally:
    """Counts for requests with equal labels: number, total seconds, and number within each bound."""

    __slots__ = ("count", "seconds", "within")

    def __init__(self, bounds: int) -> None:
        self.count = 0
        self.seconds = 0.0
        self.within = [0] * (bounds + 1)


class RequestCounts(Collector):
    """Counts requests, and sums the counts when metrics are read."""

    families: Final = (ANSWERED, SECONDS)

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """``bounds``: of the histogram's buckets, in seconds, upwards."""
        self._bounds = bounds
        self._tallies: dict[tuple[str, str, int, str], _Tally] = {}

    def done(self, key: tuple[str, str, int, str], seconds: float) -> None:
        """Count one; ``key`` has the fields of ``Key``."""
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[Key(*key)] = _Tally(len(self._bounds))
        tally.count += 1
        tally.seconds += seconds
        tally.within[bisect_left(self._bounds, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """Return the counter and the histogram."""
        answered = CounterMetricFamily(ANSWERED.name.removesuffix("_total"), ANSWERED.meaning, labels=ANSWERED.labels)
        times = HistogramMetricFamily(SECONDS.name, SECONDS.meaning, labels=SECONDS.labels)
        by_action: dict[str, _Tally] = {}
        for (path, action, status, code), tally in self._tallies.items():
            answered.add_metric((path, action, str(status), code), tally.count)
            whole = by_action.setdefault(action, _Tally(len(self._bounds)))
            whole.seconds += tally.seconds
            whole.within = [one + more for one, more in zip(whole.within, tally.within, strict=True)]
        for action, tally in by_action.items():
            times.add_metric((action,), self._buckets(tally.within), tally.seconds)
        yield answered
        yield times

    def _buckets(self, within: list[int]) -> list[tuple[str, float]]:
        total, buckets = 0, []
        for bound, count in zip((*self._bounds, float("inf")), within, strict=True):
            total += count
            buckets.append((str(floatToGoString(bound)), float(total)))  # type: ignore[no-untyped-call]
        return buckets
