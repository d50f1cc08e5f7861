"""What commands need besides rows that they can name (``book.Needed``)."""

from __future__ import annotations

import msgspec

from leasebook.domain.values.calendar import Instant


class OfferingsOfType(msgspec.Struct, frozen=True):
    """Need every offering of one type, whatever the region."""

    type: str


class SuspendedInstances(msgspec.Struct, frozen=True):
    """Need instances that stand still until a debt is paid (``Unit.is_halted``), at most ``HALTED_MAX`` of them.

    And as many of those whose renewal waits for money (``Unit.awaits_renewal``), the oldest first. They are those of an
    account; or, where an instance is named, of its account.
    """

    account_id: str | None = None
    unit_id: str | None = None


HALTED_MAX = 500


class UsageTotals(msgspec.Struct, frozen=True):
    """Need the sums that an account's limits begin with: units held by user and type, and money charged since."""

    account_id: str
    since: Instant


class KeysOfUser(msgspec.Struct, frozen=True):
    """Need every access key of a user, whose row is needed as well: who makes keys takes turns on it."""

    user_id: str
