"""A server that was down for weeks makes up for them: ``python -m benchmarks.catchup``.

A thousand postpaid instances are bought, and the server is stopped. Then its clock is really set 29 days ahead (by
libfaketime), the server is started, and an operator confirms that this time has passed: 696,000 hourly charges are due.
It measures how long they take, and how long monitors and a buyer wait meanwhile, counts every charge, and proves the
books.
"""

from __future__ import annotations

import argparse
import http.client
import sqlite3
import statistics
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from tests.crash.fleet import ACCOUNT, CATALOG, CLOCK, UNITS, Process, postpaid
from tests.crash.lone import data_of, prove_books
from tests.faults.moved_clock import MovedClock, ask, eventually, reasons
from tests.ports import free_port

from benchmarks import history

TYPE: Final = "charged"
BUYERS: Final = 8
DAY_S: Final = 86_400
HOUR_US: Final = 3_600_000_000
REST_S: Final = 0.1
"""Pause between two looks of the monitor, and between two purchases."""
LATE_MAX_S: Final = 5.0
"""The server has caught up when nothing is due for longer than this."""


class Down:
    """A server under a clock that can be set, and its only caller."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock(folder)
        words = [f"{name}={value}" for name, value in self.clock.environment().items()]
        self.store = data_of(folder) / "leasebook.db"
        self.server = Process("server", folder, ("serve",), free_port(), before=("/usr/bin/env", *words))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port or 0

    def ask(self, path: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """Call an action as the operator."""
        return ask(self.port, self.clock, path, action, body)

    def buy(self) -> None:
        """Buy an instance that is charged every hour until it is released."""
        self.ask(UNITS, "PurchaseComputeUnit", postpaid(TYPE))

    def start(self, until: Callable[[str], bool]) -> None:
        """Start it, and wait until its reasons for not being ready are as wanted."""
        self.server.start()
        eventually("it has started", lambda: until(reasons(self.port)), within_s=300.0)

    def healthy(self) -> None:
        """Ask whether it lives; raises RuntimeError if it does not say so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status != http.HTTPStatus.OK:
                raise RuntimeError("/healthz is not 200")
        finally:
            connection.close()

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Ask the store, past the server."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=30)) as file:
            return file.execute(text).fetchall()

    def late_s(self) -> float:
        """Return how long the oldest due work has been due."""
        ((oldest,),) = self.rows("SELECT min(at) FROM agenda")
        return self.clock.now().timestamp() - int(oldest) / 1e6


def timed(what: Callable[[], None], found: list[float], has_ended: Callable[[], bool]) -> None:
    """Do something again and again, and note the seconds that it takes."""
    while not has_ended():
        began = time.monotonic()
        what()
        found.append(time.monotonic() - began)
        time.sleep(REST_S)


def run(folder: Path, units: int, days: int) -> dict[str, float]:
    """Measure; returns the figures. Raises RuntimeError if a charge is missing."""
    with ExitStack() as stack:
        down = Down(folder)
        stack.callback(down.server.remove)
        down.start(lambda why: why == "")
        offering = {"region": "bj", "type": TYPE, "pricePerMinute": "0.5", "stockTotal": 10 * units + 100_000}
        down.ask(CATALOG, "SetOffering", offering)
        down.ask(ACCOUNT, "TopUpAccount", {"amount": str(10**9)})
        with ThreadPoolExecutor(BUYERS) as threads:
            deque(threads.map(lambda _: down.buy(), range(units)), 0)
        bought = {unit for (unit,) in down.rows("SELECT id FROM units")}
        down.server.stop()
        down.clock.move_to(days * DAY_S)
        down.start(lambda why: "jumped" in why)
        before = _charges(down)
        looks, purchases, ended = list[float](), list[float](), list[bool]()
        with ThreadPoolExecutor(2) as threads:
            down.ask(CLOCK, "ConfirmClock")
            began = time.monotonic()
            others = [
                threads.submit(timed, what, seconds, lambda: bool(ended))
                for what, seconds in ((down.healthy, looks), (down.buy, purchases))
            ]
            try:
                while down.late_s() > LATE_MAX_S:
                    time.sleep(0.2)
            finally:
                seconds = time.monotonic() - began
                ended.append(True)
            for other in others:
                other.result()
        made = _charges(down) - before
        _prove(down, bought, days)
        down.server.stop()
        prove_books(data_of(folder))
    return _figures(made, seconds, looks, purchases)


def _charges(down: Down) -> int:
    ((count,),) = down.rows("SELECT count(*) FROM postings WHERE kind = 'Usage'")
    return int(count)


def _prove(down: Down, bought: set[str], days: int) -> None:
    """Raise RuntimeError unless every instance was charged for each hour of those days exactly once."""
    text = (
        "SELECT unit_id, count(*), count(DISTINCT at), sum(minutes) FROM postings WHERE kind = 'Usage' GROUP BY unit_id"
    )
    found = {unit: counts for unit, *counts in down.rows(text)}
    hours = range(24 * days, 24 * days + 2)
    wrong = [
        unit for unit in bought if unit not in found or found[unit][0] not in hours or found[unit][0] != found[unit][1]
    ]
    if wrong:
        raise RuntimeError(f"{len(wrong)} instances were not charged once for each hour, {wrong[0]} for example")


def _figures(made: int, seconds: float, looks: list[float], purchases: list[float]) -> dict[str, float]:
    print(f"{made:,} hourly charges in {seconds:.1f} s: {made / seconds:,.0f}/s")
    figures = {"charges": float(made), "seconds": seconds, "charges/s": made / seconds}
    for name, found in (("/healthz", looks), ("a purchase", purchases)):
        some = sorted(found)
        figures[f"{name}: median ms"] = 1000 * statistics.median(some)
        figures[f"{name}: slowest ms"] = 1000 * some[-1]
        print(
            f"{name} meanwhile: {len(some)} times, median {1000 * statistics.median(some):.0f} ms, "
            f"slowest {1000 * some[-1]:.0f} ms"
        )
    return figures


def main() -> None:
    """Run the benchmark."""
    parser: argparse.ArgumentParser = history.parser_of("catchup", __doc__)
    parser.add_argument("--units", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=29)
    given = parser.parse_args()
    with history.running("catchup", given.json) as place:
        figures = run(place.folder, given.units, given.days)
        place.record({"units": given.units, "days": given.days}, figures, {})


if __name__ == "__main__":
    main()
