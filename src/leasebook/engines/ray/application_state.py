"""The state of one Ray Serve application, as its guard sees it, and how it changes.

A state never changes: each transition returns another one. The module is sent to the nodes by value, and imports only
the standard library. Times are in seconds of the monotonic clock of the guard's node.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Phase = Literal["Failed", "Up", "Ending", "Following", "Ended"]
"""``Failed``: this node can never run it. ``Up``: it is deployed, or deploying. ``Ending``: it is being taken away.
``Following``: the same, by a guard that took the place of one that died. ``Ended``: nothing of it is left.
"""
Health = Literal["Starting", "Ready", "Unhealthy"]

GUARD_DIED = "its guard died, or the node was lost"
WAS_STOPPED = "it was told to end"


@dataclasses.dataclass(frozen=True)
class ApplicationState:
    """All that the report of an application, and the time of its end, depend on."""

    phase: Phase = "Up"
    health: Health = "Starting"
    trouble: str | None = None
    """The result of the last health check; None: nothing was wrong."""
    misses: int = 0
    """How many health checks in a row found trouble."""
    why: str | None = None
    """Why it fails or ends; None while it is up, and where only ``stop`` ends it."""
    kill_at: float | None = None
    """When the processes that are left are killed; None while it is up."""
    stopped: bool = False
    """Whether the control plane asked for its end."""

    @property
    def must_end(self) -> bool:
        """Whether its end has begun, or is over."""
        return self.kill_at is not None

    def fail(self, why: str) -> ApplicationState:
        """Take note that this node can never run it."""
        return dataclasses.replace(self, phase="Failed", why=why)

    def follow(self, now: float) -> ApplicationState:
        """Take the place of a guard that died, and take the application away at once."""
        return dataclasses.replace(self.finish(GUARD_DIED, now), phase="Following")

    def finish(self, why: str | None, kill_at: float) -> ApplicationState:
        """Begin the end. The first reason and the earliest time of several count."""
        if self.phase in ("Failed", "Ended"):
            return self
        phase: Phase = "Following" if self.phase == "Following" else "Ending"
        earliest = kill_at if self.kill_at is None else min(self.kill_at, kill_at)
        return dataclasses.replace(self, phase=phase, why=self.why or why, kill_at=earliest)

    def stop(self, kill_at: float) -> ApplicationState:
        """End it because the control plane asks for that."""
        return dataclasses.replace(self.finish(None, kill_at), stopped=True)

    def check(self, trouble: str | None, *, misses_max: int, at_once: bool = False) -> ApplicationState:
        """Take the result of a health check.

        An application that was ready is unhealthy after ``misses_max`` checks with trouble, or ``at_once`` where Serve
        itself says so.
        """
        if trouble is None:
            return dataclasses.replace(self, health="Ready", trouble=None, misses=0)
        misses = self.misses + 1
        falls = self.health == "Ready" and (misses >= misses_max or at_once)
        return dataclasses.replace(self, health="Unhealthy" if falls else self.health, trouble=trouble, misses=misses)

    def end(self) -> ApplicationState:
        """Take note that nothing of it is left."""
        return dataclasses.replace(self, phase="Ended", why=self.why or WAS_STOPPED)

    def report(self) -> tuple[str, str | None]:
        """Return the state that the driver sees, and the reason.

        ``Stopped`` is the end of one that was asked to end. An application that ends by itself keeps its health until
        nothing of it is left; that of a guard that follows is ``Exited`` from its beginning, and never comes back.
        """
        if self.stopped:
            state = "Stopped" if self.phase in ("Failed", "Ended") else "Stopping"
        else:
            state = self.health if self.phase in ("Up", "Ending") else "Exited"
        if self.phase in ("Up", "Ending"):
            return state, None if self.health == "Ready" else self.trouble
        return state, self.why
