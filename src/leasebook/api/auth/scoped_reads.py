"""The queries of a caller who has its policy for some projects of the account, and not for all of it.

``Context.read`` puts this object between the handlers and the store. It has the queries of the actions whose word is
``scoped``, each confined to the projects: a row of another one is found as little as a row that does not exist. A query
that is not here raises ``NotScoped``, so a handler that begins to ask it fails until the query is entered on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast

import msgspec

from leasebook.api.auth.scoped_events import ScopedEvents
from leasebook.domain.book.project_scope import Projects, is_confined
from leasebook.domain.costs.folding import Charge, Payment
from leasebook.domain.costs.rows import CostGroup, CostPeriod, Level
from leasebook.domain.model.account import Account, User
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.model import Model
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.resource.project import Project, public_project
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import Subscription
from leasebook.domain.model.usage import ServiceUsage, TokenPackage
from leasebook.domain.replicas.unrun import RunPlace
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import ZERO
from leasebook.domain.values.resource_tags import ResourceKind, ResourceTags, kind_of
from leasebook.ports.queries.accounts import UnitCount
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.costs import Span
from leasebook.ports.queries.read_repository import Numbered, ReadRepository, ServiceFilter, UnitFilter
from leasebook.ports.queries.service_calls import Used, UsedIn

Row = TypeVar("Row", Instance, Service, TokenPackage)
_UNITS: Final[tuple[ResourceKind, ...]] = ("unit", "tpm")


class NotScoped(RuntimeError):
    """A query that is not answered to a user with policies for projects."""


def scoped(ask: ReadRepository, account_id: str, within: Projects | None) -> ReadRepository:
    """Return the queries for a caller of an account whose call is confined to those projects; None: it is not."""
    return ask if within is None else cast("ReadRepository", ScopedReads(ask, account_id, within))


class ScopedReads(ScopedEvents):
    """Queries confined to projects of one account. Each has the meaning that ``ReadRepository`` gives it."""

    def __init__(self, ask: ReadRepository, account_id: str, within: Projects) -> None:
        self._ask = ask
        self._account_id = account_id
        self._within = within
        self._found: set[str] = set()
        """The ids of what was found already, so that names and tags of a list take no query for each row."""

    def __getattr__(self, name: str) -> Any:
        raise NotScoped(f"{name} is not answered to users with policies for projects: see {__name__}")

    # --- rows with a project ---------------------------------------------------------------------------------

    def unit(self, unit_id: str) -> Instance | None:
        """Return an instance by id."""
        return self._own(self._ask.unit(unit_id))

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return instances of the projects, in the order in which they were bought."""
        self._check(wanted.account_id, wanted.across)
        found = [
            numbered
            for project_id in self._wanted(wanted.project_id)
            for numbered in self._ask.units(
                msgspec.structs.replace(wanted, project_id=project_id), after=after, limit=limit
            )
        ]
        return self._owned(sorted(found, key=lambda numbered: numbered.seq)[:limit])

    def coming_ends(self, wanted: UnitFilter, since: Instant, limit: int) -> list[Numbered]:
        """Return instances of the projects that end by themselves after ``since``, the first to end first."""
        self._check(wanted.account_id, wanted.across)
        found = [
            numbered
            for project_id in self._wanted(wanted.project_id)
            for numbered in self._ask.coming_ends(msgspec.structs.replace(wanted, project_id=project_id), since, limit)
        ]
        return self._owned(sorted(found, key=lambda numbered: (numbered.row.end_at or 0, numbered.seq))[:limit])

    def units_by_project(self, account_id: str) -> list[UnitCount]:
        """Return how many units the projects have, by project and then by type."""
        self._check(account_id, None)
        return [one for one in self._ask.units_by_project(account_id) if public_project(one.project_id) in self._within]

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an instance in lists."""
        return None if self.unit(unit_id) is None else self._ask.unit_place(account_id, unit_id)

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Instance]:
        """Return the live quota instances of a model."""
        return [unit for unit in self._ask.quota(account_id, model, status=status) if self._own(unit) is not None]

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        return self._own(self._ask.service(service_id))

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return services of the projects in the order of creation, or reversed."""
        self._check(wanted.account_id, wanted.across)
        found = [
            numbered
            for project_id in self._wanted(wanted.project_id)
            for numbered in self._ask.services(
                msgspec.structs.replace(wanted, project_id=project_id), after=after, limit=limit, reverse=reverse
            )
        ]
        return self._owned(sorted(found, key=lambda numbered: numbered.seq, reverse=reverse)[:limit])

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of a service in lists."""
        return None if self.service(service_id) is None else self._ask.service_place(account_id, service_id)

    def services_at(self, account_id: str, suffixes: Sequence[str]) -> dict[str, str]:  # noqa: ARG002 - as the port
        """Return no service: an older one of another project may have the suffix, so that ids alone say which."""
        return {}

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return the places with replicas of one service."""
        return [] if service_id is None or self.service(service_id) is None else self._ask.run_places(service_id)

    def replicas(self, account_id: str, *, service_id: str | None = None, unit_id: str | None = None) -> list[Replica]:
        """Return the replicas of a service, or on an instance. Both are of one project."""
        if (service_id is None or self.service(service_id) is None) and (
            service_id is not None or unit_id is None or self.unit(unit_id) is None
        ):
            return []
        return self._ask.replicas(account_id, service_id=service_id, unit_id=unit_id)

    def called(self, account_id: str, since: Instant, until: Instant, *, apps: tuple[str, ...] | None) -> list[str]:
        """Return the services of the projects that were called in a period, by id."""
        found = self._ask.called(account_id, since, until, apps=apps)
        return [service_id for service_id in found if self.service(service_id) is not None]

    def calls(
        self, account_id: str, since: Instant, until: Instant, *, services: tuple[str, ...] | None, **more: Any
    ) -> list[Used]:
        """Sum the calls of the given services in a period, by service and app."""
        own = self._of(services)
        return self._ask.calls(account_id, since, until, services=own, **more) if own else []

    def call_intervals(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        interval_us: int,
        *,
        services: tuple[str, ...] | None,
        **more: Any,
    ) -> list[UsedIn]:
        """Sum the calls of the given services, by service, app and interval."""
        own = self._of(services)
        return self._ask.call_intervals(account_id, since, until, interval_us, services=own, **more) if own else []

    def hours_with_minutes(
        self, account_id: str, since: Instant, until: Instant, *, services: tuple[str, ...] | None, **more: Any
    ) -> list[ServiceUsage]:
        """Return the hours of the given services that have counts by the minute."""
        own = self._of(services)
        return self._ask.hours_with_minutes(account_id, since, until, services=own, **more) if own else []

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        return self._own(self._ask.package(package_id))

    def packages(self, account_id: str | Across) -> list[TokenPackage]:
        """Return the packages of the projects, oldest first."""
        return [row for row in self._ask.packages(account_id) if self._own(row) is not None]

    def projects(self, account_id: str) -> list[Project]:
        """Return the projects, closed ones included, oldest first."""
        return [row for row in self._ask.projects(account_id) if row.id in self._within]

    def project(self, project_id: str) -> Project | None:
        """Return one of the projects by id."""
        return self._ask.project(project_id) if project_id in self._within else None

    def service_keys(
        self, account_id: str | Across, *, service_id: str | None, after: int | None, limit: int, **more: Any
    ) -> list[Numbered]:
        """Return the keys that open one service of the projects, oldest first; with a service, only keys for that."""
        if account_id not in (self._account_id, Across((self._account_id,))):
            raise NotScoped("keys of other accounts are not confined to projects of one")
        found: list[Numbered] = []
        while len(found) < limit:
            some = self._ask.service_keys(account_id, service_id=service_id, after=after, limit=limit, **more)
            found += [numbered for numbered in some if self._is_own_key(numbered.row)]
            if len(some) < limit:
                break
            after = some[-1].seq
        return found[:limit]

    def service_key(self, key_id: str) -> ServiceKey | None:
        """Return a key by id, if it opens one service of the projects."""
        key = self._ask.service_key(key_id)
        return key if key is not None and self._is_own_key(key) else None

    def makers(self, user_ids: Sequence[str]) -> dict[str, tuple[User, bool]]:
        """Return users by id; the handler asks for those who made a key that it shows."""
        return self._ask.makers(user_ids)

    # --- costs: `api/costs.py` confines them to the projects of costs_within -----------------------------------

    def costs_within(self) -> Projects:
        """Return the projects to which answers about costs are confined."""
        return self._within

    def at_one_instant(self) -> AbstractContextManager[None]:
        """Have all queries in a block see the same rows."""
        return self._ask.at_one_instant()

    def costs_summed(self) -> int:
        """Return the number of the last posting that is part of the sums."""
        return self._ask.costs_summed()

    def cost_groups(self, account_id: str) -> dict[str, CostGroup]:
        """Return the account's groups of charges by id, those of other projects too."""
        self._check(account_id, None)
        return self._ask.cost_groups(account_id)

    def cost_periods(self, account_id: str, level: Level, since: Instant, until: Instant) -> list[CostPeriod]:
        """Return the account's sums by hour, day or month, those of other projects too."""
        self._check(account_id, None)
        return self._ask.cost_periods(account_id, level, since, until)

    def charges(self, span: Span, account_id: str, since: Instant, until: Instant) -> list[Charge]:
        """Return metered use of the account, that of other projects too."""
        self._check(account_id, None)
        return self._ask.charges(span, account_id, since, until)

    def payments(self, span: Span, account_id: str) -> list[Payment]:
        """Return payments in advance and refunds of the account, those of other projects too."""
        self._check(account_id, None)
        return self._ask.payments(span, account_id)

    def payments_of(self, unit_ids: Sequence[str], until: int) -> dict[str, list[Payment]]:
        """Return the payments and refunds of instances that ``payments`` has refunds of."""
        return self._ask.payments_of(unit_ids, until)

    def payments_reaching(self, account_id: str, since: Instant, until: Instant) -> Iterator[list[Payment]]:
        """Yield all payments and refunds of the account's instances, those of other projects too."""
        self._check(account_id, None)
        return self._ask.payments_reaching(account_id, since, until)

    # --- subscriptions for the projects ------------------------------------------------------------------------

    def hook(self, hook_id: str) -> Subscription | None:
        """Return a subscription by id, if it is for some of the projects and no other."""
        row = self._ask.hook(hook_id)
        return row if row is not None and self._is_own_hook(row) else None

    def hooks_across(self, across: Across) -> list[Subscription]:
        """Return the account's subscriptions that are for some of the projects and no other, oldest first."""
        if across.ids is None or set(across.ids) != {self._account_id}:
            raise NotScoped("a list over other accounts is not confined to projects of one")
        return [row for row in self._ask.hooks_across(across) if self._is_own_hook(row)]

    def _is_own_hook(self, row: Subscription) -> bool:
        is_own = row.account_id == self._account_id and is_confined(row, self._within)
        if is_own:
            self._found.add(row.id)
        return is_own

    # --- names and tags ----------------------------------------------------------------------------------------

    def tags_of(self, ids: Sequence[str]) -> dict[str, ResourceTags]:
        """Return the names and tags of what belongs to the projects."""
        return self._ask.tags_of([one for one in ids if self._is_own(one)])

    # --- rows of the account, without what they say of other projects -----------------------------------------

    def account(self, account_id: str) -> Account | None:
        """Return the caller's account, without its money."""
        found = self._ask.account(account_id) if account_id == self._account_id else None
        return None if found is None else _bare(found)

    def accounts_by_id(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Return the caller's account, without its money."""
        return {one: found for one in account_ids if (found := self.account(one)) is not None}

    def user(self, user_id: str) -> User | None:
        """Return a user of the account; handlers ask for those who made what they show."""
        found = self._ask.user(user_id)
        return found if found is not None and found.account_id == self._account_id else None

    def people_named(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the names of users; handlers ask for those who made a row that they show."""
        return self._ask.people_named(user_ids)

    def model(self, model_id: str) -> Model | None:
        """Return a version of a model, for what hinders a service from running it."""
        return self._ask.model(model_id)

    def is_answered(self, account_id: str, client_token: str) -> bool:
        """Return whether an answer is kept; the caller's tokens have the user's id in them here."""
        return self._ask.is_answered(account_id, client_token)

    # --- the catalogue, which is the same for everybody ------------------------------------------------------------

    def offerings(self, *, removed: bool = False) -> list[Offering]:
        """Return the catalogue in its order."""
        return self._ask.offerings(removed=removed)

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        return self._ask.price_list(region, unit_type)

    # --- deciding -----------------------------------------------------------------------------------------------

    def _check(self, account_id: str, across: Across | None) -> None:
        if across is not None or account_id != self._account_id:
            raise NotScoped("a list over other accounts is not confined to projects of one")

    def _of(self, services: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return those of the given services that belong to the projects; the queries take no services for all."""
        if services is None:
            raise NotScoped(
                "the calls of all services of the account are not answered to users with policies for projects"
            )
        return tuple(one for one in services if self.service(one) is not None)

    def _wanted(self, project_id: str | None) -> Iterable[str]:
        """Return the projects that a filter selects."""
        return sorted(self._within if project_id is None else self._within & {project_id})

    def _own(self, row: Row | None) -> Row | None:
        """Return a row of the projects; None for each other one."""
        if row is None or row.account_id != self._account_id or public_project(row.project_id) not in self._within:
            return None
        self._found.add(row.id)
        return row

    def _owned(self, found: list[Numbered]) -> list[Numbered]:
        return [numbered for numbered in found if self._own(numbered.row) is not None]

    def _is_own_key(self, key: ServiceKey) -> bool:
        """Whether a key opens one service, which belongs to the projects."""
        is_own = key.account_id == self._account_id and key.service_id is not None and self._is_own(key.service_id)
        if is_own:
            self._found.add(key.id)
        return is_own

    def _is_own(self, thing_id: str) -> bool:
        """Whether something belongs to the projects."""
        if thing_id in self._found:
            return True
        kind = kind_of(thing_id)
        if kind in _UNITS:
            return self.unit(thing_id) is not None
        if kind == "svco":
            return self.service(thing_id) is not None
        if kind == "key":
            return self.service_key(thing_id) is not None
        return kind == "pkg" and self.package(thing_id) is not None


def _bare(account: Account) -> Account:
    return msgspec.structs.replace(account, balance=ZERO, arrears_since=None, remind_before_us=(), status_reason="")
