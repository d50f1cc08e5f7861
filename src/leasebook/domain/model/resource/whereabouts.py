"""In which project things were when something happened to them, and which parts of that its users see.

Things move from project to project, and what happened to one belongs to the project that it was in then. The events of
moves tell which that was: ``Whereabouts``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from leasebook.domain.record import event as e
from leasebook.domain.record.event import Event
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import kind_of

Place = tuple[int, int]
"""Where an event is in the log: its page, and the line there."""
EVER: Final = (Instant(-(2**62)), Instant(2**62))
OF_SERVICES: Final = frozenset({e.SERVICE_OFF, e.SERVICE_ON, e.LOG_STORE_ATTACHED, e.LOG_STORE_DETACHED})
"""Types that name the service in their data."""
OF_THINGS: Final = frozenset({e.TAGGED, e.MOVED})
"""Types about whatever can be bought or made; those about services and packages name it in their data."""
OF_INSTANCES: Final = frozenset(
    {
        *(e.BOUGHT, e.RUNNING, e.CREATE_FAILED, e.RESIZING, e.RESIZED, e.RESIZE_FAILED, e.RENEWED, e.RENEWAL_FAILED),
        *(e.BILLING_CHANGING, e.BILLING_CHANGED, e.BILLING_KEPT, e.STOPPED, e.RESUMED, e.RELEASE_SET, e.RELEASE_MOVED),
        *(e.RELEASE_CLEARED, e.REMINDED, e.RELEASING, e.RELEASED),
        *(e.REPLICA_FAILING, e.ENGINE_TROUBLE, e.CRASH_LOOP, e.REPLICA_RECOVERED),
    }
)
SEEN: Final = OF_SERVICES | OF_THINGS | OF_INSTANCES
"""The types that users with policies for projects get. Another type is hidden until it is entered here on purpose."""


def thing_of(event: Event) -> str | None:
    """Return the instance, service or package that an event is about; None: it is about something else."""
    if event.type not in SEEN:
        return None
    if event.unit_id is not None:
        return event.unit_id
    if event.type in OF_SERVICES:
        return str(event.data["serviceId"])
    named = str(event.data.get("resourceId"))
    return named if event.type in OF_THINGS and kind_of(named) in ("svco", "pkg") else None


class Whereabouts:
    """The projects in which the things of an account were, by their public ids."""

    def __init__(self, moves: Sequence[tuple[Place, Event]], now_in: Callable[[str], str | None]) -> None:
        """``moves`` are the account's, oldest first; ``now_in`` returns the project of a thing, if it exists."""
        self._now_in: Final = now_in
        self._moves: Final[dict[str, list[tuple[Place, Event]]]] = {}
        for place, move in moves:
            self._moves.setdefault(str(move.data["resourceId"]), []).append((place, move))

    def at(self, thing_id: str, place: Place) -> str | None:
        """Return the project in which a thing was after the event at a place, and before the next one."""
        moves = self._moves.get(thing_id)
        if moves is None:
            return self._now_in(thing_id)
        return next(
            (str(move.data["formerProjectId"]) for where, move in moves if where > place),
            str(moves[-1][1].data["projectId"]),
        )

    def stays(self, thing_id: str) -> list[tuple[str | None, Instant, Instant]]:
        """Return the projects in which a thing has been, each with the time from which and until which it was there."""
        moves = [move for _, move in self._moves.get(thing_id, ())]
        if not moves:
            return [(self._now_in(thing_id), *EVER)]
        times = [EVER[0], *(move.at for move in moves), EVER[1]]
        projects = [str(moves[0].data["formerProjectId"]), *(str(move.data["projectId"]) for move in moves)]
        return list(zip(projects, times, times[1:], strict=False))


def seen_in(event: Event, place: Place, places: Whereabouts, within: frozenset[str]) -> Event | None:
    """Return an event without what it says of other projects and of the account; None: it is not of the projects.

    ``within`` are the projects by their public ids. A move is of both projects, and names those of these.
    """
    thing_id = thing_of(event)
    if thing_id is None:
        return None
    if event.type == e.MOVED:
        named = {name: event.data[name] for name in ("projectId", "formerProjectId")}
        hidden = {name for name, project in named.items() if project not in within}
        return None if len(hidden) == len(named) else _without(event, hidden)
    if places.at(thing_id, place) not in within:
        return None
    if event.type == e.RELEASING and any(one not in within for one, _, _ in places.stays(thing_id)):
        return _without(event, {"charged"})
    return _without(event, {"reason"}) if event.type == e.RENEWAL_FAILED else event


def _without(event: Event, names: set[str]) -> Event:
    return msgspec.structs.replace(event, data={name: value for name, value in event.data.items() if name not in names})
