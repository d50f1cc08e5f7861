"""The process engine when the control plane is killed: between any two steps of a start, and while all runs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebook.domain.model.replica import RunSpec
from tests.depth import ROUNDS, few
from tests.engines.checks import gone, ready, see
from tests.engines.kinds import ProcessBench, make, until
from tests.engines.kinds import process as process_bench

ROOT = Path(__file__).parents[2]

DRIVER = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.engines.kinds import ProcessBench
from tests.engines.checks import ready

async def main(folder, mark):
    bench = ProcessBench.__new__(ProcessBench)
    bench.mark, bench.flags, bench.root = mark, Path(folder, "flags"), Path(folder, "engine")
    engine = bench.engine()
    for name in ("a", "b"):
        await engine.start(bench.wanted(name))
    await ready(bench, engine, "a", "b")
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from leasebook.engines.process import engine as process
from tests.engines.kinds import ProcessBench

def act(bench, step, action, name):
    count = 0

    def one_more():
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event, _):
        if event.startswith(("open", "os.", "fcntl.", "socket.bind")):
            one_more()

    hear = process._hear
    process._hear = lambda said: (one_more(), hear(said), one_more())[1]

    async def do():
        engine = bench.engine()
        wanted = bench.marking(name)
        sys.addaudithook(audit)
        await (engine.start(wanted) if action == "start" else engine.stop(name, 0))
        os._exit(0)

    asyncio.run(do())

bench = ProcessBench.__new__(ProcessBench)
bench.mark, bench.flags, bench.root = sys.argv[2], Path(sys.argv[1], "flags"), Path(sys.argv[1], "engine")
for line in sys.stdin:
    step, action, name = line.split()
    child = os.fork()
    if child == 0:
        try:
            act(bench, int(step), action, name)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    print({0: "done", signal.SIGKILL: "killed"}.get(status, f"failed: {status}"), flush=True)
"""
"""Each act is done by a child that is killed at a step: what Python reports to auditors, and the keeper's answer."""
STEPS_MIN = 15
EVERY = few(5, 1 if ROUNDS > 1 else 2)
FIRST = 1 + (int(time.time()) // 86_400) % min(EVERY, 2)
"""A deep run kills at every second step, an ordinary one at every fifth, and at those after them the next day."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ProcessBench]:
    with process_bench(tmp_path) as bench:
        assert isinstance(bench, ProcessBench)
        yield bench


def started(command: tuple[str, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )


async def test_what_runs_outlives_a_control_plane_that_is_killed_and_is_found_again(bench: ProcessBench) -> None:
    command = (sys.executable, "-c", DRIVER, str(bench.flags.parent), bench.mark)
    with started(command) as driver:
        assert driver.stdout is not None
        heard = ""
        while "ready" not in heard:
            line = await asyncio.to_thread(driver.stdout.readline)
            assert line, "the control plane has not come up"
            heard += line
        pids = bench.pids("a") + bench.pids("b")
        os.killpg(driver.pid, signal.SIGKILL)
    assert len(pids) == 2
    engine = bench.engine()
    seen = await ready(bench, engine, "a", "b")
    assert sorted(seen) == ["a", "b"]
    await engine.start(bench.wanted("a"))
    assert bench.pids("a") + bench.pids("b") == pids
    for name in ("a", "b"):
        await engine.stop(name, 5)
    await gone(bench, engine, "a", "b")


class Killed:
    """Control planes that are killed at a given step of a start or a stop, one after the other."""

    def __init__(self, bench: ProcessBench) -> None:
        self._process = started((sys.executable, "-c", KILLED, str(bench.flags.parent), bench.mark))

    async def at(self, step: int, action: str, name: str) -> bool:
        """Do this until a step; whether it was killed, and not done before it came to that."""
        return await asyncio.to_thread(self._at, step, action, name)

    def _at(self, step: int, action: str, name: str) -> bool:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(f"{step} {action} {name}\n")
        asked.flush()
        while (line := answers.readline().strip()) not in ("killed", "done"):
            assert line, "the control planes have ended"
        return line == "killed"

    def close(self) -> None:
        with self._process as process:
            process.kill()


@pytest.fixture
def killed(bench: ProcessBench) -> Iterator[Killed]:
    killed = Killed(bench)
    yield killed
    killed.close()


async def test_a_start_that_is_cut_off_anywhere_is_finished_by_the_next_and_runs_once(
    bench: ProcessBench, killed: Killed
) -> None:
    names: list[str] = []
    step, cut_off = FIRST, True
    while cut_off:
        names.append(name := f"start-{step}")
        cut_off = await killed.at(step, "start", name)
        step += EVERY
        engine = bench.engine()
        await engine.start(bench.marking(name))
        await ready(bench, engine, name)
        await until(bench, "it runs", lambda name=name: bench.runs(name) > 0)  # type: ignore[misc]
        assert bench.running(name) == 1
        await engine.stop(name, 0)
        await gone(bench, engine, name)
        await engine.close()
    assert step > STEPS_MIN
    for name in names:
        assert bench.runs(name) == 1, f"{name} has run twice"


async def test_a_start_that_is_cut_off_anywhere_is_seen_by_the_next_or_has_left_nothing(
    bench: ProcessBench, killed: Killed
) -> None:
    step, cut_off, seen_after = FIRST, True, []
    while cut_off:
        name = f"start-{step}"
        cut_off = await killed.at(step, "start", name)
        step += EVERY
        engine = bench.engine()
        seen = await engine.observe()
        seen_after.append(name in seen)
        if name in seen:
            await ready(bench, engine, name)
            await engine.stop(name, 0)
            await gone(bench, engine, name)
        assert list((bench.root / "new").iterdir()) == []
        await engine.close()
        assert bench.running(name) == 0
    assert seen_after[-1]
    assert seen_after == sorted(seen_after), "from one step on, and from then on always"
    assert False in seen_after


async def test_a_stop_that_is_cut_off_anywhere_is_finished_by_the_next(bench: ProcessBench, killed: Killed) -> None:
    step, cut_off = FIRST, True
    while cut_off:
        name = f"stop-{step}"
        engine = bench.engine()
        wanted = make(name, 1, RunSpec(command=("sh", "-c", "echo over"), port=None))
        await engine.start(wanted)
        await see(bench, engine, name, ("Exited",))
        await engine.close()
        cut_off = await killed.at(step, "stop", name)
        step += EVERY
        engine = bench.engine()
        await engine.stop(name, 0)
        await gone(bench, engine, name)
        assert await engine.logs(name, 5) == ["over"]
        assert list((bench.root / "gone").iterdir()) == []
        await engine.close()
    assert step > STEPS_MIN
