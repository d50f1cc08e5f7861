"""Queries about token packages, and about the names and tags of things and the names of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.event import Event
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.projects import ProjectQuestions


class TagQuestions(ProjectQuestions, Protocol):
    """Queries about packages, projects, names and tags, answered from committed rows."""

    def tags_of(self, ids: Sequence[str]) -> dict[str, ResourceTags]:
        """Return the names and tags of things by their ids; those without are left out."""
        ...

    def people_named(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the account and the name of users by their ids, deleted users included; unknown ids are left out."""
        ...

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        ...

    def packages(self, account_id: str | Across) -> list[TokenPackage]:
        """Return an account's packages, oldest first."""
        ...


class Names(NamedTuple):
    """The names to show beside ids, as they are now.

    A name is shown only in what belongs to the account of the user or the thing: who acts for an account from outside,
    such as an operator, is not named to it.
    """

    people: Mapping[str, tuple[str, str]] = {}
    things: Mapping[str, ResourceTags] = {}

    def person(self, account_id: str, user_id: str | None) -> str | None:
        """Return the name of a user of the account."""
        owner, name = self.people.get(user_id or "", ("", None))
        return name if owner == account_id else None

    def thing(self, account_id: str, thing_id: str | None) -> str | None:
        """Return the name of something that the account has; None also where it has no name."""
        row = self.things.get(thing_id or "")
        return None if row is None or row.account_id != account_id else row.name

    def tags(self, thing_id: str) -> Mapping[str, str]:
        """Return the tags of a thing; none where it has none."""
        row = self.things.get(thing_id)
        return {} if row is None else row.tags


NO_NAMES: Final = Names()


def names_of(ask: TagQuestions, user_ids: Iterable[str | None], thing_ids: Iterable[str | None]) -> Names:
    """Return the names of users and of things, by their ids; a None among the ids is passed over."""
    people, things = ({one: None for one in ids if one is not None} for ids in (user_ids, thing_ids))
    return Names(ask.people_named([*people]), ask.tags_of([*things]))


def names_in(ask: TagQuestions, events: Iterable[Event]) -> Names:
    """Return the names of the users and the instances in events."""
    events = list(events)
    people = (one for event in events for one in (event.user_id, event.data.get("buyerId")))
    return names_of(ask, people, (event.unit_id for event in events))
