"""Errors on their way to a caller."""

from __future__ import annotations

from typing import Final

from leasebook.contract import errors as e
from leasebook.contract.signing import SignatureFault
from leasebook.domain.values import refusal as r
from leasebook.domain.values.calendar import SECOND_US

REFUSALS: Final[dict[str, e.ErrorCode]] = {
    r.BAD_VALUE: e.INAPPROPRIATE_JSON,
    r.STOCK: e.INSUFFICIENT_STOCK,
    r.BALANCE: e.INSUFFICIENT_BALANCE,
    r.QUOTA: e.QUOTA_EXCEEDED,
    r.NO_INSTANCE: e.INSTANCE_NOT_FOUND,
    r.NO_SERVICE: e.SERVICE_NOT_FOUND,
    r.NO_RESOURCE: e.RESOURCE_NOT_FOUND,
    r.NOT_SUPPORTED: e.OPERATION_NOT_SUPPORTED,
    r.WRONG_STATE: e.INVALID_STATE,
    r.DENIED: e.ACCESS_DENIED,
    r.TOKEN_MISMATCH: e.IDEMPOTENT_PARAMETER_MISMATCH,
    r.REPLAYED: e.REQUEST_REPLAYED,
    r.SIGNED_TOO_OFTEN: e.TOO_MANY_REQUESTS,
    r.UNTRUSTED: e.UNTRUSTED_MODEL,
    r.SUSPENDED: e.ACCOUNT_SUSPENDED,
    r.APPROVAL: e.APPROVAL_NEEDED,
    r.TAG_POLICY: e.TAG_POLICY_NOT_MET,
}
"""How the rules' refusals are called in public."""

SIGNATURES: Final[dict[SignatureFault, e.ErrorCode]] = {
    SignatureFault.EMPTY: e.SIGNATURE_EMPTY,
    SignatureFault.MALFORMED: e.INVALID_HTTP_AUTH_HEADER,
    SignatureFault.EXPIRED: e.REQUEST_EXPIRED,
    SignatureFault.NOT_YET_VALID: e.REQUEST_EXPIRED,
    SignatureFault.MISMATCH: e.SIGNATURE_DOES_NOT_MATCH,
}

# The Python client recognises these two texts and tells its user which of the keys is wrong (decision 22).
HINTS: Final[dict[e.ErrorCode, str]] = {
    e.INVALID_ACCESS_KEY_ID: "NotFound, cause: Could not find credential.",
    e.SIGNATURE_DOES_NOT_MATCH: "SignatureDoesNotMatch, cause: Fail to authn user: Signature does not match",
}


class Fault(Exception):
    """An error to answer with. ``field`` is the parameter at fault, dotted, where one is.

    ``retry_after_s`` is the value of the Retry-After header in seconds; None: there is no header.
    """

    def __init__(
        self, error: e.ErrorCode, message: str, field: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.error = error
        self.retry_after_s = retry_after_s
        self.field = field
        self.message = message if field is None else f"{message} param[{field}]"


def refused(refusal: r.Refusal) -> Fault:
    """Return a refusal as its caller sees it."""
    again_s = None if refusal.again_us is None else max(1, -(-refusal.again_us // SECOND_US))
    return Fault(error_of(refusal.reason), refusal.message, refusal.field, retry_after_s=again_s)


def error_of(reason: str) -> e.ErrorCode:
    """Return how a reason to refuse is called in public."""
    return REFUSALS[reason]


def bad_field(field: str, message: str) -> Fault:
    """Return the error for a value that will not do."""
    return Fault(e.INAPPROPRIATE_JSON, message, field)
