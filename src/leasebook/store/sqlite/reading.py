"""Bounds the wait for a read of the embedded store.

A reader announces itself in the log's index, a mapped file. While a file system is frozen that write waits in the
kernel, and the reader's thread with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from leasebook.batch import Unavailable
from leasebook.store.sqlite.writer import LOOK_S

T = TypeVar("T")

LONG_TIMES: Final = 8
"""A long read may take this many times as long as a short one: a year's export takes seconds."""


class ReadPatience:
    """Waits for reads. After one without an answer in time, others wait ``LOOK_S`` seconds until one is answered."""

    def __init__(self, wait_s: float) -> None:
        """Wait ``wait_s`` seconds for a short read."""
        self._wait_s: Final = wait_s
        self._is_silent = False

    async def wait(self, read: Awaitable[T], *, long: bool) -> T:
        """Return the result of a read; raises Unavailable if it does not come in time."""
        try:
            async with asyncio.timeout(LOOK_S if self._is_silent else self._wait_s * (LONG_TIMES if long else 1)):
                found = await read
        except TimeoutError:
            self._is_silent = True
            raise Unavailable(
                "the store did not answer a read in time: its disk does not answer, or its file system is frozen; "
                "the server's operator must act"
            ) from None
        self._is_silent = False
        return found
