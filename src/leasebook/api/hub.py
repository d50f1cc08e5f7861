"""The hub: wakes the event streams that wait for new events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from leasebook.api.event_streams import Streams
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import ACCESS_KEYS, USERS

EVERY: Final = "*"
"""The name under which streams of all accounts wait; no account has it as its id."""
LOOK_EVERY_S: Final = 1.0
"""How often a stream looks for events that other servers on the store have written; in seconds."""


class Hub:
    """Wakes streams after each commit of this server. ``alone``: no other server writes to the store."""

    def __init__(self, *, alone: bool, streams: Streams) -> None:
        self._alone = alone
        self.streams = streams
        self._followers: dict[str, set[asyncio.Event]] = {}
        self.stopping = False

    def committed(self, changes: Changes) -> None:
        """Wake the streams of each account that has new events; all streams if a key or a user changed."""
        if not self._followers:
            return
        if ACCESS_KEYS in changes or USERS in changes:
            self._wake_all()
        for account_id in (EVERY, *(page.account_id for page in changes.events)) if changes.events else ():
            for follower in self._followers.get(account_id, ()):
                follower.set()

    def stop(self) -> None:
        """Wake all streams so that they end: the server stops."""
        self.stopping = True
        self._wake_all()

    def _wake_all(self) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.set()

    @contextmanager
    def following(self, account_ids: tuple[str, ...] | None) -> Iterator[asyncio.Event]:
        """Follow accounts (None: all): the event is set when something may have happened. Clear it before looking."""
        follower, names = asyncio.Event(), (EVERY,) if account_ids is None else account_ids
        for name in names:
            self._followers.setdefault(name, set()).add(follower)
        try:
            yield follower
        finally:
            for name in names:
                followers = self._followers[name]
                followers.discard(follower)
                if not followers:
                    del self._followers[name]

    async def wait(self, follower: asyncio.Event, seconds: float) -> None:
        """Wait until there may be new events here or from another server, at most ``seconds``."""
        try:
            async with asyncio.timeout(seconds if self._alone else min(seconds, LOOK_EVERY_S)):
                await follower.wait()
        except TimeoutError:
            return
