"""Replicas of a machine whose clock is set: their keepers do not look at it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebook.engines.ray import keeper as ray_keeper
from tests.engines.kinds import ProcessBench
from tests.faults.moved_clock import ROUNDS, MovedClock, eventually

HOUR_S = 3600


@pytest.fixture
def clock(tmp_path: Path) -> MovedClock:
    """The clock of keepers and replicas."""
    return MovedClock(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessBench]:
    """A process engine that starts its keepers under that clock."""
    spawn = os.posix_spawn

    def under_it(path: str, words: list[str], environ: dict[str, str], **how: object) -> int:
        return spawn(path, words, {**environ, **clock.environment()}, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "posix_spawn", under_it)
    bench = ProcessBench(tmp_path)
    yield bench
    bench.close()


async def test_a_replica_with_an_hour_left_outlives_every_jump_and_ends_when_its_time_has_passed(
    bench: ProcessBench, clock: MovedClock
) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("leased", ends_in_s=HOUR_S, grace_s=bench.short_s))
    for ahead_s in (2 * HOUR_S, -HOUR_S, 48 * HOUR_S) * ROUNDS:
        clock.move_to(ahead_s)
        # It looks at its files now, and not only within five seconds.
        engine._files._ring("leased")
        await asyncio.sleep(0.2)
        assert bench.running("leased") == 1, f"the clock was set {ahead_s} s ahead, and the replica ended"
    clock.move_to(-48 * HOUR_S)
    await engine.end_in("leased", 0.2)
    await engine.close()
    await asyncio.to_thread(eventually, "it ends in time", lambda: bench.running("leased") == 0)


async def test_a_moment_of_another_start_of_the_machine_means_nothing(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("leased", ends_in_s=HOUR_S, grace_s=bench.short_s))
    ends = bench.root / "replicas" / "leased" / "ends"
    name, _, at = ends.read_text().partition(" ")
    ends.write_text(f"{'0' * len(name)} 0.0")
    engine._files._ring("leased")
    await asyncio.sleep(0.2)
    assert bench.running("leased") == 1
    ends.write_text(f"{name} 0.0")
    engine._files._ring("leased")
    await asyncio.to_thread(eventually, "it ends", lambda: bench.running("leased") == 0)
    assert float(at) > 0
    await engine.close()


async def test_a_keeper_of_an_older_version_gets_its_own_words(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("leased", ends_in_s=HOUR_S))
    deadline = bench.root / "replicas" / "leased" / "deadline"
    assert not deadline.exists()
    deadline.write_text("1.0")
    await engine.end_in("leased", HOUR_S)
    said = float(deadline.read_text())
    assert abs(said - HOUR_S - time.time()) < 60
    await engine.end_in("leased", None)
    assert deadline.read_text() == ""
    await engine.close()


async def test_what_a_keeper_left_that_was_killed_while_clearing_away_is_gone_at_the_next_stock_taking(
    bench: ProcessBench,
) -> None:
    engine = bench.engine()
    left = bench.root / "gone" / "leased.4711.1" / "work" / "deep"
    left.mkdir(parents=True)
    (left / "file").write_text("x")
    await engine.capacity()
    assert list((bench.root / "gone").iterdir()) == []
    await engine.close()


def test_a_keeper_on_a_node_of_a_cluster_counts_durations_and_not_its_wall_clock(clock: MovedClock) -> None:
    ours, theirs = socket.socketpair()
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", Path(ray_keeper.__file__).read_text()],
        stdin=theirs.fileno(),
        env={"PATH": os.environ["PATH"], **clock.environment()},
    )
    theirs.close()
    order = {
        "command": [sys.executable, "-S", "-c", "import select; select.select([], [], [])"],
        "env": {},
        "cwd": "/",
        "ends_in_s": HOUR_S,
        "grace_s": 0.1,
        "memory_bytes": None,
    }
    news = ours.makefile("rb")
    ours.sendall(json.dumps(order).encode() + b"\n")
    assert json.loads(news.readline()) == {"begun": True}
    for ahead_s in (2 * HOUR_S, -HOUR_S):
        clock.move_to(ahead_s)
        # An order has it judge again.
        ours.sendall(json.dumps({"ends_in_s": HOUR_S // 2}).encode() + b"\n")
        ours.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ours.recv(1)
        ours.settimeout(None)
    ours.sendall(json.dumps({"ends_in_s": 0.1}).encode() + b"\n")
    ended = json.loads(ours.makefile("rb").readline())
    assert ended["why"] == "its deadline passed"
    ours.close()
    keeper.wait(60)
