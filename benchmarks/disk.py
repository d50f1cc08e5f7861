"""Measures the time of one durable write on this disk, by itself."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

BLOCK = bytes(4096)


def append_us(folder: Path, writes: int = 400) -> float:
    """Return the median time of appending 4 KiB and syncing them: the file grows."""
    return _median(folder, writes, [BLOCK] * 0)


def overwrite_us(folder: Path, writes: int = 400) -> float:
    """Return the median time of overwriting 4 KiB and syncing them: what a reused log does."""
    return _median(folder, writes, [BLOCK] * 256)


def _median(folder: Path, writes: int, before: list[bytes]) -> float:
    path = folder / "sync.probe"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for block in before:
            os.write(descriptor, block)
        os.fsync(descriptor)
        times = []
        for number in range(writes):
            place = number if not before else number % len(before)
            began = time.perf_counter_ns()
            os.pwrite(descriptor, BLOCK, place * len(BLOCK))
            os.fdatasync(descriptor)
            times.append(time.perf_counter_ns() - began)
        return statistics.median(times) / 1000
    finally:
        os.close(descriptor)
        path.unlink()
