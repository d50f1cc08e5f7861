"""Who is worked for: calls of one account come in a few at a time while others call, so that a crowd waits for itself.

Everybody shares one loop, one sequencer and a few readers. A call takes its turn before its signature is checked, and
keeps it until it is answered; what one account has in turns at once is what the others may have to wait for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, NamedTuple

import msgspec

from leasehold.api.asgi import Headers
from leasehold.api.bodies import Room
from leasehold.api.refusing import Refuser
from leasehold.sequencer import CommandQueue

PRESENT_S: Final = 10.0
"""So long after an account's last call the others still make room for its next."""
ALONE_MAX: Final = 128
"""So many calls of one account are worked on where nobody else calls: more make no batch cheaper, and whoever comes
first after a while waits for all of them."""
AT_ONCE: Final = 2
"""So many calls of an account begin in one turn of the loop; then it looks who else has called."""
PROVED_MAX: Final = 10_000
LOOKS_SHARE: Final = 8
"""Calls that only look gain nothing by being many at once, as those do that share a commit: they get a part of that."""
STRANGERS: Final = ""
"""The account of those who have not proved yet, from where they call, that they hold the key that they name."""
_SCHEME: Final = b"bce-auth-v"


class Limits(msgspec.Struct, frozen=True):
    """How many calls of an account are worked on at once while others call, and how many may wait for a turn."""

    in_flight_max: int
    waiting_max: int


class Name(NamedTuple):
    """Whose lane it is, and for what: calls that change something do not wait for those that look."""

    account_id: str
    writes: bool


class _Lane:
    """What one account has under way, and who waits; each of its keys in turn."""

    __slots__ = ("in_flight", "seen_at", "waiting")

    def __init__(self, waiting_max: int) -> None:
        self.in_flight = 0
        self.seen_at = 0.0
        self.waiting: CommandQueue[asyncio.Future[None]] = CommandQueue(waiting_max)


class Turn:
    """A call's turn, from when it has one until it gives it back."""

    __slots__ = ("_admission", "_key", "_lane", "room")

    def __init__(self, admission: Admission, lane: Name, key: tuple[str, str]) -> None:
        self.room: Room | None = None
        """Room for the call's body, which goes with the turn."""
        self._admission = admission
        self._lane: Name | None = lane
        self._key = key

    async def proved(self, account_id: str) -> None:
        """Go on as a call of that account, now that the signature is checked; may wait. Raises Overloaded."""
        before = self._lane
        if before is not None and before.account_id != account_id:
            self._admission.remember(self._key, account_id)
            self.leave()
            name = before._replace(account_id=account_id)
            await self._admission.wait(name, self._key[1])
            self._lane = name

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

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: OrderedDict[Name, _Lane] = OrderedDict()
        """The last that was called in at the end."""
        self._left: list[Name] = []
        self._proved: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._refuser = Refuser()

    @property
    def waiting(self) -> int:
        """How many calls wait for a turn."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def enter(self, address: str, access_key: str, *, writes: bool) -> Turn:
        """Wait for a turn of whoever has been seen to call from there with that key; raises Overloaded.

        What a stranger claims is not believed before it is proved: who signs badly waits among strangers, each
        address in turn, whatever key is named.
        """
        key = (address, access_key)
        name = Name(self._proved.get(key, STRANGERS), writes)
        await self.wait(name, address if name.account_id == STRANGERS else access_key)
        return Turn(self, name, key)

    async def wait(self, name: Name, party: str) -> None:
        """Take a place in a lane, at once or when there is one; raises Overloaded where too many wait."""
        now = asyncio.get_running_loop().time()
        lane = self._lanes.get(name)
        if lane is None:
            self._forget_idle(now)
            lane = self._lanes[name] = _Lane(self._limits.waiting_max)
        self._lanes.move_to_end(name)
        lane.seen_at = now
        if not len(lane.waiting) and lane.in_flight < self._room(name, now):
            lane.in_flight += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused = lane.waiting.put(party, future)
        if refused is not None:
            self._refuser.refuse(refused)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.leave(name)
            raise

    def leave(self, name: Name) -> None:
        """Give a place back, in the next turn of the loop.

        So a crowd of calls that are answered at once, as those with bad signatures are, does not keep the loop from
        looking who else has called.
        """
        if not self._left:
            asyncio.get_running_loop().call_soon(self._next)
        self._left.append(name)

    def remember(self, key: tuple[str, str], account_id: str) -> None:
        """Take note that whoever calls from an address with a key has it, and whose it is."""
        self._proved[key] = account_id
        if len(self._proved) > PROVED_MAX:
            self._proved.popitem(last=False)

    def known(self, address: str, access_key: str) -> str:
        """Return the account that has been seen to call from there with that key; empty where none has."""
        return self._proved.get((address, access_key), STRANGERS)

    def _room(self, name: Name, now: float) -> int:
        """Return how many places a lane has now. Strangers are nobody's company, or any of them could slow us down."""
        for other in reversed(self._lanes):
            if other.account_id not in (name.account_id, STRANGERS):
                if self._lanes[other].seen_at <= now - PRESENT_S:
                    break
                most = self._limits.in_flight_max
                return most if name.writes else max(1, most // LOOKS_SHARE)
        return ALONE_MAX

    def _next(self) -> None:
        """Take back the places that were left, and give them to whoever is next."""
        left, self._left = self._left, []
        for name in left:
            self._lanes[name].in_flight -= 1
        for name in set(left):
            self._let_in(name)

    def _let_in(self, name: Name) -> None:
        """Give places to those who wait, a few in a turn of the loop while others call."""
        lane = self._lanes.get(name)
        if lane is None or not len(lane.waiting):
            return
        room = self._room(name, asyncio.get_running_loop().time()) - lane.in_flight
        most = min(room, AT_ONCE)
        while most > 0 and (found := lane.waiting.take(1, 1)):
            # Whoever has gone meanwhile takes no place.
            if not found[0].done():
                found[0].set_result(None)
                lane.in_flight += 1
                most -= 1
        if room > AT_ONCE and len(lane.waiting):
            asyncio.get_running_loop().call_soon(self._let_in, name)

    def _forget_idle(self, now: float) -> None:
        """Forget lanes that nobody has used for a while."""
        while self._lanes:
            name, lane = next(iter(self._lanes.items()))
            if lane.in_flight or len(lane.waiting) or lane.seen_at > now - PRESENT_S:
                return
            del self._lanes[name]


def claimed_key(headers: Headers, in_query: str | None) -> str:
    """Return the access key that a call names, whoever names it; empty where there is none to be seen."""
    if in_query is not None:
        return in_query.split("/", 2)[1] if in_query.count("/") > 1 else ""
    for name, value in headers:
        if name == b"authorization" and value.startswith(_SCHEME):
            parts = value.split(b"/", 2)
            return parts[1].decode("latin-1") if len(parts) > 1 else ""
    return ""
