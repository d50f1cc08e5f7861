"""How names and tags are read and shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from leasebook.api.fault import refused
from leasebook.contract.nouns.resource import tags as t
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import (
    NAME_KEY,
    NewTags,
    ResourceTags,
    Wanted,
    read_name,
    read_tags,
    read_wanted,
)

NONE: Final = NewTags()
KEPT_MAX: Final = 512
"""Upper bound in characters of names and tags that are remembered: the same are given again and again."""


def new_tags(name: str | None, tags: Mapping[str, str] | None) -> NewTags:
    """Return the name and the tags that something is bought or made with; raises Fault."""
    if name is None and not tags:
        return NONE
    given = tuple((tags or {}).items())
    is_short = len(name or "") + sum([len(key) + len(value) for key, value in given]) <= KEPT_MAX
    try:
        return _kept(name, given) if is_short else _read(name, given)
    except Refusal as refusal:
        raise refused(refusal) from None


def _read(name: str | None, given: tuple[tuple[str, str], ...]) -> NewTags:
    return NewTags(read_name(name), read_tags(dict(given)))


_kept: Final = lru_cache(maxsize=1024)(_read)


def wanted_tags(name: str | None, tags: Mapping[str, str | None] | None) -> Wanted:
    """Return what a list is filtered by; raises Fault."""
    if name is None and not tags:
        return Wanted()
    try:
        entries: dict[str, str | None] = read_wanted(tags)
        called = read_name(name)
    except Refusal as refusal:
        raise refused(refusal) from None
    return Wanted(tuple((entries if called is None else entries | {NAME_KEY: called}).items()))


def marked(shown: Any, row: ResourceTags | None) -> Any:
    """Return a shown thing with its name and tags, where it has them."""
    if row is None or not row.entries:
        return shown
    return msgspec.structs.replace(shown, name=row.name, tags=row.tags or None)


def shown_tags(row: ResourceTags | None) -> dict[str, str] | None:
    """Return the tags to show; None: there are none."""
    return None if row is None else row.tags or None


def detail(row: ResourceTags) -> t.ResourceTagsDetail:
    """Show the name and the tags of something."""
    return t.ResourceTagsDetail(resource_id=row.id, name=row.name, tags=row.tags)
