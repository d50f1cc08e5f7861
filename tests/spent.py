"""The processor time that tests take: counted test by test, summed by suite, and shown beside what each suite may take.

It is the same on a busy machine as on an idle one, which the time of a run is not. Nothing fails by it.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent
BUDGET: Final = FOLDER / "budget.json"
"""Seconds of processor time that each suite may take in an ordinary run."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


class ProcessTime:
    """The processor time of a process that no one waits for, and of the children that it waited for."""

    def __init__(self, pid: int) -> None:
        self._file: Final = Path(f"/proc/{pid}/stat")
        self._began: str | None = None
        """When the process began, which another one with its number did not."""
        self._seen = 0.0
        self._has_ended = False

    def seconds(self) -> float:
        """Return what it took so far; of a process that has ended, what was seen last."""
        if not self._has_ended:
            self._look()
        return self._seen

    def has_ended(self) -> bool:
        """Whether it had ended when its seconds were asked for."""
        return self._has_ended

    def _look(self) -> None:
        try:
            fields = self._file.read_text().rpartition(")")[2].split()
        except OSError:
            self._has_ended = True
            return
        began = fields[19]
        if self._began is None:
            self._began = began
        if began != self._began:
            # Numbers are given again, and threads have them too. The process of one shows its time of minutes.
            self._has_ended = True
            return
        # utime, stime, cutime and cstime.
        self._seen = sum(map(int, fields[11:15])) / TICKS


class CountedIn:
    """The processes that are counted in among those of a test process."""

    def __init__(self) -> None:
        self._running: list[ProcessTime] = []
        self._ended_s = 0.0

    def add(self, process: ProcessTime) -> None:
        """Count a process in from now on."""
        # Which process it is is known from its first look on.
        process.seconds()
        self._running.append(process)

    def seconds(self) -> float:
        """Return what all of them took so far."""
        running_s = 0.0
        for one in tuple(self._running):
            seconds = one.seconds()
            if one.has_ended():
                self._running.remove(one)
                self._ended_s += seconds
            else:
                running_s += seconds
        return self._ended_s + running_s


_others: Final = CountedIn()
_reported: Final = [0.0]


def count_in(pid: int) -> ProcessTime:
    """Count a process in that goes on by itself, as a database does."""
    process = ProcessTime(pid)
    _others.add(process)
    return process


def add(seconds: float) -> None:
    """Count the seconds of a process that has ended, and that another one has waited for."""
    _reported[0] += seconds


def so_far() -> float:
    """Return the seconds that this process took, with its children that have ended and those that are counted in."""
    return sum(os.times()[:4]) + _others.seconds() + _reported[0]


class SuiteTime(NamedTuple):
    """The seconds of a suite, and its budget; None: it has none."""

    suite: str
    seconds: float
    budget: float | None


class SuiteAccount:
    """The seconds of each test of a run."""

    def __init__(self) -> None:
        self._tests: dict[str, float] = {}

    def add(self, test: str, seconds: float) -> None:
        """Add what a test took, with the fixtures that were made for it and taken down after it."""
        self._tests[test] = self._tests.get(test, 0.0) + seconds

    def suites(self) -> dict[str, float]:
        """Return the seconds of each folder."""
        sums: defaultdict[str, float] = defaultdict(float)
        for test, seconds in self._tests.items():
            sums[suite_of(test)] += seconds
        return dict(sums)

    def write(self, file: Path) -> None:
        """Write a line for each test: its seconds and its name, the dearest first."""
        dearest = sorted(self._tests.items(), key=lambda pair: -pair[1])
        file.write_text("".join(f"{seconds:.3f}\t{test}\n" for test, seconds in dearest))


def suite_of(test: str) -> str:
    """Return the folder of a test, which has its budget: the first below ``tests``."""
    parts = test.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else parts[0]


def budgets() -> dict[str, float]:
    """Return what each suite may take."""
    return dict(json.loads(BUDGET.read_text())["suites"])


def beside_s() -> float:
    """Return what everything else of `make test` may take: style, types, pages, and the collection of tests."""
    return float(sum(json.loads(BUDGET.read_text())["beside"].values()))


def compared(spent: Mapping[str, float], allowed: Mapping[str, float]) -> list[SuiteTime]:
    """Return a line for each suite that ran, the dearest first."""
    return [SuiteTime(suite, spent[suite], allowed.get(suite)) for suite in sorted(spent, key=lambda one: -spent[one])]


def report(lines: Iterable[SuiteTime]) -> list[str]:
    """Say in a table what each suite took, and which took more than it may."""
    said = [f"{'suite':<14}{'seconds':>9}{'budget':>9}"]
    lines = list(lines)
    for line in lines:
        budget = "" if line.budget is None else f"{line.budget:.0f}"
        more = "  more than it may take" if line.budget is not None and line.seconds > line.budget else ""
        said.append(f"{line.suite:<14}{line.seconds:>9.1f}{budget:>9}{more}")
    total = sum(line.seconds for line in lines)
    said.append(f"{'together':<14}{total:>9.1f}{sum(line.budget or 0.0 for line in lines):>9.0f}")
    return said
