"""Stories of instances, put together from events that lie in the order in which they happened to everybody.

Everything is read once, whatever the number of instances: what is known of an instance goes to one of several temporary
files, line by line, and only one of these files is in memory at a time.
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
"""About so many instances share a file. Their stories take some 100 MB of memory."""
SPOOL_BYTES: Final = 1 << 20
"""What fits into so much stays in memory: a small store is proved without a file."""

WHOLE: Final = (
    *STORY,
    *("created_at", "created_by", "region", "type", "order_id", "started_at"),
    *("ended_at", "end_reason", "released_at", "charged", "failure"),
)
"""What events tell of an instance, by the columns of its row."""
BESIDES: Final = ("extensions", "meter_from", "reminded_at")
"""Columns that are compared with what is reckoned from events."""

Told = dict[str, Any]


class _Line(msgspec.Struct, array_like=True):
    """Of one instance: what a page of events tells of it; without ``told``, that the page is listed under it.

    Where there is no page it is the row: number ``seq``, of that account.
    """

    unit_id: str
    page: int | None
    told: Told | None
    account_id: str | None = None
    seq: int = 0
    at: int | None = None
    type: str = ""


class Story(msgspec.Struct):
    """An instance: what all events together tell of it, from which pages, and which are listed under it.

    ``bought_by`` is the account that bought it by these events. Without a ``row`` there are only events.
    """

    unit_id: str
    told: Told = {}
    told_on: set[int] = msgspec.field(default_factory=set)
    listed_on: set[int] = msgspec.field(default_factory=set)
    bought_by: str | None = None
    row: Told | None = None
    account_id: str | None = None
    seq: int = 0
    extensions: int = 0
    counts_extensions: bool = True
    """Whether its events tell how often it was made to live longer."""
    metered_from: int | None = None
    paid_until: int | None = None
    """Since it stopped: when the minute ends that was begun then."""
    reminded_at: int | None = None

    def besides(self) -> Told:
        """Return what is reckoned from its events, by the columns that must say so; None: that is nobody's to say."""
        return {"extensions": self.extensions, "meter_from": self.metered_from, "reminded_at": self.reminded_at}


_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder(_Line).decode


class Stories:
    """Takes events, rows and lists in any order of instances, events of each in their order, and gives stories."""

    def __init__(self, units: int) -> None:
        # They are closed with this, or earlier, when their stories were given.
        self._files: list[IO[bytes]] = [
            tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115
            for _ in range(1 + units // UNITS_AT_ONCE)
        ]

    def close(self) -> None:
        """Let go of the files, also where something broke on the way."""
        for file in self._files:
            file.close()

    def tell(self, page: int, account: str, event: Event) -> None:
        """Take an event from a page of an account's."""
        if event.unit_id is None:
            return
        told: Told = {name: event.data[name] for name in STORY if name in event.data}
        bought_by = None
        if event.type == BOUGHT:
            # What a purchase does not tell the instance does not have.
            told, bought_by = dict.fromkeys(STORY) | told, account
        told |= _more(event)
        self._add(_Line(event.unit_id, page, told, bought_by, 0, event.at, event.type))

    def listed(self, unit_id: str, page: int) -> None:
        """Take note that a page is listed as one that tells of an instance."""
        self._add(_Line(unit_id, page, None))

    def row(self, unit_id: str, account: str, seq: int, values: Sequence[Any]) -> None:
        """Take the row of an instance: its number, and the values of ``WHOLE`` and ``BESIDES``."""
        self._add(_Line(unit_id, None, dict(zip((*WHOLE, *BESIDES), values, strict=True)), account, seq))

    def _add(self, line: _Line) -> None:
        self._files[crc32(line.unit_id.encode()) % len(self._files)].write(_write(line) + b"\n")

    def stories(self) -> Iterator[Story]:
        """Return the story of each instance of which anything is known, once."""
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


def _more(event: Event) -> Told:
    """Return what an event tells besides: when it was tells of some columns, and of some what stands in it."""
    at, data = event.at, event.data
    match event.type:
        case "unit.bought":
            told = {"created_at": at, "region": data.get("region"), "type": data.get("type")}
            told |= {"order_id": data.get("orderId"), "failure": None}
            return told if event.user_id is None else told | {"created_by": event.user_id}
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


def _reckon(story: Story, line: _Line, told: Told) -> None:
    """Reckon what no event tells by itself, before the event is part of the story."""
    if line.type in (RUNNING, RESUMED, BILLING_CHANGED) and line.at is not None:
        # Back within the minute in which it stopped, it goes on with the same meter (decision 28).
        if line.type == BILLING_CHANGED or story.paid_until is None or line.at >= story.paid_until:
            story.metered_from = line.at
        story.paid_until = None
    elif line.type == STOPPED and story.metered_from is not None and line.at is not None:
        begun = minutes_started(Instant(story.metered_from), Instant(line.at))
        story.paid_until = story.metered_from + begun * MINUTE_US
    if line.type == BILLING_CHANGED and story.told.get("release_at") is not None and told.get("release_at", 0) is None:
        # What is paid in advance gives its release time up, and that counts as a move to later (decision 29).
        story.extensions += 1
    elif line.type == BILLING_CHANGING:
        # Whether a release time follows, and with it whether this counts, no event tells yet.
        story.counts_extensions = story.counts_extensions and not story.extensions
    elif line.type == RENEWED:
        story.extensions += story.extensions > 0
    if line.type == REMINDED:
        story.reminded_at = line.at
    elif line.type == RELEASE_CLEARED:
        story.extensions += 1
    elif line.type == RELEASE_MOVED:
        was, now = story.told.get("release_at"), told.get("release_at")
        story.extensions += isinstance(was, int) and isinstance(now, int) and now > was


def _put(story: Story, line: _Line) -> None:
    if line.page is None:
        story.row, story.account_id, story.seq = line.told, line.account_id, line.seq
    elif line.told is None:
        story.listed_on.add(line.page)
    else:
        story.told_on.add(line.page)
        _reckon(story, line, line.told)
        story.told = {**story.told, **line.told}
        story.bought_by = line.account_id or story.bought_by
