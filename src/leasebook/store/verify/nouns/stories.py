"""Stories of instances: their events, collected from pages that have all accounts' events in their order.

Everything is read once, for any number of instances: each line about an instance goes to one of several temporary
files, and only one of these files is in memory at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final
from zlib import crc32

import msgspec

from leasebook.domain.record.event import (
    BILLING_CHANGED,
    BILLING_CHANGING,
    BOUGHT,
    RELEASE_CLEARED,
    RELEASE_MOVED,
    REMINDED,
    RENEWED,
    RESUMED,
    RUNNING,
    STOPPED,
    STORY,
    Event,
)
from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import MINUTE_US, Instant

UNITS_AT_ONCE: Final = 100_000
"""Approximate number of instances that share a file. Their stories take some 100 MB of memory."""
SPOOL_BYTES: Final = 1 << 20
"""Upper bound of a file in memory, in bytes: a small store is checked without files on the disk."""

WHOLE: Final = (
    *STORY,
    *("created_at", "created_by", "region", "type", "order_id", "started_at"),
    *("ended_at", "end_reason", "released_at", "charged", "failure"),
)
"""The columns of an instance's row that events report."""
BESIDES: Final = ("extensions", "meter_from", "reminded_at")
"""Columns that are compared with values computed from events."""

Fields = dict[str, Any]


class _Line(msgspec.Struct, array_like=True):
    """A line about one instance: the fields that a page reports; without ``reported``, an entry of the page index.

    Without a page it is the instance's row: number ``seq``, of that account.
    """

    unit_id: str
    page: int | None
    reported: Fields | None
    account_id: str | None = None
    seq: int = 0
    at: int | None = None
    type: str = ""


class Story(msgspec.Struct):
    """An instance: its fields by all events together, the pages that have them, and the pages in its index.

    ``bought_by`` is the account that bought it by these events. Without a ``row`` there are only events.
    """

    unit_id: str
    reported: Fields = {}
    reported_on: set[int] = msgspec.field(default_factory=set)
    listed_on: set[int] = msgspec.field(default_factory=set)
    bought_by: str | None = None
    row: Fields | None = None
    account_id: str | None = None
    seq: int = 0
    extensions: int = 0
    counts_extensions: bool = True
    """Whether its events show how often its life was extended."""
    metered_from: int | None = None
    paid_until: int | None = None
    """Since it stopped: the end of the minute in which it stopped."""
    reminded_at: int | None = None

    def besides(self) -> Fields:
        """Return the values computed from its events, by the columns that must equal them; None: unknown."""
        return {"extensions": self.extensions, "meter_from": self.metered_from, "reminded_at": self.reminded_at}


_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder(_Line).decode


class Stories:
    """Collects events, rows and index entries, in any order of instances, into one story for each instance."""

    def __init__(self, units: int) -> None:
        # Closed with this object, or earlier after their stories were yielded.
        self._files: list[IO[bytes]] = [
            tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115
            for _ in range(1 + units // UNITS_AT_ONCE)
        ]

    def close(self) -> None:
        """Close the files, even after an error."""
        for file in self._files:
            file.close()

    def tell(self, page: int, account: str, event: Event) -> None:
        """Take an event from a page of an account's events."""
        if event.unit_id is None:
            return
        reported: Fields = {name: event.data[name] for name in STORY if name in event.data}
        bought_by = None
        if event.type == BOUGHT:
            # A field that the purchase does not report is None in the instance.
            reported, bought_by = dict.fromkeys(STORY) | reported, account
        reported |= _more(event)
        self._add(_Line(event.unit_id, page, reported, bought_by, 0, event.at, event.type))

    def listed(self, unit_id: str, page: int) -> None:
        """Take an entry of the page index: the page is listed as having events of the instance."""
        self._add(_Line(unit_id, page, None))

    def row(self, unit_id: str, account: str, seq: int, values: Sequence[Any]) -> None:
        """Take the row of an instance: its number, and the values of ``WHOLE`` and ``BESIDES``."""
        self._add(_Line(unit_id, None, dict(zip((*WHOLE, *BESIDES), values, strict=True)), account, seq))

    def _add(self, line: _Line) -> None:
        self._files[crc32(line.unit_id.encode()) % len(self._files)].write(_write(line) + b"\n")

    def stories(self) -> Iterator[Story]:
        """Yield the story of each instance, once."""
        for file in self._files:
            file.seek(0)
            found: dict[str, Story] = {}
            for text in file:
                line = _read(text)
                story = found.get(line.unit_id)
                if story is None:
                    story = found[line.unit_id] = Story(line.unit_id)
                _put(story, line)
            file.close()
            yield from found.values()


def _more(event: Event) -> Fields:
    """Return further fields that an event reports: some columns are its time, and some are values in it."""
    at, data = event.at, event.data
    match event.type:
        case "unit.bought":
            reported = {"created_at": at, "region": data.get("region"), "type": data.get("type")}
            reported |= {"order_id": data.get("orderId"), "failure": None}
            return reported if event.user_id is None else reported | {"created_by": event.user_id}
        case "unit.running":
            return {"started_at": at}
        case "unit.releasing":
            return {"ended_at": data.get("endedAt"), "end_reason": data.get("reason"), "charged": data.get("charged")}
        case "unit.released":
            return {"released_at": at}
        case "unit.createFailed" | "unit.resizeFailed":
            return {"failure": data.get("failure")}
        case "unit.resizing" | "unit.resized":
            return {"failure": None}
        case _:
            return {}


def _reckon(story: Story, line: _Line, reported: Fields) -> None:
    """Compute the fields that no event reports directly, before the event becomes part of the story."""
    if line.type in (RUNNING, RESUMED, BILLING_CHANGED) and line.at is not None:
        # An instance that runs again within the minute in which it stopped keeps its meter (decision 28).
        if line.type == BILLING_CHANGED or story.paid_until is None or line.at >= story.paid_until:
            story.metered_from = line.at
        story.paid_until = None
    elif line.type == STOPPED and story.metered_from is not None and line.at is not None:
        begun = minutes_started(Instant(story.metered_from), Instant(line.at))
        story.paid_until = story.metered_from + begun * MINUTE_US
    if (
        line.type == BILLING_CHANGED
        and story.reported.get("release_at") is not None
        and reported.get("release_at", 0) is None
    ):
        # An instance that becomes prepaid gives up its release time, and that counts as an extension (decision 29).
        story.extensions += 1
    elif line.type == BILLING_CHANGING:
        # No event shows yet whether a release time follows, which decides whether this counts.
        story.counts_extensions = story.counts_extensions and not story.extensions
    elif line.type == RENEWED:
        story.extensions += story.extensions > 0
    if line.type == REMINDED:
        story.reminded_at = line.at
    elif line.type == RELEASE_CLEARED:
        story.extensions += 1
    elif line.type == RELEASE_MOVED:
        was, now = story.reported.get("release_at"), reported.get("release_at")
        story.extensions += isinstance(was, int) and isinstance(now, int) and now > was


def _put(story: Story, line: _Line) -> None:
    if line.page is None:
        story.row, story.account_id, story.seq = line.reported, line.account_id, line.seq
    elif line.reported is None:
        story.listed_on.add(line.page)
    else:
        story.reported_on.add(line.page)
        _reckon(story, line, line.reported)
        story.reported = {**story.reported, **line.reported}
        story.bought_by = line.account_id or story.bought_by
