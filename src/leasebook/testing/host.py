"""The thread that serves: an event loop of its own, one listening socket, and the service that answers there now."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from leasebook.api.asgi import Receive, Scope, Send
from leasebook.config.load import Settings
from leasebook.domain.values.calendar import Instant
from leasebook.server.composition import Service, running
from leasebook.server.embedded import EmbeddedListener
from leasebook.store.opening import Target
from leasebook.testing.errors import KitError

T = TypeVar("T")

HOST: Final = "127.0.0.1"
BACKLOG: Final = 128


class Served(msgspec.Struct, frozen=True, eq=False):
    """A service that runs on the host's loop, and what ends it. ``folder`` is its data directory."""

    service: Service
    closing: AsyncExitStack
    folder: Path


class _Switch:
    """The application of the listener: it hands each request to the service of the moment."""

    def __init__(self) -> None:
        self.served: Served | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if self.served is None:
            raise RuntimeError("no service is up: the test kit was stopped, or is about to start")
        await self.served.service.app(scope, receive, send)


class Host:
    """Runs services, one at a time behind one address, so that clients which remember an address stay right.

    It may be used by several threads, but not by a process that was forked: the thread stays in the first process.
    """

    def __init__(self, port: int = 0) -> None:
        """``port`` is taken if it is free, else any other."""
        self._pid: Final = os.getpid()
        self._switch = _Switch()
        self._socket = _listening(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="leasebook-testing", daemon=True)
        self._thread.start()
        self._listener = self.run(self._open())

    @property
    def is_elsewhere(self) -> bool:
        """Whether this process was forked from the one that has the thread."""
        return os.getpid() != self._pid

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def service(self) -> Service:
        """The service that answers now. Use it on the host's loop only (``run``)."""
        served = self._switch.served
        assert served is not None  # noqa: S101 - the kit asks while it is started
        return served.service

    def run(self, awaited: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, from another thread; returns its result. Raises KitError in a forked process."""
        return self.submit(awaited).result()

    def submit(self, awaited: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop, and do not wait for it. Raises KitError in a forked process."""
        if self.is_elsewhere:
            awaited.close()
            raise KitError(
                "This process was forked from the one that started the kit, and the kit's service is there. Call it "
                "from here by its address (environment()), or start another kit."
            )
        return asyncio.run_coroutine_threadsafe(awaited, self._loop)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._drop(asyncio.all_tasks(self._loop))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _drop(self, tasks: set[asyncio.Task[Any]]) -> None:
        """End the calls whose callers have gone, such as those of clients that lost patience."""
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _open(self) -> EmbeddedListener:
        return EmbeddedListener(self._switch, self._socket)

    async def begin(self, settings: Settings, folder: Path, starts_at: Instant | None = None) -> Served:
        """Start a service on a data directory, with a virtual clock; it does not answer yet."""
        closing = AsyncExitStack()
        starting = running(settings, Target(folder), clock_mode="virtual", starts_at=starts_at)
        return Served(await closing.enter_async_context(starting), closing, folder)

    def show(self, served: Served | None) -> Served | None:
        """Let this service answer from now on; returns the one before."""
        before, self._switch.served = self._switch.served, served
        return before

    async def end(self, served: Served) -> None:
        """Stop a service, after its last answer."""
        served.service.app.stop()
        await served.closing.aclose()

    def close(self) -> None:
        """Let no connection in any more, close those that are open, and end the thread, where it is."""
        if self.is_elsewhere:
            self._socket.close()
            return
        self.run(self._listener.close())
        self._socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError:
            # Another process has taken it meanwhile.
            listening.bind((HOST, 0))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
