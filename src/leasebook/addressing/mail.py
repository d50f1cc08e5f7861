"""Mail servers and mail addresses, as they are written down."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

from leasebook.addressing.host_port import place_of, unescaped

# One address, without a name, comments or quotes: nothing that could end a header or add a receiver.
ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_URL: Final = re.compile(r"(smtps?)://(?:([^/?#]*)@)?([^@/?#]*)/?(?:\?([^#]*))?")


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


def address_of(text: str) -> str:
    """Return a mail address as it is; raises ValueError."""
    if not ADDRESS.fullmatch(text):
        raise ValueError
    return text


def server_of(url: str) -> Server:
    """Read ``smtp://user:password@host:port``, ``smtps://…`` or ``smtp://…?starttls``.

    Raises ValueError with the reason. Its message contains nothing of the address, which may have a password.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("it has no path, and a /, ? or # before its @ is %2F, %3F or %23")
    scheme, login, place, query = found.groups()
    if query not in (None, "", "starttls") or (scheme == "smtps" and query):
        raise ValueError("only starttls may follow its ?, and only with smtp://")
    user, colon, password = (login or "").partition(":")
    if login is not None and not (user and colon):
        raise ValueError("before its @ stand a user and a password")
    host, port = place_of(place)
    return Server(
        host=host,
        port=port or (465 if scheme == "smtps" else 587 if query else 25),
        user=None if login is None else unescaped(user),
        password=None if login is None else unescaped(password),
        tls=scheme == "smtps",
        start_tls=query == "starttls",
    )
