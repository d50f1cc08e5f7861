"""The needs of a command: the rows, sets of rows and counts that the store must load before the command is decided."""

from __future__ import annotations

from typing import Any

import msgspec

from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import Key, Table
from leasebook.domain.values.calendar import Instant


class OfferingsOfType(msgspec.Struct, frozen=True):
    """Need every offering of one type, whatever the region."""

    type: str


class SuspendedInstances(msgspec.Struct, frozen=True):
    """Need an account's suspended instances (``Instance.is_halted``), at most ``SUSPENDED_MAX`` of them.

    Also up to ``SUSPENDED_MAX`` instances whose renewal waits for money (``Instance.awaits_renewal``), the oldest
    first. The account is given by its id, or by one of its instances.
    """

    account_id: str | None = None
    unit_id: str | None = None


SUSPENDED_MAX = 500


class UsageTotals(msgspec.Struct, frozen=True):
    """Need the sums that an account's limits begin with: units held by user and type, and money charged since."""

    account_id: str
    since: Instant


class KeysOfUser(msgspec.Struct, frozen=True):
    """Need every access key of a user. The user's row is needed as well: commands that make keys lock it."""

    user_id: str


class WholeAccount(msgspec.Struct, frozen=True):
    """Need all that may keep an account from being closed, and all that ends with it.

    These are its users, its active access keys, service keys and subscriptions, its packages that have a rest, and its
    requests that wait for an approval, all as rows, and its live things, as counts (``whole_account.Living``). The
    account's row is needed as well: every command that adds one of these locks it.
    """

    account_id: str


Need = tuple[Table[Any], Key]
"""A row that a command reads or writes. It need not exist."""

Needed = Need | OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | WholeAccount | Asked


class NotLoaded(LookupError):
    """A command touched a row that it did not name as needed: a mistake in the command."""
