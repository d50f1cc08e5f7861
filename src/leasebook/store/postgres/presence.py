"""The presence of the database: one task tries to connect while all callers wait for it."""

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
"""Longest pause in seconds between two attempts to connect: a successor is found within it."""


class Presence:
    """Knows since when the database cannot be reached, and tries to reach it until it can.

    Callers wait until it has been away for ``away_s`` seconds; later ones are refused within half a second.
    """

    def __init__(self, what: str, attempt: Callable[[], Awaitable[None]], away_s: float) -> None:
        """``what`` names the use; ``attempt`` returns if the database can be reached, and raises if not."""
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
        """When it went away, on the monotonic clock; None: it is there."""
        return self._since

    def away_s(self) -> float:
        """Return how many seconds it has been away; 0: it is there."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def is_given_up(self) -> bool:
        """Whether it has been away for longer than callers wait."""
        return self._since is not None and time.monotonic() - self._since >= self._away_s

    async def here(self) -> None:
        """Return once it is there; raises Unavailable if it does not come back in time."""
        if self._since is None:
            return
        # Every caller waits for half a second at least, in which there is another attempt.
        left = max(WAIT_MAX_S, self._since + self._away_s - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._found.wait()
        if self._since is not None:
            raise self.unavailable()

    def unavailable(self) -> Unavailable:
        """Return the refusal for callers that have waited."""
        return Unavailable(self._message or "the database does not answer", self._why)

    def lost(self, error: BaseException, since: float | None = None) -> None:
        """Record that the database could not be reached, and start trying; ``since``: when it was first asked."""
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
        """Stop trying."""
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
