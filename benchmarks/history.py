"""The figures of past runs: one JSON object a line."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec


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


class Ratios(msgspec.Struct, frozen=True):
    """What can be compared between machines."""

    purchases_per_no_op: float
    lone_purchase_per_floor: float


class Line(msgspec.Struct, frozen=True):
    """One run."""

    date: str
    commit: str
    machine: Machine
    options: dict[str, Any]
    ratios: dict[str, Ratios]
    figures: dict[str, Any]


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


def append(
    path: Path, where: Machine, options: dict[str, Any], ratios: dict[str, Ratios], figures: dict[str, Any]
) -> None:
    """Add the figures of a run."""
    line = Line(datetime.now(UTC).isoformat(timespec="seconds"), _commit(), where, options, ratios, figures)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")


def read(path: Path) -> list[Line]:
    """Return every run of a file."""
    return [msgspec.json.decode(text, type=Line) for text in path.read_bytes().splitlines() if text.strip()]
