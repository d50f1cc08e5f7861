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

from leasebook.domain.model.resource.project import stored_project
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

UNITS_AT_ONCE: Final = 8_000
"""Approximate number of instances that share a file. Their stories take some 10 MB of memory."""
FILES_MAX: Final = 256
"""Upper bound of files, because a process may open 1,024. Only beyond two million instances do more share a file."""
SPOOL_BYTES: Final = 1 << 23
"""Upper bound of all files together in memory, in bytes: a small store is checked without files on the disk."""

WHOLE: Final = (
    *STORY,
    *("created_at", "created_by", "region", "type", "order_id", "started_at"),
    *("ended_at", "end_reason", "released_at", "charged", "failure", "project_id"),
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


class StoredRow(msgspec.Struct, frozen=True):
    """The row of an instance: its number, its account, and its values by column."""

    seq: int
    account_id: str | None
    values: Fields


class Tally(msgspec.Struct):
    """The values that follow from all events of an instance together, and from none of them alone."""

    extensions: int = 0
    counts_extensions: bool = True
    """Whether its events tell how often it was made to live longer."""
    metered_from: int | None = None
    paid_until: int | None = None
    """Since it stopped: when the minute ends that was begun then."""
    reminded_at: int | None = None

    def columns(self) -> Fields:
        """Return the values by the columns that must have them. A column may have any value where it is None."""
        return {"extensions": self.extensions, "meter_from": self.metered_from, "reminded_at": self.reminded_at}

    def add(self, type: str, at: int | None, before: Fields, reported: Fields) -> None:  # noqa: A002
        """Take one more event. ``before`` is the instance as it was, ``reported`` the columns that it changes."""
        if type in (RUNNING, RESUMED, BILLING_CHANGED) and at is not None:
            # Back within the minute in which it stopped, it goes on with the same meter (decision 28).
            if type == BILLING_CHANGED or self.paid_until is None or at >= self.paid_until:
                self.metered_from = at
            self.paid_until = None
        elif type == STOPPED and self.metered_from is not None and at is not None:
            begun = minutes_started(Instant(self.metered_from), Instant(at))
            self.paid_until = self.metered_from + begun * MINUTE_US
        if type == BILLING_CHANGED and before.get("release_at") is not None and reported.get("release_at", 0) is None:
            # A prepaid instance gives its release time up, and that counts as a move to later (decision 29).
            self.extensions += 1
        elif type == BILLING_CHANGING:
            # Whether a release time follows, and with it whether this counts, no event tells yet.
            self.counts_extensions = self.counts_extensions and not self.extensions
        elif type == RENEWED:
            self.extensions += self.extensions > 0
        if type == REMINDED:
            self.reminded_at = at
        elif type == RELEASE_CLEARED:
            self.extensions += 1
        elif type == RELEASE_MOVED:
            was, now = before.get("release_at"), reported.get("release_at")
            self.extensions += isinstance(was, int) and isinstance(now, int) and now > was


class Story(msgspec.Struct):
    """An instance: its fields by all events together, the pages that have them, and the pages in its index.

    ``bought_by`` is the account that bought it by these events. Without a ``row`` there are only events.
    """

    unit_id: str
    reported: Fields = {}
    reported_on: set[int] = msgspec.field(default_factory=set)
    listed_on: set[int] = msgspec.field(default_factory=set)
    bought_by: str | None = None
    row: StoredRow | None = None
    tally: Tally = msgspec.field(default_factory=Tally)


_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder(_Line).decode


class Stories:
    """Collects events, rows and index entries, in any order of instances, into one story for each instance."""

    def __init__(self, units: int) -> None:
        count = min(FILES_MAX, 1 + units // UNITS_AT_ONCE)
        # Closed with this object, or earlier after their stories were yielded.
        self._files: list[IO[bytes]] = [
            tempfile.SpooledTemporaryFile(max(1, SPOOL_BYTES // count))  # noqa: SIM115
            for _ in range(count)
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
            reported |= {"order_id": data.get("orderId"), "failure": None, "project_id": data.get("projectId")}
            return reported if event.user_id is None else reported | {"created_by": event.user_id}
        case "resource.moved":
            return {"project_id": stored_project(data.get("projectId"))}
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


def _put(story: Story, line: _Line) -> None:
    if line.page is None:
        story.row = None if line.reported is None else StoredRow(line.seq, line.account_id, line.reported)
    elif line.reported is None:
        story.listed_on.add(line.page)
    else:
        story.reported_on.add(line.page)
        story.tally.add(line.type, line.at, story.reported, line.reported)
        story.reported = {**story.reported, **line.reported}
        story.bought_by = line.account_id or story.bought_by
