"""The fake engine: replicas in memory, under a given clock, with every fault that an engine can have.

Replicas run in a ``FakeWorld``; a ``FakeEngine`` is a control plane's handle on it. A new handle on the same world is
a restart of the control plane. Nothing in here sleeps or draws random numbers: observations are a function of the
scripts, of the requests and their times, and of the clock.

    world = FakeWorld(lambda: clock.seconds, units={"cpu-1": 8})
    engine = FakeEngine(world)
    engine.script("chat-*", start_s=30, stop_s=5)      # slow
    engine.script("chat-7", exits_after_s=60)          # dies; every try of chat-*: a crash loop
    engine.script("chat-8", no_room=True)              # until scripted otherwise
    world.cut(until=100.0)                             # partitioned: Unreachable, while everything goes on
    world.cut(answers_only=True)                       # requests are done, and their answers are lost
    world.lose("chat-1")                               # a worker died with its replicas
    assert world.running("chat-2") == 1                # the truth, whatever observe says
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from leasebook.domain.model.replica import Isolation, Seen, SeenState, Wanted
from leasebook.domain.values.wording import are
from leasebook.engines.contract import CannotRun, LogPart, LogPlace, NoRoom, Unreachable

_FIRST_PORT = 20_000


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas behave. Durations are in seconds of the world's clock.

    ``start_s`` is the time from start to Ready (inf: until ``FakeWorld.get_ready``). ``stop_s`` is the time that it
    needs to end after a request, at most its grace; with ``ignores_term`` it always takes the whole grace.
    ``exits_after_s`` is when it ends by itself, counted from its start. ``prints`` is its log. ``cannot_run`` (the
    message) and ``no_room`` are how a start is refused.

    The following break the engines' contract, for tests of code that must bear or detect that. ``hidden``: it runs, and
    observe does not show it. ``shown_ready``: it is shown Ready though it is not. ``lag_s``: it is shown as it was this
    long ago, even if it is gone meanwhile. ``doubles``: each start starts another one. ``deaf``: it never ends when it
    is stopped. ``deathless``: it goes on beyond its deadline.
    """

    start_s: float = 0.0
    stop_s: float = 0.0
    ignores_term: bool = False
    exits_after_s: float | None = None
    exit_reason: str = "it ended with code 1"
    prints: tuple[str, ...] = ()
    cannot_run: str | None = None
    no_room: bool = False

    hidden: bool = False
    shown_ready: bool = False
    lag_s: float = 0.0
    doubles: bool = False
    deaf: bool = False
    deathless: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The start of a replica: what was wanted, how it behaves, and what it got. None of it changes later."""

    wanted: Wanted
    script: Script
    port: int | None
    devices: tuple[str, ...]
    at: float


class FakeRun(msgspec.Struct, kw_only=True):
    """One replica that was started, and what happened to it. Moments are in seconds since 1970 UTC; inf: not yet."""

    start: Start
    ready_at: float
    exits_at: float
    reason: str
    deadline: float | None
    sick: list[list[float]] = []
    """Pairs of from and until."""
    stops_at: float = math.inf
    ended_at: float = math.inf
    stopped_at: float = math.inf
    lost_at: float = math.inf

    @property
    def wanted(self) -> Wanted:
        """The replica as it was asked for."""
        return self.start.wanted

    @property
    def started_at(self) -> float:
        """When it was started."""
        return self.start.at

    def gone_at(self) -> float:
        """Return when nothing of it is left: it has ended, and it was stopped or lost."""
        return min(self.lost_at, max(self.ended_at, self.stopped_at))

    def length_s(self, grace_s: float) -> float:
        """Return how long it takes to end after a request."""
        script = self.start.script
        return grace_s if script.ignores_term else min(grace_s, script.stop_s)

    def settle(self, now: float) -> None:
        """Let happen what has happened by now: its deadline, its end by itself."""
        deadline = math.inf if self.deadline is None or self.start.script.deathless else self.deadline
        if deadline <= now and deadline < min(self.stops_at, self.ended_at, self.exits_at):
            self.stops_at = deadline
            self.reason = f"its deadline passed; {self.reason}"
            self.exits_at = min(self.exits_at, deadline + self.length_s(self.wanted.spec.grace_s))
        if self.exits_at <= now:
            self.ended_at = min(self.ended_at, self.exits_at)

    def state(self, at: float) -> SeenState | None:
        """Return the state that it is or was in; None: it is not there."""
        if at < self.start.at or at >= self.gone_at():
            return None
        if at >= self.ended_at:
            return "Exited"
        if at >= min(self.stops_at, self.stopped_at):
            return "Stopping"
        if at < self.ready_at and not self.start.script.shown_ready:
            return "Starting"
        return "Unhealthy" if any(begin <= at < end for begin, end in self.sick) else "Ready"


class FakeWorld:
    """Where replicas run. ``now`` says what time it is, in seconds since 1970 UTC, and may be moved between calls."""

    def __init__(
        self,
        now: Callable[[], float],
        units: Mapping[str, int],
        *,
        devices: tuple[str, ...] = (),
        script: Script | None = None,
    ) -> None:
        self.now = now
        self.units = dict(units)
        self.devices = devices
        self.runs: list[FakeRun] = []
        self.missing: tuple[str, ...] = ()
        """The missing parts of its isolation (``Isolation``)."""
        self._scripts: list[tuple[str, Script]] = [("*", script or Script())]
        self.sent: dict[str, LogPlace] = {}
        """The places that engines noted."""
        self._ports = 0
        self._cut_until = -math.inf
        self._answers_only = False

    # --- what a test does to it --------------------------------------------------------------------------

    def script(self, pattern: str, **how: Any) -> None:
        """Set how replicas with names like the pattern (``*``, ``?``) behave from their start on; the latest counts."""
        self._scripts.append((pattern, Script(**how)))

    def script_of(self, name: str) -> Script:
        """Return how a replica of this name will behave when it is started."""
        return next(script for pattern, script in reversed(self._scripts) if fnmatch.fnmatchcase(name, pattern))

    def cut(self, until: float = math.inf, *, answers_only: bool = False) -> None:
        """Make it unreachable until a moment. With ``answers_only`` requests are done all the same."""
        self._cut_until, self._answers_only = until, answers_only

    def mend(self) -> None:
        """Make it reachable."""
        self._cut_until = -math.inf

    def lose(self, pattern: str) -> None:
        """Let replicas vanish without a trace, as with a worker that died."""
        for run in self._named(pattern):
            run.ended_at = min(run.ended_at, self.now())
            run.lost_at = min(run.lost_at, self.now())

    def end(self, pattern: str, reason: str = "it ended with code 1") -> None:
        """Let replicas end by themselves, now."""
        for run in self._named(pattern):
            if run.ended_at == math.inf:
                run.exits_at, run.reason = self.now(), reason
        self.settle()

    def get_ready(self, pattern: str) -> None:
        """Let replicas become healthy, now."""
        for run in self._named(pattern):
            run.ready_at = min(run.ready_at, self.now())

    def sicken(self, pattern: str) -> None:
        """Let replicas become unhealthy, now."""
        for run in self._named(pattern):
            run.sick.append([self.now(), math.inf])

    def heal(self, pattern: str) -> None:
        """Let replicas become healthy again, now."""
        for run in self._named(pattern):
            for sick in run.sick:
                sick[1] = min(sick[1], self.now())

    # --- the truth ---------------------------------------------------------------------------------------

    def running(self, name: str) -> int:
        """Return how many replicas of a name really run, ending ones included. More than one is a defect."""
        self.settle()
        return sum(run.wanted.name == name and run.ended_at == math.inf for run in self.runs)

    def settle(self) -> None:
        """Let happen what has happened by now."""
        for run in self.runs:
            run.settle(self.now())

    def _named(self, pattern: str) -> list[FakeRun]:
        self.settle()
        return [run for run in self.runs if fnmatch.fnmatchcase(run.wanted.name, pattern)]

    # --- what engines do with it -------------------------------------------------------------------------

    def here(self) -> list[FakeRun]:
        """Return all that runs, or ended and was not cleared away."""
        self.settle()
        return [run for run in self.runs if run.gone_at() > self.now()]

    def asked(self) -> None:
        """Raise Unreachable where a question does not arrive."""
        if self.now() < self._cut_until and not self._answers_only:
            raise Unreachable("The fake engine is cut off.")

    def answered(self) -> None:
        """Raise Unreachable where an answer is lost."""
        if self.now() < self._cut_until:
            raise Unreachable("The fake engine's answer was lost.")

    def start(self, wanted: Wanted) -> None:
        """Start a replica as scripts and room permit."""
        script = self.script_of(wanted.name)
        here = self.here()
        if any(run.wanted.name == wanted.name for run in here) and not script.doubles:
            return
        kind, spec = wanted.unit_type, wanted.spec
        most = self.units.get(kind, 0)
        if script.cannot_run is not None:
            raise CannotRun(script.cannot_run)
        if spec.application is not None:
            raise CannotRun(f"This engine pretends commands only, and application {spec.application} needs Ray.")
        if wanted.units > most or spec.accelerators > len(self.devices):
            raise CannotRun(f"{are(wanted.units, 'unit', f'of {kind}')} wanted, and there are {most}.")
        used = sum(run.wanted.units for run in here if run.wanted.unit_type == kind)
        owned = {device for run in here for device in run.start.devices}
        free = tuple(device for device in self.devices if device not in owned)
        if script.no_room or used + wanted.units > most or spec.accelerators > len(free):
            raise NoRoom(f"{used} of {most} units of {kind} are used.")
        port = spec.port
        if port == 0:
            port = _FIRST_PORT + self._ports
            self._ports += 1
        elif port is not None and any(run.start.port == port for run in here):
            raise NoRoom(f"Port {port} is taken.")
        now = self.now()
        self.runs.append(
            FakeRun(
                start=Start(wanted=wanted, script=script, port=port, devices=free[: spec.accelerators], at=now),
                ready_at=now + script.start_s,
                exits_at=math.inf if script.exits_after_s is None else now + script.exits_after_s,
                reason=script.exit_reason,
                deadline=None if wanted.ends_in_s is None else now + wanted.ends_in_s,
            )
        )

    def stop(self, name: str, grace_s: float) -> None:
        """Tell a replica to end; the earliest of several ends counts."""
        now = self.now()
        for run in self.here():
            if run.wanted.name == name and not run.start.script.deaf:
                run.stopped_at = min(run.stopped_at, now)
                run.exits_at = min(run.exits_at, now + run.length_s(grace_s))
        self.settle()

    def seen(self) -> dict[str, Seen]:
        """Return the observation, which scripts can make differ from the truth."""
        self.settle()
        found: dict[str, Seen] = {}
        for run in self.runs:
            state = run.state(self.now() - run.start.script.lag_s)
            if state is None or run.start.script.hidden:
                continue
            port = run.start.port
            listens = port is not None and state in ("Ready", "Unhealthy", "Stopping")
            found[run.wanted.name] = Seen(
                name=run.wanted.name,
                state=state,
                address=f"127.0.0.1:{port}" if listens else None,
                reason=run.reason if state == "Exited" else None,
                devices=run.start.devices,
            )
        return found


class FakeEngine:
    """A control plane's handle on a world; it holds nothing of its own."""

    name = "fake"
    local = False
    has_log_parts = True

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def script(self, pattern: str, **how: Any) -> None:
        """Say how replicas with names like this behave: the fields of ``Script``."""
        self.world.script(pattern, **how)

    def isolation(self) -> Isolation:
        """Return the world's isolation. By default nothing is missing, since nothing really runs."""
        return Isolation(self.world.missing)

    async def start(self, wanted: Wanted) -> None:
        """Start a replica as its script says."""
        self.world.asked()
        self.world.start(wanted)
        self.world.answered()

    async def stop(self, name: str, grace_s: float) -> None:
        """Tell a replica to end."""
        self.world.asked()
        self.world.stop(name, grace_s)
        self.world.answered()

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Move the moment at which a replica ends by itself; too late for one that is ending."""
        self.world.asked()
        for run in self.world.here():
            if run.wanted.name == name:
                run.deadline = None if seconds is None else self.world.now() + seconds
        self.world.settle()
        self.world.answered()

    async def observe(self) -> dict[str, Seen]:
        """Return the observation of now."""
        self.world.asked()
        seen = self.world.seen()
        self.world.answered()
        return seen

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines of a replica's script."""
        self.world.asked()
        lines = [line for run in self.world.runs if run.wanted.name == name for line in run.start.script.prints]
        self.world.answered()
        return lines[-lines_max:] if lines_max > 0 else []

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return the next lines of a replica's script."""
        self.world.asked()
        place = after or self.world.sent.get(name, LogPlace(0, 0))
        prints = [line for run in self.world.runs if run.wanted.name == name for line in run.start.script.prints]
        lines: list[str] = []
        for line in prints[place.lines :]:
            size = len(line.encode()) + 1
            bytes_max -= size
            if bytes_max < 0:
                break
            lines.append(line)
            place = LogPlace(place.bytes + size, place.lines + 1)
        is_here = any(run.wanted.name == name for run in self.world.here())
        self.world.answered()
        return LogPart(tuple(lines), place, is_over=not is_here and place.lines == len(prints))

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Note a place."""
        self.world.sent[name] = place

    async def capacity(self) -> dict[str, int]:
        """Return the world's units."""
        self.world.asked()
        self.world.answered()
        return dict(self.world.units)

    async def close(self) -> None:
        """Let go of the world, which goes on."""
