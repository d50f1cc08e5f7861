"""The sockets that a server listens on, and why it cannot have one."""

from __future__ import annotations

import errno
import socket
from typing import Final

BACKLOG: Final = 2048


class CannotStart(Exception):
    """Why the server does not start, in one line."""


def _host_of(option: str) -> str:
    return option.replace("port", "host")


def _why_not_heard(error: OSError, option: str) -> str:
    """Describe the fault of a place to listen at, and the option that chooses another."""
    said = f"{error.strerror or error}."
    if isinstance(error, socket.gaierror):
        return f"{said} That name has no address: choose an address or a name of this machine with {_host_of(option)}."
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{said} That is no address of this machine: choose one that is with {_host_of(option)}."
    if error.errno == errno.EACCES:
        return f"{said} Ports below 1024 take a right of their own: choose another with {option}."
    if error.errno == errno.EADDRINUSE:
        return f"{said} Is another server running? Choose {option}."
    return f"{said} Choose {_host_of(option)} and {option}."


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Return a socket that listens; raises CannotStart, with the option that chooses another place."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise CannotStart(f"Cannot listen on {host}:{port}: {_why_not_heard(error, option)}") from None
    except UnicodeError:
        raise CannotStart(
            f"Cannot listen on {host}: that is no name of a machine. Choose {_host_of(option)}."
        ) from None
    listener.setblocking(False)
    return listener
