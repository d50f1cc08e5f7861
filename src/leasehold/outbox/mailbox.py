"""Mail servers and mail addresses, as they are written down."""

from __future__ import annotations

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
