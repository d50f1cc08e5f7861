"""A few seats beyond all places, for monitors that ask for the server's health while it is full."""

from __future__ import annotations

import asyncio
from collections import Counter

from leasebook.server.transport.connection import Connection


class Seats:
    """Who has a seat, and who gives one up when all are taken.

    A caller in a seat may ask for the server's health and for nothing else. The seats are few, so a newcomer takes the
    seat of the caller that has had one for longest, of the address that has most of them. This also holds for a caller
    whose TLS handshake is still under way: a crowd that comes in one iteration of the event loop keeps no monitor out.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: dict[Connection, asyncio.Task[None]] = {}
        """Each connection with the task that lets it in, the oldest first."""

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """Give a seat to a connection that ``task`` lets in."""
        self._taken[connection] = task

    def leave(self, connection: Connection) -> None:
        """Free the seat of a connection, if it has one."""
        self._taken.pop(connection, None)

    def make_room(self) -> Connection | None:
        """If all seats are taken, free one; return the connection that lost it, and has to be refused.

        A connection without a transport was still on its way in: the task that lets it in is cancelled.
        """
        if len(self._taken) < self.most:
            return None
        crowd = Counter(_address(one) for one in self._taken)
        ((largest, _),) = crowd.most_common(1)
        oldest = next(one for one in self._taken if _address(one) == largest)
        task = self._taken.pop(oldest)
        if oldest.transport is None:
            task.cancel()
        return oldest


def _address(connection: Connection) -> str | None:
    return connection.client and connection.client[0]
