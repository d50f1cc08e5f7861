"""The guard: while a kit is started, clients of the service reach the kit and nothing else.

Two nets, both in this process only:

- Any code: to look up a name of the public cloud (``CLOUD``) raises ReachedElsewhere.
- Code of the clients (``CLIENTS``, found on the stack): to connect to any other place than a kit's raises it, too.

Not caught: other processes; connections that C code opens (uvloop, libcurl); an address in digits that other code than
a client's connects to, or a client's library in a task of its own, where the client is not on the stack.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any, Final

CLOUD: Final = ("baidubce.com", "bce.baidu.com", "bcebos.com")
"""The public cloud's domains: names that end so are never looked up."""
CLIENTS: Final = ("qianfan", "baidubce", "leasebook.client")
"""The packages of the clients that may call the kit only."""


class ReachedElsewhere(AssertionError):
    """A client was about to call another place than the kit; the message names it."""


class _SocketWatch:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allowed: list[tuple[str, int]] = []
        self._connect = socket.socket.connect
        self._connect_ex = socket.socket.connect_ex
        self._look_up = socket.getaddrinfo

    def add(self, place: tuple[str, int]) -> None:
        with self._lock:
            self._allowed.append(place)
            if len(self._allowed) == 1:
                self._install()

    def remove(self, place: tuple[str, int]) -> None:
        with self._lock:
            self._allowed.remove(place)
            if not self._allowed:
                self._uninstall()

    def _install(self) -> None:
        self._connect, self._connect_ex = socket.socket.connect, socket.socket.connect_ex
        self._look_up = socket.getaddrinfo
        before, before_ex, look_up = self._connect, self._connect_ex, self._look_up

        def connect(own: socket.socket, address: Any) -> None:
            self.check(own, address)
            before(own, address)

        def connect_ex(own: socket.socket, address: Any) -> int:
            self.check(own, address)
            return before_ex(own, address)

        def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
            self.check_name(host)
            return look_up(host, *more, **named)

        socket.socket.connect = connect  # type: ignore[assignment, method-assign]
        socket.socket.connect_ex = connect_ex  # type: ignore[assignment, method-assign]
        socket.getaddrinfo = getaddrinfo

    def _uninstall(self) -> None:
        socket.socket.connect = self._connect  # type: ignore[method-assign]
        socket.socket.connect_ex = self._connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = self._look_up

    def check(self, own: socket.socket, address: Any) -> None:
        if own.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return
        host, port = address[:2]
        if (host, port) in self._allowed:
            return
        # The library that opened it does not close it for an error that is no OSError.
        try:
            self.check_name(host)
        except ReachedElsewhere:
            own.close()
            raise
        if not (client := _client_on_stack()):
            return
        own.close()
        raise ReachedElsewhere(
            f"The client {client} was about to connect to {host}:{port}, and not to the service of the test kit "
            f"({self._places()}). It has another address than the environment gives: make the client after the kit has "
            "started, and give it no address of its own."
        )

    def check_name(self, host: Any) -> None:
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(text, str):
            return
        name = text.lower().rstrip(".")
        if any(name == domain or name.endswith(f".{domain}") for domain in CLOUD):
            raise ReachedElsewhere(
                f"This test was about to call the public cloud at {text}, and not the service of the test kit "
                f"({self._places()}). The client has read its address before the kit has started, or does not read it "
                "from the environment."
            )

    def _places(self) -> str:
        return ", ".join(f"http://{host}:{port}" for host, port in self._allowed)


_WATCH: Final = _SocketWatch()


def _client_on_stack() -> str:
    """Return the client whose code is on the stack, or nothing."""
    frame = sys._getframe(1)  # noqa: SLF001
    found: Any = frame
    while found is not None:
        module = found.f_globals.get("__name__", "")
        for client in CLIENTS:
            if module == client or module.startswith(f"{client}."):
                return client
        found = found.f_back
    return ""


def allow(place: tuple[str, int]) -> None:
    """Guard from now on, and let clients reach this place: a host and a port."""
    _WATCH.add(place)


def forget(place: tuple[str, int]) -> None:
    """Undo one ``allow``; the last one takes the guard away."""
    _WATCH.remove(place)
