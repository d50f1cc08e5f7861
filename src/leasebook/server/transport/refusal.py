"""Answers to requests that never reach the application: unreadable, too slow, or beyond all places."""

from __future__ import annotations

from typing import Final

from leasebook.api.ids import uuid4_text
from leasebook.api.responses import JSON, bearer_failure
from leasebook.contract import error_header
from leasebook.contract import errors as e
from leasebook.server.transport.exchange import STATUS_LINES
from leasebook.server.transport.head import BadRequest

MONITORED: Final = frozenset({b"/healthz", b"/readyz"})
"""The paths that a caller in a seat beyond all places may ask for."""
TOO_MANY: Final = BadRequest(e.OVERLOADED, "There are too many connections. Nothing was done; try again in a moment.")


def too_slow(what: str) -> BadRequest:
    """Return the refusal of what did not come in time."""
    return BadRequest(e.REQUEST_TIMEOUT, f"{what} Nothing was done.")


def refusal(error: BadRequest, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return a whole answer that refuses what came; the connection ends with it."""
    request_id = uuid4_text()
    fault = error.error
    # The headers may not have come, so that the caller may be one with a bearer key.
    body = bearer_failure(request_id, fault, error.message)
    lines = [
        *headers,
        (b"content-type", JSON),
        (b"content-length", str(len(body)).encode()),
        (b"x-bce-request-id", request_id.encode()),
        (b"x-bce-error-code", fault.code.encode()),
        (error_header.NAME, error_header.value_of(error.message)),
        (b"connection", b"close"),
    ]
    if fault is e.OVERLOADED:
        lines.append((b"retry-after", b"1"))
    written = b"".join(b"%b: %b\r\n" % line for line in lines)
    return b"%b%b\r\n%b" % (STATUS_LINES[fault.status], written, body)
