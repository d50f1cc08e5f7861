"""What monitors ask: is it alive, is it ready, how does it do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import msgspec
import structlog

from leasehold.api.unrun import Unrun
from leasehold.clock import Clock
from leasehold.domain.calendar import SECOND_US
from leasehold.questions import Reader
from leasehold.sequencer import Sequencer, Unavailable

log = structlog.get_logger()

COUNT_EVERY_S: Final = 60.0
READY: Final = 200
_JSON: Final = b"application/json; charset=utf-8"


class Page(NamedTuple):
    """An answer to a monitor."""

    status: int
    body: bytes
    content_type: bytes


class Gauges(Protocol):
    """The values that are read off when somebody looks."""

    def oldest_overdue_release(self, seconds: float) -> None:
        """Set how late the oldest overdue release is."""

    def clock_held(self, *, held: bool) -> None:
        """Set whether due work is held."""

    def queue_length(self, length: int) -> None:
        """Set how many commands wait."""

    def units(self, by_status: Mapping[str, int]) -> None:
        """Set how many live instances there are in each state."""

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
        self, reader: Reader, sequencer: Sequencer, clock: Clock, gauges: Gauges, *, lateness_max_s: int
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._gauges = gauges
        self._lateness_max_s = lateness_max_s
        self._concerns: list[Concern] = []
        self.stopping = False
        self.unrun: Unrun | None = None
        """Says what is paid and never runs; it keeps nothing from its work."""
        self.apart = False
        """Whether monitors have a port of their own, so that strangers are told less."""
        self._counted_at = -COUNT_EVERY_S

    def watch(self, *concerns: Concern) -> None:
        """Ask these as well whenever somebody asks how the service does."""
        self._concerns += concerns

    async def page(self, path: str) -> Page | None:
        """Return the page at that path; None where it is none of ours."""
        match path:
            case "/healthz":
                broken = self._broken()
                return _json(500, {"status": broken}) if broken else _json(200, {"status": "ok"})
            case "/readyz":
                return await self._ready()
            case "/metrics":
                # What this process knows by itself is told also while the store is away.
                with suppress(Unavailable):
                    await self._overdue_s()
                    await self._count_units()
                body, content_type = self._gauges.render()
                return Page(200, body, content_type.encode())
            case _:
                return None

    async def public_page(self, path: str) -> Page | None:
        """Return the page at that path as strangers may see it; None where it is none of ours."""
        if not self.apart:
            return await self.page(path)
        match path:
            case "/metrics":
                return None
            case "/readyz":
                page = await self._ready()
                return _json(page.status, {"status": "ready" if page.status == READY else "not ready"})
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
        try:
            overdue_s = await self._overdue_s()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why we are not ready
            # Whoever asks may be anybody: what a driver says names hosts and users.
            reasons.append("The store cannot be read; the log says why.")
            log.warning("the store cannot be read", error=repr(error), detail=getattr(error, "detail", ""))
        else:
            if overdue_s > self._lateness_max_s:
                reasons.append(
                    f"The oldest overdue release is {overdue_s:.0f} s late; up to {self._lateness_max_s} s are allowed."
                )
        held = self._clock.held()
        if held is not None:
            reasons.append(held)
        reasons += [why for concern in self._concerns if (why := concern.broken() or concern.unready())]
        if reasons:
            return _json(503, {"status": "not ready", "reasons": reasons})
        warnings = [] if self.unrun is None else await self.unrun.warnings()
        return _json(200, {"status": "ready", "warnings": warnings} if warnings else {"status": "ready"})

    async def _count_units(self) -> None:
        """Count the live instances, but not at every look: a million take a while to count."""
        if time.monotonic() - self._counted_at < COUNT_EVERY_S:
            return
        self._counted_at = time.monotonic()
        units, replicas = await self._reader.read(lambda ask: (ask.unit_counts(), ask.replica_counts()), long=True)
        self._gauges.units(units)
        self._gauges.replicas(replicas)

    async def _overdue_s(self) -> float:
        now = self._clock.now()
        since = await self._reader.read(lambda ask: ask.oldest_release_due(now), long=True)
        seconds = 0.0 if since is None else (now - since) / SECOND_US
        self._gauges.oldest_overdue_release(seconds)
        self._gauges.clock_held(held=self._clock.held() is not None)
        self._gauges.queue_length(self._sequencer.queue_length)
        return seconds


class Monitor:
    """An application for monitors only: what a process that does due work, and answers nobody else, shows."""

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
