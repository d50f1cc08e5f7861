"""The bounds on connections: in all, of one address, and by the number of files that a process may open."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

Reason = Literal["total", "address"]

PER_ADDRESS_MAX: Final = 1024
SEATS: Final = 16
LAST_PART: Final = 8
"""The last eighth is for addresses that have few."""
FEW: Final = 4
_FILES_WITHOUT_LIMIT: Final = 1 << 20


def raise_file_limit() -> int:
    """Raise the limit of open files as far as this process may; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WITHOUT_LIMIT if hard == resource.RLIM_INFINITY else hard
    if soft not in (resource.RLIM_INFINITY, wanted):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            wanted = soft
    return wanted


class Caps:
    """Decides which connections are let in, and counts them.

    One address never gets more than its own bound, and the last part of all connections is for addresses that have few:
    a handful of greedy ones cannot keep everybody else out. ``excepted`` says which addresses speak for others; only
    the bound of all connections is for them.
    """

    def __init__(
        self, most: int, per_address: int | None, excepted: Callable[[str], bool], *, seats: int = SEATS
    ) -> None:
        self.most = most
        self.seats = seats
        """Connections beyond them, for monitors only."""
        self.per_address = min(PER_ADDRESS_MAX, max(1, most // 2)) if per_address is None else per_address
        self._crowded = most - most // LAST_PART
        self._excepted = lru_cache(maxsize=1024)(excepted)
        self._of: Counter[str] = Counter()
        self.count = 0

    def enter(self, host: str) -> tuple[str, Reason | None]:
        """Count a connection of an address; returns what it is counted under, and why it is not let in."""
        key = counted_as(host)
        if self.count >= self.most:
            return key, "total"
        if not self._excepted(host):
            has = self._of.get(key, 0)
            if has >= self.per_address:
                return key, "address"
            if self.count >= self._crowded and has >= FEW:
                return key, "total"
        self.count += 1
        self._of[key] += 1
        return key, None

    def leave(self, key: str) -> None:
        """Count a connection less."""
        self.count -= 1
        self._of[key] -= 1
        if not self._of[key]:
            del self._of[key]


@lru_cache(maxsize=4096)
def counted_as(host: str) -> str:
    """Return what an address is counted under: of IPv6 its /64, for that is what one customer has at least."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
