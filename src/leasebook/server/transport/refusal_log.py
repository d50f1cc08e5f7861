"""Counts and logs the connections that were refused, with the setting that would let them in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from leasebook.server.transport.connection_limits import Caps

log = structlog.get_logger()

LOG_EVERY_S: Final = 10.0
"""At most one line in this time: a crowd at the door must not fill the log."""
HOW_TO_LET_IN: Final = {
    "total": "raise http.connections_max, and the limit of open files with it",
    "address": "if it is a proxy, name it in trusted_proxies; else raise http.connections_per_address_max",
    "files": "raise the limit of open files",
}


class Meter(Protocol):
    """Where refused connections are counted."""

    def not_let_in(self, reason: str) -> None:
        """Count a connection that was refused."""


class RefusalLog:
    """Counts each refused connection, and logs how many there were since the last line."""

    def __init__(self, meter: Meter, caps: Caps, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._caps = caps
        self._clock = clock
        self._unlogged = 0
        self._logged_at = clock() - LOG_EVERY_S

    def add(self, reason: str, host: str) -> None:
        """Count a refused connection of an address. ``reason`` is a key of ``HOW_TO_LET_IN``."""
        self._meter.not_let_in(reason)
        self._unlogged += 1
        now = self._clock()
        if now - self._logged_at < LOG_EVERY_S:
            return
        self._logged_at = now
        log.warning(
            "connections are not let in",
            reason=reason,
            address=host,
            since_last_told=self._unlogged,
            open=self._caps.count,
            most=self._caps.most,
            most_of_one_address=self._caps.per_address,
            help=HOW_TO_LET_IN[reason],
        )
        self._unlogged = 0
