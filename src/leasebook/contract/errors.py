"""Every error that a caller can see. Append only: a code never changes its meaning, and none is used again."""

from __future__ import annotations

from typing import Final

import msgspec


class ErrorCode(msgspec.Struct, frozen=True):
    """A public error.

    ``number`` is what the official clients look for (``error_code``, decision 18); none of them retries on
    these. ``meaning`` is the reference text.
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
    "InvalidHTTPRequest", 400, 710003, "The request is not one that this service takes, such as a GET."
)
INVALID_MARKER: Final = ErrorCode("InvalidMarker", 400, 710004, "The marker is none that a page ended with.")
INVALID_HTTP_AUTH_HEADER: Final = ErrorCode(
    "InvalidHTTPAuthHeader", 400, 710011, "The Authorization header does not have the form of bce-auth-v1."
)
SIGNATURE_DOES_NOT_MATCH: Final = ErrorCode(
    "SignatureDoesNotMatch", 400, 710012, "The signature is not that of this request under this key."
)
REQUEST_EXPIRED: Final = ErrorCode(
    "RequestExpired",
    400,
    710013,
    "The signature's time has passed, or lies too far ahead; the message has ours.",
)
SIGNATURE_EMPTY: Final = ErrorCode("SignatureEmpty", 400, 710014, "The request is not signed.")
INVALID_ACCESS_KEY_ID: Final = ErrorCode("InvalidAccessKeyId", 403, 710015, "There is no such active access key.")
ACCESS_DENIED: Final = ErrorCode("AccessDenied", 403, 710016, "The caller's policies do not permit the action.")
IDEMPOTENT_PARAMETER_MISMATCH: Final = ErrorCode(
    "IdempotentParameterMismatch", 403, 710017, "The client token was used with other parameters before."
)
INTERNAL_ERROR: Final = ErrorCode("InternalError", 500, 710099, "Something of ours went wrong; the requestId finds it.")

# Our own (decision 19).
INSUFFICIENT_STOCK: Final = ErrorCode("InsufficientStock", 409, 720001, "Fewer units are free than were asked for.")
INSUFFICIENT_BALANCE: Final = ErrorCode("InsufficientBalance", 402, 720002, "The balance does not cover it.")
QUOTA_EXCEEDED: Final = ErrorCode("QuotaExceeded", 403, 720003, "A quota does not allow it.")
INSTANCE_NOT_FOUND: Final = ErrorCode("InstanceNotFound", 404, 720004, "The caller has no such instance.")
SERVICE_NOT_FOUND: Final = ErrorCode("ServiceNotFound", 404, 720005, "The caller has no such service.")
OPERATION_NOT_SUPPORTED: Final = ErrorCode(
    "OperationNotSupported", 409, 720006, "The thing is of a kind that this action is not for."
)
INVALID_STATE: Final = ErrorCode("InvalidState", 409, 720007, "The thing is in a state that does not allow it.")
RESOURCE_NOT_FOUND: Final = ErrorCode(
    "ResourceNotFound", 404, 720008, "There is no such path, action, account, user or key."
)
OVERLOADED: Final = ErrorCode("Overloaded", 503, 720009, "Too much at once, or stopping. Nothing was done; try again.")
ENTITY_TOO_LARGE: Final = ErrorCode("EntityTooLarge", 413, 720010, "The body is larger than the limit.")
STORE_UNAVAILABLE: Final = ErrorCode(
    "StoreUnavailable", 503, 720011, "The store cannot write now, for example because its disk is full."
)
OUTCOME_UNKNOWN: Final = ErrorCode(
    "OutcomeUnknown",
    503,
    720022,
    "The store failed in the act of writing, and it may or may not have been done. The call had a client token: the "
    "same call with the same token finds it out, and never does it twice.",
)
BODY_DIGEST_MISMATCH: Final = ErrorCode(
    "BodyDigestMismatch", 400, 720012, "The body is not the one that a header of the request says it is."
)
REQUEST_REPLAYED: Final = ErrorCode(
    "RequestReplayed", 403, 720013, "The signature has a nonce that was used before: such a signature is good once."
)
SIGNATURE_TOO_WEAK: Final = ErrorCode(
    "SignatureTooWeak",
    403,
    720014,
    "The signature leaves out what key, user or action require it to cover.",
)
TOO_MANY_REQUESTS: Final = ErrorCode(
    "TooManyRequests",
    429,
    720016,
    "The key or the account calls more often than it may. Nothing was done; Retry-After says when to come back.",
)
ROWS_LOCKED: Final = ErrorCode(
    "RowsLocked",
    503,
    720017,
    "Another session of the database holds rows that the call needs. Nothing was done; try again.",
)
TOO_MANY_STREAMS: Final = ErrorCode(
    "TooManyStreams", 429, 720018, "So many callers follow events already; the message says whose, and what to do."
)
UNTRUSTED_MODEL: Final = ErrorCode(
    "UntrustedModel",
    403,
    720026,
    "No operator trusts the version, and the engine does not keep it apart; the message says what is missing.",
)

# Answered before anybody looks which action is called; the connection ends with them.
URI_TOO_LONG: Final = ErrorCode("UriTooLong", 414, 720019, "The request line is longer than is read.")
HEAD_TOO_LARGE: Final = ErrorCode("HeadTooLarge", 431, 720020, "The headers are more, or longer, than are read.")
REQUEST_TIMEOUT: Final = ErrorCode(
    "RequestTimeout", 408, 720021, "The request did not come in time, or came too slowly. Nothing was done."
)

# Answered where services are called, and by no action.
INVALID_SERVICE_KEY: Final = ErrorCode("InvalidServiceKey", 401, 720101, "The call carries no key that opens services.")
NO_CAPACITY: Final = ErrorCode(
    "NoCapacity", 503, 720102, "No replica of the service takes requests now; the message says why."
)
TOO_MANY_CALLS: Final = ErrorCode(
    "TooManyCalls", 429, 720103, "The service has its queries per second already. Retry-After says when to come back."
)
REPLICA_FAILED: Final = ErrorCode(
    "ReplicaFailed",
    502,
    720104,
    "The replica broke off before it answered, or what it answered cannot be passed on; it may have done what was "
    "asked.",
)
REPLICA_TIMEOUT: Final = ErrorCode(
    "ReplicaTimeout", 504, 720105, "The replica did not begin to answer in time; it may have done what was asked."
)
HEADERS_TOO_LARGE: Final = ErrorCode("HeadersTooLarge", 431, 720106, "The headers of the call are too large.")
UPGRADE_NOT_SUPPORTED: Final = ErrorCode(
    "UpgradeNotSupported",
    501,
    720107,
    "The protocol that was asked for is not passed on. WebSockets are, where they are asked for with GET and HTTP/1.1.",
)
TOO_MANY_SOCKETS: Final = ErrorCode(
    "TooManyWebSockets", 429, 720108, "The key or its account has as many WebSockets open as it may."
)
BAD_HANDSHAKE: Final = ErrorCode(
    "InvalidHandshake", 400, 720109, "What the call asks for is no WebSocket; the message says what is wrong."
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
"""Those that only calls of services get."""
BEFORE_ACTIONS: Final = (URI_TOO_LONG, HEAD_TOO_LARGE, REQUEST_TIMEOUT)
"""Those that are answered before anybody looks which action is called."""
ERRORS: Final = tuple(value for value in list(globals().values()) if isinstance(value, ErrorCode))
"""All of them, in the order of the reference."""
