"""Whether the database can be had: found out by one who tries, for all who wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
import structlog

from leasebook.batch import Unavailable
from leasebook.store.postgres.hosts import ReadOnly, one_line

log = structlog.get_logger()

FIRST_WAIT_S: Final = 0.05
WAIT_MAX_S: Final = 0.5
"""So often a database that is away is looked for: whoever takes its place is found this soon."""


class Presence:
    """Knows since when the database cannot be had, and looks for it as long as it cannot.

    Callers wait for ``away_s`` from when it went, whenever they come; whoever comes later is told within half a second.
    """

    def __init__(self, what: str, attempt: Callable[[], Awaitable[None]], away_s: float) -> None:
        """``what`` it is wanted for; ``attempt`` returns where it can be had, and raises where it cannot."""
        self._what = what
        self._attempt = attempt
        self._away_s = away_s
        self._since: float | None = None
        self._why = ""
        self._message = ""
        self._found = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def away_since(self) -> float | None:
        """Since when it cannot be had, on the monotonic clock; None: it can."""
        return self._since

    def away_s(self) -> float:
        """Return for how long it cannot be had; 0: it can."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def is_given_up(self) -> bool:
        """Whether it is away for longer than anybody waits."""
        return self._since is not None and time.monotonic() - self._since >= self._away_s

    async def here(self) -> None:
        """Return where it can be had, or soon again; raises Unavailable."""
        if self._since is None:
            return
        # For a moment whoever comes waits: it is looked for once more meanwhile.
        left = max(WAIT_MAX_S, self._since + self._away_s - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._found.wait()
        if self._since is not None:
            raise self.unavailable()

    def unavailable(self) -> Unavailable:
        """Return what whoever waited is told."""
        return Unavailable(self._message or "the database does not answer", self._why)

    def lost(self, error: BaseException, since: float | None = None) -> None:
        """Take note that it could not be had, and look for it; ``since``: when it was asked in vain."""
        self._why = one_line(error)
        read_only = isinstance(error, ReadOnly | psycopg.errors.ReadOnlySqlTransaction)
        self._message = "the database takes no writes now" if read_only else "the database does not answer"
        if self._since is not None:
            return
        self._since = time.monotonic() if since is None else since
        self._found.clear()
        log.warning(self._message, wanted_for=self._what, error=self._why)
        self._looking = asyncio.create_task(self._look(), name=f"looking for the database: {self._what}")

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        wait = FIRST_WAIT_S
        while True:
            try:
                await self._attempt()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the search
                self._why = one_line(error)
            else:
                break
            await asyncio.sleep(wait)
            wait = min(wait * 2, WAIT_MAX_S)
        away_s = time.monotonic() - (self._since or time.monotonic())
        self._since = None
        self._found.set()
        log.info("the database is back", wanted_for=self._what, away_s=round(away_s, 1))
