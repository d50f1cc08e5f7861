"""A server with its data directory and its secrets, and process engines beside it whose replicas attack it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.process.limits import Limits
from leasebook.engines.sandbox import layers as sandbox_layers
from leasebook.engines.sandbox.sandbox import Sandbox
from tests.engines.checks import see
from tests.engines.kinds import ProcessBench, make

ATTACKS = Path(__file__).with_name("sandbox_attacks.py")
OFF = Sandbox(mode="off")
SECRET = "the-secret-of-the-root-key-1234567890"


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def need_complete() -> None:
    """Skip where this machine cannot isolate, or fail where that is asked for."""
    missing = sandbox_layers.find_layers(Sandbox()).missing
    if missing:
        reason = f"no complete sandbox here: {'; '.join(missing)}"
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            pytest.fail(f"{reason}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
        pytest.skip(reason)


class SandboxServer(msgspec.Struct, frozen=True):
    """A server that runs."""

    data: Path
    pid: int
    port: int


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[SandboxServer]:
    """Run a server on a data directory of its own, with its root key in its environment."""
    data = folder / "data"
    keys = {"LEASEBOOK_ROOT_ACCESS_KEY": "ALTAKattack", "LEASEBOOK_ROOT_SECRET_KEY": SECRET}
    command = (sys.executable, "-m", "leasebook", "serve", "--port", "0", "--data", str(data))
    with (folder / "server.log").open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **keys}, stdout=out, stderr=subprocess.STDOUT)
    try:
        give_up = time.monotonic() + 60
        while not (found := _listening(folder / "server.log")):
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < give_up, (folder / "server.log").read_text()
            time.sleep(0.05)
        yield SandboxServer(data, process.pid, found)
    finally:
        process.kill()
        process.wait()


def _listening(log: Path) -> int:
    for part in log.read_text().split("http://127.0.0.1:")[1:]:
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        if digits:
            return int(digits)
    return 0


class SandboxBench(ProcessBench):
    """Engines on one directory, whose replicas may read the attacks and what they are to attack."""

    def engine(self, limits: Limits | None = None, sandbox: Sandbox | None = None) -> ProcessEngine:
        return super().engine(limits, sandbox or self.sandbox())

    def sandbox(self, **values: Any) -> Sandbox:
        return super().sandbox(**{"paths": (str(self.flags), str(ATTACKS.parent), str(self.program)), **values})

    @property
    def program(self) -> Path:
        """The folder of the program that other tests run as a replica."""
        return Path(self.command("x")[3]).parent

    def attacking(self, name: str, code: str, *, trusted: bool = False, **spec: Any) -> Wanted:
        """Return a replica that runs some Python."""
        command = (sys.executable, "-I", "-S", "-c", code)
        given = {"env": {"TEST_MARK": self.mark}, "port": None, **spec}
        return msgspec.structs.replace(make(name, 1, RunSpec(command=command, **given)), trusted=trusted)

    async def log_of(self, engine: ProcessEngine, name: str, last: str = "done") -> list[str]:
        """Wait until a replica has written a line, or ended, and return all lines."""
        give_up = time.monotonic() + self.patience_s
        while last not in (lines := await engine.logs(name, 1000)):
            seen = (await engine.observe()).get(name)
            if seen is not None and seen.state == "Exited":
                return await engine.logs(name, 1000)
            assert time.monotonic() < give_up, lines
            await self.wait(self.step_s)
        return lines


class Targets:
    """The targets of attacks: a server, another replica, and sockets of this test."""

    def __init__(self, scene: SandboxBench, server: SandboxServer) -> None:
        self._scene = scene
        self._server = server
        self._sockets = [
            socket.socket(),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_UNIX),
        ]
        free, datagrams, abstract = self._sockets
        for one in (free, datagrams):
            one.bind(("127.0.0.1", 0))
        self._abstract = f"leasebook-{secrets.token_hex(8)}"
        abstract.bind(f"\0{self._abstract}")
        abstract.listen()

    async def attacked(self, engine: ProcessEngine, name: str, *, trusted: bool = False) -> dict[str, str]:
        """Start another replica and the attacker; return what came of each attack."""
        scene, server = self._scene, self._server
        other = f"other-{name}"
        await engine.start(msgspec.structs.replace(scene.wanted(other), trusted=trusted))
        seen = await see(scene, engine, other, ("Ready",), but=("Exited",))
        assert seen is not None
        free_port = self._sockets[0].getsockname()[1]
        self._sockets[0].close()
        targets = {
            "data": str(server.data),
            "server": server.pid,
            "secret": SECRET,
            "server_port": server.port,
            "other": scene.pids(other)[0],
            "other_secret": scene.mark,
            "other_work": str(scene.root / "replicas" / other / "work"),
            "other_state": str(scene.root / "replicas" / other),
            "other_port": int((seen.address or "").rpartition(":")[2]),
            "own_state": str(scene.root / "replicas" / name),
            "keeper": scene.keepers(other)[0],
            "free_port": free_port,
            "udp_port": self._sockets[1].getsockname()[1],
            "abstract": self._abstract,
        }
        (scene.flags / "targets").write_text(json.dumps(targets))
        command = (sys.executable, "-I", "-S", str(ATTACKS), str(scene.flags / "targets"))
        spec = RunSpec(command=command, env={"TEST_MARK": scene.mark})
        await engine.start(msgspec.structs.replace(make(name, 1, spec), trusted=trusted))
        lines = await scene.log_of(engine, name)
        assert lines[-1] == "done", lines
        return {what: outcome for what, _, outcome in (line.partition(": ") for line in lines[:-1])}

    def close(self) -> None:
        """Close what this test listens on."""
        for one in self._sockets:
            one.close()
