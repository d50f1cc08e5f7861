"""The process engine: replicas are processes of this machine, each with a keeper that outlives the control plane."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import re
import secrets
import select
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from leasebook.domain.model.engine_capacity import name_of, units_of
from leasebook.domain.model.replica import (
    REPLICA,
    REPLICA_PORTS,
    RUN,
    SERVICE,
    UNIT,
    Isolation,
    RunSpec,
    Seen,
    SeenState,
    Wanted,
)
from leasebook.domain.values.wording import are
from leasebook.engines.contract import CannotRun, LogPart, LogPlace, NoRoom, Unreachable
from leasebook.engines.process import keeper, keeper_clock, keeper_state, subuids
from leasebook.engines.process import ports as process_ports
from leasebook.engines.process.devices import DeviceFinder, NvmlDevices, say_unusable
from leasebook.engines.process.files import Files, Found, Run
from leasebook.engines.process.health import FAILURES_MAX, Checks, Health, Target
from leasebook.engines.process.limits import Limits, find_limits
from leasebook.engines.process.ports import Listeners, Owner
from leasebook.engines.process.python import python_running
from leasebook.engines.sandbox.layers import find_layers, isolation_of, say
from leasebook.engines.sandbox.sandbox import Confinement, Occupant, Sandbox, confine, is_seen, outside, unseen

LOG_BYTES_MAX: Final = 2 * 1024 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_START_MAX_S: Final = 30.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Result = TypeVar("Result")

_keepers: set[int] = set()
"""The keepers that this very process started and has not waited for. They outlive engine objects."""
_keepers_lock = threading.Lock()


class ProcessEngine:
    """Runs replicas as processes of this machine. All of its state is in its directory.

    ``units`` is how many units there are of each type; a type may be a prefix and a star (``units_of`` in
    domain/model/engine_capacity.py). Types in ``accelerated`` have one accelerator for each unit, and so no more units
    than accelerators were found. ``devices`` finds those, once. ``limits`` says how limits are enforced (None: as well
    as the machine permits). ``sandbox`` says how replicas are isolated; this tries which parts of it the machine has.

    Several engines may work on one directory, in one process or in several. ``start`` raises CannotRun for specs that
    can never run here: an image, a missing command, a type or a number of units or accelerators that this engine does
    not have, or an untrusted model version if the sandbox is required to be complete and is not.
    """

    name = "process"
    local = True
    has_log_parts = True

    def __init__(
        self,
        directory: Path,
        units: Mapping[str, int],
        *,
        accelerated: frozenset[str] = frozenset(),
        devices: DeviceFinder | None = None,
        limits: Limits | None = None,
        checks: Checks | None = None,
        sandbox: Sandbox | None = None,
        ports: range = REPLICA_PORTS,
        host: str = "127.0.0.1",
        log_bytes_max: int = LOG_BYTES_MAX,
    ) -> None:
        self._finder = devices or NvmlDevices()
        self._devices = tuple(self._finder.find()) if accelerated else ()
        self._accelerated = accelerated
        self._units = {
            kind: min(count, len(self._devices)) if kind in accelerated else count for kind, count in units.items()
        }
        self._limits = limits or find_limits()
        self._limits.say()
        self._sandbox = sandbox or Sandbox(hidden=(str(directory.absolute()),))
        self._layers = find_layers(self._sandbox)
        say(self._sandbox, self._layers)
        if self._devices:
            own = self._layers.uids(self._sandbox) is not None
            say_unusable(self._finder.nodes(self._devices), own_uids=own)
        self._files = Files(directory, log_bytes_max)
        self._listeners = Listeners()
        self._checks = checks or Checks()
        self._ports = ports
        self._host = host
        self._starting: set[str] = set()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="engine-process")

    def isolation(self) -> Isolation:
        """Return the missing parts of the isolation; none if the setting ``sandbox`` does not require them."""
        return isolation_of(self._sandbox, self._layers)

    async def start(self, wanted: Wanted) -> None:
        """Start a replica, or finish a start that was interrupted. Raises CannotRun, NoRoom and Unreachable."""
        await self._do(functools.partial(self._start, wanted))

    async def stop(self, name: str, grace_s: float) -> None:
        """Tell a replica's keeper to end it, or clear away one that has ended."""
        if _NAME.fullmatch(name):
            await self._do(functools.partial(self._files.stop, name, max(0.0, grace_s)))

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Tell a replica's keeper when to end it by itself."""
        if _NAME.fullmatch(name):
            await self._do(functools.partial(self._files.end_in, name, seconds))

    async def observe(self) -> dict[str, Seen]:
        """Look at all replicas, and check the health of those that run.

        This also finishes interrupted work: a start, a stop, or the end of a replica whose keeper was killed.
        """
        found = await self._do(self._scan)
        strangers = await self._do(functools.partial(self._strangers, found))
        targets = {
            one.name: Target(self._host, one.run.port, one.run.wanted.spec.health_path, one.ready)
            for one in found
            if one.run is not None and one.run.port is not None and one.runs and one.name not in strangers
        }
        health = await self._checks.look(targets)
        first = [one.name for one in found if not one.ready and one.name in health and health[one.name].ready]
        for name in first:
            await self._do(functools.partial(self._files.set_ready, name))
        return {one.name: self._seen(one, health.get(one.name), strangers.get(one.name)) for one in found}

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines that a replica wrote; also of the last hundred or so that are gone."""
        if not _NAME.fullmatch(name):
            return []
        return await self._do(functools.partial(self._files.tail, name, lines_max))

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return the next whole lines of a replica's log, also of one that is gone."""
        if not _NAME.fullmatch(name):
            return LogPart((), after or LogPlace(0, 0), is_over=True)
        return await self._do(functools.partial(self._files.log_part, name, after, bytes_max))

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Note a place beside the replica's state directory."""
        if _NAME.fullmatch(name):
            await self._do(functools.partial(self._files.log_sent, name, place))

    async def capacity(self) -> dict[str, int]:
        """Return the units of each type, as they were declared and as far as there are accelerators for them."""
        await self._do(self._files.tidy)
        return dict(self._units)

    async def close(self) -> None:
        """Let go of everything; keepers and replicas go on."""
        await self._checks.close()
        self._threads.shutdown(wait=False)

    async def _do(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            raise Unreachable(f"The directory of the process engine cannot be used: {error}") from error

    # --- starting ---------------------------------------------------------------------------------------

    def _start(self, wanted: Wanted) -> None:
        name = wanted.name
        if not _NAME.fullmatch(name):
            raise CannotRun(f"A replica cannot be named {name!r}: letters, digits, '.', '_' and '-', at most 151.")
        self._starting.add(name)
        try:
            with self._files.locked():
                found = self._files.find(name)
                if found is None:
                    self._make(wanted)
                elif found.half_made:
                    # Some time has passed since it was made; the machine may have been started again.
                    self._files.end_in(name, wanted.ends_in_s)
                else:
                    return
            said = self._spawn(name)
        finally:
            self._starting.discard(name)
        for word, error in ((keeper.FAILED, CannotRun), (keeper.NO_ROOM, NoRoom)):
            if said.startswith(word):
                raise error(said.removeprefix(word).decode(errors="replace"))

    def _make(self, wanted: Wanted) -> None:
        """Choose what the replica gets, and write its state directory. The lock is held."""
        spec = wanted.spec
        environ = {"HOME": os.environ.get("HOME", "/")} | _environment(spec)
        path = self._command(wanted, environ["PATH"])
        others = self._files.runs()
        used = sum(run.wanted.units for run in others if run.wanted.unit_type == wanted.unit_type)
        has = units_of(self._units, wanted.unit_type) or 0
        if used + wanted.units > has:
            raise NoRoom(f"{are(wanted.units, 'unit', f'of {wanted.unit_type}')} wanted; {used} of {has} are used.")
        owned = {device for run in others for device in run.devices}
        free = [device for device in self._devices if device not in owned]
        if len(free) < spec.accelerators:
            raise NoRoom(f"{spec.accelerators} accelerators are wanted, and {len(free)} are free.")
        port = process_ports.choose(spec.port, {run.port for run in others}, self._ports)
        run = Run(
            wanted=wanted,
            token=secrets.token_hex(16),
            port=port,
            devices=tuple(free[: spec.accelerators]),
            uid=self._uid({run.uid for run in others}),
        )
        orders = {"path": path, "grace_s": repr(spec.grace_s), **self._limits.orders(run.token, spec)}
        confinement = self._confinement(run, path, orders)
        if confinement is not None:
            orders |= {"disk.max": str(self._sandbox.disk_max_bytes)} | ({"guard": "1"} if self._layers.bwrap else {})
            environ = {"HOME": confinement.home, "TMPDIR": confinement.tmp} | _environment(spec)
            orders |= {} if port is None else {"port": str(port)}
        command, environ = _filled(spec.command, environ, port)
        environ |= {
            RUN: run.token,
            UNIT: wanted.unit_id,
            SERVICE: wanted.service_id,
            REPLICA: wanted.name,
            "CUDA_VISIBLE_DEVICES": ",".join(self._finder.visible(run.devices, alone=self._layers.bwrap is not None)),
        }
        if port is not None:
            environ["PORT"] = str(port)
        if any("\0" in text for text in (*command, *environ, *environ.values())) or any("=" in key for key in environ):
            raise CannotRun("A command and its environment cannot hold zero bytes, nor the name of a variable '='.")
        given = self._layers.subuids
        users = None if given is None or run.uid is None else given.users(run.uid)
        self._files.make(run, orders, command, environ, confinement, users)

    def _command(self, wanted: Wanted, path: str) -> str:
        """Return the program that is to run; raises CannotRun for what can never run here."""
        spec, kind = wanted.spec, wanted.unit_type
        if not wanted.trusted and (missing := self.isolation().missing):
            raise CannotRun(
                "No operator trusts this version of the model, and this machine cannot keep it apart: "
                f"{'; '.join(missing)}."
            )
        process_ports.check_connects(spec.connects, self._ports)
        if spec.image is not None:
            raise CannotRun(
                f"The process engine runs commands only, and image {spec.image} needs an engine that runs containers."
            )
        if spec.application is not None:
            raise CannotRun(
                f"The process engine runs commands only, and application {spec.application} needs an engine on Ray."
            )
        if not spec.command:
            raise CannotRun("There is no command to run.")
        has = units_of(self._units, kind)
        if has is None:
            raise CannotRun(f"This engine has no units of {kind}; it has {', '.join(sorted(self._units)) or 'none'}.")
        if wanted.units > has:
            raise CannotRun(f"{are(wanted.units, 'unit', f'of {kind}')} wanted, and this engine has {has}.")
        if spec.accelerators > (len(self._devices) if name_of(self._units, kind) in self._accelerated else 0):
            raise CannotRun(f"{spec.accelerators} accelerators are wanted, and this engine has fewer for {kind}.")
        return self._program(spec.command[0], path)

    def _program(self, program: str, path: str) -> str:
        """Return where a program is; raises CannotRun where there is none that may be run."""
        if "/" in program and not program.startswith("/"):
            raise CannotRun(f"{program} is relative: name the command by its whole path, or one that PATH finds.")
        if program.startswith("/") and self._layers.any and (why := outside(self._sandbox, os.path.normpath(program))):
            # Looking for the file would reveal to a tenant whether it exists.
            raise CannotRun(why)
        found = None if "\n" in program or "\0" in program else self._which(program, path)
        if found is None:
            raise CannotRun(f"There is no command {program} that may be executed, looked for in {path}.")
        return str(Path(found).absolute())

    def _which(self, program: str, path: str) -> str | None:
        """Find a program as the replica would: it sees only some of the folders of a path.

        On our own PATH the other folders are searched too, so that the error can tell the operator which folder to
        show. On a tenant's path they are not.
        """
        if not self._layers.any:
            return shutil.which(program, path=path)
        folders = (os.path.normpath(folder) for folder in path.split(os.pathsep))
        seen = os.pathsep.join(folder for folder in folders if is_seen(self._sandbox, folder))
        found = shutil.which(program, path=seen)
        return found or (shutil.which(program, path=path) if path == os.environ.get("PATH", _PATH) else None)

    def _uid(self, taken: set[int | None]) -> int | None:
        """Choose a free uid for a replica, if we may set one. The search begins at a random place, as with ports."""
        span = self._layers.uids(self._sandbox)
        if span is None:
            return None
        first, last = span
        taken = taken | subuids.in_use()
        count = last - first + 1
        start = random.randrange(count)  # noqa: S311 - guessing it gains nothing
        for offset in range(count):
            uid = first + (start + offset) % count
            if uid not in taken:
                return uid
        raise NoRoom(f"No uid from {first} to {last} is free.")

    def _confinement(self, run: Run, path: str, orders: dict[str, str]) -> Confinement | None:
        """Return how a replica is kept apart, and take over those of the orders that hold within."""
        if not self._layers.any:
            return None
        if (why := unseen(self._sandbox, path)) is not None:
            raise CannotRun(why)
        spec = run.wanted.spec
        directory = self._files.replicas / run.wanted.name
        data_max = orders.pop("data.max", None)
        occupant = Occupant(
            program=path,
            work=str(directory / "work"),
            tmp=str(directory / "tmp"),
            accounts=str(directory),
            uid=run.uid,
            port=run.port,
            connects=spec.connects,
            memory_bytes=spec.memory_bytes,
            data_max_bytes=None if data_max is None else int(data_max),
            devices=tuple(self._finder.nodes(run.devices)) if run.devices else (),
        )
        return confine(self._sandbox, self._layers, occupant)

    def _spawn(self, name: str) -> bytes:
        """Start a keeper, and return what it says: STARTED, OTHER, or FAILED or NO_ROOM and why."""
        directory = self._files.replicas / name
        said, say = os.pipe()
        try:
            try:
                _spawn(str(directory), say)
            finally:
                os.close(say)
            heard = _hear(said)
        except FileNotFoundError:
            if directory.exists():
                raise
            return keeper.OTHER  # Another server has removed it meanwhile.
        finally:
            os.close(said)
        if not heard and directory.exists():
            trace = keeper_state.read(str(directory / "keeper.log")) or ""
            raise Unreachable(f"The keeper of {name} has not started it: {trace.strip()[-500:] or 'no answer'}")
        return heard

    # --- looking ----------------------------------------------------------------------------------------

    def _scan(self) -> list[Found]:
        _reap()
        self._files.reach()
        return [now for found in self._files.all() if (now := self._mended(found)) is not None]

    def _mended(self, found: Found) -> Found | None:
        """Finish what was cut off with a replica, and return how it is then."""
        if found.half_made and found.name not in self._starting:
            with contextlib.suppress(Unreachable):
                self._spawn(found.name)
        elif found.stop_requested and not found.alive:
            self._files.clear(found.name)
        elif found.orphaned:
            self._files.mourn(found.name)
        else:
            return found
        return self._files.find(found.name)

    def _strangers(self, found: Sequence[Found]) -> dict[str, str]:
        return self._listeners.strangers(
            {
                one.name: Owner(one.run.port, int((one.state or {})["keeper"].split()[0]), one.run.uid)
                for one in found
                if one.run is not None and one.run.port is not None and one.runs
            }
        )

    def _seen(self, found: Found, health: Health | None, stranger: str | None) -> Seen:
        state: SeenState
        reason: str | None
        address = None
        if found.stop_requested or (found.alive and "ending" in (found.state or {})):
            state, reason = "Stopping", (found.state or {}).get("ending")
        elif found.half_made or (found.alive and found.state is None):
            state, reason = "Starting", None
        elif not found.alive:
            state, reason = "Exited", self._epitaph(found)
        elif stranger is not None:
            state, reason = ("Unhealthy" if found.ready else "Starting"), stranger
        elif health is None:
            state, reason = ("Ready" if "main" in (found.state or {}) else "Starting"), None
        elif not health.ready:
            state, reason = "Starting", health.reason
        elif health.failures >= FAILURES_MAX:
            state, reason = "Unhealthy", health.reason
        else:
            state, reason = "Ready", None
        listens = found.run is not None and stranger is None and state in ("Ready", "Unhealthy", "Stopping")
        if listens and found.run is not None and found.run.port is not None:
            address = f"{self._host}:{found.run.port}"
        devices = found.run.devices if found.run is not None else ()
        return Seen(name=found.name, state=state, address=address, reason=reason, devices=devices)

    def _epitaph(self, found: Found) -> str:
        state = found.state or {}
        if found.run is None:
            return "its state directory cannot be read"
        kind, _, number = state.get("exit", "unknown").partition(" ")
        if kind == "signal":
            with contextlib.suppress(ValueError):
                number += f" ({signal.Signals(int(number)).name})"
        how = f"it ended with {kind} {number}"
        if kind == "unknown":
            how = "its keeper was killed" if state.get("boot") == keeper_clock.boot() else "the machine was restarted"
        words = self._files.last_words(found.name)
        parts = [state.get("ending"), how, f"its last words: {words}" if words else None]
        return "; ".join(part for part in parts if part)


def _environment(spec: RunSpec) -> dict[str, str]:
    """Return a replica's environment: the variables of its spec, and of ours only PATH and LANG."""
    kept = {
        "PATH": os.environ.get("PATH", _PATH),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    return {**kept, **spec.env}


def _filled(
    command: tuple[str, ...], environ: Mapping[str, str], port: int | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    if port is None:
        return command, dict(environ)
    filled = tuple(part.replace("{port}", str(port)) for part in command)
    return filled, {key: value.replace("{port}", str(port)) for key, value in environ.items()}


def _spawn(directory: str, say: int) -> None:
    """Start a keeper in a session of its own, with nothing of ours open but the pipe to answer on."""
    trace = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    words = python_running("process.keeper", directory)
    with _keepers_lock:
        pid = os.posix_spawn(
            words[0],
            words,
            {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, f"{directory}/keeper.log", trace, 0o600),
                (os.POSIX_SPAWN_DUP2, say, keeper.READY_FD),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGHUP),
        )
        _keepers.add(pid)


def _hear(said: int) -> bytes:
    """Return what a keeper says; nothing where it ended or hung before it said it."""
    heard = b""
    give_up = time.monotonic() + _START_MAX_S
    poll = select.poll()
    poll.register(said, select.POLLIN)
    while (left := give_up - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            part = os.read(said, 4096)
            if not part:
                break
            heard += part
    return heard


def _reap() -> None:
    """Wait for keepers that have ended, so that none is left as a zombie."""
    with _keepers_lock:
        for pid in tuple(_keepers):
            try:
                ended = os.waitpid(pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                ended = True
            if ended:
                _keepers.discard(pid)
