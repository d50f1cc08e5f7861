"""The Ray engine: replicas as detached actors on a Ray cluster, their capacity held by placement groups.

This side belongs to the control plane and imports no Ray. It asks a driver, a process of its own (``ray_line``), and
ends it when it does not answer: a lost cluster costs a driver, never the control plane, and never its event loop. The
next call starts another driver, so that the engine comes back by itself when the cluster does.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, Any

import msgspec

from leasebook.domain.model.replica import Isolation, Seen, Wanted
from leasebook.engines.contract import CannotRun, LogPart, LogPlace, NoRoom, Unreachable

CONNECT_S = 30.0
"""How long a driver may take to be connected. It takes two to three seconds on an idle machine."""
START_S = 45.0
"""Longer than the driver waits for a start by itself (``ray_driver``: for room, and for the actor)."""
CONNECTED = 0
"""The number of the answer that says that a driver is connected."""
LINE_BYTES_MAX = 1 << 26
SAID_BYTES = 400

REFUSALS: Mapping[str, type[Exception]] = {"CannotRun": CannotRun, "NoRoom": NoRoom, "Unreachable": Unreachable}


_hearing: set[asyncio.Task[None]] = set()
"""The loop itself holds its tasks weakly. A driver is heard until it ends, even if its engine was never closed."""


class Driver:
    """A driver's process as the engine sees it: questions out, answers in, each found by its number.

    ``said`` is the file that takes what the process writes to its streams.
    """

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.said = said
        self.writer = writer
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.lost = False

    async def ask(self, number: int, question: dict[str, Any], timeout_s: float) -> Any:
        """Send a line and return the answer of that number.

        Raises what the driver raises, and Unreachable where it is lost.
        """
        if self.lost:
            raise Unreachable("The connection to Ray is lost.")
        future = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        try:
            self.writer.write(msgspec.json.encode(question) + b"\n")
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            self.end()
            raise Unreachable(f"Ray did not answer within {timeout_s:g} s.") from None
        finally:
            self.waiting.pop(number, None)

    async def hear(self, reader: asyncio.StreamReader) -> None:
        """Pass answers on to those who wait for them, until the driver ends."""
        try:
            while line := await reader.readline():
                answer = msgspec.json.decode(line)
                future = self.waiting.get(answer["id"])
                if future is None or future.done():
                    continue
                if answer["error"] is None:
                    future.set_result(answer["value"])
                else:
                    future.set_exception(REFUSALS[answer["error"]](answer["message"]))
        except ConnectionError:
            return
        finally:
            self.end()

    def end(self) -> None:
        """Give this driver up: its waiting callers get an error, and the process is killed. Its replicas go on."""
        if self.lost:
            return
        self.lost = True
        if self.waiting:
            why = self.why()
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(Unreachable(why))
        self.writer.close()
        self.said.close()
        self.process.kill()
        # A process with much memory takes a while to go: not on the loop's time.
        threading.Thread(target=self.process.wait, daemon=True).start()

    def why(self) -> str:
        """Return why there is no driver, as far as it said."""
        self.said.seek(max(0, self.said.seek(0, os.SEEK_END) - SAID_BYTES))
        said = " ".join(self.said.read().decode(errors="replace").split())
        return f"The connection to Ray is lost. {said}".strip()


class RayEngine:
    """Runs replicas on the Ray cluster at ``address`` (host:port of its head), under ``namespace``.

    The machine of the control plane has to be a node of the cluster, one with no resources for example: Ray connects
    drivers through the node that they are on. ``resources`` says which custom resource of the cluster represents a unit
    type; for a type that is not in it, that is ``resource_prefix`` and its name. ``units_per_node_max`` is how many
    units of each type the biggest node has that the cluster will ever have: a replica that wants more can never run
    here. None: unknown, and the replica finds no room. ``demand_s`` is how long a demand that found no room stays
    visible to an autoscaler after it was last asked for. ``call_s`` is how long an answer of the cluster may take
    before it counts as unreachable. ``serve_port`` is where Ray Serve is to listen on its nodes where an application is
    the first to start it.

    Raises ValueError for an address that Ray Client would serve, and RuntimeError where Ray is not installed.
    """

    name = "ray"
    local = False
    has_log_parts = False

    def __init__(
        self,
        address: str,
        *,
        namespace: str = "leasebook",
        resources: Mapping[str, str] | None = None,
        resource_prefix: str = "leasebook_",
        units_per_node_max: Mapping[str, int] | None = None,
        demand_s: float = 60.0,
        call_s: float = 10.0,
        serve_port: int = 8000,
    ) -> None:
        if "://" in address:
            raise ValueError(f"{address}: give the address of the cluster's head as host:port; Ray Client will not do")
        if importlib.util.find_spec("ray") is None:
            raise RuntimeError("the Ray engine needs Ray: install leasebook[ray]")
        self._config = {
            "address": address,
            "namespace": namespace,
            "resources": dict(resources or {}),
            "resource_prefix": resource_prefix,
            "demand_s": demand_s,
            "serve_port": serve_port,
            "units_max": None if units_per_node_max is None else dict(units_per_node_max),
        }
        self._call_s = call_s
        self._numbers = itertools.count(1)
        self._driver: Driver | None = None
        self._connecting: asyncio.Task[Driver] | None = None
        self._closed = False

    def isolation(self) -> Isolation:
        """Name the walls that these replicas lack; see ``Isolation``."""
        return Isolation(("a sandbox: Ray runs every actor under its own user, in one file system and one network",))

    async def start(self, wanted: Wanted) -> None:
        """Reserve the room and start the actor. A demand without room stays visible for a while after NoRoom.

        Versions that no operator trusts are refused: whatever runs on the cluster can do anything on it.
        """
        if not wanted.trusted:
            raise CannotRun("no operator trusts the version, and Ray keeps nothing apart")
        await self._ask("start", START_S, name=wanted.name, wanted=msgspec.to_builtins(wanted))

    async def stop(self, name: str, grace_s: float) -> None:
        """Have the actor end its command; then the driver gives the room back."""
        await self._ask("stop", self._call_s, name=name, grace_s=grace_s)

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Tell the replica's keeper, which counts on its node."""
        await self._ask("end_in", self._call_s, name=name, seconds=seconds)

    async def observe(self) -> dict[str, Seen]:
        """Return all replicas of the namespace; those whose node was lost as Exited, until they are stopped."""
        found = msgspec.convert(await self._ask("observe", self._call_s), list[Seen])
        return {seen.name: seen for seen in found}

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines of a replica; none once it is cleared away, or its node is lost."""
        return msgspec.convert(await self._ask("logs", self._call_s, name=name, lines_max=lines_max), list[str])

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return no lines: an actor keeps the last lines, without their places."""
        del name, bytes_max
        return LogPart((), after or LogPlace(0, 0), is_over=True)

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Nothing is noted: no lines were returned."""

    async def capacity(self) -> dict[str, int]:
        """Return what the nodes that are there declare, by unit type."""
        return msgspec.convert(await self._ask("capacity", self._call_s), dict[str, int])

    async def close(self) -> None:
        """End the driver. The cluster, and what runs on it, stays as it is."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._driver is not None:
            self._driver.end()
            await asyncio.to_thread(self._driver.process.wait)
            self._driver = None

    async def _ask(self, method: str, timeout_s: float, **arguments: Any) -> Any:
        driver = await self._connected()
        number = next(self._numbers)
        return await driver.ask(number, {"id": number, "method": method, **arguments}, timeout_s)

    async def _connected(self) -> Driver:
        """Return a driver that is connected. Callers share one attempt, which goes on when some of them give up."""
        if self._closed:
            raise Unreachable("The engine is closed.")
        if self._driver is not None and not self._driver.lost:
            return self._driver
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._connect_ended)
        try:
            return await asyncio.wait_for(asyncio.shield(self._connecting), self._call_s)
        except TimeoutError:
            raise Unreachable(f"There is no connection to Ray at {self._config['address']} yet.") from None

    def _connect_ended(self, attempt: asyncio.Task[Driver]) -> None:
        self._connecting = None
        if not attempt.cancelled() and attempt.exception() is None:
            self._driver = attempt.result()

    async def _connect(self) -> Driver:
        """Start a driver and wait until it is connected. Raises Unreachable."""
        ours, theirs = socket.socketpair()
        with theirs:
            process, said = spawn_driver(theirs.fileno())
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES_MAX)
        driver = Driver(process, said, writer)
        hearing = asyncio.create_task(driver.hear(reader))
        _hearing.add(hearing)
        hearing.add_done_callback(_hearing.discard)
        try:
            await driver.ask(CONNECTED, self._config, CONNECT_S)
        except BaseException:
            driver.end()
            raise
        return driver


def spawn_driver(control: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start a driver on an open socket, and return it with the file that takes what it writes to its streams."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the driver
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "leasebook.engines.ray.line", str(control)],
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        env=driver_environment(os.environ),
        pass_fds=[control],
    )
    return process, said


def driver_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a driver: the control plane's, less its own settings, which hold secrets.

    Ray must not send usage reports anywhere.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("LEASEBOOK_")}
    return kept | {"RAY_USAGE_STATS_ENABLED": "0"}
