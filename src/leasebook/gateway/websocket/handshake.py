"""The agreement on a WebSocket (RFC 6455, 4): what a caller asks for, and whether a replica answered that."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from hashlib import sha1
from typing import Final, NamedTuple

from leasebook.gateway.headers import Pairs, has_body, value_of
from leasebook.gateway.response_check import BadAnswer, check_headers, sent_back, shown

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
DEFLATE: Final = b"permessage-deflate"
"""The one extension that changes no more of a frame than one bit; others are not offered to replicas."""
OWN: Final = b"sec-websocket-"


class BadHandshake(Exception):
    """The caller asks for no WebSocket that there could be; the message says why."""


class Offer(NamedTuple):
    """The WebSocket that a caller asks for."""

    key: bytes
    protocols: tuple[bytes, ...]
    extensions: tuple[bytes, ...]

    def headers(self) -> list[tuple[str, str]]:
        """Write the headers that ask a replica for it."""
        asked = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", self.key.decode()),
        ]
        if self.protocols:
            asked.append(("Sec-WebSocket-Protocol", b", ".join(self.protocols).decode()))
        if self.extensions:
            asked.append(("Sec-WebSocket-Extensions", b", ".join(self.extensions).decode("latin-1")))
        return asked

    def accepted(self, given: Sequence[tuple[bytes, bytes]], request_id: str, *, size_max: int) -> Accepted:
        """Return what the caller gets of a replica's 101; raises BadAnswer where that answers something else."""
        headers = check_headers(given, size_max=size_max)
        upgrade = [value.strip().lower() for name, value in headers if name == b"upgrade"]
        connection = [word.strip().lower() for word in _list(headers, b"connection")]
        if upgrade != [b"websocket"] or b"upgrade" not in connection:
            raise BadAnswer("it switches to something else than a WebSocket")
        if _list(headers, OWN + b"accept") != [accept_of(self.key)]:
            raise BadAnswer("it does not say Sec-WebSocket-Accept as a WebSocket server does")
        protocols = _list(headers, OWN + b"protocol")
        if len(protocols) > 1 or not set(protocols) <= set(self.protocols):
            raise BadAnswer(f"it chose a subprotocol that was not offered: {shown(b', '.join(protocols))}")
        extensions = _list(headers, OWN + b"extensions")
        if extensions and (len(extensions) > 1 or not self.extensions or _name(extensions[0]) != DEFLATE):
            raise BadAnswer(f"it chose an extension that was not offered: {shown(b', '.join(extensions))}")
        rest = [(name, value) for name, value in headers if not name.startswith(OWN) and name != b"content-length"]
        kept = sent_back(200, rest, request_id, size_max=size_max)
        said = [(OWN + b"accept", accept_of(self.key))]
        said += [(OWN + b"protocol", one) for one in protocols]
        said += [(OWN + b"extensions", one) for one in extensions]
        return Accepted([*kept, *said], bool(extensions))


class Accepted(NamedTuple):
    """The headers of the answer 101, and whether messages may be compressed."""

    headers: list[tuple[bytes, bytes]]
    deflated: bool


def accept_of(key: bytes) -> bytes:
    """Return what proves that a server has read the key as a WebSocket server does."""
    return base64.b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest())


def offer_of(headers: Pairs) -> Offer:
    """Read what a caller asks for; raises BadHandshake."""
    if has_body(headers):
        raise BadHandshake("A request for a WebSocket has no body.")
    if (version := value_of(headers, OWN + b"version")) != b"13":
        raise BadHandshake(f"Sec-WebSocket-Version has to be 13, not {shown(version or b'')}.")
    keys = [value.strip() for name, value in headers if name == OWN + b"key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise BadHandshake("Sec-WebSocket-Key has to be there once, 16 bytes in base64.")
    protocols = _list(headers, OWN + b"protocol")
    if not all(_TOKEN.fullmatch(one) for one in protocols):
        raise BadHandshake("Sec-WebSocket-Protocol has to be a list of names with commas between.")
    extensions = [one for one in _list(headers, OWN + b"extensions") if _name(one) == DEFLATE]
    return Offer(keys[0], tuple(protocols), tuple(extensions))


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def _list(headers: Pairs, name: bytes) -> list[bytes]:
    """Return the elements of a header that is a list."""
    words = (word.strip() for key, value in headers if key == name for word in value.split(b","))
    return [word for word in words if word]


def _name(extension: bytes) -> bytes:
    return extension.partition(b";")[0].strip().lower()
