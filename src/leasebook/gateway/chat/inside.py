"""A call of a service from inside this process: as one through a socket, but for a signed-in user, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from leasebook.gateway.caller import Message, Receive, Send
from leasebook.gateway.ports import USER

PIECES_MAX: Final = 16
"""Upper bound on the pieces of an answer that wait for their reader; then the replica waits, too."""
Ask = Callable[[Message, Receive, Send], Awaitable[None]]


class InsideRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call: the user, the address and the host of the browser, the path of the gateway, and the body (JSON)."""

    user_id: str
    address: str
    host: str
    is_https: bool
    path: str
    body: bytes

    def scope(self) -> Message:
        """Return the call as ASGI has it."""
        path = self.path.encode()
        headers = [
            (b"host", self.host.encode("latin-1", "replace")),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
        ]
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https" if self.is_https else "http",
            "path": self.path,
            "raw_path": path,
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": (self.address, 0),
            USER: self.user_id,
        }


class InsideAnswer:
    """The answer of a service as it comes. ``close`` ends the call where it is still under way."""

    def __init__(self, ask: Ask, request: InsideRequest) -> None:
        self._given = [request.body]
        self._gone = asyncio.Event()
        self._came: asyncio.Queue[Message | None] = asyncio.Queue(PIECES_MAX)
        self._task = asyncio.create_task(self._asked(ask, request.scope()), name="call from the console")
        self.status = 0
        self.media_type = ""
        self.is_whole = False
        """Whether the answer came to its end."""

    async def begin(self) -> None:
        """Wait for the head of the answer. Raises the error of a call that failed before it was answered."""
        head = await self._came.get()
        if head is None:
            await self._task
            raise ConnectionError("the call ended without an answer")
        self.status = head["status"]
        found = (value for name, value in head["headers"] if name.lower() == b"content-type")
        self.media_type = next(found, b"").decode("latin-1").partition(";")[0].strip().lower()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body; it is only a part where ``is_whole`` is False afterwards."""
        while (message := await self._came.get()) is not None:
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                self.is_whole = True
                return

    async def close(self) -> None:
        """Hang up, and wait until the call has ended."""
        self._gone.set()
        while not self._task.done():
            # A piece that waits for its reader keeps the call from noticing that the reader has gone.
            while not self._came.empty():
                self._came.get_nowait()
            await asyncio.wait({self._task}, timeout=0.05)
        _ = self._task.cancelled() or self._task.exception()

    async def _asked(self, ask: Ask, scope: dict[str, Any] | Message) -> None:
        try:
            await ask(scope, self._receive, self._came.put)
        finally:
            if not self._gone.is_set():
                await self._came.put(None)

    async def _receive(self) -> Message:
        if self._given:
            return {"type": "http.request", "body": self._given.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}
