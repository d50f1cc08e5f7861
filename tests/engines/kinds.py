"""The engines that the contract is checked on. Append a Kind to KINDS, and all of it is checked on yours.

A ``Bench`` is one place where replicas run, with handles on what engines do not know: whether a replica really runs,
how to make one ill, how to cut the place off. Nothing in the checks knows how; nothing in them asks for an engine's
inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import math
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import pytest

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.process.devices import DeviceFinder
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.process.files import Files
from leasebook.engines.process.health import Checks
from leasebook.engines.process.limits import Limits
from leasebook.engines.ray.engine import RayEngine
from leasebook.engines.sandbox.layers import find_layers
from leasebook.engines.sandbox.sandbox import Sandbox
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.engines.ray_cluster import RayCluster

PROGRAM = Path(__file__).with_name("program.py")
CPU, GPU = "cpu-1", "gpu-1"
DEVICES = ("device-a", "device-b", "device-c", "device-d")
LOG_BYTES_MAX = 64 * 1024
UNITS = {CPU: 24, GPU: len(DEVICES)}

Flag = Literal["go", "sick", "well", "die"]
"""go: become healthy (one that ``waits``). sick, well: the health check fails, is fine. die: end with code 3."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica behaves. ``prints`` lines of ``line 0``, ``line 1``, … go to both streams in turn."""

    waits: bool = False
    stubborn: bool = False
    prints: int = 0
    listens: bool = True


class Bench(Protocol):
    """A place where replicas run."""

    has_devices: bool
    """Whether it has four accelerators for GPU; a bench without has no units of GPU either."""
    can_be_cut: bool
    patience_s: float
    """How long, by ``now``, anything may take."""
    step_s: float
    short_s: float
    """A time in which a replica that is asked to end has ended, and which a test can let pass."""

    def engine(self) -> ReplicaEngine:
        """Return a new engine object on the same place, as after a restart of the control plane."""

    def wanted(
        self,
        name: str,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 - it is frozen
        *,
        units: int = 1,
        accelerators: int = 0,
        port: int | None = 0,
        ends_in_s: float | None = None,
        grace_s: float = 10.0,
    ) -> Wanted:
        """Return a replica that takes ``units`` units, of GPU if it wants accelerators and else of CPU."""

    def hopeless(self, name: str) -> Wanted:
        """Return a replica that can never run here."""

    def now(self) -> float:
        """Return what time it is where deadlines count, in seconds since some moment."""

    async def wait(self, seconds: float) -> None:
        """Let time pass."""

    def tell(self, name: str, flag: Flag) -> None:
        """Have a replica behave otherwise from now on."""

    def running(self, name: str) -> int:
        """Return how many of a name really run, found without any engine."""

    def cut(self) -> None:
        """Make the place unreachable, while what runs goes on."""

    def mend(self) -> None:
        """Make it reachable again."""

    def close(self) -> None:
        """End everything that is left."""


async def until(bench: Bench, what: str, holds: Callable[[], bool]) -> None:
    """Let time pass until something holds; fails when the bench's patience is at an end."""
    give_up = bench.now() + bench.patience_s
    while not holds():
        assert bench.now() < give_up, f"never: {what}"
        await bench.wait(bench.step_s)


class FakeBench(Bench):
    """The fake engine's world, under a clock that is moved by waiting."""

    has_devices = True
    can_be_cut = True
    patience_s = 60.0
    step_s = 0.25
    short_s = 1.0

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self.world = FakeWorld(self.now, UNITS, devices=DEVICES)

    def engine(self) -> ReplicaEngine:
        return FakeEngine(self.world)

    def behave(self, name: str, behaviour: Behaviour) -> None:
        """Say in the fake's own terms how a replica behaves."""
        self.world.script(
            name,
            start_s=math.inf if behaviour.waits else 0.5,
            stop_s=0.5,
            ignores_term=behaviour.stubborn,
            prints=tuple(f"line {number}" for number in range(behaviour.prints)),
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
        self.behave(name, behaviour)
        spec = RunSpec(
            command=("x",), port=port if behaviour.listens else None, accelerators=accelerators, grace_s=grace_s
        )
        return make(name, units, spec, ends_in_s)

    def hopeless(self, name: str) -> Wanted:
        wanted = self.wanted(name)
        self.world.script(name, cannot_run="There is no such command.")
        return wanted

    def now(self) -> float:
        return self._now

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self._now += seconds

    def tell(self, name: str, flag: Flag) -> None:
        if flag == "die":
            self.world.end(name, "it ended with code 3")
        else:
            {"go": self.world.get_ready, "sick": self.world.sicken, "well": self.world.heal}[flag](name)

    def running(self, name: str) -> int:
        return self.world.running(name)

    def cut(self) -> None:
        self.world.cut()

    def mend(self) -> None:
        self.world.mend()

    def close(self) -> None:
        """There is nothing to end."""


class PretendedDevices:
    """A machine with four accelerators."""

    def find(self) -> tuple[str, ...]:
        return DEVICES

    def nodes(self, devices: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"/dev/{device}" for device in devices)

    def visible(self, devices: Sequence[str], *, alone: bool) -> tuple[str, ...]:
        del alone
        return tuple(devices)


class ProcessBench(Bench):
    """A directory of its own, with real processes of a small server. All of them carry the bench's mark."""

    finder: DeviceFinder = PretendedDevices()
    has_devices = True
    can_be_cut = True
    patience_s = 30.0
    step_s = 0.02
    short_s = 0.4

    def __init__(self, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.flags = folder / "flags"
        self.root = folder / "engine"
        self.flags.mkdir()

    def sandbox(self, **values: Any) -> Sandbox:
        """Return a sandbox in which the program and its flags can be read."""
        return Sandbox(**{"paths": (str(self.flags), str(PROGRAM.parent)), "hidden": (str(self.root),), **values})

    def engine(self, limits: Limits | None = None, sandbox: Sandbox | None = None) -> ProcessEngine:
        # Where the sandbox is not complete, as much is tried as there is.
        given = sandbox or self.sandbox()
        mode = "prefer" if find_layers(given).missing and sandbox is None else given.mode
        return ProcessEngine(
            self.root,
            UNITS,
            accelerated=frozenset({GPU}),
            devices=self.finder,
            limits=limits,
            sandbox=msgspec.structs.replace(given, mode=mode),
            checks=Checks(every_s=0.02, timeout_s=0.5),
            log_bytes_max=LOG_BYTES_MAX,
        )

    def command(self, name: str, *options: str, port: str = "{port}") -> tuple[str, ...]:
        return (sys.executable, "-I", "-S", str(PROGRAM), str(self.flags), name, port, *options)

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
        options = [f"prints={behaviour.prints}"]
        options += [word for word in ("waits", "stubborn") if getattr(behaviour, word)]
        spec = RunSpec(
            command=self.command(name, *options, port="{port}" if behaviour.listens else "-"),
            env={"TEST_MARK": self.mark},
            port=port if behaviour.listens else None,
            health_path="/health" if behaviour.listens else None,
            accelerators=accelerators,
            grace_s=grace_s,
        )
        return make(name, units, spec, ends_in_s)

    def hopeless(self, name: str) -> Wanted:
        return make(name, 1, RunSpec(command=("no-such-command-anywhere",)))

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def tell(self, name: str, flag: Flag) -> None:
        if flag == "well":
            (self.flags / f"{name}.sick").unlink()
        else:
            (self.flags / f"{name}.{flag}").touch()

    def pids(self, name: str | None = None) -> list[int]:
        """Return the live processes of a replica, or of all."""
        marks = {f"TEST_MARK={self.mark}".encode()} | ({f"LEASEBOOK_REPLICA={name}".encode()} if name else set())
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and marks <= set((folder / "environ").read_bytes().split(b"\0")):
                    found.append(int(folder.name))
        return found

    def running(self, name: str) -> int:
        return len(self.pids(name))

    def marking(self, name: str) -> Wanted:
        """Return a replica that listens nowhere and is counted by ``runs``."""
        spec = RunSpec(command=self.command(name, "marks", port="-"), env={"TEST_MARK": self.mark}, port=None)
        return make(name, 1, spec)

    def runs(self, name: str) -> int:
        """Return how often a replica that marks has begun, also of one that is gone."""
        logs = (self.root / "replicas" / name / "log", self.root / "ended" / f"{name}.log")
        return sum(path.read_text().split("\n").count("begun") for path in logs if path.exists())

    def cut(self) -> None:
        self.root.rename(self.root.with_name("elsewhere"))

    def mend(self) -> None:
        self.root.with_name("elsewhere").rename(self.root)

    def keepers(self, name: str = "") -> list[int]:
        """Return the keepers on this directory, or of one replica."""
        argument = f"{self.root}/replicas/{name}" + ("\0" if name else "")
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and argument.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def close(self) -> None:
        for pid in self.keepers() + self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        give_up = time.monotonic() + 10
        while self.pids():
            assert time.monotonic() < give_up, "replicas outlive their test"
            time.sleep(0.01)
        files = Files(self.root, 1)
        for found in files.all():
            files.clear(found.name)
        shutil.rmtree(self.root, ignore_errors=True)


def make(name: str, units: int, spec: RunSpec, ends_in_s: float | None = None) -> Wanted:
    """Return a replica of the unit and service that all of them have here."""
    return Wanted(
        name=name,
        unit_id="unit-1",
        service_id="service-1",
        unit_type=GPU if spec.accelerators else CPU,
        units=units,
        spec=spec,
        ends_in_s=ends_in_s,
        trusted=True,
    )


def plain(bench: ProcessBench, name: str, *options: str, **spec: Any) -> Wanted:
    """A replica of the program with these options, and its mark."""
    wanted = {"command": bench.command(name, *options), "env": {"TEST_MARK": bench.mark}, **spec}
    return make(name, 1, RunSpec(**wanted))


class Kind(NamedTuple):
    """An engine: its name, and how to get a bench in an empty folder."""

    name: str
    bench: Callable[[Path], AbstractContextManager[Bench]]


@contextlib.contextmanager
def fake(_: Path) -> Iterator[Bench]:
    yield FakeBench()


@contextlib.contextmanager
def process(folder: Path) -> Iterator[Bench]:
    bench = ProcessBench(folder)
    try:
        yield bench
    finally:
        bench.close()


class RayBench(ProcessBench):
    """A namespace of its own on the Ray cluster that all tests of this process share."""

    can_be_cut = False
    patience_s = 60.0
    step_s = 0.1
    short_s = 2.0
    has_node = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cluster = self.shared_cluster()
        self.address = self.cluster.address

    @staticmethod
    def shared_cluster() -> RayCluster:
        """Return the cluster, with a node that has units of every type."""
        cluster = RayCluster.of_this_process()
        if not RayBench.has_node:
            RayBench.has_node = True
            resources = {f"leasebook_{unit_type}": units for unit_type, units in UNITS.items()}
            cluster.ask(do="add", name="node", cpus=8, gpus=len(DEVICES), resources=resources)
        return cluster

    def engine(self) -> RayEngine:  # type: ignore[override]
        return RayEngine(self.address, namespace=f"test-{self.mark}", units_per_node_max=UNITS)

    def keepers(self, name: str = "") -> list[int]:
        """Return none: they end with their actors."""
        del name
        return []

    def close(self) -> None:
        self.cluster.ask(do="clear")
        super().close()


@contextlib.contextmanager
def on_ray(folder: Path) -> Iterator[Bench]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: leasebook[ray], requirements/ray.txt")
    bench = RayBench(folder)
    try:
        yield bench
    finally:
        bench.close()


KINDS = [Kind("fake", fake), Kind("process", process), Kind("ray", on_ray)]
