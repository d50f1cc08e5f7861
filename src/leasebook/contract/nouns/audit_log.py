"""The audit log, and the log of refused calls."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, read
from leasebook.contract.shapes import USER_NAMED, AccountIds, Id, Owned, PageSize, Request, Shape, Time

AuditMarker = Annotated[str, Meta(max_length=128)]
Wanted = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
WhoseId = Annotated[str, Meta(max_length=64, pattern="^[^\\x00]*$")]


class DescribeAuditLogRequest(Request, kw_only=True):
    """Ask for a page of the account's calls, newest first, from startTime until before endTime.

    A page may have fewer entries than asked for, even none, and others after it: ``isTruncated`` says so.
    """

    account_id: Annotated[
        WhoseId | AccountIds | None,
        Meta(
            description=(
                "The account that made the calls; the caller's where it is left out. An operator may name any account, "
                "a list of accounts, `*` for all of them, or an empty text for calls that no account is known for."
            )
        ),
    ] = None
    user_id: Annotated[Wanted | None, Meta(description="Only calls of this user, proved by a signature.")] = None
    access_key_id: Annotated[Wanted | None, Meta(description="Only calls under this key, proved or not.")] = None
    action: Annotated[Wanted | None, Meta(description="Only calls of this action.")] = None
    code: Annotated[Wanted | None, Meta(description="Only calls with this verdict: OK, or an error code.")] = None
    instance_id: Annotated[Id | None, Meta(description="Only calls that name this instance.")] = None
    address: Annotated[Wanted | None, Meta(description="Only calls from this address.")] = None
    start_time: Annotated[Time | None, Meta(description="Only calls from then on.")] = None
    end_time: Annotated[Time | None, Meta(description="Only calls before then.")] = None
    marker: Annotated[AuditMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class AuditEntry(Owned, kw_only=True):
    """A call, and what became of it. ``userId`` is there once the signature was proved."""

    time: Annotated[str, Meta(description="When it was decided or refused.")]
    request_id: Annotated[str, Meta(description="The id that its answer had.")]
    user_id: Annotated[str | None, Meta(description="The user, once the signature was proved.")] = None
    user_name: Annotated[str | None, Meta(description=USER_NAMED)] = None
    access_key_id: Annotated[str | None, Meta(description="The access key that the caller named.")] = None
    address: Annotated[
        str, Meta(description="Where it came from; behind trusted proxies, the last address that none of them is.")
    ]
    path: Annotated[str, Meta(description="The path, without a prefix.")]
    action: Annotated[str, Meta(description="The action that was asked for, whether there is one or not.")]
    status: Annotated[int, Meta(description="The HTTP status of the answer.")]
    code: Annotated[str, Meta(description="OK, or the error code.")]
    message: Annotated[str | None, Meta(description="The message of the error, cut at 300 characters.")] = None
    body: Annotated[str, Meta(description="The request's body without secrets, cut at 2048 characters.")]
    names: Annotated[list[str], Meta(description="The instances and services that it names.")]
    has_client_token: Annotated[bool, Meta(description="Whether it had a client token.")]
    chain: Annotated[str, Meta(description="The chain that its page is on.")]
    page: Annotated[int, Meta(description="The number of its page.")]


class AuditLogPage(Shape, kw_only=True):
    """A page of the audit log. ``nextMarker`` is present while more may follow."""

    entries: Annotated[list[AuditEntry], Meta(description="The calls, newest first.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeAuditProofRequest(Request, kw_only=True):
    """Ask for the ends of the audit log's chains, and for the receipts of removed pages, newest first."""

    marker: Annotated[AuditMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class AuditChain(Shape, kw_only=True):
    """The end of a chain. Keep a copy elsewhere: it proves that earlier pages were not changed or removed."""

    chain: Annotated[str, Meta(description="The chain: one for each run of a server.")]
    page: Annotated[int, Meta(description="The number of its last page.")]
    hash: Annotated[str, Meta(description="The hash of its last page, in hexadecimal.")]
    time: Annotated[str, Meta(description="When the last call on it was made.")]


class AuditClosure(Shape, kw_only=True):
    """The signed receipt for pages that were removed because of their age."""

    chain: Annotated[str, Meta(description="The chain that the pages were on.")]
    first_page: Annotated[int, Meta(description="The first page that was removed.")]
    last_page: Annotated[int, Meta(description="The last page that was removed.")]
    start_time: Annotated[str, Meta(description="When the first call on them was made.")]
    end_time: Annotated[str, Meta(description="When the last call on them was made.")]
    entries_total: Annotated[int, Meta(description="How many calls they had.")]
    hash_before: Annotated[str, Meta(description="The hash that the first of them followed.")]
    hash_after: Annotated[str, Meta(description="The hash of the last of them, which the chain goes on from.")]
    counts: Annotated[dict[str, int], Meta(description="How many calls had which verdict.")]
    closed_time: Annotated[str, Meta(description="When they were removed.")]
    public_key: Annotated[str, Meta(description="The key that the signature is for.")]
    signature: Annotated[str, Meta(description="The Ed25519 signature of all this, in hexadecimal.")]


class AuditProof(Shape, kw_only=True):
    """The ends of the chains, the one written last first and at most a thousand; closures; and their public key."""

    public_key: Annotated[
        str, Meta(description="The Ed25519 key, in hexadecimal, that closures are signed for by this server.")
    ]
    chains: Annotated[
        list[AuditChain], Meta(description="The ends of the chains, the one written last first, at most a thousand.")
    ]
    closures: Annotated[list[AuditClosure], Meta(description="The receipts for removed pages, newest first.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeRefusedCallsRequest(Request, kw_only=True):
    """Ask for a page of the log of refused calls, the rows written last first, of minutes from startTime to endTime."""

    address: Annotated[Wanted | None, Meta(description="Only calls from this address, as rows show it.")] = None
    access_key_id: Annotated[Wanted | None, Meta(description="Only calls that name this key.")] = None
    start_time: Annotated[Time | None, Meta(description="Only minutes from then on, on the machine's clock.")] = None
    end_time: Annotated[Time | None, Meta(description="Only minutes before then, on the machine's clock.")] = None
    marker: Annotated[AuditMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class RefusedCallsDetail(Shape, kw_only=True):
    """How many calls of a minute were refused before the caller was known, for one address and access key."""

    minute: Annotated[str, Meta(description="The minute, on the machine's clock.")]
    address: Annotated[
        str | None,
        Meta(
            description=(
                "Where they came from; of an address of IP version 6 its network of 64 bits. Absent in an overflow row."
            )
        ),
    ] = None
    access_key_id: Annotated[
        str | None,
        Meta(
            description=(
                "The access key that they name. Absent if they name none, or if the "
                "address named too many different keys."
            )
        ),
    ] = None
    account_id: Annotated[
        str | None, Meta(description="The account of that key. Absent if the key does not exist or was not looked up.")
    ] = None
    calls: Annotated[int, Meta(description="How many calls were refused.")]
    codes: Annotated[dict[str, int], Meta(description="How many of them got which error code.")]
    first_time: Annotated[str, Meta(description="When the first of them came.")]
    last_time: Annotated[str, Meta(description="When the last of them came.")]
    is_overflow: Annotated[
        bool,
        Meta(
            description=(
                "Whether this is the row for all calls of its minute that exceeded the limit of separate rows."
            )
        ),
    ]


class RefusedCallsPage(Shape, kw_only=True):
    """A page of the log of refused calls."""

    rows: Annotated[list[RefusedCallsDetail], Meta(description="One row a minute, address and access key.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


ACTIONS: Final = (
    read(
        ACCOUNT,
        "DescribeAuditLog",
        "describe_audit_log",
        DescribeAuditLogRequest,
        AuditLogPage,
        "List who called what from where, and what became of it, newest first.",
        across=p.OPERATORS,
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={"instanceId": "unit-xxx", "code": "InvalidState", "maxKeys": 10},
        answer={
            "entries": [
                {
                    "time": "2026-11-30T07:18:45+08:00",
                    "requestId": "a7ec46a6-fc82-40f8-bace-4879e1a0a072",
                    "userId": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "userName": "root",
                    "accessKeyId": "AKROOT",
                    "address": "192.0.2.1",
                    "path": "/v2/computeunit",
                    "action": "ResizeComputeUnit",
                    "status": 409,
                    "code": "InvalidState",
                    "message": "unit-xxx has 1 unit already. param[count]",
                    "body": '{"instanceId": "unit-xxx", "count": 1}',
                    "names": ["unit-xxx"],
                    "hasClientToken": False,
                    "chain": "20261129T221345Z-b9500b3c",
                    "page": 19,
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    read(
        ACCOUNT,
        "DescribeAuditProof",
        "describe_audit_proof",
        DescribeAuditProofRequest,
        AuditProof,
        "Show the ends of the audit log's chains, and the receipts of removed pages.",
        own_only="It is of the whole store, and for operators only.",
        policies=p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={"maxKeys": 10},
        answer={
            "publicKey": "0c3866bd9f0cc1dd912d3febe53ec62eb0f7b9eee396d0235d2a1c3908ea823b",
            "chains": [
                {
                    "chain": "20261129T221345Z-b9500b3c",
                    "page": 29,
                    "hash": "b3f066503a186df03149ea780d8be346791021118f603efa4c4c09ed91cfa02b",
                    "time": "2026-11-30T07:18:45+08:00",
                }
            ],
            "closures": [],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
)
"""Only managers and operators may read these: they show every user's calls and addresses."""


REFUSED_CALLS: Final = (
    read(
        ACCOUNT,
        "DescribeRefusedCalls",
        "describe_refused_calls",
        DescribeRefusedCallsRequest,
        RefusedCallsPage,
        "List how many calls were refused for their signature, by minute, address and access key.",
        own_only="It is of the whole store, and for operators only.",
        policies=p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={"startTime": "2026-11-01 00:00:00", "maxKeys": 10},
        answer={
            "rows": [
                {
                    "minute": "2026-11-30T06:13:00+08:00",
                    "address": "192.0.2.1",
                    "accessKeyId": "AKROOT",
                    "accountId": "00112233445566778899aabbccddeeff",
                    "calls": 2,
                    "codes": {"SignatureDoesNotMatch": 2},
                    "firstTime": "2026-11-30T06:13:17.535788+08:00",
                    "lastTime": "2026-11-30T06:13:17.536630+08:00",
                    "isOverflow": False,
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
)
