"""Mail servers and mail addresses, as they are written down."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

# One address, without a name, comments or quotes: nothing that could end a header or add a receiver.
ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


class Server(msgspec.Struct, frozen=True):
    """A mail server. ``tls`` from the first byte, or ``start_tls``; neither: in the clear."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    start_tls: bool


def is_bare(server: Server) -> bool:
    """Whether a password is sent to the server in the clear, for everybody on the way to read."""
    return server.password is not None and not server.tls and not server.start_tls


def is_here(server: Server) -> bool:
    """Whether the server is this machine: a loopback address, or the name that every machine has for it."""
    try:
        return ipaddress.ip_address(server.host).is_loopback
    except ValueError:
        return server.host.rstrip(".").lower() == "localhost"


def server_of(url: str) -> Server:
    """Read ``smtp://user:password@host:port``, ``smtps://…`` or ``smtp://…?starttls``; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError
    if parts.query not in ("", "starttls") or (parts.scheme == "smtps" and parts.query):
        raise ValueError
    if (parts.username is None) != (parts.password is None):
        raise ValueError
    return Server(
        host=parts.hostname,
        port=parts.port or (465 if parts.scheme == "smtps" else 587 if parts.query else 25),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=parts.scheme == "smtps",
        start_tls=parts.query == "starttls",
    )
