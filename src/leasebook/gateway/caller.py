"""The caller's side of a call: its body as it comes, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import structlog

log = structlog.get_logger()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class CallerGone(Exception):
    """The caller hung up."""


class CallerSlow(Exception):
    """The caller's body stopped coming, or it does not take its answer."""


async def sent_within(seconds: float, send: Send, *messages: Message) -> bool:
    """Send messages, unless the caller does not take what was sent before; returns whether all of them were sent.

    A server makes the sender wait while its buffer for the caller is full. Without a bound, a caller that reads nothing
    would keep the call for ever. A sender that returns early makes the server hang up.
    """
    try:
        async with asyncio.timeout(seconds):
            for message in messages:
                await send(message)
    except TimeoutError:
        log.info("the caller does not take its answer", seconds=seconds)
        return False
    return True


class Inbound:
    """Hands the body on piece by piece, each only when the last has gone out, and then watches for the hang-up."""

    def __init__(self, receive: Receive, *, has_body: bool, idle_s: float, moved: Callable[[], None]) -> None:
        self._receive = receive
        self._idle_s = idle_s
        self._moved = moved
        self._read = asyncio.Event()
        self.begun = False
        self.gone = asyncio.Event()
        self.error: Exception | None = None
        if not has_body:
            self._read.set()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body; raises CallerGone or CallerSlow where it does not end."""
        self.begun = True
        more = True
        while more:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._receive()
            except TimeoutError:
                raise self._failed(CallerSlow()) from None
            if message["type"] != "http.request":
                self.gone.set()
                raise self._failed(CallerGone())
            more = message.get("more_body", False)
            self._moved()
            if piece := message.get("body", b""):
                yield piece
        self._read.set()

    def _failed(self, error: Exception) -> Exception:
        self.error = error
        return error

    async def hang_up(self) -> None:
        """Return when the caller has gone. While the body comes, its reader notices that."""
        read, gone = asyncio.ensure_future(self._read.wait()), asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({read, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            read.cancel()
            gone.cancel()
        while not self.gone.is_set():
            if (await self._receive())["type"].endswith(".disconnect"):
                self.gone.set()
