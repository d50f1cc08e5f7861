"""Looking names up: each name in a thread of its own, which is counted for as long as it lasts.

The machine's resolver cannot be interrupted. In the threads that a program shares for such things, a few names whose
servers do not answer would keep every other name from being looked up, and a stopping server from its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading

from leasebook.addressing.webhook import Address


class Lookups:
    """Asks the machine's resolver. Who asks for a name that is being looked up waits for that answer."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return every address that a name stands for, or the address that it is itself; raises OSError."""
        try:
            return [ipaddress.ip_address(host.strip("[]"))]
        except ValueError:
            pass
        found = self._under_way.get(host)
        if found is None:
            found = self._begin(host, port)
        return await asyncio.shield(found)

    async def rest(self, host: str) -> None:
        """Wait until no thread looks that name up."""
        found = self._under_way.get(host)
        if found is not None:
            await asyncio.wait([found])

    def _begin(self, host: str, port: int) -> asyncio.Future[list[Address]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Address]] = loop.create_future()
        self._under_way[host] = future

        def done(found: list[Address] | Exception) -> None:
            del self._under_way[host]
            if future.cancelled():
                return
            if isinstance(found, Exception):
                future.set_exception(found)
                future.exception()  # whoever waited may have gone
            else:
                future.set_result(found)

        def work() -> None:
            found: list[Address] | Exception
            try:
                found = _asked(host, port)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                found = error
            # Where the loop has gone nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done, found)

        # A daemon: one that hangs must not keep a stopped server alive.
        threading.Thread(target=work, name=f"look up {host}", daemon=True).start()
        return future


def _asked(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A link-local address comes with its interface, which no check needs.
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
