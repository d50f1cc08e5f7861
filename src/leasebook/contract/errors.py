"""Every error that a caller can see. Append only: a code never changes its meaning, and no code is reused."""

from __future__ import annotations

from typing import Final

import msgspec


class ErrorCode(msgspec.Struct, frozen=True):
    """A public error.

    ``number`` is the ``error_code`` that the official clients read (decision 18); none of them retries on
    these. ``meaning`` is the text of the reference page.
    """

    code: str
    status: int
    number: int
    meaning: str


# Documented for the whole platform.
INAPPROPRIATE_JSON: Final = ErrorCode(
    "InappropriateJSON",
    400,
    710001,
    "A field is missing, of the wrong type or out of range; the message names it.",
)
MALFORMED_JSON: Final = ErrorCode("MalformedJSON", 400, 710002, "The body is not JSON.")
INVALID_HTTP_REQUEST: Final = ErrorCode(
    "InvalidHTTPRequest", 400, 710003, "The request is not a valid call, for example a GET."
)
INVALID_MARKER: Final = ErrorCode("InvalidMarker", 400, 710004, "Unknown page marker.")
INVALID_HTTP_AUTH_HEADER: Final = ErrorCode(
    "InvalidHTTPAuthHeader", 400, 710011, "The Authorization header is not in the form of bce-auth-v1."
)
SIGNATURE_DOES_NOT_MATCH: Final = ErrorCode(
    "SignatureDoesNotMatch", 400, 710012, "The signature does not match this request and this key."
)
REQUEST_EXPIRED: Final = ErrorCode(
    "RequestExpired",
    400,
    710013,
    "The signature is too old, or dated too far ahead; the message has the server's time.",
)
SIGNATURE_EMPTY: Final = ErrorCode("SignatureEmpty", 400, 710014, "The request is not signed.")
INVALID_ACCESS_KEY_ID: Final = ErrorCode("InvalidAccessKeyId", 403, 710015, "No active access key has this id.")
ACCESS_DENIED: Final = ErrorCode("AccessDenied", 403, 710016, "The caller's policies do not permit the action.")
IDEMPOTENT_PARAMETER_MISMATCH: Final = ErrorCode(
    "IdempotentParameterMismatch", 403, 710017, "The client token was used before with other parameters."
)
INTERNAL_ERROR: Final = ErrorCode(
    "InternalError", 500, 710099, "An error inside the service; its log has the requestId."
)

# Additions of this service (decision 19).
INSUFFICIENT_STOCK: Final = ErrorCode("InsufficientStock", 409, 720001, "Fewer units are free than were requested.")
INSUFFICIENT_BALANCE: Final = ErrorCode(
    "InsufficientBalance", 402, 720002, "The balance is too small for this request."
)
QUOTA_EXCEEDED: Final = ErrorCode(
    "QuotaExceeded",
    403,
    720003,
    "A limit of the account, of a user or of the operator does not allow this; the message names it.",
)
INSTANCE_NOT_FOUND: Final = ErrorCode("InstanceNotFound", 404, 720004, "The caller has no instance with this id.")
SERVICE_NOT_FOUND: Final = ErrorCode("ServiceNotFound", 404, 720005, "The caller has no service with this id.")
OPERATION_NOT_SUPPORTED: Final = ErrorCode(
    "OperationNotSupported",
    409,
    720006,
    "The action does not apply to an instance, service or other object of this kind.",
)
INVALID_STATE: Final = ErrorCode(
    "InvalidState", 409, 720007, "The state of the instance, service or other object does not allow this."
)
RESOURCE_NOT_FOUND: Final = ErrorCode(
    "ResourceNotFound", 404, 720008, "The path, action, account, user or key does not exist."
)
OVERLOADED: Final = ErrorCode(
    "Overloaded", 503, 720009, "The server has too many requests, or is stopping. Nothing was done; try again."
)
ENTITY_TOO_LARGE: Final = ErrorCode("EntityTooLarge", 413, 720010, "The body is larger than the limit.")
STORE_UNAVAILABLE: Final = ErrorCode(
    "StoreUnavailable",
    503,
    720011,
    "The store does not answer, or cannot write, for example because the database is away or the disk is full. "
    "The message says whether the call may have been done.",
)
OUTCOME_UNKNOWN: Final = ErrorCode(
    "OutcomeUnknown",
    503,
    720022,
    "The store failed while writing, and the call may or may not have been done. The call had a client token: repeat "
    "the same call with the same token to find out; it is never done twice.",
)
BODY_DIGEST_MISMATCH: Final = ErrorCode(
    "BodyDigestMismatch", 400, 720012, "The body does not match a digest in the request's headers."
)
REQUEST_REPLAYED: Final = ErrorCode(
    "RequestReplayed", 403, 720013, "The signature's nonce was used before; a signature with a nonce is accepted once."
)
SIGNATURE_TOO_WEAK: Final = ErrorCode(
    "SignatureTooWeak",
    403,
    720014,
    "The signature does not cover a part that the key, the user or the action requires.",
)
TOO_MANY_REQUESTS: Final = ErrorCode(
    "TooManyRequests",
    429,
    720016,
    "The key or the account exceeds its rate limit. Nothing was done; Retry-After says when to try again.",
)
ROWS_LOCKED: Final = ErrorCode(
    "RowsLocked",
    503,
    720017,
    "Another session of the database has locked rows that the call needs. Nothing was done; try again.",
)
TOO_MANY_STREAMS: Final = ErrorCode(
    "TooManyStreams",
    429,
    720018,
    "Too many streams of events are open; the message says whose limit is reached, and what to do.",
)
UNTRUSTED_MODEL: Final = ErrorCode(
    "UntrustedModel",
    403,
    720026,
    "No operator has approved the version, and the engine does not isolate it; the message says what to do.",
)

LOG_STORE_UNREACHABLE: Final = ErrorCode(
    "LogStoreUnreachable",
    503,
    720027,
    "The operator's log store does not answer, or does not take lines. Nothing was done; try again.",
)

ACCOUNT_SUSPENDED: Final = ErrorCode(
    "AccountSuspended",
    403,
    720030,
    "The account is suspended or closed: nothing is bought or made in it. The message says why, and what to do.",
)

APPROVAL_NEEDED: Final = ErrorCode(
    "ApprovalNeeded",
    409,
    720032,
    "The purchase needs an approval and waits for it as a request. The message has the request's id, and says who "
    "approves it and until when.",
)
TAG_POLICY_NOT_MET: Final = ErrorCode(
    "TagPolicyNotMet",
    400,
    720033,
    "The account's tag policy requires other tags; the message lists those that are missing and the allowed values.",
)

# Answered before the action is known; the connection ends with them.
URI_TOO_LONG: Final = ErrorCode("UriTooLong", 414, 720019, "The request line is longer than the limit.")
HEAD_TOO_LARGE: Final = ErrorCode("HeadTooLarge", 431, 720020, "The headers are more, or longer, than the limit.")
REQUEST_TIMEOUT: Final = ErrorCode(
    "RequestTimeout", 408, 720021, "The request did not arrive in time. Nothing was done."
)

# Answered to calls of services, and by no action.
INVALID_SERVICE_KEY: Final = ErrorCode("InvalidServiceKey", 401, 720101, "The call has no valid service key.")
NO_CAPACITY: Final = ErrorCode(
    "NoCapacity", 503, 720102, "No replica of the service accepts requests now; the message says why."
)
TOO_MANY_CALLS: Final = ErrorCode(
    "TooManyCalls", 429, 720103, "The service has reached its queries per second. Retry-After says when to try again."
)
REPLICA_FAILED: Final = ErrorCode(
    "ReplicaFailed",
    502,
    720104,
    "The replica broke off before it answered, or its answer cannot be forwarded; it may have done the call.",
)
REPLICA_TIMEOUT: Final = ErrorCode(
    "ReplicaTimeout", 504, 720105, "The replica did not begin to answer in time; it may have done the call."
)
HEADERS_TOO_LARGE: Final = ErrorCode("HeadersTooLarge", 431, 720106, "The headers of the call are too large.")
UPGRADE_NOT_SUPPORTED: Final = ErrorCode(
    "UpgradeNotSupported",
    501,
    720107,
    "The gateway does not forward this protocol. It forwards WebSockets that are requested with GET and HTTP/1.1.",
)
TOO_MANY_SOCKETS: Final = ErrorCode(
    "TooManyWebSockets", 429, 720108, "The key or its account has reached its limit of open WebSockets."
)
BAD_HANDSHAKE: Final = ErrorCode(
    "InvalidHandshake", 400, 720109, "The call is no valid WebSocket handshake; the message gives the reason."
)

GATEWAY: Final = (
    INVALID_SERVICE_KEY,
    NO_CAPACITY,
    TOO_MANY_CALLS,
    REPLICA_FAILED,
    REPLICA_TIMEOUT,
    HEADERS_TOO_LARGE,
    UPGRADE_NOT_SUPPORTED,
    TOO_MANY_SOCKETS,
    BAD_HANDSHAKE,
)
"""Errors that only calls of services get."""
BEFORE_ACTIONS: Final = (URI_TOO_LONG, HEAD_TOO_LARGE, REQUEST_TIMEOUT)
"""Errors that are answered before the action is known."""
ERRORS: Final = tuple(value for value in list(globals().values()) if isinstance(value, ErrorCode))
"""All of them, in the order of the reference."""
