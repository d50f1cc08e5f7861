"""Streams of events: how many callers follow at a time, and how far the events of several accounts are complete.

Each stream is a task and a connection for as long as its caller likes.

Servers number pages of events before they commit them. Within an account that is the order of the commits; between
accounts a page may be committed after another one with a greater number. A stream over several accounts therefore
stops at the last page for which every transaction that was under way when it was seen is over: so one place, the id of
an event, says for all accounts what was sent.
"""

from __future__ import annotations

import weakref
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import Final, Protocol

import msgspec

from leasebook.api.fault import Fault
from leasebook.contract.errors import TOO_MANY_STREAMS
from leasebook.ports.queries.costs import PostingEdge

EDGES_MAX: Final = 64
"""Edges that wait at most: while another session holds a transaction open, no more are noted."""
FIRST_PAUSE_S: Final = 0.02
LAST_PAUSE_S: Final = 1.0


class StreamBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds on the open streams of this server, of one account, and of one access key."""

    in_all: int
    per_account: int
    per_key: int


class Meter(Protocol):
    """Where streams are counted."""

    def streams_open(self, change: int) -> None:
        """Note that a stream began, or ended."""

    def stream_refused(self) -> None:
        """Count one that was refused."""


class Streams:
    """The streams that are open."""

    def __init__(self, bounds: StreamBounds, meter: Meter) -> None:
        self._bounds = bounds
        self._meter = meter
        self._open = 0
        self._accounts: Counter[str] = Counter()
        self._keys: Counter[str] = Counter()

    def opened(self, account_id: str, access_key: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Let a stream begin, and return it; it counts until it is closed. Raises Fault where there are too many."""
        self.check(account_id, access_key)
        return _Stream(self, account_id, access_key, pieces)

    def check(self, account_id: str, access_key: str) -> None:
        """Raise Fault where there are too many for one more."""
        for open_now, most, whose, setting in (
            (self._keys[access_key], self._bounds.per_key, "This access key", "events.streams_per_key_max"),
            (self._accounts[account_id], self._bounds.per_account, "The account", "events.streams_per_account_max"),
            (self._open, self._bounds.in_all, "This server", "events.streams_max"),
        ):
            if open_now >= most:
                self._meter.stream_refused()
                raise Fault(
                    TOO_MANY_STREAMS,
                    f"{whose} follows events {open_now} times already, and at most {most} times at once. Close a "
                    "stream that is not needed; one without an instanceId has the events of all instances. The "
                    f"operator may allow more (the setting {setting}).",
                )

    def count(self, account_id: str, access_key: str, change: int) -> None:
        """Count a stream that began (1) or ended (-1)."""
        self._open += change
        for counter, name in ((self._accounts, account_id), (self._keys, access_key)):
            counter[name] += change
            if not counter[name]:
                del counter[name]
        self._meter.streams_open(change)


class _Stream(AsyncIterator[bytes]):
    """A stream that counts as open until it is closed or garbage-collected, even if no piece of it was ever read."""

    def __init__(self, streams: Streams, account_id: str, access_key: str, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        streams.count(account_id, access_key, 1)
        self._ended = weakref.finalize(self, streams.count, account_id, access_key, -1)

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """End it."""
        self._ended()
        await self._pieces.aclose()  # type: ignore[attr-defined]


class Edges:
    """The last pages that were seen, and the last one that is complete."""

    def __init__(self) -> None:
        self._waiting: deque[PostingEdge] = deque()
        self._pause_s = FIRST_PAUSE_S
        self.whole = 0
        """The last page up to which all pages are committed."""

    def see(self, edge: PostingEdge) -> None:
        """Note where the pages end now."""
        if edge.last > (self._waiting[-1].last if self._waiting else self.whole) and len(self._waiting) < EDGES_MAX:
            self._waiting.append(edge)
        before = self.whole
        while self._waiting and self._waiting[0].begun <= edge.over:
            self.whole = max(self.whole, self._waiting.popleft().last)
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S) if self.whole == before else FIRST_PAUSE_S

    @property
    def pause_s(self) -> float | None:
        """How long to wait before the next look, because pages are not yet known to be complete; None: all are."""
        return self._pause_s if self._waiting else None
