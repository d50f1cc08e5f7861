"""What rules for signatures, and the log of refused calls, look like."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.audit_log import Marker, Wanted
from leasebook.contract.nouns.instance import Id, Request, Shape, Time

Requirement = Literal["SignedBody", "Nonce"]


class SetKeyRulesRequest(Request, kw_only=True):
    """Say what every signature under a key must cover, or under every key of a user; an operator may name an account.

    The call itself must be signed with both, whatever its key requires.
    """

    access_key_id: Id | None = None
    user_id: Id | None = None
    requires: Annotated[list[Requirement], msgspec.Meta(max_length=8)]
    account_id: Id | None = None


class DescribeRefusedCallsRequest(Request, kw_only=True):
    """Ask for a page of the log of refused calls, the rows written last first, of minutes from startTime to endTime."""

    address: Wanted | None = None
    access_key_id: Wanted | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    marker: Marker | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class RefusedCallsDetail(Shape, kw_only=True):
    """How many calls of a minute were refused before anybody knew who called, from one address with one key."""

    minute: str
    address: str | None = None
    access_key_id: str | None = None
    account_id: str | None = None
    calls: int
    codes: dict[str, int]
    first_time: str
    last_time: str
    is_overflow: bool


class RefusedCallsPage(Shape, kw_only=True):
    """A page of the log of refused calls."""

    rows: list[RefusedCallsDetail]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None
