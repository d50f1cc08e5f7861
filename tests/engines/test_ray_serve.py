"""Ray Serve applications on a real cluster: the contract where it applies to them, and their own features."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from leasebook.cli import tour
from leasebook.domain.model.replica import RunSpec, Seen, Wanted
from leasebook.engines.contract import CannotRun, NoRoom
from leasebook.engines.ray.engine import RayEngine
from tests.engines import checks
from tests.engines.checks import Check, gone, ready, see
from tests.engines.kinds import CPU, GPU, UNITS, Behaviour, RayBench, make, until

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: leasebook[ray], requirements/ray.txt"
)

SERVE_PORT = 18_765
BIG = "big"
LOOKS, LOOK_AGAIN_S = 20, 0.1


class ServeBench(RayBench):
    """As the bench of commands, with applications. The processes of one are its replicas, or those with its mark."""

    # Each takes a guard, a deployer and a replica, and all three import Ray Serve.
    short_s = 3.0

    def engine(self) -> RayEngine:  # type: ignore[override]
        return RayEngine(
            self.address, namespace=f"test-{self.mark}", units_per_node_max={**UNITS, BIG: 2}, serve_port=SERVE_PORT
        )

    def wanted(
        self,
        name: str,
        behaviour: Behaviour = Behaviour(),  # noqa: B008
        *,
        units: int = 1,
        accelerators: int = 0,
        port: int | None = 0,
        ends_in_s: float | None = None,
        grace_s: float = 10.0,
    ) -> Wanted:
        options = {word: "" for word in ("waits", "stubborn") if getattr(behaviour, word)}
        spec = RunSpec(
            application="serving:make",
            arguments={"flags": str(self.flags), "name": name, "prints": str(behaviour.prints), **options},
            env={"TEST_MARK": self.mark, "PYTHONPATH": str(Path(__file__).parent)},
            port=port,
            health_path="/health",
            accelerators=accelerators,
            grace_s=grace_s,
        )
        return make(name, units, spec, ends_in_s)

    def hopeless(self, name: str) -> Wanted:
        return make(name, 1, RunSpec(application="no_such_module_anywhere:app"))

    def replicas(self, name: str) -> list[int]:
        """Return the processes of an application's replicas. Serve makes their titles of their deployments."""
        found = []
        for pid in self.pids(name):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::ServeReplica"):
                    found.append(pid)
        return found

    def running(self, name: str) -> int:
        """Look again where there is none: between the deployer's end and the first replica nothing has the mark."""
        for _ in range(LOOKS):
            found = self.replicas(name)
            if found or self.pids(name):
                return len(found) or 1
            time.sleep(LOOK_AGAIN_S)
        return 0

    def guard(self) -> int:
        """Return the process of the guard that there is."""
        return self.guards()[0]

    def guards(self) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"ray::Application"):
                    found.append(int(folder.name))
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ServeBench]:
    bench = ServeBench(tmp_path)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture(scope="module", autouse=True)
def _serve_goes_with_these_tests() -> Iterator[None]:
    yield
    if RayBench.has_node:
        RayBench.shared_cluster().ask(do="no-serve")


KEPT: list[Check] = [
    checks.a_started_replica_gets_ready_and_has_an_address,
    checks.a_replica_is_starting_until_it_is_healthy,
    checks.to_start_from_many_sides_at_once_is_to_start_once,
    checks.what_can_never_run_is_refused_and_leaves_nothing,
    checks.a_replica_that_was_ready_and_does_not_answer_is_unhealthy_until_it_does,
    checks.what_ignores_that_it_is_to_end_is_killed_after_the_grace_and_not_before,
    checks.a_shorter_grace_hastens_an_end_that_is_under_way,
    checks.what_is_stopped_while_it_starts_is_gone,
    checks.a_restarted_control_plane_finds_what_runs,
    checks.what_nobody_remembers_is_seen_all_the_same,
    checks.a_stop_goes_on_without_the_control_plane,
    checks.a_replica_ends_at_its_deadline_though_the_control_plane_is_gone,
    checks.a_deadline_kills_what_ignores_that_it_is_to_end,
    checks.a_deadline_that_is_moved_or_cleared_counts_as_it_is_now,
]
"""Left out: checks of the room (the same as for commands), an application without a port, which is refused, its end
by itself, for Serve starts again what ends, and the order of lines in two streams, which are two files here."""


@pytest.mark.parametrize("check", KEPT, ids=lambda check: check.__name__)
async def test_an_application_keeps_the_contract(check: Check, bench: ServeBench) -> None:
    await check(bench)


def called(address: str | None, path: str) -> dict[str, Any]:
    """Call an application as the gateway does: the path behind the address."""
    told: dict[str, Any] = httpx2.post(f"http://{address}{path}", content=b"hello", timeout=10).json()
    return told


async def test_an_application_has_a_room_an_address_and_devices_of_its_own_and_its_lines_are_kept(
    bench: ServeBench,
) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("shop", Behaviour(prints=2), units=3, accelerators=1))
    await engine.start(bench.wanted("other"))
    seen = await ready(bench, engine, "shop", "other")
    assert seen["shop"].address != seen["other"].address
    told = await asyncio.to_thread(called, seen["shop"].address, "/v1/x?y=1")
    base = urlsplit(f"//{seen['shop'].address}").path
    assert (told["root"], told["path"], told["body"]) == (base, f"{base}/v1/x", "hello")
    found = told["environment"]
    assert (found["LEASEBOOK_REPLICA"], found["TEST_MARK"]) == ("shop", bench.mark)
    assert [f"/{device}" for device in found["CUDA_VISIBLE_DEVICES"].split(",")] == [
        device[device.index("/") :] for device in seen["shop"].devices
    ]
    assert [line for line in await engine.logs("shop", 1000) if line.startswith("line ")] == ["line 0", "line 1"]
    with pytest.raises(NoRoom):
        await engine.start(bench.wanted("third", units=4, accelerators=4))
    for name in ("shop", "other"):
        await engine.stop(name, 10)
    await gone(bench, engine, "shop", "other")


@pytest.mark.parametrize(
    ("application", "arguments", "words"),
    [
        ("serving:greedy", {}, "asks for a placement group"),
        ("serving:no_such_thing", {}, "no_such_thing"),
        ("serving:json", {}, "Expected a built Serve application"),
        ("serving:make", {"broken": ""}, "there is nothing to sell"),
    ],
)
async def test_what_cannot_be_deployed_is_seen_with_its_reason(
    bench: ServeBench, application: str, arguments: dict[str, str], words: str
) -> None:
    engine, wanted = bench.engine(), bench.wanted("bad")
    arguments = {**wanted.spec.arguments, **arguments} if arguments else {}
    spec = msgspec.structs.replace(wanted.spec, application=application, arguments=arguments)
    await engine.start(msgspec.structs.replace(wanted, spec=spec))
    seen = await see(bench, engine, "bad", ("Exited",), but=("Ready",))
    assert seen is not None
    assert words in (seen.reason or "")
    assert bench.running("bad") == 0
    await engine.stop("bad", 10)
    await gone(bench, engine, "bad")


async def test_a_port_of_its_own_is_refused(bench: ServeBench) -> None:
    engine = bench.engine()
    for port in (None, 8080):
        with pytest.raises(CannotRun, match="cannot have a port of its own"):
            await engine.start(bench.wanted("a", port=port))
    assert await engine.observe() == {}


async def test_serve_starts_again_what_dies_of_an_application(bench: ServeBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("shop"))
    await ready(bench, engine, "shop")
    before = bench.replicas("shop")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    give_up = bench.now() + bench.patience_s
    while not (after := bench.replicas("shop")) or set(after) & set(before):
        assert bench.now() < give_up
        await bench.wait(bench.step_s)
    await see(bench, engine, "shop", ("Ready",), but=("Exited",))
    await engine.stop("shop", 10)
    await gone(bench, engine, "shop")


async def test_a_guard_that_dies_is_started_again_and_takes_its_application_away(bench: ServeBench) -> None:
    engine, wanted = bench.engine(), bench.wanted("shop")
    await engine.start(wanted)
    await ready(bench, engine, "shop")
    await engine.close()
    guard = bench.guard()
    os.kill(guard, signal.SIGKILL)
    give_up = bench.now() + bench.patience_s
    while bench.running("shop"):
        assert bench.now() < give_up, "no guard is there, and it runs"
        await bench.wait(bench.step_s)
    later = bench.engine()
    seen = await see(bench, later, "shop", ("Exited",), but=())
    assert seen is not None
    assert "its guard died" in (seen.reason or "")
    await later.start(wanted)
    assert bench.running("shop") == 0, "a name is not run a second time"
    await later.stop("shop", 10)
    await gone(bench, later, "shop")


async def test_an_application_without_guard_and_room_is_seen_and_can_be_stopped(bench: ServeBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("stray"))
    await ready(bench, engine, "stray")
    bench.cluster.ask(do="unguard")
    give_up, reason = bench.now() + bench.patience_s, ""
    # While Ray takes the room away the guard may be seen as one that was killed.
    while "its guard is gone" not in reason:
        assert bench.now() < give_up, reason
        seen = await see(bench, engine, "stray", ("Exited",))
        reason = "" if seen is None or seen.reason is None else seen.reason
    assert bench.running("stray") == 1
    await engine.stop("stray", 10)
    await see(bench, engine, "stray", (None,))
    # No process on its node sees its end, and Ray counts an actor as gone a moment before its process is.
    await until(bench, "the end of what was killed", lambda: not bench.pids("stray"))


async def test_an_application_that_takes_more_memory_than_it_may_is_ended(bench: ServeBench) -> None:
    engine, wanted = bench.engine(), bench.wanted("eater")
    spec = msgspec.structs.replace(wanted.spec, memory_bytes=20_000_000)
    await engine.start(msgspec.structs.replace(wanted, spec=spec))
    seen = await see(bench, engine, "eater", ("Exited",))
    assert seen is not None
    assert "bytes of memory, more than its 20000000" in (seen.reason or "")
    assert bench.running("eater") == 0
    await engine.stop("eater", 10)
    await gone(bench, engine, "eater")


@pytest.mark.parametrize("name", ["ray_actor.Replica", "ray_application.Application"])
def test_what_is_sent_to_the_nodes_needs_nothing_of_leasebook(name: str) -> None:
    pack = (
        "import sys; from ray import cloudpickle; from leasebook.engines.ray import driver as ray_driver;"
        f"sys.stdout.buffer.write(cloudpickle.dumps(ray_driver.{name}))"
    )
    unpack = (
        "import sys; sys.modules['leasebook'] = None; import pickle; found = pickle.load(sys.stdin.buffer);"
        "methods = [one for one in vars(found).values() if callable(one)];"
        "values = [value for one in methods for value in one.__globals__.values()];"
        "print(found.__name__, len(values) > 10)"
    )
    packed = subprocess.run([sys.executable, "-c", pack], check=True, capture_output=True).stdout
    found = subprocess.run([sys.executable, "-c", unpack], input=packed, check=True, capture_output=True).stdout
    assert found.decode().split() == [name.partition(".")[2], "True"]


def on_big(wanted: Wanted) -> Wanted:
    return msgspec.structs.replace(wanted, unit_type=BIG, units=2)


@pytest.fixture
def big_nodes(bench: ServeBench) -> Iterator[Callable[[str], None]]:
    """Add nodes with room for big replicas. None of them is left to the tests that follow."""
    added: list[str] = []

    def add(name: str) -> None:
        bench.cluster.ask(do="add", name=name, resources={f"leasebook_{BIG}": 2})
        added.append(name)

    yield add
    for name in added:
        bench.cluster.ask(do="kill", name=name)


async def test_an_application_on_a_node_that_is_lost_is_seen_as_exited_and_runs_nowhere_else(
    bench: ServeBench, big_nodes: Callable[[str], None]
) -> None:
    big_nodes("goes")
    engine = bench.engine()
    await engine.start(on_big(bench.wanted("lost")))
    await ready(bench, engine, "lost")
    bench.cluster.ask(do="kill", name="goes")
    seen = await see(bench, engine, "lost", ("Exited",))
    assert isinstance(seen, Seen)
    # Where there is room again Ray moves the room there, and Serve would follow it: the guard is there, too.
    big_nodes("comes")
    settled = time.monotonic() + 15
    while time.monotonic() < settled:
        seen = (await engine.observe())["lost"]
        assert seen.state == "Exited", seen
        await bench.wait(0.1)
    assert bench.running("lost") == 0
    await engine.stop("lost", 0)
    await gone(bench, engine, "lost")
    await engine.start(on_big(bench.wanted("next")))
    await ready(bench, engine, "next")
    assert CPU in await engine.capacity()


def test_a_service_of_an_application_is_bought_called_through_the_gateway_and_released(
    bench: ServeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASEBOOK_ENGINES", f"{GPU}=ray")
    monkeypatch.setenv("LEASEBOOK_ENGINES_RAY_ADDRESS", bench.address)
    monkeypatch.setenv("LEASEBOOK_ENGINES_RAY_SERVE_PORT", str(SERVE_PORT))
    with tour._a_server() as guide:
        guide.call("/v2/catalog", "SetOffering", region="bj", type=GPU, pricePerMinute="0.01", stockTotal=4)
        made = guide.call(tour.MODEL, "CreateCustomModelSet", modelSetName="shop")
        spec = bench.wanted("shop").spec
        run = {"application": spec.application, "arguments": spec.arguments, "env": spec.env, "healthPath": "/health"}
        model = guide.call(tour.MODEL, "CreateCustomModel", **made, run=run)
        bought = guide.call(
            tour.SERVICE,
            "CreateService",
            name="shop",
            urlSuffix="shop",
            modelSetId=model["modelSetId"],
            modelId=model["modelId"],
            resourceConfig={"type": f"{GPU.upper()}-1", "region": "bj", "replicasCount": 1},
            billing={"paymentTiming": "Postpaid", "releaseTime": tour._soon(tour.LATEST_S)},
        )
        service, unit = {"serviceId": bought["serviceId"]}, {"instanceId": bought["instanceId"]}
        shown = guide.until(tour.SERVICE, "DescribeService", "runStatus", "Serving", **service)
        key = guide.call(tour.SERVICE, "CreateServiceKey", name="shop", **service)["key"]
        headers = {"Authorization": f"Bearer {key}"}
        told = httpx2.post(f"{shown['url']}/v1/x", content=b"hello", headers=headers, timeout=10).json()
        assert (told["path"], told["body"]) == (f"{told['root']}/v1/x", "hello")
        assert told["environment"]["LEASEBOOK_UNIT"] == unit["instanceId"]
        guide.call(tour.UNITS, "AutoReleaseComputeUnit", **unit, releaseTime=tour._soon(3))
        guide.until(tour.UNITS, "DescribeComputeUnit", "status", "Released", **unit)
        assert bench.pids() == [], "units are released when nothing runs on them"
