"""The interface of engines. An engine runs replicas, each under a name that is used only once.

An engine starts and stops replicas on request and reports the running ones. It decides nothing: the reconciler compares
its report with the wanted replicas. Every request may be repeated, because the name identifies the replica and the run.
"""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.model.replica import Isolation, Seen, Wanted


class Unreachable(Exception):
    """The engine does not answer now. Its replicas may still be running: unreachable is not absent."""


class CannotRun(Exception):
    """A replica with this spec can never run here; the message gives the reason. Nothing was started."""


class NoRoom(Exception):
    """The engine has no room for this replica now, but may have later. Nothing was started."""


class ReplicaEngine(Protocol):
    """Runs replicas. After a crash at any point, every method may be called again, also from another process.

    Every method raises Unreachable if the engine does not answer. The outcome is unknown then, and the caller must
    repeat the call.
    """

    name: str
    local: bool
    """Whether replicas run on this very machine, so that only servers on it can manage them."""

    def isolation(self) -> Isolation:
        """Return how completely replicas are isolated, as found out when the engine was made. Makes no call."""
        ...

    async def start(self, wanted: Wanted) -> None:
        """Start a replica. Do nothing if one of that name runs, or has ended and was not removed by ``stop``.

        In that case its deadline stays the same too. Returns when it is started, not when it is healthy. Raises
        CannotRun and NoRoom.
        """

    async def stop(self, name: str, grace_s: float) -> None:
        """Ask a replica to end, kill it after ``grace_s`` seconds, and remove its remains.

        Returns at once. When ``observe`` no longer shows the replica, nothing of it is left. The end needs no control
        plane. After repeated calls the earliest end counts. Does nothing if the replica does not exist.
        """

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Set a replica's deadline, in seconds from now; None: no deadline. Nothing if it does not exist or is ending.

        The machine that runs it counts the seconds, on a clock that cannot be set; a later call replaces the deadline.
        At the deadline the replica gets its ``grace_s``, needs no control plane to end, and is seen as Exited until
        ``stop`` removes it.
        """

    async def observe(self) -> dict[str, Seen]:
        """Return every replica that this engine has, by name, also those that other servers started (orphans)."""

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines of both of a replica's streams, oldest first; none if they are not kept any more.

        They are kept for a while after the replica is gone.
        """

    async def capacity(self) -> dict[str, int]:
        """Return how many units of each type the engine has, used ones included. It has none of other types.

        ``UNBOUNDED`` (domain/model/engine_capacity.py) means that the engine has no bound for a type.
        """

    async def close(self) -> None:
        """Close the connections to the engine. Replicas go on running."""
