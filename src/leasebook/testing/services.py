"""Fresh services, one after another: the next one is prepared while a test uses the present one."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import Future
from pathlib import Path

from leasebook.config.load import Settings
from leasebook.testing.host import Host, Served
from leasebook.testing.stores import Founded, copied


class Services:
    """Starts services on copies of one founded store, and shows one at a time at the host's address."""

    def __init__(self, host: Host, settings: Settings, store: Founded) -> None:
        self._host = host
        self._settings = settings
        self._store = store
        self._next: Future[Served] | None = None
        self._closing: list[Future[None]] = []

    def renew(self, *, again: bool) -> None:
        """Show a fresh service. ``again``: prepare the one after it, so that the next call takes a moment only."""
        prepared = self._next or self._prepare()
        self._next = None
        before = self._host.show(prepared.result())
        if before is not None:
            self._closing = [one for one in self._closing if not one.done()]
            self._closing.append(self._host.submit(self._end(before)))
        if again:
            self._next = self._prepare()

    def close(self) -> None:
        """End all of them, and remove their data."""
        shown = self._host.show(None)
        waiting = [] if self._next is None else [self._next.result()]
        self._next = None
        for served in [*waiting, *([] if shown is None else [shown])]:
            self._closing.append(self._host.submit(self._end(served)))
        for closing in self._closing:
            closing.result()

    def _prepare(self) -> Future[Served]:
        return self._host.submit(self._begin())

    async def _begin(self) -> Served:
        loop = asyncio.get_running_loop()
        folder: Path = await loop.run_in_executor(None, copied, self._store)
        return await self._host.begin(self._settings, folder)

    async def _end(self, served: Served) -> None:
        await self._host.end(served)
        shutil.rmtree(served.folder, ignore_errors=True)
