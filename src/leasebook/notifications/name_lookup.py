"""Name lookups: each in a thread of its own, which counts as in progress until it ends.

The machine's resolver cannot be interrupted. In a shared thread pool, a few names whose servers do not answer would
block all other lookups, and would keep a stopping server alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading

from leasebook.addressing.webhook import Address


class Lookups:
    """Asks the machine's resolver. A second lookup of a name waits for the answer of the first."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return every address of a host name; an address is returned as it is. Raises OSError."""
        try:
            return [ipaddress.ip_address(host.strip("[]"))]
        except ValueError:
            pass
        found = self._under_way.get(host)
        if found is None:
            found = self._begin(host, port)
        return await asyncio.shield(found)

    async def rest(self, host: str) -> None:
        """Wait until the lookup of a name has ended."""
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
                future.exception()  # The caller may have gone; asyncio would log an exception that is never read.
            else:
                future.set_result(found)

        def work() -> None:
            found: list[Address] | Exception
            try:
                found = _asked(host, port)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                found = error
            # The loop may be closed; then no caller waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done, found)

        # A daemon: one that hangs must not keep a stopped server alive.
        threading.Thread(target=work, name=f"look up {host}", daemon=True).start()
        return future


def _asked(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A link-local address comes with its interface, which no check needs.
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
