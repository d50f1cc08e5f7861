"""Checks that names and tags are what their events say, so that a row that is gone is found too.

Each event of a change has the name and the tags of before and after. The digests of all that came, less those of all
that went, are therefore the digests of the rows that must be there. These sums are kept for some thousand groups of
ids: the memory is the same for any number of things, and only groups that differ are looked through again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

import msgspec

from leasebook.domain.record.event import TAGGED, Event
from leasebook.store.queries.read_repository import Fetch

GROUPS: Final = 4_096
ROWS_AT_ONCE: Final = 5_000
_MODULUS: Final = 1 << 64
_encode: Final = msgspec.json.Encoder(order="sorted").encode

Words = tuple[str | None, dict[str, str]]
"""A name and tags."""
_NONE: Final[Words] = (None, {})


def _digest(account_id: str, resource_id: str, words: Words) -> int:
    """Return the digest of a name and tags; 0 of none, because then no row is needed."""
    if words == _NONE:
        return 0
    return int.from_bytes(sha256(_encode((account_id, resource_id, *words))).digest()[:8])


def _group(resource_id: str) -> int:
    return crc32(resource_id.encode()) % GROUPS


def _change_in(event: Event) -> tuple[str, Words, Words] | None:
    """Return the thing of an event, and its name and tags before and after; None: it is about something else."""
    if event.type != TAGGED:
        return None
    data: dict[str, Any] = event.data
    former = data["before"]
    return data["resourceId"], (former["name"], former["tags"]), (data["name"], data["tags"])


class TagEvents:
    """Takes the events of a store in any order, and compares what they say with the rows of names and tags."""

    def __init__(self) -> None:
        self._sums = [0] * GROUPS
        self._wrong: list[str] = []

    def tell(self, page: int, account_id: str, event: Event) -> None:
        """Take an event from a page of an account's events; events of other kinds are passed over."""
        try:
            change = _change_in(event)
        except (KeyError, TypeError):
            self._wrong.append(f"page {page} of the events of account {account_id} has an unreadable change of tags")
            return
        if change is not None:
            resource_id, before, after = change
            added = _digest(account_id, resource_id, after) - _digest(account_id, resource_id, before)
            self._sums[_group(resource_id)] += added

    def findings(self, fetch: Fetch, events: Callable[[], Iterable[tuple[str, Event]]], limit: int) -> Iterator[str]:
        """Yield a line for each thing whose row and events differ, at most ``limit``.

        ``events`` reads all events again, in their order and with their accounts; it is called only if something
        differs.
        """
        yield from self._wrong[:limit]
        sums = list(self._sums)
        for account_id, resource_id, words in _rows(fetch):
            sums[_group(resource_id)] -= _digest(account_id, resource_id, words)
        differing = {group for group, left in enumerate(sums) if left % _MODULUS}
        if not differing:
            return
        said: dict[tuple[str, str], Words] = {}
        for account_id, event in events():
            change = _readable(event)
            if change is not None and _group(change[0]) in differing:
                said[account_id, change[0]] = change[2]
        there = {
            (account_id, resource_id): words
            for account_id, resource_id, words in _rows(fetch)
            if _group(resource_id) in differing
        }
        count = 0
        for key in sorted(said.keys() | there.keys()):
            if said.get(key, _NONE) != there.get(key, _NONE) and count < limit:
                count += 1
                has, reported = _shown(there.get(key)), _shown(said.get(key))
                yield f"the name and tags of {key[1]} are {has}, and its events say {reported}"
        if not count and not self._wrong:
            yield "the events of names and tags do not follow from one another: some are gone, or are there twice"


def _readable(event: Event) -> tuple[str, Words, Words] | None:
    try:
        return _change_in(event)
    except (KeyError, TypeError):
        return None


def _shown(words: Words | None) -> str:
    return "none" if words is None or words == _NONE else f"{words[0]!r} {words[1]!r}"[:200]


def _rows(fetch: Fetch) -> Iterator[tuple[str, str, Words]]:
    """Yield account, id, name and tags of each row that can be read; other checks find those that cannot."""
    after = ""
    while rows := fetch(
        "SELECT id, account_id, name, tags FROM tags WHERE id > ? ORDER BY id LIMIT ?", (after, ROWS_AT_ONCE)
    ):
        after = rows[-1][0]
        for resource_id, account_id, name, text in rows:
            try:
                tags = msgspec.json.decode(text, type=dict[str, str])
            except (msgspec.DecodeError, TypeError):
                continue
            yield account_id, resource_id, (name, tags)
