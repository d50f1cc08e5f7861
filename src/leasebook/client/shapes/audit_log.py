"""Shapes of values: audit log. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape


class AuditEntry(Shape, kw_only=True):
    """A call, and what became of it. ``userId`` is there once the signature was proved."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    time: datetime
    """When it was decided or refused."""
    request_id: str
    """The id that its answer had."""
    user_id: str | None = None
    """The user, once the signature was proved."""
    user_name: str | None = None
    """The user's name now; missing for a user of another account."""
    access_key_id: str | None = None
    """The access key that the caller named."""
    address: str
    """Where it came from; behind trusted proxies, the last address that none of them is."""
    path: str
    """The path, without a prefix."""
    action: str
    """The action that was asked for, whether there is one or not."""
    status: int
    """The HTTP status of the answer."""
    code: str
    """OK, or the error code."""
    message: str | None = None
    """The message of the error, cut at 300 characters."""
    body: str
    """The request's body without secrets, cut at 2048 characters."""
    names: list[str]
    """The instances and services that it names."""
    has_client_token: bool
    """Whether it had a client token."""
    chain: str
    """The chain that its page is on."""
    page: int
    """The number of its page."""


class AuditLogPage(Shape, kw_only=True):
    """A page of the audit log. ``nextMarker`` is present while more may follow."""

    entries: list[AuditEntry]
    """The calls, newest first."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class AuditChain(Shape, kw_only=True):
    """The end of a chain. Keep a copy elsewhere: it proves that earlier pages were not changed or removed."""

    chain: str
    """The chain: one for each run of a server."""
    page: int
    """The number of its last page."""
    hash: str
    """The hash of its last page, in hexadecimal."""
    time: datetime
    """When the last call on it was made."""


class AuditClosure(Shape, kw_only=True):
    """The signed receipt for pages that were removed because of their age."""

    chain: str
    """The chain that the pages were on."""
    first_page: int
    """The first page that was removed."""
    last_page: int
    """The last page that was removed."""
    start_time: datetime
    """When the first call on them was made."""
    end_time: datetime
    """When the last call on them was made."""
    entries_total: int
    """How many calls they had."""
    hash_before: str
    """The hash that the first of them followed."""
    hash_after: str
    """The hash of the last of them, which the chain goes on from."""
    counts: dict[str, int]
    """How many calls had which verdict."""
    closed_time: datetime
    """When they were removed."""
    public_key: str
    """The key that the signature is for."""
    signature: str
    """The Ed25519 signature of all this, in hexadecimal."""


class AuditProof(Shape, kw_only=True):
    """The ends of the chains, the one written last first and at most a thousand; closures; and their public key."""

    public_key: str
    """The Ed25519 key, in hexadecimal, that closures are signed for by this server."""
    chains: list[AuditChain]
    """The ends of the chains, the one written last first, at most a thousand."""
    closures: list[AuditClosure]
    """The receipts for removed pages, newest first."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class RefusedCallsDetail(Shape, kw_only=True):
    """How many calls of a minute were refused before the caller was known, for one address and access key."""

    minute: datetime
    """The minute, on the machine's clock."""
    address: str | None = None
    """Where they came from; of an address of IP version 6 its network of 64 bits. Absent in an overflow row."""
    access_key_id: str | None = None
    """The access key that they name. Absent if they name none, or if the address named too many different keys."""
    account_id: str | None = None
    """The account of that key. Absent if the key does not exist or was not looked up."""
    calls: int
    """How many calls were refused."""
    codes: dict[str, int]
    """How many of them got which error code."""
    first_time: datetime
    """When the first of them came."""
    last_time: datetime
    """When the last of them came."""
    is_overflow: bool
    """Whether this is the row for all calls of its minute that exceeded the limit of separate rows."""


class RefusedCallsPage(Shape, kw_only=True):
    """A page of the log of refused calls."""

    rows: list[RefusedCallsDetail]
    """One row a minute, address and access key."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
