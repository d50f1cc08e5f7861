"""Events, refused calls and costs of an instance for a caller who has its policy for some projects of the account.

Things move from project to project, and what happened to one belongs to the project that it was in then. The events of
moves tell which that was: ``Whereabouts``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.record import event as e
from leasebook.domain.record.event import Event
from leasebook.domain.record.ledger import wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import kind_of
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import AuditFilter, AuditFound, EventFilter, EventPlace, ReadRepository

AT_ONCE: Final = 200
"""Events of the account that are read for one look at those of the projects."""
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

    def __init__(self, moves: list[tuple[EventPlace, Event]], now_in: Callable[[str], str | None]) -> None:
        """``moves`` are the account's, oldest first; ``now_in`` returns the project of a thing, if it exists."""
        self._now_in: Final = now_in
        self._moves: Final[dict[str, list[tuple[EventPlace, Event]]]] = {}
        for place, move in moves:
            self._moves.setdefault(str(move.data["resourceId"]), []).append((place, move))

    def at(self, thing_id: str, place: EventPlace) -> str | None:
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


class ScopedEvents:
    """The part of ``ScopedReads`` for what happened. Each query has the meaning that ``ReadRepository`` gives it."""

    _ask: ReadRepository
    _account_id: str
    _within: Projects

    def unit(self, unit_id: str) -> Instance | None:
        """Return an instance by id."""
        raise NotImplementedError

    def _check(self, account_id: str, across: Across | None) -> None:
        raise NotImplementedError

    def events(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, Event]]:
        """Return the events of things while they were in the projects, newest first or oldest first."""
        found = self.events_across(wanted, after=after, limit=limit, oldest_first=oldest_first)
        return [(place, event) for place, _, event in found]

    def events_across(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, str, Event]]:
        """Return the same, each with its account, which is the caller's."""
        self._check(wanted.account_id, wanted.across)
        types = SEEN if wanted.types is None else SEEN & set(wanted.types)
        wanted, at_once = msgspec.structs.replace(wanted, types=tuple(sorted(types))), max(limit, AT_ONCE)
        found: list[tuple[EventPlace, str, Event]] = []
        # A thing that moves between the queries would have what happened to it before shown in the other project.
        with self._ask.at_one_instant():
            places = self._whereabouts()
            while types and len(found) < limit:
                some = self._ask.events_across(wanted, after=after, limit=at_once, oldest_first=oldest_first)
                for place, account_id, event in some:
                    seen = self._seen(place, event, places)
                    if seen is not None:
                        found.append((place, account_id, seen))
                if len(some) < at_once:
                    break
                after = some[-1][0]
        return found[:limit]

    def event_at(self, account_id: str, place: EventPlace) -> Event | None:
        """Return the event at a position, if it is of a thing that was in the projects."""
        self._check(account_id, None)
        with self._ask.at_one_instant():
            event = self._ask.event_at(account_id, place)
            return None if event is None else self._seen(place, event, self._whereabouts())

    def event_anywhere(self, place: EventPlace) -> tuple[str, Event] | None:
        """Return the same with the caller's account; no event of another account is found."""
        event = self.event_at(self._account_id, place)
        return None if event is None else (self._account_id, event)

    def last_event(self, account_id: str) -> EventPlace | None:
        """Return the position of the account's last event, which followers begin after and are not shown."""
        self._check(account_id, None)
        return self._ask.last_event(account_id)

    def audit(self, wanted: AuditFilter, *, after: EventPlace | None, limit: int) -> AuditFound:
        """Return the refused calls about an instance while it was in the projects, without their messages.

        A message may name another project, or say what the whole account holds.
        """
        self._check(wanted.account_id, wanted.across)
        if wanted.unit_id is None or self.unit(wanted.unit_id) is None or not wanted.refused:
            return AuditFound([], None)
        found, stays = self._ask.audit(wanted, after=after, limit=limit), self._stays(wanted.unit_id)
        return AuditFound(
            [
                line._replace(entry=msgspec.structs.replace(line.entry, message=""))
                for line in found.lines
                if any(project in self._within and since < line.entry.at < until for project, since, until in stays)
            ],
            None,
        )

    def charged(self, unit: Instance) -> Micro:
        """Return what an instance was charged while it was in the projects."""
        if all(project in self._within for project, _, _ in self._stays(unit.id)):
            return unit.charged
        postings = self._ask.bill(unit.id, *EVER)
        own = [posting for posting in postings if public_project(posting.project_id) in self._within]
        return Micro(-sum(posting.effect_on(wallet(unit.account_id)) for posting in own))

    def guard(self, account_id: str) -> None:
        """Return no limits: their use tells what the whole account holds and spends."""
        self._check(account_id, None)

    # --- deciding --------------------------------------------------------------------------------------------

    def _stays(self, thing_id: str) -> list[tuple[str | None, Instant, Instant]]:
        with self._ask.at_one_instant():
            return self._whereabouts().stays(thing_id)

    def _whereabouts(self) -> Whereabouts:
        known: dict[str, str | None] = {}

        def now_in(thing_id: str) -> str | None:
            if thing_id not in known:
                known[thing_id] = self._project_of(thing_id)
            return known[thing_id]

        return Whereabouts(self._ask.moves(self._account_id), now_in)

    def _project_of(self, thing_id: str) -> str | None:
        row: Any
        match kind_of(thing_id):
            case "unit" | "tpm":
                row = self._ask.unit(thing_id)
            case "svco":
                row = self._ask.service(thing_id)
            case "pkg":
                row = self._ask.package(thing_id)
            case _:
                row = None
        return None if row is None or row.account_id != self._account_id else public_project(row.project_id)

    def _seen(self, place: EventPlace, event: Event, places: Whereabouts) -> Event | None:
        """Return an event without what it says of other projects and of the account; None: it is not of the projects.

        A move is of both projects, and names those of the caller.
        """
        thing_id = thing_of(event)
        if thing_id is None:
            return None
        if event.type == e.MOVED:
            named = {name: event.data[name] for name in ("projectId", "formerProjectId")}
            hidden = {name for name, project in named.items() if project not in self._within}
            return None if len(hidden) == len(named) else _without(event, hidden)
        if places.at(thing_id, place) not in self._within:
            return None
        if event.type == e.RELEASING and any(one not in self._within for one, _, _ in places.stays(thing_id)):
            return _without(event, {"charged"})
        return _without(event, {"reason"}) if event.type == e.RENEWAL_FAILED else event


def _without(event: Event, names: set[str]) -> Event:
    return msgspec.structs.replace(event, data={name: value for name, value in event.data.items() if name not in names})
