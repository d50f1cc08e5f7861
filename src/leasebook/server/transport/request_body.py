"""The body of a request on its way from the connection to the application."""

from __future__ import annotations

import asyncio


class RequestBody:
    """Keeps the pieces of a body that came until the application takes them."""

    # Defaults of the class: most requests never change most of them.
    pieces = b""
    """The bytes that came and were not taken."""
    more = True
    """Whether a part of the body is still to come."""
    asked = False
    """Whether the application has asked for the body."""
    changed = False
    """Whether there is a piece, or the end, that was not taken."""
    closed = False
    """Whether the application reads no more: the caller has gone, or the answer is complete."""
    expects = False
    """Whether the caller waits for a ``100 Continue`` before it sends the body."""
    _change: asyncio.Event | None = None

    def __len__(self) -> int:
        """Return how many bytes wait to be taken."""
        return len(self.pieces)

    def add(self, data: bytes) -> None:
        """Add a piece that came."""
        self.pieces = self.pieces + data if self.pieces else data
        self.changed = True
        if self._change is not None:
            self._change.set()

    def end(self) -> None:
        """Take note that the body is complete."""
        self.more = False
        self.changed = True
        if self._change is not None:
            self._change.set()

    def close(self) -> None:
        """Let the application read no more."""
        self.closed = True
        if self._change is not None:
            self._change.set()

    def take(self) -> bytes:
        """Return what came since the last piece was taken."""
        self.changed = False
        piece, self.pieces = self.pieces, b""
        return piece

    async def wait(self) -> None:
        """Return when something comes, or when this is closed."""
        if self._change is None:
            self._change = asyncio.Event()
        self._change.clear()
        await self._change.wait()
