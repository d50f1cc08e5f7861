"""The interface of engines. An engine runs replicas, each under a name that is used only once.

An engine starts and stops replicas on request and reports the running ones. It decides nothing: the reconciler compares
its report with the wanted replicas. Every request may be repeated, because the name identifies the replica and the run.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from leasebook.domain.model.replica import Isolation, Seen, Wanted


class Unreachable(Exception):
    """The engine does not answer now. Its replicas may still be running: unreachable is not absent."""


class CannotRun(Exception):
    """A replica with this spec can never run here; the message gives the reason. Nothing was started."""


class NoRoom(Exception):
    """The engine has no room for this replica now, but may have later. Nothing was started."""


class LogPlace(NamedTuple):
    """A place in all that a replica has written: the bytes before it, and how many of them end a line."""

    bytes: int
    lines: int


class LogPart(NamedTuple):
    """Whole lines of a replica's log, oldest first.

    ``place`` is where the next part begins. ``lost`` is how many lines before the first of these were dropped unread,
    because a log is bounded. With ``is_over`` the replica is gone, and no part follows.
    """

    lines: tuple[str, ...]
    place: LogPlace
    lost: int = 0
    is_over: bool = False


class ReplicaEngine(Protocol):
    """Runs replicas. After a crash at any point, every method may be called again, also from another process.

    Every method raises Unreachable if the engine does not answer. The outcome is unknown then, and the caller must
    repeat the call.
    """

    name: str
    local: bool
    """Whether replicas run on this very machine, so that only servers on it can manage them."""
    has_log_parts: bool
    """Whether ``log_part`` returns lines. Without it, the engine's replicas are not sent to log stores."""

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

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return the next lines of both of a replica's streams after a place, at most ``bytes_max`` bytes of them.

        None: after the place that ``log_sent`` noted last, or from the beginning. A line that is not finished yet is
        left out while its replica runs. A line longer than ``bytes_max`` comes in pieces. No lines and ``is_over``: the
        engine does not know the name, or has no log parts.
        """

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Note a place beside the replica, for the servers that come after this one."""

    async def capacity(self) -> dict[str, int]:
        """Return how many units of each type the engine has, used ones included. It has none of other types.

        ``UNBOUNDED`` (domain/model/engine_capacity.py) means that the engine has no bound for a type.
        """

    async def close(self) -> None:
        """Close the connections to the engine. Replicas go on running."""
