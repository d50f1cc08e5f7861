"""How often an address may try to sign in."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Network, ip_address
from typing import Final

WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 10_000
"""Upper bound on the addresses that are counted apart; beyond it the one that tried longest ago is forgotten."""


class Attempts:
    """Counts attempts of the last minute by address, and by anything else that they name, a user for example.

    ``most`` is how many a minute each of them has. ``now`` returns seconds of a clock that only goes forward.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._tried: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, *parties: str) -> float:
        """Count an attempt; returns 0, or after how many seconds to come again: then it does not count."""
        now = self._now()
        lists = [self._of(party, now) for party in parties]
        wait = max((one[0] + WINDOW_S - now for one in lists if len(one) >= self._most), default=0.0)
        if wait <= 0.0:
            for one in lists:
                one.append(now)
        return max(0.0, wait)

    def _of(self, party: str, now: float) -> deque[float]:
        tried = self._tried.setdefault(party, deque())
        self._tried.move_to_end(party)
        while tried and tried[0] <= now - WINDOW_S:
            tried.popleft()
        if len(self._tried) > ADDRESSES_MAX:
            self._tried.popitem(last=False)
        return tried


def network_of(address: str) -> str:
    """Return what an address counts as: of IPv6 its /64 network, since a user has all of that."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((int(ip_address(address)) >> 64 << 64, 64)))
    except ValueError:
        return address
