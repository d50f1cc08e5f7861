"""What an engine is: somebody who runs replicas, each under a name that is used once.

An engine is told what is to run and asked what runs. It decides nothing: the reconciler compares what it says with what
the books want, and every action may be repeated, because a name says which replica is meant and which try it is.
"""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.model.replica import Isolation, Seen, Wanted


class Unreachable(Exception):
    """The engine cannot be asked now. What it runs may be running: unreachable is not absent."""


class CannotRun(Exception):
    """A replica can never run here as it is wanted; the message says why. Nothing was started."""


class NoRoom(Exception):
    """There is no room for this replica now; there may be later. Nothing was started."""


class ReplicaEngine(Protocol):
    """Runs replicas. Every method may be called again after a crash at any point, and from another process then.

    All raise Unreachable where the engine cannot be asked; then nobody knows whether it was done, and it is to be
    called again.
    """

    name: str
    local: bool
    """Whether replicas run on this very machine, so that only who works on it can see them."""

    def isolation(self) -> Isolation:
        """Return how far replicas are kept apart, as it was found out when the engine was made. Asks nobody."""
        ...

    async def start(self, wanted: Wanted) -> None:
        """Start a replica; nothing where one of that name runs, or ended and has not been cleared away.

        Then the moment at which it ends by itself stays what it is, too. Returns once it is started, not once it is
        healthy. Raises CannotRun and NoRoom.
        """

    async def stop(self, name: str, grace_s: float) -> None:
        """Tell a replica to end, have it killed after the grace, and clear away what ended.

        Returns at once; it is gone when ``observe`` does not see it any more, and then nothing of it is left. The end
        needs no control plane. Told again it ends at the earliest of the graces. Nothing where there is none.
        """

    async def end_in(self, name: str, seconds: float | None) -> None:
        """End a replica by itself so many seconds from now; None: never. Nothing where there is none, or it is ending.

        The seconds are counted where it runs, on a clock that nobody sets, and no more once this is called again.
        At the end it has its ``grace_s``, needs no control plane, and is seen as Exited until ``stop`` clears it away.
        """

    async def observe(self) -> dict[str, Seen]:
        """Return every replica that this engine has, by name, whoever started it: orphans are found so."""

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines that a replica wrote to both of its streams, oldest first; none where none are left.

        They are kept for a while after it is gone.
        """

    async def capacity(self) -> dict[str, int]:
        """Return how many units of each type the engine really has, used ones included; of other types it has none.

        So many that nothing bounds them are ``domain.supply.UNBOUNDED``.
        """

    async def close(self) -> None:
        """Let go of the engine. What runs goes on running."""
