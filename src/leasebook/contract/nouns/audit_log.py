"""What the audit log looks like."""

from __future__ import annotations

from typing import Annotated

import msgspec

from leasebook.contract.nouns.instance import Id, Request, Shape, Time

Marker = Annotated[str, msgspec.Meta(max_length=128)]
Wanted = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
WhoseId = Annotated[str, msgspec.Meta(max_length=64, pattern="^[^\\x00]*$")]


class DescribeAuditLogRequest(Request, kw_only=True):
    """Ask for a page of the account's calls, newest first, from startTime until before endTime.

    A page may have fewer entries than asked for, even none, and others after it: ``isTruncated`` says so.
    """

    account_id: WhoseId | None = None
    user_id: Wanted | None = None
    access_key_id: Wanted | None = None
    action: Wanted | None = None
    code: Wanted | None = None
    instance_id: Id | None = None
    address: Wanted | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    marker: Marker | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class AuditEntry(Shape, kw_only=True):
    """A call, and what became of it. ``userId`` is there once the signature was proved."""

    time: str
    request_id: str
    user_id: str | None = None
    access_key_id: str | None = None
    address: str
    path: str
    action: str
    status: int
    code: str
    message: str | None = None
    body: str
    names: list[str]
    has_client_token: bool
    chain: str
    page: int


class AuditLogPage(Shape, kw_only=True):
    """A page of the audit log. ``nextMarker`` stands there while more may follow."""

    entries: list[AuditEntry]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class DescribeAuditProofRequest(Request, kw_only=True):
    """Ask where the chains of the audit log end, and what stands for pages that were closed, newest first."""

    marker: Marker | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class AuditChain(Shape, kw_only=True):
    """The end of a chain: keep it elsewhere, and nobody can take back what was written until then."""

    chain: str
    page: int
    hash: str
    time: str


class AuditClosure(Shape, kw_only=True):
    """What stands for pages that were removed because they were old."""

    chain: str
    first_page: int
    last_page: int
    start_time: str
    end_time: str
    entries_total: int
    hash_before: str
    hash_after: str
    counts: dict[str, int]
    closed_time: str
    public_key: str
    signature: str


class AuditProof(Shape, kw_only=True):
    """The ends of the chains, the one written last first and at most a thousand; closures; and their public key."""

    public_key: str
    chains: list[AuditChain]
    closures: list[AuditClosure]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None
