"""The lines of a replica, followed as they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import msgspec

from leasebook.api.context import Context
from leasebook.domain.model.replica import Replica
from leasebook.ports.queries.read_repository import ReadRepository

LOOK_S: Final = 1.0
"""How often the engine is asked for new lines, in seconds."""
LINES_MAX: Final = 200
"""The last lines that are compared; of more in a second, the earliest are left out."""
NAME: Final = "lines of replicas"
"""The name under which these streams wait for the server's end; no account has it as its id."""


class Lines(msgspec.Struct, frozen=True):
    """The lines that came since the last piece. ``is_restart``: those that were shown before are of an earlier run.

    ``why`` says why there are no lines, where the reason is a new one. All empty: nothing came.
    """

    lines: Sequence[str] = ()
    why: str | None = None
    is_restart: bool = False


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Return the lines that came since, where both are the last ``LINES_MAX`` lines of one run."""
    if len(before) < LINES_MAX:
        # None was dropped, so that all that were there are at the beginning.
        return now[len(before) :] if list(now[: len(before)]) == list(before) else now
    for kept in range(min(len(before), len(now)), 0, -1):
        if list(before[-kept:]) == list(now[:kept]):
            return now[kept:]
    return now


class ReplicaPlace(msgspec.Struct, frozen=True):
    """Where a replica is: its service, its instance, and its number there."""

    account_id: str
    service_id: str
    instance_id: str
    number: int


async def follow_lines(
    context: Context, place: ReplicaPlace, may_go_on: Callable[[], Awaitable[bool]]
) -> AsyncIterator[Lines]:
    """Yield the lines of a replica, the last ones first, then those that come, until the server stops.

    The reader has proved the right to see them; ``may_go_on`` is asked before each later look.
    """
    run = ""
    shown: list[str] = []
    why: str | None = None
    with context.hub.following((NAME,)) as follower:
        while True:
            follower.clear()
            row = await context.reader.read(lambda ask: _row(ask, place), party=place.account_id)
            if row is None:
                yield Lines(why="The replica does not exist and never existed.")
                return
            found, reason = await context.replica_logs(row, LINES_MAX)
            is_restart = row.name != run
            yield Lines(found if is_restart else new_lines(shown, found), reason if reason != why else None, is_restart)
            run, why = row.name, reason
            shown = found if reason is None else shown
            await context.hub.wait(follower, LOOK_S)
            if context.hub.stopping or not await may_go_on():
                return


def _row(ask: ReadRepository, place: ReplicaPlace) -> Replica | None:
    rows = ask.replicas(place.account_id, service_id=place.service_id, unit_id=place.instance_id)
    return next((row for row in rows if row.number == place.number), None)
