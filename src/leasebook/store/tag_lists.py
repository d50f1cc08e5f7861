"""How the instances of a tag are listed, and the conditions by which the rows of a list have tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from leasebook.domain.values.resource_tags import written_entry
from leasebook.domain.values.tag_policy import TagPolicy

PART: Final = 1024
"""Numbers of rows that one list is about, so that lists are in the order of their numbers, in any order of writing."""
_HAS: Final = "replace(o.entries, ?, '') <> o.entries"
_LACKS: Final = "replace(o.entries, ?, '') = o.entries"
"""Whether the text of the entries contains another one; SQLite and PostgreSQL have no function for it in common."""


def numbers_in(text: str) -> list[int]:
    """Return the numbers of a list."""
    return [int(number) for number in text.split(",") if number]


def listed(
    found: Iterable[tuple[tuple[str, str, str, str], Iterable[int]]],
) -> Iterator[tuple[str, str, str, str, int, int, str]]:
    """Yield the rows that list numbers of instances under tags: account, kind, key, value, part, first and numbers."""
    for tag, numbers in found:
        parts: dict[int, list[int]] = {}
        for number in numbers:
            parts.setdefault(number // PART, []).append(number)
        for part, some in parts.items():
            yield *tag, part, min(some), f",{','.join(map(str, some))},"


def having(entry: tuple[str, str | None], thing: str) -> tuple[str, list[Any]]:
    """Return the condition that a row, of any kind and so called in the statement, has a tag, and its parameters."""
    return f"EXISTS (SELECT 1 FROM tags o WHERE o.id = {thing}.id AND {_HAS})", [written_entry(*entry)]


def breaking(policy: TagPolicy, thing: str) -> tuple[str, list[Any]]:
    """Return the condition that the tags of a row break a policy, and its parameters."""
    parts: list[str] = []
    params: list[Any] = []
    for key in policy.required:
        text, given = having((key, None), thing)
        parts.append(f"NOT {text}")
        params += given
    for key, values in policy.allowed.items():
        others = " AND ".join([_HAS, *[_LACKS] * len(values)])
        parts.append(f"EXISTS (SELECT 1 FROM tags o WHERE o.id = {thing}.id AND {others})")
        params += [written_entry(key, None), *(written_entry(key, value) for value in values)]
    return f"({' OR '.join(parts) or '1 = 0'})", params
