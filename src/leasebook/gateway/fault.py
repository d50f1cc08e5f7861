"""An answer of the gateway itself instead of a replica."""

from __future__ import annotations

from typing import Final

import msgspec

from leasebook.batch import Closed, LockedOut, Overloaded, Unavailable
from leasebook.contract import error_header
from leasebook.contract import errors as e
from leasebook.contract.errors import ErrorCode
from leasebook.gateway.caller import Send, sent_within

JSON: Final = b"application/json; charset=utf-8"
SERVER_ERROR: Final = 500
"""This status and those above it say that the caller did nothing wrong."""
AGAIN_S: Final = 1
LOCKED_AGAIN_S: Final = 5
UNEXPECTED: Final = "Something went wrong here. The requestId finds it in the log."


class Fault(Exception):
    """An error to answer with; ``retry_after_s`` says when to come back, where that is known."""

    def __init__(self, error: ErrorCode, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.error = error
        self.message = message
        self.retry_after_s = retry_after_s


def fault_of(error: Exception, *, is_passed_on: bool = False) -> Fault | None:
    """Return the fault for an error that says that the store, or this server, takes no calls now; None for any other.

    ``is_passed_on``: a replica may have the call, so that the fault must not say that nothing was done.
    """
    done = "The replica may have done what was asked" if is_passed_on else "Nothing was done"
    match error:
        case Overloaded():
            return Fault(e.OVERLOADED, f"Too many calls wait already. {done}.", retry_after_s=AGAIN_S)
        case Closed():
            return Fault(e.OVERLOADED, f"The service is stopping. {done}.", retry_after_s=AGAIN_S)
        case LockedOut():
            return Fault(e.ROWS_LOCKED, f"{done}: {error}.", retry_after_s=LOCKED_AGAIN_S)
        case Unavailable():
            return Fault(e.STORE_UNAVAILABLE, f"{done}: {error}.", retry_after_s=AGAIN_S)
        case _:
            return None


class _Failure(msgspec.Struct):
    """The envelope of every error here, and beside it what clients of the OpenAI API look for."""

    requestId: str  # noqa: N815 - as on the wire
    code: str
    message: str
    error_code: int
    error_msg: str
    log_id: str
    error: dict[str, str]
    id: str


def kind_of(status: int) -> str:
    """Return the type of an error, as the OpenAI API calls it."""
    return "server_error" if status >= SERVER_ERROR else "invalid_request_error"


async def send_fault(send: Send, fault: Fault, request_id: str, *, head: bool, within_s: float) -> None:
    """Answer with an error; give up if the caller does not take it within that time."""
    error = fault.error
    body = msgspec.json.encode(
        _Failure(
            requestId=request_id,
            code=error.code,
            message=fault.message,
            error_code=error.number,
            error_msg=fault.message,
            log_id=request_id,
            error={"message": fault.message, "type": kind_of(error.status), "code": error.code},
            id=request_id,
        )
    )
    headers = [
        (b"content-type", JSON),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"x-bce-request-id", request_id.encode()),
        (b"x-bce-error-code", error.code.encode()),
        (error_header.NAME, error_header.value_of(fault.message)),
    ]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", str(fault.retry_after_s).encode()))
    if error.status == 401:  # noqa: PLR2004 - the one status that asks for this
        headers.append((b"www-authenticate", b'Bearer realm="services"'))
    await sent_within(
        within_s,
        send,
        {"type": "http.response.start", "status": error.status, "headers": headers},
        {"type": "http.response.body", "body": b"" if head else body},
    )
