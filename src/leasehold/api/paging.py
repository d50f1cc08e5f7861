"""Pages: markers that stand for a place in a list, opaque to callers and bound to what was listed."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence

import msgspec

from leasehold.api.fault import Fault
from leasehold.questions import DeliveryPlace, EventPlace, Numbered, Place
from leasehold.wire.errors import INVALID_MARKER


class Size(msgspec.Struct, frozen=True):
    """How many rows a page has where nobody asks, and at most."""

    default: int
    most: int

    def of(self, asked: int | None) -> int:
        """Return how many rows this page has."""
        return min(asked or self.default, self.most)


DOCUMENTED = Size(10, 100)
"""For the lists of the documents."""
OWN = Size(100, 1000)
"""For our own lists."""


def marker_of(place: int | tuple[int, int] | tuple[int, int, str] | str, scope: str) -> str:
    """Write the place after a row: its number, or moment and number, or id. ``scope`` says in which list of whose."""
    packed = _json(place)
    return base64.urlsafe_b64encode(packed + _check(packed, scope)).decode().rstrip("=")


def _check(packed: bytes, scope: str) -> bytes:
    return zlib.crc32(scope.encode() + b"\n" + packed).to_bytes(4, "big")


def _read(marker: str | None, scope: str) -> bytes | None:
    """Read a marker; raises Fault for one that no page of this list ended with.

    What a marker opens is always the caller's own list: it is checked to catch mistakes, not attacks.
    """
    if not marker:
        return None
    try:
        packed = base64.b64decode(marker + "=" * (-len(marker) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    if not packed[:-4] or packed[-4:] != _check(packed[:-4], scope):
        raise Fault(
            INVALID_MARKER,
            "The marker is none that a page of this list ended with. Begin without one.",
            "marker",
        )
    return packed[:-4]


def place_of(marker: str | None, scope: str) -> int | None:
    """Read a marker of a list by number; raises Fault."""
    packed = _read(marker, scope)
    return None if packed is None else msgspec.json.decode(packed, type=int)


def moment_of(marker: str | None, scope: str) -> Place | None:
    """Read a marker of a list by time; raises Fault."""
    packed = _read(marker, scope)
    return None if packed is None else msgspec.json.decode(packed, type=Place)


def event_of(marker: str | None, scope: str) -> EventPlace | None:
    """Read a marker of a list of events; raises Fault."""
    packed = _read(marker, scope)
    return None if packed is None else msgspec.json.decode(packed, type=EventPlace)


def delivery_of(marker: str | None, scope: str) -> DeliveryPlace | None:
    """Read a marker of a list of deliveries; raises Fault."""
    packed = _read(marker, scope)
    return None if packed is None else msgspec.json.decode(packed, type=DeliveryPlace)


def id_of(marker: str | None, scope: str) -> str | None:
    """Read a marker of a list by id; raises Fault."""
    packed = _read(marker, scope)
    return None if packed is None else msgspec.json.decode(packed, type=str)


_json = msgspec.json.Encoder().encode


class Page(msgspec.Struct, frozen=True):
    """One page, and where the next one begins."""

    rows: Sequence[Numbered]
    size: int
    next_marker: str | None

    @property
    def is_truncated(self) -> bool:
        """Whether more rows follow."""
        return self.next_marker is not None


def cut(found: Sequence[Numbered], size: int, scope: str) -> Page:
    """Make a page of what was found when one row more than a page was looked for."""
    rows = found[:size]
    return Page(rows, size, marker_of(rows[-1].seq, scope) if len(found) > size else None)
