"""The Ray engine on a real cluster of several nodes: tests beside the shared contract, and losses of parts.

The cluster serves all tests of a process; the last of them here take its head away. They are run in this order, after
all others that need Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leasebook.domain.model.replica import RunSpec, Seen, Wanted
from leasebook.engines.contract import CannotRun, NoRoom, Unreachable
from leasebook.engines.ray import engine as ray_engine
from leasebook.engines.ray.engine import RayEngine, driver_environment
from tests.engines.ray_cluster import RayCluster

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: leasebook[ray], requirements/ray.txt"
)

PATIENCE_S = 150.0
SLEEP = ("sleep", "600")
UNITS = 4

Found = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def cluster() -> RayCluster:
    """A head without units, and a node with some."""
    cluster = RayCluster.of_this_process()
    cluster.ask(do="add", name="stays", resources={"leasebook_small": UNITS})
    return cluster


class RayNamespace:
    """A namespace of its own on the cluster, and a mark in the environment of all that runs in it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.mark = uuid.uuid4().hex

    @contextlib.asynccontextmanager
    async def engine(self, **given: Any) -> AsyncIterator[RayEngine]:
        engine = RayEngine(self.address, namespace=self.mark, **given)
        try:
            yield engine
        finally:
            await engine.close()

    def wanted(self, name: str, command: tuple[str, ...] = SLEEP, *, kind: str = "small", **given: Any) -> Wanted:
        ends_in_s, units = given.pop("ends_in_s", None), given.pop("units", 1)
        spec = RunSpec(command=command, env={"TEST_MARK": self.mark}, **{"port": None, **given})
        return Wanted(
            name=name,
            unit_id="u",
            service_id="s",
            unit_type=kind,
            units=units,
            spec=spec,
            ends_in_s=ends_in_s,
            trusted=True,
        )

    def pids(self) -> list[int]:
        """Return the processes of commands, found without any engine."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and f"TEST_MARK={self.mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    async def none_left(self) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while self.pids():
            assert time.monotonic() < give_up, self.pids()
            await asyncio.sleep(0.05)


@pytest.fixture
def place(cluster: RayCluster) -> RayNamespace:
    return RayNamespace(cluster.address)


async def see(engine: RayEngine, name: str, *states: str | None) -> Seen | None:
    """Look until a replica is in one of these states (None: not there); an engine that is cut off is asked again."""
    give_up, seen = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < give_up:
        with contextlib.suppress(Unreachable):
            seen = (await engine.observe()).get(name)
            if (seen.state if seen is not None else None) in states:
                return seen
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} is {seen}, and not {states}")


async def start(engine: RayEngine, wanted: Wanted) -> None:
    """Start a replica, again and again while the cluster cannot be asked or has no room."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await engine.start(wanted)
        except (Unreachable, NoRoom):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.2)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def newest_actor() -> int:
    """Return the process of the actor that was made last. Ray makes its title of the class's name."""
    actors = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"ray::Replica"):
                actors.append(int(folder.name))
    return max(actors, key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))


def test_ray_client_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(ValueError, match="Ray Client"):
        RayEngine("ray://head:10001")


def test_a_driver_gets_none_of_the_control_planes_own_settings() -> None:
    environment = driver_environment({"PATH": "/bin", "LEASEBOOK_MASTER_KEY": "secret"})
    assert environment == {"PATH": "/bin", "RAY_USAGE_STATS_ENABLED": "0"}


def test_a_command_gets_a_clean_environment_and_the_port_that_was_chosen(place: RayNamespace) -> None:
    async def check() -> None:
        async with place.engine() as engine:
            show = "import json, os; print(json.dumps(dict(os.environ)), flush=True); import time; time.sleep(600)"
            wanted = place.wanted("env", (sys.executable, "-c", show), port=0)
            wanted = msgspec.structs.replace(
                wanted, spec=msgspec.structs.replace(wanted.spec, env={**wanted.spec.env, "URL": "http://x:{port}/"})
            )
            await engine.start(wanted)
            give_up = time.monotonic() + PATIENCE_S
            while not (lines := await engine.logs("env", 1)):
                assert time.monotonic() < give_up
                await asyncio.sleep(0.1)
            found = json.loads(lines[0])
            port = found["PORT"]
            assert str((await engine.observe())["env"].address).rpartition(":")[2] == port
            assert found["URL"] == f"http://x:{port}/"
            assert (found["LEASEBOOK_REPLICA"], found["CUDA_VISIBLE_DEVICES"]) == ("env", "")
            assert not [name for name in found if name.startswith("RAY")], "nothing of Ray's"
            await engine.stop("env", 0)
            await see(engine, "env", None)

    run(check())


def test_a_fixed_port_that_is_taken_is_no_room(place: RayNamespace) -> None:
    async def check() -> None:
        async with place.engine() as engine:
            with socket.socket() as taken:
                taken.bind(("", 0))
                taken.listen()
                with pytest.raises(NoRoom, match="is taken"):
                    await engine.start(place.wanted("fixed", port=taken.getsockname()[1]))
            assert await engine.observe() == {}

    run(check())


def test_a_demand_without_room_waits_for_a_while_and_gets_what_becomes_free(
    cluster: RayCluster, place: RayNamespace
) -> None:
    async def check() -> None:
        async with place.engine(demand_s=4) as engine:
            await engine.start(place.wanted("first", units=UNITS))
            with pytest.raises(NoRoom):
                await engine.start(place.wanted("second", units=UNITS))
            assert sorted(await engine.observe()) == ["first"], "nothing was started"
            await engine.stop("first", 0)
            await see(engine, "first", None)
            await start(engine, place.wanted("second", units=UNITS))
            await see(engine, "second", "Ready")
            with pytest.raises(NoRoom):
                await engine.start(place.wanted("forgotten"))
            await engine.stop("second", 0)
            await see(engine, "second", None)
            give_up = time.monotonic() + PATIENCE_S
            forgotten = f"{place.mark}/forgotten"
            while forgotten in (groups := cluster.ask(do="groups")["names"]):
                assert await engine.observe() == {}, "room that waits for its replica is none"
                assert time.monotonic() < give_up, "a forgotten demand holds its room for ever"
            assert not [group for group in groups if group.startswith(place.mark)]

    run(check())


def test_an_image_and_more_units_than_any_node_has_can_never_run(place: RayNamespace) -> None:
    async def check() -> None:
        async with place.engine(units_per_node_max={"small": UNITS}) as engine:
            for wanted in (
                place.wanted("image", image="busybox"),
                place.wanted("big", units=UNITS + 1),
                place.wanted("odd", kind="unknown"),
                place.wanted("none", ()),
                place.wanted("zero", ("sleep", "\0")),
            ):
                with pytest.raises(CannotRun, match=r"\.$"):
                    await engine.start(wanted)
            assert await engine.observe() == {}
            assert (await engine.capacity())["small"] == UNITS

    run(check())


def test_a_control_plane_that_is_killed_leaves_replicas_that_the_next_one_adopts(place: RayNamespace) -> None:
    wanted = place.wanted("kept")
    code = (
        "import asyncio, sys, msgspec\n"
        "from leasebook.domain.model.replica import Wanted\n"
        "from leasebook.engines.ray.engine import RayEngine\n"
        "async def main():\n"
        "    await RayEngine(sys.argv[1], namespace=sys.argv[2]).start(msgspec.json.decode(sys.argv[3], type=Wanted))\n"
        "    print('started', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    arguments = [sys.executable, "-c", code, place.address, place.mark, msgspec.json.encode(wanted).decode()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as control_plane:
        assert control_plane.stdout is not None
        assert control_plane.stdout.readline() == "started\n"
        control_plane.send_signal(signal.SIGKILL)

    async def check() -> None:
        async with place.engine() as engine:
            await see(engine, "kept", "Ready")
            pids = place.pids()
            await engine.start(wanted)
            assert place.pids() == pids
            await engine.stop("kept", 5)
            await see(engine, "kept", None)
            assert place.pids() == []

    run(check())


def test_a_start_that_was_cut_short_is_seen_finished_by_a_start_and_cleared_by_a_stop(
    cluster: RayCluster, place: RayNamespace
) -> None:
    async def check() -> None:
        for name in ("again", "away"):
            cluster.ask(do="reserve", namespace=place.mark, name=f"{place.mark}/{name}", room={"leasebook_small": 1})
        async with place.engine() as engine:
            seen = await see(engine, "again", "Exited")
            assert seen is not None
            assert "cut short" in (seen.reason or "")
            await engine.start(place.wanted("again"))
            await see(engine, "again", "Ready")
            await engine.stop("away", 5)
            await see(engine, "away", None)
            await engine.stop("again", 5)
            await see(engine, "again", None)
            await start(engine, place.wanted("all", units=UNITS))
            await engine.stop("all", 0)
            await see(engine, "all", None)

    run(check())


def test_the_end_of_the_actors_process_ends_the_command_and_all_that_it_started(place: RayNamespace) -> None:
    async def check() -> None:
        async with place.engine() as engine:
            forks = "trap '' TERM; setsid sleep 600 & sleep 600 & wait"
            await engine.start(place.wanted("tree", ("sh", "-c", forks)))
            give_up = time.monotonic() + PATIENCE_S
            while len(pids := place.pids()) < 3:
                assert time.monotonic() < give_up, pids
                await asyncio.sleep(0.05)
            os.kill(newest_actor(), signal.SIGKILL)
            await place.none_left()
            seen = await see(engine, "tree", "Exited")
            assert seen is not None
            assert "died" in (seen.reason or "")
            await engine.start(place.wanted("tree", ("sh", "-c", forks)))
            assert place.pids() == [], "a name is not run a second time"
            await engine.stop("tree", 5)
            await see(engine, "tree", None)

    run(check())


def test_a_replica_that_takes_more_memory_than_it_may_is_ended(place: RayNamespace) -> None:
    async def check() -> None:
        async with place.engine() as engine:
            eat = "held = bytearray(200_000_000); held[::4096] = b'1' * len(held[::4096]); import time; time.sleep(600)"
            await engine.start(place.wanted("eater", (sys.executable, "-c", eat), memory_bytes=100_000_000))
            seen = await see(engine, "eater", "Exited")
            assert seen is not None
            assert "bytes of memory, more than its 100000000" in (seen.reason or "")
            await engine.stop("eater", 0)
            await see(engine, "eater", None)

    run(check())


def test_a_replica_on_a_node_that_is_lost_is_seen_as_exited_and_starts_elsewhere(
    cluster: RayCluster, place: RayNamespace
) -> None:
    async def check() -> None:
        cluster.ask(do="add", name="goes", resources={"leasebook_big": 2})
        async with place.engine() as engine:
            await engine.start(place.wanted("on-lost", kind="big", units=2))
            await engine.start(place.wanted("on-other"))
            await see(engine, "on-lost", "Ready")
            await see(engine, "on-other", "Ready")
            cluster.ask(do="kill", name="goes")
            seen = await see(engine, "on-lost", "Exited")
            assert seen is not None
            assert seen.reason == "node lost"
            assert (await engine.observe())["on-other"].state == "Ready"
            assert len(place.pids()) == 1
            assert "big" not in await engine.capacity()
            with pytest.raises(NoRoom):
                await engine.start(place.wanted("next", kind="big", units=2))
            cluster.ask(do="add", name="comes", resources={"leasebook_big": 2})
            await engine.stop("on-lost", 5)
            await see(engine, "on-lost", None)
            await engine.start(place.wanted("next", kind="big", units=2))
            await see(engine, "next", "Ready")
            for name in ("next", "on-other"):
                await engine.stop(name, 0)
                await see(engine, name, None)

    run(check())


def test_a_head_that_does_not_answer_is_unreachable_until_it_does_and_replicas_go_on(
    cluster: RayCluster, place: RayNamespace
) -> None:
    async def check() -> None:
        head = cluster.ask(do="gcs")["pid"]
        async with place.engine(call_s=5) as engine:
            await start(engine, place.wanted("goes-on"))
            await see(engine, "goes-on", "Ready")
            os.kill(head, signal.SIGSTOP)
            try:
                for ask in (engine.observe, engine.capacity):
                    with pytest.raises(Unreachable):
                        await ask()
                assert len(place.pids()) == 1
            finally:
                os.kill(head, signal.SIGCONT)
            await see(engine, "goes-on", "Ready")
            await engine.stop("goes-on", 0)
            await see(engine, "goes-on", None)

    run(check())


def test_a_head_that_remembers_in_redis_comes_back_with_the_replicas(cluster: RayCluster, place: RayNamespace) -> None:
    if shutil.which("redis-server") is None:
        reason = "there is no redis-server for a head that remembers"
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS") == "1":
            pytest.fail(f"{reason}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
        pytest.skip(reason)

    async def check() -> None:
        async with place.engine(call_s=5) as engine:
            await start(engine, place.wanted("stays"))
            await see(engine, "stays", "Ready")
            pids = place.pids()
            cluster.ask(do="kill-gcs")
            with pytest.raises(Unreachable):
                await engine.observe()
            cluster.ask(do="start-gcs")
            await see(engine, "stays", "Ready")
            await start(engine, place.wanted("stays"))
            assert place.pids() == pids
            await engine.stop("stays", 5)
            await see(engine, "stays", None)

    run(check())


def test_a_head_that_is_lost_takes_its_cluster_along_and_the_next_head_starts_empty(
    cluster: RayCluster, place: RayNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An attempt to connect to the head that is gone is given up sooner.
    monkeypatch.setattr(ray_engine, "CONNECT_S", 12.0)

    async def check() -> None:
        async with place.engine(call_s=5) as engine:
            await start(engine, place.wanted("lost", ends_in_s=300))
            await see(engine, "lost", "Ready")
            cluster.ask(do="kill-head")
            with pytest.raises(Unreachable):
                await engine.observe()
            cluster.ask(do="start-head")
            await see(engine, "lost", None)
            # Nodes of the old head end themselves; those that are left by then, the deadline ends.
            await place.none_left()
            cluster.ask(do="add", name="new", resources={"leasebook_small": UNITS})
            await start(engine, place.wanted("lost"))
            await see(engine, "lost", "Ready")

    run(check())
