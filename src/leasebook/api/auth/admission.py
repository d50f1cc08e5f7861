"""Admission: while several accounts call, each of them has only a few calls in progress, and its other calls wait.

All accounts share one event loop, one sequencer and a few readers. A call takes its turn before its signature is
checked and keeps it until it is answered. The turns of one account bound how long the others wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final

import msgspec

from leasebook.api.asgi import Headers
from leasebook.api.auth.overload import Refuser
from leasebook.api.body.budget import Room
from leasebook.batch import FairQueue

PRESENT_S: Final = 10.0
"""How long after its last call an account counts as calling, so that the others leave it room; in seconds."""
ALONE_MAX: Final = 128
"""Upper bound on an account's calls in progress while no other account calls. More would not make a batch cheaper,
and the first call of another account waits for all of them."""
AT_ONCE: Final = 2
"""Upper bound on the waiting calls of an account that begin in one turn of the event loop."""
PROVED_MAX: Final = 10_000
LOOKS_SHARE: Final = 4
"""Reads get one part in this many of the places that writes get, rounded up: writes share a commit, reads nothing."""
STRANGERS: Final = ""
"""The account for callers that have not yet proved from their address that they hold the key that they name."""
_SCHEME: Final = b"bce-auth-v"


class AdmissionLimits(msgspec.Struct, frozen=True):
    """How many calls of an account are worked on at once while others call, and how many may wait for a turn."""

    in_flight_max: int
    waiting_max: int


class _AccountQueue:
    """One account's calls in progress and its waiting calls; its keys take turns.

    Reads and writes have a queue each, so that writes do not wait for reads.
    """

    __slots__ = ("account_id", "in_flight", "seen_at", "waiting", "writes")

    def __init__(self, account_id: str, waiting_max: int, *, writes: bool) -> None:
        self.account_id = account_id
        self.writes = writes
        self.in_flight = 0
        self.seen_at = 0.0
        self.waiting: FairQueue[asyncio.Future[None]] = FairQueue(waiting_max)


class Turn:
    """A call's permission to proceed, from admission until the answer."""

    __slots__ = ("_admission", "_key", "_lane", "room")

    def __init__(self, admission: Admission, lane: _AccountQueue, key: tuple[str, str]) -> None:
        self.room: Room | None = None
        """Room for the call's body, which goes with the turn."""
        self._admission = admission
        self._lane: _AccountQueue | None = lane
        self._key = key

    async def proved(self, account_id: str) -> None:
        """Go on as a call of that account, now that the signature is checked; may wait. Raises Overloaded."""
        before = self._lane
        if before is not None and before.account_id != account_id:
            self._admission.remember(self._key, account_id)
            self.leave()
            self._lane = await self._admission.wait(account_id, self._key[1], writes=before.writes)

    def leave(self) -> None:
        """Give the turn back, where there is one."""
        if self._lane is not None:
            self._admission.leave(self._lane)
            self._lane = None
        if self.room is not None:
            self.room.leave()
            self.room = None


class Admission:
    """Gives calls their turns."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._lanes: OrderedDict[tuple[str, bool], _AccountQueue] = OrderedDict()
        """By account, and whether they change something; the last that was called in at the end."""
        self._left: list[_AccountQueue] = []
        self._proved: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._time = time.monotonic
        self._refuser = Refuser()

    @property
    def waiting(self) -> int:
        """How many calls wait for a turn."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def enter(self, address: str, access_key: str, *, writes: bool) -> Turn:
        """Wait for a turn of the account that has proved this key from this address before; raises Overloaded.

        A caller without that proof waits among strangers, whatever key it names. There each address takes turns.
        """
        key = (address, access_key)
        account_id = self._proved.get(key, STRANGERS)
        lane = self._called(account_id, writes=writes)
        if not self._comes_in(lane):
            await self._wait(lane, address if account_id == STRANGERS else access_key)
        return Turn(self, lane, key)

    async def turn_of(self, account_id: str, key_id: str, *, writes: bool = False) -> Turn:
        """Wait for the turn of a caller whose key or session has been verified already; raises Overloaded."""
        return Turn(self, await self.wait(account_id, key_id, writes=writes), ("", key_id))

    async def wait(self, account_id: str, party: str, *, writes: bool) -> _AccountQueue:
        """Take a place in a queue, at once or when one is free; raises Overloaded if too many calls wait."""
        lane = self._called(account_id, writes=writes)
        if not self._comes_in(lane):
            await self._wait(lane, party)
        return lane

    def leave(self, lane: _AccountQueue) -> None:
        """Give a place back, in the next turn of the loop.

        So a crowd of calls that are answered at once, as those with bad signatures are, does not keep the loop from
        looking who else has called.
        """
        if not self._left:
            asyncio.get_running_loop().call_soon(self._next)
        self._left.append(lane)

    def remember(self, key: tuple[str, str], account_id: str) -> None:
        """Remember that a caller from this address has proved this key, and the account of the key."""
        self._proved[key] = account_id
        if len(self._proved) > PROVED_MAX:
            self._proved.popitem(last=False)

    def _called(self, account_id: str, *, writes: bool) -> _AccountQueue:
        """Return the lane of a call that comes in now."""
        lane = self._lanes.get((account_id, writes))
        now = self._time()
        if lane is None:
            self._forget_idle(now)
            lane = self._lanes[account_id, writes] = _AccountQueue(account_id, self._limits.waiting_max, writes=writes)
        else:
            self._lanes.move_to_end((account_id, writes))
        lane.seen_at = now
        return lane

    def _comes_in(self, lane: _AccountQueue) -> bool:
        """Take a place if one is free and no other call waits for it."""
        # Every queue has at least one place, however many others call.
        if not len(lane.waiting) and (not lane.in_flight or lane.in_flight < self._room(lane, lane.seen_at)):
            lane.in_flight += 1
            return True
        return False

    async def _wait(self, lane: _AccountQueue, party: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused = lane.waiting.put(party, future)
        if refused is not None:
            self._refuser.refuse(refused)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.leave(lane)
            raise

    def known(self, address: str, access_key: str) -> str:
        """Return the account that has been seen to call from there with that key; empty where none has."""
        return self._proved.get((address, access_key), STRANGERS)

    def _room(self, lane: _AccountQueue, now: float) -> int:
        """Return how many places a queue has now. Strangers do not count as others: they could slow us down."""
        for other in reversed(self._lanes.values()):
            if other.account_id not in (lane.account_id, STRANGERS):
                if other.seen_at <= now - PRESENT_S:
                    break
                most = self._limits.in_flight_max
                return most if lane.writes else -(-most // LOOKS_SHARE)
        return ALONE_MAX

    def _next(self) -> None:
        """Take back the places of finished calls, and give them to the next ones."""
        left, self._left = self._left, []
        for lane in left:
            lane.in_flight -= 1
        for lane in dict.fromkeys(left):
            self._let_in(lane)

    def _let_in(self, lane: _AccountQueue) -> None:
        """Give places to those who wait, a few in a turn of the loop while others call."""
        if not len(lane.waiting):
            return
        room = self._room(lane, self._time()) - lane.in_flight
        most = min(room, AT_ONCE)
        while most > 0 and (found := lane.waiting.take(1, 1)):
            # A call that was cancelled meanwhile takes no place.
            if not found[0].done():
                found[0].set_result(None)
                lane.in_flight += 1
                most -= 1
        if room > AT_ONCE and len(lane.waiting):
            asyncio.get_running_loop().call_soon(self._let_in, lane)

    def _forget_idle(self, now: float) -> None:
        """Forget queues without a recent call."""
        while self._lanes:
            name, lane = next(iter(self._lanes.items()))
            if lane.in_flight or len(lane.waiting) or lane.seen_at > now - PRESENT_S:
                return
            del self._lanes[name]


def claimed_key(headers: Headers, in_query: str | None) -> str:
    """Return the access key that a call names, proved or not; empty if it names none."""
    if in_query is not None:
        return in_query.split("/", 2)[1] if in_query.count("/") > 1 else ""
    for name, value in headers:
        if name == b"authorization" and value.startswith(_SCHEME):
            parts = value.split(b"/", 2)
            return parts[1].decode("latin-1") if len(parts) > 1 else ""
    return ""
