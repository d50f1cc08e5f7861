"""Names and tags: the words of an account for what it bought or made.

A thing with neither a name nor a tag has no row here, so they cost nothing where they are not used.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

ResourceKind = Literal["unit", "tpm", "pkg", "svco", "am", "amv", "key", "sub"]
"""The prefix of an id: an instance, quota, a package, a service, a model set or version, a service key, a subscription.
"""
KINDS: Final[tuple[ResourceKind, ...]] = ("unit", "tpm", "pkg", "svco", "am", "amv", "key", "sub")
_BY_PREFIX: Final[dict[str, ResourceKind]] = {kind: kind for kind in KINDS}
NAMED_ELSEWHERE: Final[frozenset[ResourceKind]] = frozenset({"svco", "am", "amv", "key"})
"""Kinds whose rows have a name of their own, which calls and other rows use and which therefore stays."""
TAGS_MAX: Final = 50
KEY_MAX: Final = 128
VALUE_MAX: Final = 256
NAME_MAX: Final = 128
RESERVED: Final = "leasebook:"
"""Keys of this prefix are the service's own."""
NAME_KEY: Final = "leasebook:name"
"""The key of the name among the entries by which things are found."""
LISTED: Final[frozenset[ResourceKind]] = frozenset({"unit", "tpm"})
"""The kinds with very many things: their numbers are in the lists of tags (``tag_lists``)."""
_BETWEEN: Final = "\x1f"
_IS: Final = "\x1e"
"""Neither a key nor a value has a control character, so these two part them without doubt."""


class ResourceTags(msgspec.Struct, frozen=True):
    """The name and the tags of one thing; ``id`` is the id of that thing, whose prefix is ``kind``.

    ``changed_at`` is when the tags of an instance last changed after its purchase.
    """

    id: str
    account_id: str
    kind: ResourceKind
    name: str | None = None
    tags: dict[str, str] = {}
    changed_at: Instant | None = None

    @property
    def entries(self) -> dict[str, str]:
        """Its tags, the name among them: lists find it by these."""
        return self.tags if self.name is None else self.tags | {NAME_KEY: self.name}


def written_entries(row: ResourceTags) -> str:
    """Return the entries of a thing as one text, in which each can be looked for (``written_entry``)."""
    return f"{_BETWEEN}{''.join([f'{key}{_IS}{value}{_BETWEEN}' for key, value in row.entries.items()])}"


def written_entry(key: str, value: str | None) -> str:
    """Return what the text of a thing's entries contains if it has a tag; None: with any value."""
    return f"{_BETWEEN}{key}{_IS}" if value is None else f"{_BETWEEN}{key}{_IS}{value}{_BETWEEN}"


class Wanted(msgspec.Struct, frozen=True):
    """The filter of a list: every key with its value; None: the key is there, whatever its value."""

    entries: tuple[tuple[str, str | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def has(self, row: ResourceTags | None) -> bool:
        """Whether a thing with these tags passes."""
        known = {} if row is None else row.entries
        return all(key in known and value in (None, known[key]) for key, value in self.entries)


EVERYTHING: Final = Wanted()
"""The filter that everything passes."""


class NewTags(msgspec.Struct, frozen=True):
    """The name and the tags that something is bought or made with."""

    name: str | None = None
    tags: dict[str, str] = {}

    def __bool__(self) -> bool:
        return self.name is not None or bool(self.tags)

    def of(self, resource_id: str, account_id: str) -> ResourceTags:
        """Return the row of something new."""
        kind = kind_of(resource_id)
        assert kind is not None  # noqa: S101 - the id was drawn here
        return ResourceTags(resource_id, account_id, kind, self.name, self.tags)


def kind_of(resource_id: str) -> ResourceKind | None:
    """Return the kind that an id says by its prefix; None: it is the id of nothing that can have tags."""
    prefix, dash, _ = resource_id.partition("-")
    return _BY_PREFIX.get(prefix) if dash else None


def read_name(given: str | None, field: str = "name") -> str | None:
    """Return a name in its normal form (NFC); raises Refusal (BAD_VALUE)."""
    return None if given is None else _word(given, NAME_MAX, field, "A name", empty=False)


def read_keys(given: Sequence[str], field: str = "tagKeys") -> tuple[str, ...]:
    """Return keys in their normal form; raises Refusal (BAD_VALUE)."""
    return tuple(_key(key, field) for key in given)


def read_values(given: Iterable[str], field: str = "tags") -> tuple[str, ...]:
    """Return values of tags in their normal form; raises Refusal (BAD_VALUE)."""
    return tuple(_value(value, field) for value in given)


def read_tags(given: Mapping[str, str] | None, field: str = "tags") -> dict[str, str]:
    """Return tags in their normal form (NFC), in the order of their keys; raises Refusal (BAD_VALUE)."""
    found = read_wanted(given, field)
    return {key: value for key, value in found.items() if value is not None}


def read_wanted(given: Mapping[str, str | None] | None, field: str = "tags") -> dict[str, str | None]:
    """Return a filter's tags in their normal form; raises Refusal (BAD_VALUE)."""
    tags: dict[str, str | None] = {}
    for key, value in (given or {}).items():
        normal = _key(key, field)
        if normal in tags:
            raise Refusal(BAD_VALUE, f"The key {normal[:40]!r} is given twice, in two spellings.", field=field)
        tags[normal] = None if value is None else _value(value, field)
    return dict(sorted(tags.items()))


def check_number(tags: Mapping[str, str]) -> None:
    """Raise Refusal (BAD_VALUE) if there are more tags than one thing may have."""
    if len(tags) > TAGS_MAX:
        raise Refusal(
            BAD_VALUE, f"It would have {len(tags)} tags, and {TAGS_MAX} are allowed; take some off.", field="tags"
        )


def _key(given: str, field: str) -> str:
    key = _word(given, KEY_MAX, field, "The key of a tag", empty=False)
    if key.startswith(RESERVED):
        raise Refusal(BAD_VALUE, f"Keys that begin with {RESERVED} are reserved; choose another key.", field=field)
    return key


def _value(given: str, field: str) -> str:
    return _word(given, VALUE_MAX, field, "The value of a tag", empty=True)


def _word(given: str, most: int, field: str, what: str, *, empty: bool) -> str:
    word = given if given.isascii() else unicodedata.normalize("NFC", given)
    if len(word) > most or not (word or empty):
        least = 0 if empty else 1
        raise Refusal(BAD_VALUE, f"{what} has {least} to {most} characters; this has {len(word)}.", field=field)
    # All of ASCII that cannot be printed is control characters; to ask each character for its category takes long.
    if word.isascii():
        is_plain = word.isprintable()
    else:
        is_plain = not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in word)
    if not is_plain:
        raise Refusal(BAD_VALUE, f"{what} has no control characters and no line breaks.", field=field)
    return word
