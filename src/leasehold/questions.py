"""What may be asked of the store outside a batch: the port that reads go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due
from leasehold.domain.calendar import Instant
from leasehold.domain.calling import Package
from leasehold.domain.catalogue import UNITS_OF_COMPUTE, Offering, OfferingKind, PriceList
from leasehold.domain.ledger import Posting
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit

T = TypeVar("T")

IDENTITY_EPOCH: Final = "identity_epoch"
"""Fact that changes with every change of a key or a user, where several servers work on one store."""


class Numbered(msgspec.Struct, frozen=True):
    """A row with its number, by which pages are cut."""

    seq: int
    row: Any


class UnitFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances of an account to list; None: whatever it is, but only live ones (decision 17)."""

    account_id: str
    kind: OfferingKind = UNITS_OF_COMPUTE
    service_id: str | None = None
    status: str | None = None
    payment_timing: str | None = None
    region: str | None = None
    type: str | None = None
    auto_renew: bool | None = None


class ServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which services of an account to list; None: whatever it is. Deleted ones are in no list."""

    account_id: str
    name_part: str | None = None
    service_types: tuple[str, ...] | None = None
    run_statuses: tuple[str, ...] | None = None
    creators: tuple[str, ...] | None = None
    payment_timing: str | None = None
    protocol_version: int | None = None


class HistoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders or postings of an account to list, from ``since`` until before ``until``; None: whatever it is."""

    account_id: str
    kind: str | None = None
    unit_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class Place(NamedTuple):
    """Where a page of postings begins: at a moment, after a number."""

    at: int
    seq: int


class Used(NamedTuple):
    """What an app called of a service in a stretch of time."""

    service_id: str
    app_id: str
    input_tokens: int
    output_tokens: int
    succeeded: int
    failed: int


class Spender(NamedTuple):
    """An instance with a cost in a stretch of time; ``prepaid``: something was paid in advance for it, or paid back."""

    unit_id: str
    prepaid: bool


class Questions(Protocol):
    """Questions, each answered from one consistent view."""

    def fact(self, name: str) -> str | None:
        """Return a value that the store remembers about itself."""
        ...

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        ...

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        ...

    def users(self, account_id: str) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users, oldest first, each with its keys."""
        ...

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        ...

    def unit(self, unit_id: str) -> Unit | None:
        """Return an instance by id, released ones included (decision 17)."""
        ...

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return live instances in the order in which they were bought."""
        ...

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        ...

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return an account's services in the order in which they were created, or the other way round."""
        ...

    def offerings(self) -> list[Offering]:
        """Return the catalogue in its order."""
        ...

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        ...

    def orders(self, wanted: HistoryFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        ...

    def postings(self, wanted: HistoryFilter, *, after: Place | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        ...

    def balance_at(self, account_id: str, until: Instant) -> int:
        """Sum up an account's postings before a moment."""
        ...

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Sum up what was paid in, and what was charged less refunds, in a stretch of time."""
        ...

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances that have postings in a stretch of time, in order."""
        ...

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a stretch of time, in the order in which they were written."""
        ...

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a stretch of time or a paid term that reaches into it, by their ids."""
        ...

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return what was paid in advance for an instance, or paid back, before a moment, in the order of writing."""
        ...

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Unit]:
        """Return an account's live quota instances of a model."""
        ...

    def calls(
        self, account_id: str, since: Instant, until: Instant, *, services: tuple[str, ...] | None, app: str | None
    ) -> list[Used]:
        """Sum up the calls of an account's services in a stretch of time, by service and app."""
        ...

    def package(self, package_id: str) -> Package | None:
        """Return a package by id."""
        ...

    def packages(self, account_id: str) -> list[Package]:
        """Return an account's packages, oldest first."""
        ...

    def accounts(self) -> list[Account]:
        """Return all accounts, oldest first."""
        ...

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        ...

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return since when the oldest release that should have been done by then is due."""
        ...

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        ...


class Reader(Protocol):
    """Somebody who answers questions."""

    async def read(self, question: Callable[[Questions], T], *, long: bool = False) -> T:
        """Answer, off the event loop, from what is committed; what may take ``long`` keeps nobody else waiting."""
        ...
