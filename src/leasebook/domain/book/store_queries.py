"""What a batch asks of the store besides single rows: counts of rows, and where the replicas of a service are.

The store answers once the rows are locked that whoever would change the answer locks, too: the account for counts, the
service for places. From then on the batch keeps the answer itself. So two batches never decide by the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import LIVE, Subscription
from leasebook.domain.values.calendar import Instant

USERS: Final = "users"
KEYS: Final = "keys"
USER_KEYS: Final = "user_keys"
MODEL_SETS: Final = "model_sets"
MODELS: Final = "models"
SERVICES: Final = "services"
HOOKS: Final = "hooks"
QUOTES: Final = "quotes"
SERVICE_KEYS: Final = "service_keys"
PLACES: Final = "places"
"""Regions and types of the instances that have replicas of a service; all else are counts of an account or a user."""


class Asked(msgspec.Struct, frozen=True):
    """Need a count, or the places of a service. ``at`` is as of when, where that matters (held quotes)."""

    what: str
    of: str
    at: Instant = Instant(0)


class Answers:
    """What the store answered, and what the batch made of it since."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._places: dict[str, set[tuple[str, str]]] = {}

    def load(self, need: Asked, rows: Iterable[tuple[Any, ...]]) -> None:
        """Put down what the store answered: one number, or a region and a type in each row."""
        if need.what == PLACES:
            self._places[need.of] = {(region, unit_type) for region, unit_type in rows}
        else:
            ((count,),) = rows
            self._counts[need.what, need.of] = int(count)

    def count(self, what: str, of: str) -> int:
        """Return how many there are by now; raises LookupError where nobody asked for it."""
        return self._counts[what, of]

    def places(self, service_id: str) -> list[tuple[str, str]]:
        """Return where replicas of a service are placed, or were when the batch began, in order."""
        return sorted(self._places[service_id])

    def changed(self, before: Any, after: Any) -> None:
        """Take note of a row that is new or different."""
        if not self._counts and not self._places:
            return
        if type(after) is Instance:
            for placed in after.placements:
                if placed.service_id in self._places:
                    self._places[placed.service_id].add(after.offering)
            return
        counts = COUNTED.get(type(after))
        if counts is not None:
            for step, row in ((-1, before), (1, after)):
                for key in () if row is None else counts(row):
                    if key in self._counts:
                        self._counts[key] += step


def _user(row: User) -> Iterator[tuple[str, str]]:
    yield USERS, row.account_id


def _key(row: AccessKey) -> Iterator[tuple[str, str]]:
    if row.status == "Active":
        yield KEYS, row.account_id
        yield USER_KEYS, row.user_id


def _model_set(row: ModelSet) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None and row.account_id != EVERYBODYS:
        yield MODEL_SETS, row.account_id


def _model(row: Model) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None and row.account_id != EVERYBODYS:
        yield MODELS, row.account_id


def _service(row: Service) -> Iterator[tuple[str, str]]:
    if row.deleted_at is None:
        yield SERVICES, row.account_id


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
    ModelSet: _model_set,
    Model: _model,
    Service: _service,
    Subscription: _hook,
    Quote: _quote,
    ServiceKey: _service_key,
}
"""Which counts a row is part of. ``store.asked_queries`` says the same in SQL."""
