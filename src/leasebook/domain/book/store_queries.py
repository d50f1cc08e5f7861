"""A batch's queries to the store besides single rows: counts of rows, and the places of a service's replicas.

The store answers after it has locked the row that every change of the answer locks as well: the account for counts, the
service for places. From then on the batch updates the answer itself. Two batches therefore never decide by the same
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from leasebook.domain.book.whole_account import Living, kinds_of
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.resource.project import Project
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import LIVE, Subscription
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.values.calendar import Instant

USERS: Final = "users"
KEYS: Final = "keys"
USER_KEYS: Final = "user_keys"
KNOWN_PASSWORDS: Final = "known_passwords"
"""The passwords of a user that no operator set: none or one. The user's row locks it."""
MODEL_SETS: Final = "model_sets"
MODELS: Final = "models"
SERVICES: Final = "services"
HOOKS: Final = "hooks"
QUOTES: Final = "quotes"
SERVICE_KEYS: Final = "service_keys"
APPROVALS: Final = "approvals"
"""The number of open requests for approvals. It is in the row of the account's limits, and no query."""
PROJECTS: Final = "projects"
PROJECT_NAMES: Final = "project_names"
"""The active projects of an account with a name (``project_name``)."""
PROJECT_UNITS: Final = "project_units"
PROJECT_SERVICES: Final = "project_services"
PROJECT_PACKAGES: Final = "project_packages"
LIVE_IN_PROJECT: Final = {
    PROJECT_UNITS: "live instances and quota",
    PROJECT_SERVICES: "services",
    PROJECT_PACKAGES: "packages with a rest",
}
"""The counts of things that keep a project open, and their names."""
PLACES: Final = "places"
"""The query for the regions and types of the instances with replicas of a service. All other queries are counts."""


class Asked(msgspec.Struct, frozen=True):
    """Need a count, or the places of a service.

    ``at`` is the instant that the count is for, where it matters (open quotes, and packages that are not over).
    """

    what: str
    of: str
    at: Instant = Instant(0)


class Answers:
    """The store's answers, updated by the batch's own changes."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._places: dict[str, set[tuple[str, str]]] = {}
        self._living: dict[str, Living] = {}

    def load(self, need: Asked, rows: Iterable[tuple[Any, ...]]) -> None:
        """Record the store's answer: one number, or a region and a type in each row."""
        if need.what == PLACES:
            self._places[need.of] = {(region, unit_type) for region, unit_type in rows}
        else:
            ((count,),) = rows
            self._counts[need.what, need.of] = int(count)

    def count(self, what: str, of: str) -> int:
        """Return the current count; raises LookupError if no command needed it."""
        return self._counts[what, of]

    def places(self, service_id: str) -> list[tuple[str, str]]:
        """Return the regions and types of a service's replicas, now or when the batch began, sorted."""
        return sorted(self._places[service_id])

    def load_living(self, account_id: str, living: Living) -> None:
        """Record the live things of an account."""
        self._living[account_id] = living

    def living(self, account_id: str) -> Living:
        """Return the live things of an account; raises LookupError if no command needed it."""
        return self._living[account_id]

    def changed(self, before: Any, after: Any) -> None:
        """Update the answers by a new or changed row."""
        if self._living:
            self._lives(before, after)
        if not self._counts and not self._places:
            return
        if type(after) is Instance:
            for placed in after.placements:
                if placed.service_id in self._places:
                    self._places[placed.service_id].add(after.offering)
        counts = COUNTED.get(type(after))
        if counts is not None:
            for step, row in ((-1, before), (1, after)):
                for key in () if row is None else counts(row):
                    if key in self._counts:
                        self._counts[key] += step

    def _lives(self, before: Any, after: Any) -> None:
        if isinstance(after, Instance | Service) and after.account_id in self._living:
            living = self._living[after.account_id]
            for step, row in ((-1, before), (1, after)):
                for kind in kinds_of(row):
                    living.change(kind, after.id, step)


def project_name(account_id: str, name: str) -> str:
    """Return the key of the query ``PROJECT_NAMES``. The id of an account has no slash."""
    return f"{account_id}/{name}"


def _unit(row: Instance) -> Iterator[tuple[str, str]]:
    if row.project_id is not None and row.status not in GONE:
        yield PROJECT_UNITS, row.project_id


def _package(row: TokenPackage) -> Iterator[tuple[str, str]]:
    if row.project_id is not None and row.left():
        yield PROJECT_PACKAGES, row.project_id


def _project(row: Project) -> Iterator[tuple[str, str]]:
    if row.status == "Active":
        yield PROJECTS, row.account_id
        yield PROJECT_NAMES, project_name(row.account_id, row.name)


def _user(row: User) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None:
        yield USERS, row.account_id


def _key(row: AccessKey) -> Iterator[tuple[str, str]]:
    if row.status == "Active":
        yield KEYS, row.account_id
        yield USER_KEYS, row.user_id


def _password(row: Password) -> Iterator[tuple[str, str]]:
    if row.hash and not row.by_operator:
        yield KNOWN_PASSWORDS, row.user_id


def _model_set(row: ModelSet) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None and row.account_id != EVERYBODYS:
        yield MODEL_SETS, row.account_id


def _model(row: Model) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None and row.account_id != EVERYBODYS:
        yield MODELS, row.account_id


def _service(row: Service) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None:
        yield SERVICES, row.account_id
        if row.project_id is not None:
            yield PROJECT_SERVICES, row.project_id


def _hook(row: Subscription) -> Iterator[tuple[str, str]]:
    if row.status in LIVE:
        yield HOOKS, row.account_id


def _quote(row: Quote) -> Iterator[tuple[str, str]]:
    if row.used_by is None:
        yield QUOTES, row.account_id


def _service_key(row: ServiceKey) -> Iterator[tuple[str, str]]:
    if row.status == "Active":
        yield SERVICE_KEYS, row.account_id


COUNTED: Final[dict[type, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    User: _user,
    AccessKey: _key,
    Password: _password,
    ModelSet: _model_set,
    Model: _model,
    Service: _service,
    Subscription: _hook,
    Quote: _quote,
    ServiceKey: _service_key,
    Instance: _unit,
    TokenPackage: _package,
    Project: _project,
}
"""The counts that a row belongs to. ``store.queries.batch_queries`` counts the same rows in SQL."""
