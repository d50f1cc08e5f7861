"""One request and its answer, as the application sees them."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

import structlog

from leasebook.contract import error_header
from leasebook.contract.errors import INTERNAL_ERROR
from leasebook.server.transport.head import LINES, TOKEN
from leasebook.server.transport.request_body import RequestBody

log = structlog.get_logger()

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
USUAL: Final = frozenset(
    {b"date", b"content-type", b"x-bce-request-id", b"x-bce-error-code", error_header.NAME, b"x-request-id"}
)
PARTS_OF_A_LINE: Final = 4
NO_BODY: Final = -1
OPEN_END: Final = -2
WITHOUT_BODY: Final = frozenset({204, 304})


def _line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES: Final = {status: _line(status) for status in range(200, 600)}


class Wire(Protocol):
    """The connection, as an exchange sees it."""

    loop: asyncio.AbstractEventLoop

    writable: asyncio.Event | None
    """Where to wait while the caller does not receive; None while it does."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def wants_more(self) -> None:
        """Read on: the application has taken the part of the body that came."""

    def ends_soon(self) -> bool:
        """Whether the rest of the body is small enough to be read, so that the connection can be used again."""
        ...

    def answered(self) -> None:
        """Go on with the next request, or close."""

    def break_off(self) -> None:
        """Close, with the answer unfinished."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every answer."""
        ...


class Exchange:
    """Has the application answer a request, and sends the answer.

    The head of an answer is held back until its body follows, so that both are sent together: two system calls, and
    two wake-ups of the caller, would cost more. A head without a body is sent in the next iteration of the event loop.
    """

    # Defaults of the class: most exchanges never change most of them.
    started = False
    complete = False
    gone = False
    _unsent_head = b""
    _chunked = False
    _left = 0

    def __init__(self, wire: Wire, scope: Message, *, keep_alive: bool, expects: bool) -> None:
        self._wire = wire
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = RequestBody()
        if expects:
            self.body.expects = True

    def hung_up(self) -> None:
        """Take note that the caller has gone."""
        self.gone = True
        self.body.close()

    # --- the application's side ---

    async def run(self, app: Application) -> None:
        """Have the application answer. If it fails, no caller takes a part of an answer for all of it."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._wire.break_off()
            raise
        except Exception:
            log.exception("an answer failed")
            if self.started or self.gone:
                self._wire.break_off()
            else:
                await self._fail()
        else:
            if self.complete or self.gone:
                return
            if not self.started:
                log.error("nothing was answered", path=self.scope["path"])
                await self._fail()
            else:
                self._wire.break_off()

    async def _fail(self) -> None:
        text = b"Something went wrong here."
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"x-bce-error-code", INTERNAL_ERROR.code.encode()),
            (error_header.NAME, text),
        ]
        self._unsent_head, self.keep_alive = b"", False
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": text})

    async def receive(self) -> Message:
        """Return the next piece of the body, or that the caller has gone."""
        body = self.body
        if not body.asked:
            body.asked = True
            if body.more:
                self._wire.wants_more()
        if body.expects and not self.started and not self.gone:
            body.expects = False
            self._wire.write(CONTINUE)
        while not body.closed:
            if body.changed:
                piece = body.take()
                if body.more:
                    self._wire.wants_more()
                return {"type": "http.request", "body": piece, "more_body": body.more}
            await body.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the answer, once the caller has received enough of the earlier parts."""
        if self._wire.writable is not None and not self.gone:
            await self._wire.writable.wait()
        if self.gone:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.started:
            self._start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.started and not self.complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} has no place here: started {self.started}, complete {self.complete}")

    def _start(self, status: int, headers: Any) -> None:
        content = [STATUS_LINES[status]]
        if self.body.more and not self._wire.ends_soon():
            # The server would read the rest of the body only to discard it.
            self.keep_alive = False
        length, closes = self._lines(headers, content)
        self.started = True
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            content.append(b"connection: close\r\n")
        self._left, self._chunked = length, False
        if self.scope["method"] == "HEAD" or status in WITHOUT_BODY:
            self._left = NO_BODY
        elif length == OPEN_END and self.scope["http_version"] == "1.1":
            # For HTTP/1.0, the end of the connection is the end of the answer.
            self._chunked = True
            content.append(b"transfer-encoding: chunked\r\n")
        content.append(b"\r\n")
        self._unsent_head = b"".join(content)
        self._wire.loop.call_soon(self.flush)

    def _lines(self, headers: Any, content: list[bytes]) -> tuple[int, bool]:
        """Write the lines of the headers; return the length of the body, and whether the connection is to end."""
        length, closes = OPEN_END, False
        for name, value in (*self._wire.headers(), *headers):
            small = name.lower()
            if small == b"content-length":
                length = int(value)
            elif small == b"transfer-encoding":
                continue
            elif small == b"connection":
                closes = closes or b"close" in value.lower()
            elif small not in USUAL and (not name or name.translate(None, TOKEN)):
                raise ValueError(f"an answer cannot have a header named {name!r}")
            # As it is spelled: one official client looks for Content-Type in that spelling only.
            content += (name, b": ", value, b"\r\n")
        written = b"".join(content)
        lines = len(content) // PARTS_OF_A_LINE + 1
        if written.translate(None, LINES) or not lines == written.count(b"\r") == written.count(b"\n"):
            raise ValueError("a header of an answer has a control character in its value")
        return length, closes

    def flush(self) -> None:
        """Send the head, if it is still held back."""
        if self._unsent_head:
            head, self._unsent_head = self._unsent_head, b""
            self._wire.write(head)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._left == NO_BODY:
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif self._left >= 0:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("an answer has not as many bytes as its head says")
        head, self._unsent_head = self._unsent_head, b""
        if head or body:
            self._wire.write(head + body)
        if not more:
            self.complete = True
            self.body.close()
            self._wire.answered()
