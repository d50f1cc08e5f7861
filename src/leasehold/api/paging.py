"""Pages: markers that stand for a place in a list, opaque to callers and bound to what was listed."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence

import msgspec

from leasehold.api.fault import Fault
from leasehold.questions import Numbered
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


def _check(seq: int, scope: str) -> int:
    return zlib.crc32(f"{scope}\n{seq}".encode())


def marker_of(seq: int, scope: str) -> str:
    """Write the place after the row with that number. ``scope`` says in which list of whose."""
    packed = seq.to_bytes(8, "big") + _check(seq, scope).to_bytes(4, "big")
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def place_of(marker: str | None, scope: str) -> int | None:
    """Read a marker; raises Fault for one that no page of this list ended with.

    What a marker opens is always the caller's own list: it is checked to catch mistakes, not attacks.
    """
    if not marker:
        return None
    try:
        packed = base64.b64decode(marker + "=" * (-len(marker) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    seq = int.from_bytes(packed[:8], "big")
    if len(packed) != 12 or packed[8:] != _check(seq, scope).to_bytes(4, "big") or seq >= 2**63:  # noqa: PLR2004
        raise Fault(
            INVALID_MARKER,
            "The marker is none that a page of this list ended with. Begin without one.",
            "marker",
        )
    return seq


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
