"""An account: who owns units, and whose balance pays for them."""

from __future__ import annotations

from typing import Literal

import msgspec

from leasebook.domain.record.signature import Requirement
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro


class Account(msgspec.Struct, frozen=True):
    """The balance is the sum of the account's postings; it may turn negative through metered use only.

    ``arrears_since`` is when it last turned negative, and None while it is not. ``remind_before_us`` are the times
    before a release or an expiry at which somebody is reminded of it, in microseconds, the longest first; they count
    from the next time that an instance's deadline is set.
    """

    id: str
    name: str
    time_zone: str
    balance: Micro
    created_at: Instant
    arrears_since: Instant | None = None
    remind_before_us: tuple[int, ...] = ()


class User(msgspec.Struct, frozen=True):
    """Somebody, or something, that signs requests for an account; ``requires``: what every signature must cover."""

    id: str
    account_id: str
    name: str
    is_root: bool
    policies: tuple[str, ...]
    created_at: Instant
    requires: tuple[Requirement, ...] = ()


KeyStatus = Literal["Active", "Disabled"]


class AccessKey(msgspec.Struct, frozen=True):
    """A key pair. The secret is sealed under the master key; the domain never sees it.

    ``requires`` is what its signatures must cover, besides what its user's must. ``from_environment``: it is, or was
    once, the root key that the server's environment gives.
    """

    id: str
    user_id: str
    account_id: str
    sealed: bytes
    status: KeyStatus
    created_at: Instant
    requires: tuple[Requirement, ...] = ()
    from_environment: bool = False
