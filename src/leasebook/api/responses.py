"""Answers: their envelopes, the mapping of errors to faults, and the sending of each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import structlog

from leasebook.api.asgi import Headers, Receive, Send
from leasebook.api.context import CutShort, Download, Followed, Streamed
from leasebook.api.fault import HINTS, SIGNATURES, Fault, refused
from leasebook.batch import Closed, LockedOut, OutcomeUnknown, Overloaded, Unavailable
from leasebook.contract import error_header
from leasebook.contract import errors as e
from leasebook.contract.signing import SignatureRefused
from leasebook.domain.values.refusal import Refusal

log = structlog.get_logger()

JSON: Final = b"application/json; charset=utf-8"
LOCKED_AGAIN_S: Final = 5
UNKNOWN_AGAIN_S: Final = 5
BEARER: Final = b"bearer "
SERVER_ERROR: Final = 500
"""This status and those above it say that the caller did nothing wrong."""
encode = msgspec.json.Encoder().encode


class Meter(Protocol):
    """Where requests are counted."""

    def request_done(self, path: str, action: str, status: int, code: str, seconds: float) -> None:
        """Count a request."""

    def refused(self, code: str) -> None:
        """Count a command that the rules refused."""


class Success(msgspec.Struct, rename="camel"):
    """The envelope of every success."""

    request_id: str
    result: Any


class Failure(msgspec.Struct):
    """The envelope of every error: the documented keys, and those that the official clients look for (decision 18)."""

    requestId: str  # noqa: N815 - as on the wire
    code: str
    message: str
    error_code: int
    error_msg: str
    log_id: str


class BearerFailure(Failure):
    """An error for a caller with a bearer key: clients that call models look for ``error`` and ``id`` only."""

    error: dict[str, str]
    id: str


Body = bytes | Streamed | Followed | Download | CutShort
"""The part of an answer after its head."""


class Bare(NamedTuple):
    """A result that is the whole answer, without an envelope."""

    value: Any


def success(request_id: str, result: Any) -> bytes:
    """Return the body of a success."""
    return encode(result.value if isinstance(result, Bare) else Success(request_id, result))


def body_of(request_id: str, result: Any) -> Body:
    """Return the body of the answer for a result of any kind."""
    if isinstance(result, CutShort):
        return CutShort(success(request_id, result.whole))
    return result if isinstance(result, Streamed | Followed | Download) else success(request_id, result)


def failure(request_id: str, fault: Fault, headers: Headers) -> bytes:
    """Return the body of an error. Beside a bearer key in the request's headers it also has ``error`` and ``id``."""
    code, message, number = fault.error.code, fault.message, fault.error.number
    given = next((value for name, value in headers if name == b"authorization"), b"")
    if given[: len(BEARER)].lower() != BEARER:
        return encode(Failure(request_id, code, message, number, message, request_id))
    return bearer_failure(request_id, fault.error, message)


def bearer_failure(request_id: str, error: e.ErrorCode, message: str) -> bytes:
    """Return the body of an error for a caller with a bearer key."""
    kind = "server_error" if error.status >= SERVER_ERROR else "invalid_request_error"
    shaped = {"code": error.code, "message": message, "type": kind}
    return encode(BearerFailure(request_id, error.code, message, error.number, message, request_id, shaped, request_id))


def fault_of(error: Exception, *, has_token: bool = False) -> Fault:
    """Return the fault that a caller gets for an error. An unexpected error is logged.

    ``has_token``: the call has a client token, so that the caller may repeat it safely.
    """
    match error:
        case Fault():
            return error
        case Refusal():
            return refused(error)
        case SignatureRefused():
            return Fault(SIGNATURES[error.fault], error.message)
        case Overloaded():
            return Fault(e.OVERLOADED, "Too many requests wait already. Nothing was done; try again in a moment.")
        case Closed():
            return Fault(e.OVERLOADED, "The service is stopping. Nothing was done; try again in a moment.")
        case OutcomeUnknown():
            return _unknown(has_token=has_token)
        case LockedOut():
            return Fault(
                e.ROWS_LOCKED,
                "Another session of the database holds rows that this call needs, such as those of the account. "
                "Nothing was done; try again in a moment.",
                retry_after_s=LOCKED_AGAIN_S,
            )
        case Unavailable():
            return Fault(e.STORE_UNAVAILABLE, f"Nothing was done: {error}.")
        case _:
            log.error("request failed", exc_info=error)
            return Fault(e.INTERNAL_ERROR, "Something went wrong here. The requestId finds it in the log.")


def _unknown(*, has_token: bool) -> Fault:
    """Return the fault for a call that may or may not have been done.

    Clients repeat a call after a 503 by themselves. Without a client token that could do it twice, so a call without
    one gets a 500.
    """
    if has_token:
        return Fault(
            e.OUTCOME_UNKNOWN,
            "The store failed in the act of writing: it may or may not have been done. Ask again with the same "
            "clientToken, which finds it out and does nothing twice, or list what you have.",
            retry_after_s=UNKNOWN_AGAIN_S,
        )
    return Fault(
        e.INTERNAL_ERROR,
        "The outcome is unknown: the store failed in the act of writing, and it may or may not have been done. List "
        "what you have before you ask again; a call with a clientToken could be sent again as it is.",
    )


def error_headers(fault: Fault) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that an error has besides those of every answer."""
    more: tuple[tuple[bytes, bytes], ...] = ((b"x-bce-error-code", fault.error.code.encode()),)
    more += ((error_header.NAME, error_header.value_of(HINTS.get(fault.error, fault.message))),)
    after_s = 1 if fault.error.status == e.OVERLOADED.status else None
    if (after_s := fault.retry_after_s or after_s) is not None:
        more += ((b"retry-after", str(after_s).encode()),)
    return more


async def send_body(
    send: Send,
    receive: Receive,
    request_id: str,
    status: int,
    body: Body,
    more: Sequence[tuple[bytes, bytes]],
) -> None:
    """Send an answer of any kind."""
    if isinstance(body, Streamed):
        await send_pieces(send, request_id, body, more)
    elif isinstance(body, Followed):
        await send_followed(send, receive, body, more)
    elif isinstance(body, Download):
        await send_download(send, receive, body, more)
    elif isinstance(body, CutShort):
        await send_cut(send, body.whole, more)
    else:
        await answer(send, status, body, JSON, more)


async def send_cut(send: Send, body: bytes, more: Sequence[tuple[bytes, bytes]]) -> None:
    """Send the first half of an answer. The server then ends the connection, for the head says more."""
    headers = [(b"content-type", JSON), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def send_followed(send: Send, receive: Receive, result: Followed, more: Sequence[tuple[bytes, bytes]]) -> None:
    """Send what happens until the caller goes, or the server stops."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"), *more]
    gone = asyncio.create_task(_until_gone(receive))
    pieces, piece = aiter(result.pieces), None
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            piece = asyncio.ensure_future(anext(pieces, None))
            await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or (text := await piece) is None:
                piece.cancel()
                break
            await send({"type": "http.response.body", "body": text, "more_body": True})
    except Unavailable as error:
        # The client resumes from its last event when the store is back.
        log.warning("a stream ends", error=str(error))
    finally:
        gone.cancel()
        if piece is not None:
            piece.cancel()
            # Its error, too, has no caller any more.
            await asyncio.gather(piece, return_exceptions=True)
        await result.pieces.aclose()  # type: ignore[attr-defined]
    await send({"type": "http.response.body", "body": b""})


async def send_download(send: Send, receive: Receive, result: Download, more: Sequence[tuple[bytes, bytes]]) -> None:
    """Send a file as it is made. Where that fails on the way the connection ends before the file does."""
    headers = [
        (b"content-type", result.media_type.encode()),
        (b"content-disposition", f'attachment; filename="{result.name}"'.encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    gone = asyncio.create_task(_until_gone(receive))
    pieces = aiter(result.pieces)
    piece: asyncio.Future[bytes | None] | None = None
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            piece = asyncio.ensure_future(anext(pieces, None))
            await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            if (part := await piece) is None:
                break
            await send({"type": "http.response.body", "body": part, "more_body": True})
    finally:
        gone.cancel()
        if piece is not None and not piece.done():
            piece.cancel()
            await asyncio.wait({piece})
        await result.pieces.aclose()  # type: ignore[attr-defined]
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_pieces(send: Send, request_id: str, result: Streamed, more: Sequence[tuple[bytes, bytes]]) -> None:
    """Send a long list as it is read. Where that fails on the way the connection ends, and the JSON does not."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON), *more]})
    head = b'{"requestId":' + encode(request_id) + b',"result":{' + encode(result.name) + b":["
    async for piece in result.pieces:
        await send({"type": "http.response.body", "body": head + encode(piece)[1:-1], "more_body": True})
        head = b","
    await send({"type": "http.response.body", "body": b"]}}"})


async def answer(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    more: Sequence[tuple[bytes, bytes]],
    *,
    head: bool = False,
) -> None:
    """Send a whole answer; of one to HEAD only its head."""
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
