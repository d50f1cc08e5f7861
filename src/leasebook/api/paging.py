"""Pages: markers that stand for a place in a list, opaque to callers and bound to what was listed."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from leasebook.api.fault import Fault
from leasebook.contract.errors import INVALID_MARKER
from leasebook.contract.shapes import PagedRequest, PageInfo
from leasebook.ports.queries.deliveries import DeliveryPlace
from leasebook.ports.queries.read_repository import EventPlace, Numbered, Place

T = TypeVar("T")


class Size(msgspec.Struct, frozen=True):
    """The number of rows of a page: the default, and the greatest that a caller may ask for."""

    default: int
    most: int

    def of(self, asked: int | None) -> int:
        """Return how many rows this page has."""
        return min(asked or self.default, self.most)


DOCUMENTED = Size(10, 100)
"""For the lists of the documents."""
OWN = Size(100, 1000)
"""For our own lists."""


WHOLE = Size(1000, 1000)
"""For lists that had no pages at first: a client that knows of none still gets up to 1000 rows."""


def marker_of(place: int | Sequence[int | str] | str, scope: str) -> str:
    """Write the place after a row: its number, or moment and number, or id. ``scope`` says in which list of whose."""
    packed = _json(place)
    return base64.urlsafe_b64encode(packed + _check(packed, scope)).decode().rstrip("=")


def _check(packed: bytes, scope: str) -> bytes:
    return zlib.crc32(scope.encode() + b"\n" + packed).to_bytes(4, "big")


def _read(marker: str | None, scope: str) -> bytes | None:
    """Read a marker; raises Fault if no page of this list ended with it.

    A marker only ever leads into the caller's own list. The check is against mistakes, not attacks.
    """
    if not marker:
        return None
    try:
        packed = base64.b64decode(marker + "=" * (-len(marker) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    if not packed[:-4] or packed[-4:] != _check(packed[:-4], scope):
        raise unknown_marker()
    return packed[:-4]


def unknown_marker() -> Fault:
    """Return the refusal of a marker that no page of the list ended with."""
    return Fault(INVALID_MARKER, "The marker is none that a page of this list ended with. Begin without one.", "marker")


def _unpacked(marker: str | None, scope: str, form: type[T]) -> T | None:
    """Read a marker whose place has a form; raises Fault. Anybody can pack another form: the check is no secret."""
    packed = _read(marker, scope)
    if packed is None:
        return None
    try:
        place = msgspec.json.decode(packed, type=form)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        raise unknown_marker() from None
    if not all(_can_be_stored(one) for one in (place if isinstance(place, (list, tuple)) else (place,))):
        raise unknown_marker()
    return place


def _can_be_stored(one: object) -> bool:
    """Whether a part of a place is a number or a text that either store takes as a parameter."""
    return (isinstance(one, int) and abs(one) < 2**63) or (isinstance(one, str) and "\0" not in one)


def place_of(marker: str | None, scope: str) -> int | None:
    """Read a marker of a list by number; raises Fault."""
    return _unpacked(marker, scope, int)


class Start(msgspec.Struct, frozen=True):
    """Where a page begins: after a place, or after the row with an id."""

    place: int | None
    row_id: str | None = None

    def after(self, place_of_row: Callable[[str], int | None]) -> int | None:
        """Return the place after which the page begins; None: at the first row. Raises Fault for an unknown id."""
        if self.row_id is None:
            return self.place
        found = place_of_row(self.row_id)
        if found is None:
            raise unknown_marker()
        return found


def start_of(marker: str | None, scope: str) -> Start:
    """Read a marker of a documented list: our own, or the id of a row, as the documents' samples have it."""
    try:
        return Start(place_of(marker, scope))
    except Fault:
        return Start(None, marker)


def moment_of(marker: str | None, scope: str) -> Place | None:
    """Read a marker of a list by time; raises Fault."""
    return _unpacked(marker, scope, Place)


def event_of(marker: str | None, scope: str) -> EventPlace | None:
    """Read a marker of a list of events; raises Fault."""
    return _unpacked(marker, scope, EventPlace)


def delivery_of(marker: str | None, scope: str) -> DeliveryPlace | None:
    """Read a marker of a list of deliveries; raises Fault."""
    return _unpacked(marker, scope, DeliveryPlace)


def id_of(marker: str | None, scope: str) -> str | None:
    """Read a marker of a list by id; raises Fault."""
    return _unpacked(marker, scope, str)


def key_of(marker: str | None, scope: str) -> list[Any] | None:
    """Read a marker of a list by a key of several parts; raises Fault."""
    return _unpacked(marker, scope, list[Any])


def user_of(marker: str | None, scope: str) -> tuple[int, str] | None:
    """Read a marker of a list of users, by the moment and the id of each; raises Fault."""
    return _unpacked(marker, scope, tuple[int, str])


_json = msgspec.json.Encoder().encode


def ends(asked: PagedRequest, size: int, next_marker: str | None) -> dict[str, Any]:
    """Return the fields of ``Paged``: none if the list is complete and the caller asked for no page."""
    if asked.marker is None and asked.max_keys is None and next_marker is None:
        return {}
    return {
        "page_info": page_info(asked.marker, size, next_marker),
        "is_truncated": next_marker is not None,
        "max_keys": size,
        "next_marker": next_marker,
    }


def page_info(marker: str | None, size: int, next_marker: str | None) -> PageInfo:
    """Return the facts about a page in the form that the documents have."""
    return PageInfo(marker=marker or "", max_keys=size, is_truncated=next_marker is not None, next_marker=next_marker)


def part(
    rows: Iterable[T],
    key: Callable[[T], Sequence[Any]],
    asked: PagedRequest,
    scope: str,
    *,
    row_id: Callable[[T], str] | None = None,
    left: Sequence[Any] | None = None,
) -> tuple[list[T], dict[str, Any]]:
    """Cut a page out of rows that are sorted by a key; returns it, and what it says of itself. Raises Fault.

    With ``row_id`` the marker may also be the id of the row before the page. ``left`` is the key of the row that the
    marker is the id of, for a row that has left the list since the page that it ended.
    """
    rows, size = list(rows), WHOLE.of(asked.max_keys)
    try:
        after = key_of(asked.marker, scope)
    except Fault:
        after = None if row_id is None else next((list(key(row)) for row in rows if row_id(row) == asked.marker), None)
        after = after or (None if left is None else list(left))
        if after is None:
            raise
    try:
        later = [row for row in rows if after is None or list(key(row)) > after]
    except TypeError:
        raise unknown_marker() from None
    more = marker_of(list(key(later[size - 1])), scope) if len(later) > size else None
    return later[:size], ends(asked, size, more)


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
