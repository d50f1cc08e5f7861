"""How the process engine keeps the limits of a replica, with control groups and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebook.domain.model.replica import RunSpec
from leasebook.engines.process.limits import Limits, find_limits
from tests.engines.checks import gone, ready, see
from tests.engines.kinds import ProcessBench, plain, until
from tests.engines.kinds import process as process_bench

MIB = 1024 * 1024
NO_GROUPS = Limits()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ProcessBench]:
    with process_bench(tmp_path) as bench:
        assert isinstance(bench, ProcessBench)
        yield bench


async def test_without_a_control_group_a_process_cannot_have_more_data_than_its_limit(bench: ProcessBench) -> None:
    engine = bench.engine(NO_GROUPS)
    await engine.start(plain(bench, "fits", f"burns={64 * MIB}", memory_bytes=512 * MIB))
    await engine.start(plain(bench, "greedy", f"burns={512 * MIB}", memory_bytes=128 * MIB))
    await ready(bench, engine, "fits")
    seen = await see(bench, engine, "greedy", ("Exited",), but=("Ready",))
    assert seen is not None
    assert "MemoryError" in (seen.reason or "")


async def test_a_control_group_limits_memory_and_processor_time_of_the_whole_replica(bench: ProcessBench) -> None:
    limits = find_limits()
    if not {"memory", "cpu"} <= limits.controllers:
        pytest.skip("no control group with the memory and cpu controllers was given to us")
    engine = bench.engine(limits)
    await engine.start(plain(bench, "a", memory_bytes=256 * MIB, cpus=0.5))
    await engine.start(plain(bench, "greedy", f"burns={512 * MIB}", memory_bytes=128 * MIB))
    await ready(bench, engine, "a")
    group = group_of(bench.pids("a")[0], limits)
    assert (group / "memory.max").read_text().strip() == str(256 * MIB)
    assert (group / "cpu.max").read_text().split() == ["50000", "100000"]
    seen = await see(bench, engine, "greedy", ("Exited",), but=("Ready",))
    assert seen is not None
    assert "SIGKILL" in (seen.reason or "")


def group_of(pid: int, limits: Limits) -> Path:
    assert limits.parent is not None
    own = next(line[3:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::"))
    return limits.parent / Path(own).name


async def test_a_control_group_holds_the_whole_replica_and_goes_with_it(bench: ProcessBench) -> None:
    limits = find_limits()
    if limits.parent is None:
        pytest.skip("no control group was given to us")
    engine = bench.engine(limits)
    await engine.start(plain(bench, "a", "forks"))
    await ready(bench, engine, "a")
    group = group_of(bench.pids("a")[0], limits)
    assert set(map(int, (group / "cgroup.procs").read_text().split())) >= set(bench.pids("a"))
    assert len(bench.pids("a")) == 2
    await engine.stop("a", 0)
    await gone(bench, engine, "a")
    await until(bench, "the group is gone", lambda: not group.exists())


def test_what_a_keeper_has_to_do_about_limits_is_what_is_permitted() -> None:
    spec = RunSpec(memory_bytes=1000, cpus=1.5)
    both = Limits(parent=Path("/groups"), controllers=frozenset({"memory", "cpu"}))
    assert both.orders("t", spec) == {"cgroup": "/groups/leasebook-t", "memory.max": "1000", "cpu.max": "150000 100000"}
    assert Limits(parent=Path("/groups")).orders("t", spec) == {"cgroup": "/groups/leasebook-t", "data.max": "1000"}
    assert Limits().orders("t", spec) == {"data.max": "1000"}
    assert Limits().orders("t", RunSpec(memory_bytes=1000, accelerators=1)) == {}
    assert both.orders("t", RunSpec()) == {"cgroup": "/groups/leasebook-t"}
