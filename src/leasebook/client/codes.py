"""An exception for each error code. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final

from leasebook.client.errors import ErrorAnswer


class InappropriateJSON(ErrorAnswer):
    """A field is missing, of the wrong type or out of range; the message names it.

    Its status is 400.
    """


class MalformedJSON(ErrorAnswer):
    """The body is not JSON.

    Its status is 400.
    """


class InvalidHTTPRequest(ErrorAnswer):
    """The request is not a valid call, for example a GET.

    Its status is 400.
    """


class InvalidMarker(ErrorAnswer):
    """Unknown page marker.

    Its status is 400.
    """


class InvalidHTTPAuthHeader(ErrorAnswer):
    """The Authorization header is not in the form of bce-auth-v1.

    Its status is 400.
    """


class SignatureDoesNotMatch(ErrorAnswer):
    """The signature does not match this request and this key.

    Its status is 400.
    """


class RequestExpired(ErrorAnswer):
    """The signature is too old, or dated too far ahead; the message has the server's time.

    Its status is 400.
    """


class SignatureEmpty(ErrorAnswer):
    """The request is not signed.

    Its status is 400.
    """


class InvalidAccessKeyId(ErrorAnswer):
    """No active access key has this id.

    Its status is 403.
    """


class AccessDenied(ErrorAnswer):
    """The caller's policies do not permit the action.

    Its status is 403.
    """


class IdempotentParameterMismatch(ErrorAnswer):
    """The client token was used before with other parameters.

    Its status is 403.
    """


class InternalError(ErrorAnswer):
    """An error inside the service; its log has the requestId.

    Its status is 500.
    """


class InsufficientStock(ErrorAnswer):
    """Fewer units are free than were requested.

    Its status is 409.
    """


class InsufficientBalance(ErrorAnswer):
    """The balance is too small for this request.

    Its status is 402.
    """


class QuotaExceeded(ErrorAnswer):
    """A limit of the account, of a user or of the operator does not allow this; the message names it.

    Its status is 403.
    """


class InstanceNotFound(ErrorAnswer):
    """The caller has no instance with this id.

    Its status is 404.
    """


class ServiceNotFound(ErrorAnswer):
    """The caller has no service with this id.

    Its status is 404.
    """


class OperationNotSupported(ErrorAnswer):
    """The action does not apply to an instance, service or other object of this kind.

    Its status is 409.
    """


class InvalidState(ErrorAnswer):
    """The state of the instance, service or other object does not allow this.

    Its status is 409.
    """


class ResourceNotFound(ErrorAnswer):
    """The path, action, account, user or key does not exist.

    Its status is 404.
    """


class Overloaded(ErrorAnswer):
    """The server has too many requests, or is stopping.

    Nothing was done; try again. Its status is 503.
    """


class EntityTooLarge(ErrorAnswer):
    """The body is larger than the limit.

    Its status is 413.
    """


class StoreUnavailable(ErrorAnswer):
    """The store does not answer, or cannot write, for example because the database is away or the disk is full.

    The message says whether the call may have been done. Its status is 503.
    """


class BodyDigestMismatch(ErrorAnswer):
    """The body does not match a digest in the request's headers.

    Its status is 400.
    """


class RequestReplayed(ErrorAnswer):
    """The signature's nonce was used before; a signature with a nonce is accepted once.

    Its status is 403.
    """


class SignatureTooWeak(ErrorAnswer):
    """The signature does not cover a part that the key, the user or the action requires.

    Its status is 403.
    """


class TooManyRequests(ErrorAnswer):
    """The key or the account exceeds its rate limit.

    Nothing was done; Retry-After says when to try again. Its status is 429.
    """


class RowsLocked(ErrorAnswer):
    """Another session of the database has locked rows that the call needs.

    Nothing was done; try again. Its status is 503.
    """


class TooManyStreams(ErrorAnswer):
    """Too many streams of events are open; the message says whose limit is reached, and what to do.

    Its status is 429.
    """


class UriTooLong(ErrorAnswer):
    """The request line is longer than the limit.

    Its status is 414.
    """


class HeadTooLarge(ErrorAnswer):
    """The headers are more, or longer, than the limit.

    Its status is 431.
    """


class RequestTimeout(ErrorAnswer):
    """The request did not arrive in time.

    Nothing was done. Its status is 408.
    """


class OutcomeUnknown(ErrorAnswer):
    """The store failed while writing, and the call may or may not have been done.

    The call had a client token: repeat the same call with the same token to find out; it is never done twice. Its
    status is 503.
    """


class UntrustedModel(ErrorAnswer):
    """No operator has approved the version, and the engine does not isolate it; the message says what to do.

    Its status is 403.
    """


class LogStoreUnreachable(ErrorAnswer):
    """The operator's log store does not answer, or does not take lines.

    Nothing was done; try again. Its status is 503.
    """


class AccountSuspended(ErrorAnswer):
    """The account is suspended or closed: nothing is bought or made in it.

    The message says why, and what to do. Its status is 403.
    """


class ApprovalNeeded(ErrorAnswer):
    """The purchase needs an approval and waits for it as a request.

    The message has the request's id, and says who approves it and until when. Its status is 409.
    """


class TagPolicyNotMet(ErrorAnswer):
    """The account's tag policy requires other tags; the message lists those that are missing and the allowed values.

    Its status is 400.
    """


class InvalidServiceKey(ErrorAnswer):
    """The call has no valid service key.

    Its status is 401.
    """


class NoCapacity(ErrorAnswer):
    """No replica of the service accepts requests now; the message says why.

    Its status is 503.
    """


class TooManyCalls(ErrorAnswer):
    """The service has reached its queries per second.

    Retry-After says when to try again. Its status is 429.
    """


class ReplicaFailed(ErrorAnswer):
    """The replica broke off before it answered, or its answer cannot be forwarded; it may have done the call.

    Its status is 502.
    """


class ReplicaTimeout(ErrorAnswer):
    """The replica did not begin to answer in time; it may have done the call.

    Its status is 504.
    """


class HeadersTooLarge(ErrorAnswer):
    """The headers of the call are too large.

    Its status is 431.
    """


class UpgradeNotSupported(ErrorAnswer):
    """The gateway does not forward this protocol.

    It forwards WebSockets that are requested with GET and HTTP/1.1. Its status is 501.
    """


class TooManyWebSockets(ErrorAnswer):
    """The key or its account has reached its limit of open WebSockets.

    Its status is 429.
    """


class InvalidHandshake(ErrorAnswer):
    """The call is no valid WebSocket handshake; the message gives the reason.

    Its status is 400.
    """


BY_CODE: Final[dict[str, type[ErrorAnswer]]] = {
    "InappropriateJSON": InappropriateJSON,
    "MalformedJSON": MalformedJSON,
    "InvalidHTTPRequest": InvalidHTTPRequest,
    "InvalidMarker": InvalidMarker,
    "InvalidHTTPAuthHeader": InvalidHTTPAuthHeader,
    "SignatureDoesNotMatch": SignatureDoesNotMatch,
    "RequestExpired": RequestExpired,
    "SignatureEmpty": SignatureEmpty,
    "InvalidAccessKeyId": InvalidAccessKeyId,
    "AccessDenied": AccessDenied,
    "IdempotentParameterMismatch": IdempotentParameterMismatch,
    "InternalError": InternalError,
    "InsufficientStock": InsufficientStock,
    "InsufficientBalance": InsufficientBalance,
    "QuotaExceeded": QuotaExceeded,
    "InstanceNotFound": InstanceNotFound,
    "ServiceNotFound": ServiceNotFound,
    "OperationNotSupported": OperationNotSupported,
    "InvalidState": InvalidState,
    "ResourceNotFound": ResourceNotFound,
    "Overloaded": Overloaded,
    "EntityTooLarge": EntityTooLarge,
    "StoreUnavailable": StoreUnavailable,
    "BodyDigestMismatch": BodyDigestMismatch,
    "RequestReplayed": RequestReplayed,
    "SignatureTooWeak": SignatureTooWeak,
    "TooManyRequests": TooManyRequests,
    "RowsLocked": RowsLocked,
    "TooManyStreams": TooManyStreams,
    "UriTooLong": UriTooLong,
    "HeadTooLarge": HeadTooLarge,
    "RequestTimeout": RequestTimeout,
    "OutcomeUnknown": OutcomeUnknown,
    "UntrustedModel": UntrustedModel,
    "LogStoreUnreachable": LogStoreUnreachable,
    "AccountSuspended": AccountSuspended,
    "ApprovalNeeded": ApprovalNeeded,
    "TagPolicyNotMet": TagPolicyNotMet,
    "InvalidServiceKey": InvalidServiceKey,
    "NoCapacity": NoCapacity,
    "TooManyCalls": TooManyCalls,
    "ReplicaFailed": ReplicaFailed,
    "ReplicaTimeout": ReplicaTimeout,
    "HeadersTooLarge": HeadersTooLarge,
    "UpgradeNotSupported": UpgradeNotSupported,
    "TooManyWebSockets": TooManyWebSockets,
    "InvalidHandshake": InvalidHandshake,
}
