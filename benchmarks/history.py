"""The figures of past runs, one JSON object a line, by default in ``benchmarks/history.jsonl``."""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.serving import allow_many_files

FILE: Final = Path(__file__).with_name("history.jsonl")
BUILD: Final = Path("build")


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    filesystem: str
    python: str
    sqlite: str
    load: float


class Line(msgspec.Struct, frozen=True):
    """One run. ``figures`` are what it is about, each a name and a number; ``details`` is everything else."""

    date: str
    commit: str
    benchmark: str
    machine: Machine
    options: dict[str, Any]
    figures: dict[str, float]
    details: dict[str, Any]


class Run:
    """A run of a benchmark: where it may write, and what it found."""

    def __init__(self, benchmark: str, folder: Path, goal: Path | None) -> None:
        self.folder: Final = folder
        self._benchmark = benchmark
        self._goal = goal
        self._machine = machine(folder)

    def record(
        self, options: Mapping[str, Any], figures: Mapping[str, float], details: Mapping[str, Any] | None = None
    ) -> None:
        """Add a line to the history, unless the run has ``--no-json``."""
        if self._goal is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        # A p99 of no calls is no number, and would end as a null that cannot be read again.
        rounded = {name: float(f"{value:.5g}") for name, value in figures.items() if math.isfinite(value)}
        line = Line(now, _commit(), self._benchmark, self._machine, dict(options), rounded, dict(details or {}))
        self._goal.parent.mkdir(parents=True, exist_ok=True)
        with self._goal.open("ab") as file:
            # Options hold command lines; the path of the checkout is private and is removed.
            file.write(msgspec.json.encode(line).replace(f"{Path.cwd()}/".encode(), b"") + b"\n")


def parser_of(benchmark: str, about: str | None) -> argparse.ArgumentParser:
    """Return the start of a command line: how it is called, and where its figures go."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark}", description=about)
    parser.add_argument("--json", type=Path, default=FILE, metavar="FILE", help="append a line with the figures")
    parser.add_argument("--no-json", action="store_const", const=None, dest="json", help="leave no line")
    return parser


@contextmanager
def running(benchmark: str, goal: Path | None) -> Iterator[Run]:
    """Make room for a run, say where it runs, and clear up; a RuntimeError ends it with one message."""
    allow_many_files()
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    try:
        found = machine(folder)
        print(f"{found.processor}, {found.cores} cores, load {found.load:.2f}, {found.filesystem}", flush=True)
        yield Run(benchmark, folder, goal)
    except RuntimeError as error:
        sys.exit(f"benchmarks.{benchmark}: {error}")
    finally:
        shutil.rmtree(folder)


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _filesystem(folder: Path) -> str:
    """Return the kind of file system that a folder is on: the longest mount point above it."""
    place = folder.resolve()
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(len(point), kind) for point, kind in mounts if place.is_relative_to(point)]
    return max(above)[1]


def machine(folder: Path) -> Machine:
    """Describe this machine."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        filesystem=_filesystem(folder),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load=os.getloadavg()[0],
    )


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def read(path: Path) -> list[Line]:
    """Return every run of a file."""
    return [msgspec.json.decode(text, type=Line) for text in path.read_bytes().splitlines() if text.strip()]
