"""A WebSocket between a caller and a replica, once both have agreed on it: frames pass, and the gateway can end it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

from leasebook.gateway.ports import CHECK_S, Outcome, SocketEnd
from leasebook.gateway.websocket import frames as f
from leasebook.gateway.websocket.frames import Frames

CLOSE_S: Final = 5.0
"""How long an end may take to answer a close before its connection is cut."""
LINGER_S: Final = 1.0
"""How long bytes of a refused end are read and dropped, so that it can read the reason before it sees a reset."""


class Ending(NamedTuple):
    """Why a socket ends, with the close that each end gets, and the result that the call counts as."""

    why: SocketEnd
    caller: int
    replica: int
    reason: str
    outcome: Outcome = "succeeded"


IDLE: Final = Ending("idle", f.GOING_AWAY, f.GOING_AWAY, "nothing has passed for too long")
STUCK: Final = Ending("idle", f.GOING_AWAY, f.GOING_AWAY, "what was sent has not been taken for too long", "failed")
REVOKED: Final = Ending("revoked", f.NOT_ALLOWED, f.GOING_AWAY, "the key was deleted")
WITHDRAWN: Final = Ending("withdrawn", f.GOING_AWAY, f.GOING_AWAY, "the service takes no calls any more")
STOPPING: Final = Ending("stopping", f.RESTARTING, f.GOING_AWAY, "this server stops; connect again")
CALLER_GONE: Final = Ending("caller_gone", f.GOING_AWAY, f.GOING_AWAY, "the caller hung up", "aborted")
REPLICA_GONE: Final = Ending("replica_gone", f.BAD_GATEWAY, f.GOING_AWAY, "the replica hung up", "failed")
_BROKEN: Final = frozenset({1002, 1007, 1011, 1014})
"""A replica that closes with one of these has failed."""


class End(asyncio.Protocol):
    """One end. Its bytes go to its ``peer``; it is not read while the peer does not receive."""

    peer: End

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, frames: Frames, *, is_client: bool) -> None:
        self._tunnel = tunnel
        self._is_client = is_client
        self._late: bytes | None = None
        self._behind = False
        self._planned = False
        self._refused = False
        self.transport = transport
        self.frames = frames
        self.close_sent = False
        """Whether a close has been sent to this end."""
        self.lost = False
        self.full_since: float | None = None

    def data_received(self, data: bytes) -> None:
        """Pass on what has come."""
        self._tunnel.moved(self, len(data))
        self._take(data)

    def _take(self, data: bytes) -> None:
        self._pass(data)
        if self.peer.tell_late():
            self.frames.finishing = False
            self._pass(b"")
        if self.frames.violation is not None and not self._refused:
            self._refused = True
            self._tunnel.refuse(self, self.frames.violation)
        self._tunnel.settle()
        if self.frames.behind and not self._behind:
            self._behind = True
            self.flow()

    def _catch_up(self) -> None:
        """Go on with what has come already, unless the peer takes nothing: then it calls this when it does."""
        self._planned = False
        if self._behind and not self.peer.is_full:
            self._behind = False
            self._take(b"")
            self.flow()

    def flow(self) -> None:
        """Read from this end, or do not, as its peer takes it."""
        # A connection that is closing has nothing to be read, and some loops say so.
        if not self.lost:
            with suppress(RuntimeError):
                if self._behind or self.peer.is_full:
                    self.transport.pause_reading()
                else:
                    self.transport.resume_reading()
        if self._behind and not self.peer.is_full and not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._catch_up)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be sent to it that no more is to come."""
        return self.full_since is not None

    def _pass(self, data: bytes) -> None:
        passed = self.frames.feed(data)
        if passed and not self.peer.close_sent:
            self.peer.write(passed)
            if self.frames.closed is not None:
                self.peer.close_sent = True
                self._tunnel.closing(self)

    def write(self, data: bytes) -> None:
        """Send to this end."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def tell(self, code: int, reason: str) -> None:
        """Close it as soon as the frame that is passing to it has passed."""
        if self.close_sent or self._late is not None:
            return
        frame = f.close_frame(code, reason, None if self._is_client else secrets.token_bytes(4))
        if self.peer.frames.between:
            self.write(frame)
            self.close_sent = True
        elif self.peer.lost or self.lost:
            # It has half a frame, whose other half will never come.
            self.transport.abort()
        else:
            self._late, self.peer.frames.finishing = frame, True

    def tell_late(self) -> bool:
        """Send the close that waited for the end of a frame, if that has come."""
        if self._late is None or not self.peer.frames.between:
            return False
        self.write(self._late)
        self._late, self.close_sent = None, True
        return True

    @property
    def settled(self) -> bool:
        """Whether a close went both ways, so that the connection can go."""
        return self.close_sent and (self.frames.closed is not None or self.lost)

    def pause_writing(self) -> None:
        """Do not read the other end while this one takes nothing."""
        self.full_since = asyncio.get_running_loop().time()
        self.peer.flow()

    def resume_writing(self) -> None:
        """Read the other end again."""
        self.full_since = None
        self.peer.flow()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note that it is gone."""
        self.lost = True
        # The other is read again, so that its own end is seen.
        self.resume_writing()
        self._tunnel.gone(self)

    def stop(self) -> None:
        """Have the socket closed, because the server stops."""
        self._tunnel.end(STOPPING)


class Tunnel:
    """The two ends, and the end of both."""

    def __init__(
        self,
        caller: asyncio.Transport,
        replica: asyncio.Transport,
        *,
        message_max: int,
        idle_s: float,
        deflated: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self._moved_at = self._loop.time()
        self._look = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

        def reads(*, masked: bool) -> Frames:
            return Frames(masked=masked, message_max=message_max, deflated=deflated)

        self.caller = End(self, caller, reads(masked=True), is_client=True)
        self.replica = End(self, replica, reads(masked=False), is_client=False)
        self.caller.peer, self.replica.peer = self.replica, self.caller
        self.ended_by: Ending | None = None
        self.sent = 0
        """Bytes that came from the caller."""
        self.received = 0
        """Bytes that came from the replica."""

    def moved(self, end: End, size: int) -> None:
        """Note that something has come."""
        self._moved_at = self._loop.time()
        if end is self.caller:
            self.sent += size
        else:
            self.received += size

    def check(self) -> None:
        """Have it asked now whether the key and the service still hold."""
        self._look.set()

    def refuse(self, end: End, violation: f.Violation) -> None:
        """End the socket, because of what one end sent."""
        why: SocketEnd = "too_big" if violation.code == f.TOO_BIG else "protocol"
        other = f.TOO_BIG if violation.code == f.TOO_BIG else f.GOING_AWAY
        if end is self.caller:
            self.end(Ending(why, violation.code, other, violation.reason, "aborted"))
        else:
            code = f.TOO_BIG if violation.code == f.TOO_BIG else f.BAD_GATEWAY
            self.end(Ending(why, code, violation.code, f"of the replica: {violation.reason}", "failed"))
        # Whatever else it sends is not looked at, so no close of it will be seen.
        self._loop.call_later(LINGER_S, end.transport.close)

    def closing(self, end: End) -> None:
        """Note that one end has closed: the other has a while to answer."""
        if self.ended_by is None:
            code = end.frames.closed
            code = f.NORMAL if code is None or code == f.NO_CODE else code
            failed = end is self.replica and code in _BROKEN
            self.ended_by = Ending("closed", code, code, "", "failed" if failed else "succeeded")
        self._hurry()

    def end(self, ended_by: Ending) -> None:
        """Close both ends."""
        if self.ended_by is None:
            self.ended_by = ended_by
        self.caller.tell(ended_by.caller, ended_by.reason)
        self.replica.tell(ended_by.replica, ended_by.reason)
        self._hurry()
        self.settle()

    def _hurry(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(CLOSE_S, self.cut)

    def settle(self) -> None:
        """Hang up where a close went both ways."""
        for end in (self.caller, self.replica):
            if end.settled and not end.lost:
                end.transport.close()

    def gone(self, end: End) -> None:
        """Note that an end has hung up."""
        self.end(self.ended_by or (CALLER_GONE if end is self.caller else REPLICA_GONE))
        if self.caller.lost and self.replica.lost:
            self._look.set()

    def cut(self) -> None:
        """Hang up at both ends, whatever still waits."""
        for end in (self.caller, self.replica):
            if not end.lost:
                end.transport.abort()

    async def run(self, still: Callable[[], Awaitable[Ending | None]]) -> None:
        """Return when both ends are gone; ``still`` says whether the socket has to end."""
        try:
            while not (self.caller.lost and self.replica.lost):
                self._look.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(CHECK_S, self._idle_s)):
                        await self._look.wait()
                if self.ended_by is None and (ended_by := self._overdue() or await still()) is not None:
                    self.end(ended_by)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self.cut()

    def _overdue(self) -> Ending | None:
        now = self._loop.time()
        full = [end.full_since for end in (self.caller, self.replica) if end.full_since is not None]
        if full and now - min(full) >= self._idle_s:
            return STUCK
        return IDLE if now - self._moved_at >= self._idle_s else None
