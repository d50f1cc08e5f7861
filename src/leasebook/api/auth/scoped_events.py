"""Events, refused calls and costs of an instance for a caller who has its policy for some projects of the account.

Things move from project to project, and what happened to one belongs to the project that it was in then. The events of
moves tell which that was: ``Whereabouts``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.model.resource.whereabouts import EVER, SEEN, Whereabouts, seen_in
from leasebook.domain.record.event import Event
from leasebook.domain.record.ledger import wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import AuditFilter, AuditFound, EventFilter, EventPlace, ReadRepository
from leasebook.ports.whereabouts import whereabouts_of

AT_ONCE: Final = 200
"""Events of the account that are read for one look at those of the projects."""


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
        return whereabouts_of(self._ask, self._account_id)

    def _seen(self, place: EventPlace, event: Event, places: Whereabouts) -> Event | None:
        return seen_in(event, place, places, self._within)
