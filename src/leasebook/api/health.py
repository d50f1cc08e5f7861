"""The pages for monitors: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec
import structlog

from leasebook.api.unrun_warnings import Unrun
from leasebook.batch import OutageLog, Sequencer
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Glancer

log = structlog.get_logger()
T = TypeVar("T")

LOOK_S: Final = 0.8
"""Upper bound on the wait for the store, so that a monitor gets its answer within a second; in seconds."""
COUNT_EVERY_S: Final = 60.0
READY: Final = 200
_JSON: Final = b"application/json; charset=utf-8"


class Page(NamedTuple):
    """An answer to a monitor."""

    status: int
    body: bytes
    content_type: bytes


class Gauges(Protocol):
    """The gauges that are set when a monitor asks."""

    def oldest_overdue_release(self, seconds: float) -> None:
        """Set how late the oldest overdue release is."""

    def clock_paused(self, *, paused: bool) -> None:
        """Set whether a clock in doubt pauses due work."""

    def queue_length(self, length: int) -> None:
        """Set how many commands wait."""

    def units(self, by_status: Mapping[str, int]) -> None:
        """Set how many live instances there are in each state."""

    def crash_loops(self, count: int) -> None:
        """Set how many services on instances are in a crash loop."""

    def replicas(self, by_state: Mapping[str, int]) -> None:
        """Set how many replicas there are in each state."""

    def render(self) -> tuple[bytes, str]:
        """Return all metrics and their content type."""
        ...


@runtime_checkable
class Concern(Protocol):
    """Something that can keep the service from its work, and knows at any moment whether it does.

    Both answers are whole sentences for an operator, or None where all is well. They wait for nothing: who watches
    something slow does so beside, and answers here what was seen last.
    """

    def unready(self) -> str | None:
        """Why the service cannot do its work now; it may come back by itself."""

    def broken(self) -> str | None:
        """Why the service will not do its work again before it is restarted."""


class Health:
    """Answers /healthz, /readyz and /metrics."""

    def __init__(
        self, reader: Glancer, sequencer: Sequencer, clock: Clock, gauges: Gauges, *, lateness_max_s: int
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._gauges = gauges
        self._lateness_max_s = lateness_max_s
        self._concerns: list[Concern] = []
        self._first: list[Callable[[float], Awaitable[None]]] = []
        self._figures: dict[str, Callable[[], Awaitable[None]]] = {}
        self._looks: dict[str, asyncio.Task[Any]] = {}
        self._spell = OutageLog(log)
        self.stopping = False
        self.unrun: Unrun | None = None
        """Warns of replicas that are paid and never run. The service is ready in spite of them."""
        self.apart = False
        """Whether monitors have a port of their own. If so, the public port gives no reasons and no metrics."""
        self._counted_at = -COUNT_EVERY_S
        self._has_counted = False

    def watch(self, *concerns: Concern) -> None:
        """Include these concerns in /healthz and /readyz."""
        self._concerns += concerns

    def ask_first(self, look: Callable[[float], Awaitable[None]]) -> None:
        """Run ``look`` before each answer of /readyz. Its argument is how long it may take, in seconds."""
        self._first.append(look)

    def show(self, what: str, look: Callable[[], Awaitable[None]]) -> None:
        """Run ``look``, which sets gauges named by ``what``, before each answer of /metrics."""
        self._figures[what] = look

    async def page(self, path: str) -> Page | None:
        """Return the page at that path; None for any other path."""
        match path:
            case "/healthz":
                broken = self._broken()
                return _json(500, {"status": broken}) if broken else _json(200, {"status": "ok"})
            case "/readyz":
                return await self._ready()
            case "/metrics":
                # A gauge that is not read in time keeps its last value.
                figures = [self._soon(what, look) for what, look in self._figures.items()]
                await asyncio.gather(self._overdue_s(), self._count_units(), *figures, return_exceptions=True)
                body, content_type = self._gauges.render()
                return Page(200, body, content_type.encode())
            case _:
                return None

    async def public_page(self, path: str) -> Page | None:
        """Return the page at that path with only the details that strangers may see; None for any other path."""
        if not self.apart:
            return await self.page(path)
        match path:
            case "/metrics":
                return None
            case "/readyz":
                page = await self._ready()
                return _json(page.status, {"status": "ready" if page.status == READY else "not ready"})
            case "/healthz":
                # The reason may name files of this machine.
                return _json(500, {"status": "broken; restart"}) if self._broken() else _json(200, {"status": "ok"})
            case _:
                return await self.page(path)

    def _broken(self) -> str | None:
        if not self._sequencer.is_working:
            return "the sequencer died; restart"
        return next((why for concern in self._concerns if (why := concern.broken())), None)

    async def _ready(self) -> Page:
        """Ready means: writes are taken, and nothing that falls due is left lying."""
        reasons = []
        if self.stopping:
            reasons.append("The service is stopping.")
        overdue, *_ = await asyncio.gather(
            self._overdue_s(), *(look(LOOK_S) for look in self._first), return_exceptions=True
        )
        if isinstance(overdue, TimeoutError):
            reasons.append(f"The store did not answer within {LOOK_S} s.")
            self._spell.goes_on("the store does not answer a monitor", within_s=LOOK_S)
        elif isinstance(overdue, BaseException):
            # A stranger may ask, and the driver's text names hosts and users.
            reasons.append("The store cannot be read; the log says why.")
            detail = getattr(overdue, "detail", "")
            self._spell.goes_on("the store cannot be read", error=repr(overdue), detail=detail)
        else:
            self._spell.ends()
            if overdue is not None and overdue > self._lateness_max_s:
                reasons.append(
                    f"The oldest overdue release is {overdue:.0f} s late; up to {self._lateness_max_s} s are allowed."
                )
        held = self._clock.pause_reason()
        if held is not None:
            reasons.append(held)
        reasons += [why for concern in self._concerns if (why := concern.broken() or concern.unready())]
        if reasons:
            return _json(503, {"status": "not ready", "reasons": reasons})
        warnings = [] if self.unrun is None else await self.unrun.warnings()
        return _json(200, {"status": "ready", "warnings": warnings} if warnings else {"status": "ready"})

    async def _count_units(self) -> None:
        """Count the live instances, but not at every look: a million take a while to count.

        Only until they are counted for the first time does a look wait for it.
        """

        async def count() -> None:
            units, replicas, loops = await self._reader.read(
                lambda ask: (ask.unit_counts(), ask.replica_counts(), ask.crash_loops()), long=True
            )
            self._gauges.units(units)
            self._gauges.replicas(replicas)
            self._gauges.crash_loops(loops)
            self._has_counted = True

        if time.monotonic() - self._counted_at >= COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            self._begin("counts", count)
        if not self._has_counted and "counts" in self._looks:
            await self._soon("counts", count)

    async def _overdue_s(self) -> float:
        self._gauges.clock_paused(paused=self._clock.pause_reason() is not None)
        self._gauges.queue_length(self._sequencer.queue_length)

        async def look() -> float:
            now = self._clock.now()
            since = await self._reader.glance(lambda ask: ask.oldest_release_due(now))
            return 0.0 if since is None else (now - since) / SECOND_US

        seconds = await self._soon("overdue", look)
        self._gauges.oldest_overdue_release(seconds)
        return seconds

    async def _soon(self, what: str, look: Callable[[], Awaitable[T]]) -> T:
        """Look, one at a time however many ask; raises TimeoutError where it takes too long, and goes on looking."""
        task = self._begin(what, look)
        await asyncio.wait({task}, timeout=LOOK_S)
        if not task.done():
            raise TimeoutError
        return task.result()

    def _begin(self, what: str, look: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = self._looks.get(what)
        if task is None:
            task = self._looks[what] = asyncio.ensure_future(look())
            task.add_done_callback(partial(self._looked, what))
        return task

    def _looked(self, what: str, task: asyncio.Task[Any]) -> None:
        del self._looks[what]
        if not task.cancelled():
            # Read the exception: perhaps no one else does, and asyncio would log it.
            task.exception()


class Monitor:
    """An ASGI application with only the pages for monitors, for a process that does due work and serves no API."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Speak ASGI."""
        del receive
        if scope["type"] != "http":
            return
        page = await self._health.page(scope["path"]) or _json(404, {"message": "Ask /healthz, /readyz or /metrics."})
        headers = [(b"content-type", page.content_type), (b"content-length", str(len(page.body)).encode())]
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})


def _json(status: int, body: Any) -> Page:
    return Page(status, msgspec.json.encode(body), _JSON)
