"""What may be asked of the store outside a batch: the port that reads go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering, PriceList
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
    service_id: str | None = None
    status: str | None = None
    payment_timing: str | None = None
    region: str | None = None
    type: str | None = None


class ServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which services of an account to list; None: whatever it is."""

    account_id: str
    name_part: str | None = None
    running: bool | None = None
    creators: tuple[str, ...] | None = None


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

    def orders(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        ...

    def postings(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        ...

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        ...

    def next_due(self) -> Instant | None:
        """Return when the next work falls due."""
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
