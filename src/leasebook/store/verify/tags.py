"""Checks of names and tags: they belong to things of their account, and lists find each instance by its tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from leasebook.domain.values.resource_tags import LISTED, ResourceTags, written_entries
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.tag_lists import PART, numbers_in

SOURCES: Final = {
    "unit": "units",
    "tpm": "units",
    "pkg": "packages",
    "svco": "services",
    "am": "model_sets",
    "amv": "models",
    "key": "service_keys",
    "sub": "hooks",
}
"""The table of the things of each prefix."""
ROWS_AT_ONCE: Final = 5_000
LISTS_AT_ONCE: Final = 1_000
"""A list has up to a thousand numbers."""
GROUPS: Final = 256
"""Groups of numbers whose sums are compared; those that differ are read again and held in memory."""


def tag_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Yield a line for each row of tags without its thing, and for each instance that a list lacks or has too many."""
    prefix = "substr(t.id, 1, length(t.kind) + 1) <> t.kind || '-'"
    for (id_,) in fetch(f"SELECT t.id FROM tags t WHERE {prefix} LIMIT ?", (limit,)):
        yield f"tags of {id_} are of another kind than its id"
    for kind, table in SOURCES.items():
        for id_, account in fetch(
            f"SELECT t.id, t.account_id FROM tags t LEFT JOIN {table} r ON r.id = t.id AND r.account_id = t.account_id "
            "WHERE t.kind = ? AND r.id IS NULL LIMIT ?",
            (kind, limit),
        ):
            yield f"tags of {id_} are account {account}'s, which has no such thing"
    yield from _list_findings(fetch, limit)


class _Thing(NamedTuple):
    """A thing with its entries; ``number`` is that of its row, if it is an instance."""

    id: str
    account_id: str
    kind: str
    number: int | None
    entries: dict[str, str]


def _things(fetch: Fetch, wrong: list[str]) -> Iterator[_Thing]:
    """Yield the things that have tags, and note those whose tags cannot be read or have another text of entries."""
    after = ""
    while rows := fetch(
        "SELECT t.id, t.account_id, t.kind, t.name, t.tags, t.entries, r.seq FROM tags t LEFT JOIN units r "
        "ON r.id = t.id WHERE t.id > ? ORDER BY t.id LIMIT ?",
        (after, ROWS_AT_ONCE),
    ):
        after = rows[-1][0]
        for id_, account, kind, name, text, entries, number in rows:
            try:
                tags = msgspec.json.decode(text, type=dict[str, str])
            except (msgspec.DecodeError, TypeError):
                wrong.append(f"tags of {id_} cannot be read")
                continue
            row = ResourceTags(id_, account, kind, name, tags)
            if written_entries(row) != entries:
                wrong.append(f"lists look for tags of {id_} in {entries!r}, and they are {row.entries}")
            yield _Thing(id_, account, kind, number, row.entries)


_Entry = tuple[str, str, str, str, int, int]
"""Account, kind, key and value of a list, and the part and the number that it has."""


def _wanted(things: Iterable[_Thing]) -> Iterator[tuple[str, _Entry]]:
    """Yield what the lists must have, each with the id of the instance."""
    for thing in things:
        if thing.number is not None and thing.kind in LISTED:
            for key, value in thing.entries.items():
                entry = thing.account_id, thing.kind, key, value, thing.number // PART, thing.number
                yield thing.id, entry


def _listed(fetch: Fetch, wrong: list[str]) -> Iterator[_Entry]:
    """Yield what the lists have, and note those that cannot be read."""
    after: tuple[str, str, str, str, int, int] = ("", "", "", "", -1, -1)
    while rows := fetch(
        "SELECT account_id, kind, key, value, part, first, numbers FROM tag_lists "
        "WHERE (account_id, kind, key, value, part, first) > (?, ?, ?, ?, ?, ?) "
        "ORDER BY account_id, kind, key, value, part, first LIMIT ?",
        (*after, LISTS_AT_ONCE),
    ):
        after = rows[-1][:6]
        for account, kind, key, value, part, _, text in rows:
            try:
                numbers = numbers_in(text)
            except ValueError:
                wrong.append(f"a list of {key!r} {value!r} of account {account} cannot be read")
                continue
            for number in numbers:
                yield account, kind, key, value, part, number


def _list_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Compare the tags of instances with the lists of tags.

    The sums of what the tags say and of what the lists have are compared by groups of numbers, whatever their order. So
    only the groups that differ are held in memory.
    """
    wrong: list[str] = []
    sums = [0] * GROUPS
    for _, entry in _wanted(_things(fetch, wrong)):
        sums[entry[-1] % GROUPS] += hash(entry)
    for entry in _listed(fetch, wrong):
        sums[entry[-1] % GROUPS] -= hash(entry)
    yield from wrong[:limit]
    differing = {group for group, left in enumerate(sums) if left}
    if not differing:
        return
    said = {entry: id_ for id_, entry in _wanted(_things(fetch, [])) if entry[-1] % GROUPS in differing}
    there = {entry for entry in _listed(fetch, []) if entry[-1] % GROUPS in differing}
    lines = [
        f"the lists of tags lack {said[entry]} at {entry[2]!r} {entry[3]!r}" for entry in sorted(said.keys() - there)
    ]
    lines += [
        f"the lists of tags have the {kind} of number {number} at {key!r} {value!r}, which is not its tag"
        for _, kind, key, value, _, number in sorted(there - said.keys())
    ]
    yield from lines[:limit] or ["the lists of tags have some instances twice"]
