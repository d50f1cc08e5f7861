"""The actor that guards one Ray Serve application: it has it deployed, answers for it, and sees to its end.

Its placement group holds the room, and it takes all of that itself; the replicas that Serve makes ask for nothing, and
are bound to its node. Ray starts a guard again that died, where the room is then: it takes the application away. So
nothing runs unguarded for long, and a deadline needs no control plane.

As ``ray_actor`` this is sent to the nodes by value: it imports the standard library, that module, and Ray where it is.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.machinery
import importlib.util
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from leasebook.engines.ray.actor import CHECK_TIMEOUT_S, MISSES_MAX, RAYLET_EVERY_S, REASON_LINES, Tail, how_it_ended
from leasebook.engines.ray.application_state import ApplicationState
from leasebook.engines.ray.controller import Controller, hosts_of, proxy_nodes
from leasebook.engines.ray.deployment import Deployment

TURN_S = 0.25
LOOK_EVERY_S = 1.0
"""How often processes are looked for, their memory counted, and an application that was ready asked how it is."""
OWN_PROXY_S = 10.0
"""How long the proxy of the guard's own node is waited for. After that, another node's will do."""
SETTLED_S = 1.0
"""How long after the end of the deployer an application unknown to Serve may still appear."""
RUN_MARK = "LEASEBOOK_RUN"
RAYS_WORDS = (":job_id:", ":actor_name:", ":task_name:")
"""The marks of lines that Ray itself writes into the logs of its workers."""
SERVE_NEEDS = ("fastapi", "starlette", "uvicorn")
"""Packages that come with ``ray[serve]``, and are missing where there is only Ray."""


def marked(mark: str) -> list[int]:
    """Return the processes of this node whose environment has the mark of an application."""
    found, wanted = [], f"{RUN_MARK}={mark}".encode()
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def memory_bytes(pids: list[int]) -> int:
    """Return the memory of processes alone in bytes: resident, less shared."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            _, resident, shared = pathlib.Path(f"/proc/{pid}/statm").read_bytes().split()[:3]
            pages += int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")


class Streams:
    """The output of Ray's workers, which is in files of their node."""

    def __init__(self, log: Tail) -> None:
        self._log = log
        self._open: dict[pathlib.Path, Any] = {}

    def follow(self, pids: list[int]) -> None:
        """Take up the files of these processes."""
        for pid in pids:
            for stream in (1, 2):
                with contextlib.suppress(OSError):
                    path = pathlib.Path(f"/proc/{pid}/fd/{stream}").readlink()
                    if path not in self._open and path.name.startswith("worker-"):
                        self._open[path] = path.open("rb")

    def read(self) -> None:
        """Pass on whole lines that have come; what Ray writes for itself is left out."""
        for file in self._open.values():
            begin, chunk = file.tell(), file.read(1 << 20)
            whole = chunk[: chunk.rfind(b"\n") + 1]
            file.seek(begin + len(whole))
            for line in whole.splitlines(keepends=True):
                if not line.startswith(tuple(word.encode() for word in RAYS_WORDS)):
                    self._log.feed(line)


def since_boot() -> float:
    """Return the seconds since this node started, on the clock that cannot be set and that counts while it sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Application:
    """One application. It is deployed by this being made; whether that was tried, ``outcome`` says.

    ``order`` is the replica as the driver wants it (``ray_words.order_of``), ``deployer`` the source of the deployer.
    """

    def __init__(self, order: dict[str, Any], deployer: str) -> None:
        self._order = order
        self._mark: str = order["names"][RUN_MARK]
        self._log = Tail()
        self._streams = Streams(self._log)
        self._lock = threading.Lock()
        self._state = ApplicationState()
        self._host = ""
        self._node = ""
        self._devices: list[str] = []
        self._deployment: Deployment | None = None
        self._deadline: float | None = None
        self.end_in(order["ends_in_s"])
        self._address: str | None = None
        self._running_since: float | None = None
        self._pids: list[int] = []
        self._looked_at = 0.0
        self._asked_at = 0.0
        self._controller = Controller(order["application_name"])
        threading.Thread(target=self._mind_raylet, args=(os.getppid(),), daemon=True).start()
        self._begin(deployer)

    def _mind_raylet(self, raylet: int) -> None:
        """End with the node's raylet, and all of the application on this node with it."""
        while os.getppid() == raylet:
            time.sleep(RAYLET_EVERY_S)
        self._kill()
        os._exit(1)

    def _begin(self, deployer: str) -> None:
        """Find out where this is, and have the application deployed, unless this guard follows one that died."""
        import ray

        context = ray.get_runtime_context()
        self._host, self._node = ray.util.get_node_ip_address(), context.get_node_id()
        self._devices = [str(device) for device in context.get_accelerator_ids().get("GPU", [])]
        if context.was_current_actor_reconstructed:
            self._move(lambda state: state.follow(time.monotonic()))
        else:
            failure = self._why_not()
            if failure is not None:
                self._move(lambda state: state.fail(failure))
                return
            self._deploy(deployer, context.gcs_address)
        threading.Thread(target=self._keep, daemon=True).start()

    def _move(self, transition: Callable[[ApplicationState], ApplicationState]) -> None:
        """Change the state. Ray calls ``stop`` in another thread than the one that keeps the application."""
        with self._lock:
            self._state = transition(self._state)

    def _why_not(self) -> str | None:
        """Return why this node can never run the application; None if it may. The application is not imported here."""
        lacking = [name for name in SERVE_NEEDS if importlib.util.find_spec(name) is None]
        if lacking:
            return f"Ray on node {self._host} has no Serve (ray[serve]): {', '.join(lacking)} is missing."
        root = self._order["application"].partition(":")[0].partition(".")[0]
        path = [*filter(None, self._order["env"].get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
        if importlib.machinery.PathFinder.find_spec(root, path) is None:
            return f"There is no module {root} on node {self._host}."
        return None

    def _deploy(self, deployer: str, cluster: str) -> None:
        """Have the application given to Serve."""
        order = self._order
        env = {**order["env"], **order["names"], "CUDA_VISIBLE_DEVICES": ",".join(self._devices)}
        wanted = {
            "address": cluster,
            "name": order["application_name"],
            "route": self._route,
            "application": order["application"],
            "arguments": order["arguments"],
            "env": env,
            "node": self._node,
            "port": order["serve_port"],
            "grace_s": order["grace_s"],
        }
        self._deployment = Deployment(deployer, wanted, env, self._log.feed)

    @property
    def _route(self) -> str:
        return f"/leasebook/{self._mark}"

    def _keep(self) -> None:
        """Watch the application, and end it when it must end, until nothing of it is left."""
        while self._state.phase != "Ended":
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - a guard that gives up guards nothing
                self._log.feed(f"its guard: {type(error).__name__}: {error}\n".encode())
            time.sleep(TURN_S)

    def _turn(self) -> None:
        now = time.monotonic()
        if self._state.must_end or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at, self._pids = now, marked(self._mark)
            self._streams.follow(self._pids)
            self._within_memory()
        self._streams.read()
        if not self._state.must_end and self._deadline is not None and since_boot() >= self._deadline:
            self._finish("its deadline passed", self._order["grace_s"])
        if self._deployment is not None:
            code = self._deployment.see_end(now)
            if code and not self._state.must_end:
                self._finish(f"it could not be deployed: {how_it_ended(code)}", 0)
        if self._state.must_end:
            self._see_it_end(now)
        elif self._is_deployed() and (
            self._state.health != "Ready" or self._state.misses or now - self._asked_at >= LOOK_EVERY_S
        ):
            self._asked_at = now
            self._judge()

    def _is_deployed(self) -> bool:
        return self._deployment is not None and self._deployment.ended_at is not None

    def _within_memory(self) -> None:
        """End an application that takes too much. The deployer is not counted: it ends before long."""
        most, deployment = self._order["memory_bytes"], self._deployment
        counted = [pid for pid in self._pids if deployment is None or pid != deployment.pid]
        used = memory_bytes(counted) if most is not None else 0
        if most is not None and used > most and self._state.why is None:
            self._finish(f"it took {used} bytes of memory, more than its {most}", 0)

    def _finish(self, why: str, grace_s: float) -> None:
        """Begin the end, for a reason of its own."""
        kill_at = time.monotonic() + grace_s
        self._move(lambda state: state.finish(why, kill_at))
        self._asked_at = 0.0

    def _see_it_end(self, now: float) -> None:
        """Have Serve take the application away, kill its last processes after the grace, and see when all are gone."""
        if self._deployment is not None and self._deployment.cut_off():
            return
        if now >= (self._state.kill_at or 0.0):
            # Before Serve is asked, which may be long in answering, or gone.
            self._kill()
        status, _ = self._controller.status()
        if status not in {"NOT_STARTED", "DELETING"} and now - self._asked_at >= LOOK_EVERY_S:
            self._asked_at = now
            with contextlib.suppress(Exception):
                self._controller.delete()
        if status == "NOT_STARTED":
            self._kill()
        deployed_at = None if self._deployment is None else self._deployment.ended_at
        settled = deployed_at is None or now - deployed_at >= SETTLED_S
        if status == "NOT_STARTED" and settled and not marked(self._mark):
            self._streams.read()
            self._move(ApplicationState.end)

    def _kill(self) -> None:
        for pid in marked(self._mark):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _judge(self) -> None:
        """Find out how the application is."""
        status, words = self._controller.status()
        if status in {"DEPLOY_FAILED", "NOT_STARTED", "DELETING"}:
            self._finish(f"Serve gave it up: {words}" if status == "DEPLOY_FAILED" else "Serve took it away", 0)
            return
        trouble = self._trouble() if status == "RUNNING" else f"Serve says that it is {status}. {words}".strip()
        unhealthy = status == "UNHEALTHY"
        self._move(lambda state: state.check(trouble, misses_max=MISSES_MAX, at_once=unhealthy))

    def _trouble(self) -> str | None:
        """Return the trouble that callers have with an application that runs; None: none."""
        if self._running_since is None:
            self._running_since = time.monotonic()
        if self._address is None:
            place = self._place()
            if place is None:
                return "Serve has no HTTP proxy for it yet"
            self._address = f"{place[0]}:{place[1]}{self._route}"
        place_text, _, _ = self._address.partition("/")
        host, _, port = place_text.rpartition(":")
        path = self._order["health_path"]
        try:
            asked = http.client.HTTPConnection(host, int(port), timeout=CHECK_TIMEOUT_S)
            try:
                asked.request("GET", "/-/routes" if path is None else self._route + path)
                answer = asked.getresponse()
                status, body = answer.status, answer.read(1 << 20)
            finally:
                asked.close()
        except (OSError, http.client.HTTPException) as error:
            return f"its health check failed: {error or type(error).__name__}"
        if not 200 <= status < 400:  # noqa: PLR2004 - what the contract calls healthy
            return f"its health check answered {status}"
        if path is None and self._route.encode() not in body:
            return "Serve's proxy does not know it yet"
        return None

    def _place(self) -> tuple[str, int] | None:
        """Return the place where callers reach the application: this node's proxy, or another's if it has none."""
        port = 0 if self._deployment is None else self._deployment.port
        nodes = proxy_nodes()
        if self._node in nodes:
            return self._host, port
        if time.monotonic() - (self._running_since or 0.0) < OWN_PROXY_S:
            return None
        hosts = hosts_of(nodes)
        return (min(hosts), port) if hosts else None

    def outcome(self) -> dict[str, str]:
        """Return why the application can never run here: ``cannot``; nothing where it was tried."""
        state = self._state
        return {"cannot": state.why or ""} if state.phase == "Failed" else {}

    def report(self) -> dict[str, Any]:
        """Return the application as the driver sees it. ``Stopped``: it was asked to end, and nothing is left of it."""
        found = self._state
        state, reason = found.report()
        if found.phase == "Ended":
            reason = "\n".join([reason or "", *self._log.last(REASON_LINES)])
        devices = [f"{self._host}/{device}" for device in self._devices]
        return {"state": state, "address": self._address, "reason": reason, "devices": devices}

    def stop(self, grace_s: float) -> None:
        """Have Serve take it away, and kill its last processes after the grace."""
        kill_at = time.monotonic() + grace_s
        self._move(lambda state: state.stop(kill_at))
        self._asked_at = 0.0

    def end_in(self, seconds: float | None) -> None:
        """Have it end by itself in this many seconds; None: never."""
        self._deadline = None if seconds is None else since_boot() + seconds

    def tail(self, lines_max: int) -> list[str]:
        """Return the last lines that its replicas wrote, and those of its deployment, oldest first."""
        return self._log.last(lines_max)
