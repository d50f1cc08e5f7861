"""Which paths on the API's own address are calls of services, and where they arrive at a replica."""

from __future__ import annotations

from typing import Final

from leasebook.contract.routes import chat

CALLS: Final = frozenset(route.path.encode() for route in chat.CALLS)
"""POST, with ``model`` in the body."""
MODELS: Final = chat.MODELS.encode()
"""GET: the services that the key opens. With a name behind it, one of them."""
VERSION: Final = b"/v2"


def own_path(path: bytes, prefix: bytes) -> bytes | None:
    """Return the path without the prefix if it is one of these, else None. A proxy may have taken the prefix off."""
    own = path[len(prefix) :] if prefix and path.startswith(prefix + b"/") else path
    return own if own in CALLS or own == MODELS or own.startswith(MODELS + b"/") else None


def at_replica(own: bytes) -> str:
    """Return the path that a replica gets: of the same name, below ``/v1``, where servers of the OpenAI API have it."""
    return "/v1" + own[len(VERSION) :].decode("latin-1")
