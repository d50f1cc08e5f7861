"""Unknown keys of a request body: this module finds them and suggests the known key that was probably meant.

The decoder of a request refuses unknown keys at no cost. Only bodies that it has refused come here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import inspect

from leasebook.contract.error_header import CUT, encoded

REFUSED: Final = "Object contains unknown field "
"""The beginning of msgspec's message about an unknown key."""
KNOWN_SHOWN: Final = 30
NAMED_MAX: Final = 20
NAME_MAX: Final = 64
"""Characters of a key that are shown in a message, or compared with the known keys."""
PATH_MAX: Final = 128
"""Bytes of a path in the header. The longest path to a known key has 70."""
_SAFE: Final = "[]-_.~?"


class Unknown(NamedTuple):
    """An unknown key, its path (``limits.unit``), and the known keys of the object that it is in.

    ``is_ours``: the object is an addition of ours.
    """

    path: str
    key: str
    known: tuple[str, ...]
    is_ours: bool = False

    def nearest(self) -> str | None:
        """Return the known key with the most similar spelling; None if there is none."""
        folded = {name.casefold(): name for name in self.known}
        found = difflib.get_close_matches(self.key[:NAME_MAX].casefold(), folded, n=1)
        return folded[found[0]] if found else None

    def message(self) -> str:
        """Return the message for the caller: the unknown key, and the nearest known one or a list of them."""
        near = self.nearest()
        if near is not None:
            hint = f"Did you mean {near!r}?"
        elif self.known:
            shown = ", ".join(self.known[:KNOWN_SHOWN])
            hint = f"Known here: {shown}{', …' if len(self.known) > KNOWN_SHOWN else ''}."
        else:
            hint = "None is known here."
        return f"There is no key {self.key[:NAME_MAX]!r} here, and nothing was done. {hint}"


def pruned(request: type[object], body: bytes) -> tuple[bytes, list[Unknown]]:
    """Return a body without its unknown keys, and those keys in their order in the body.

    ``body`` is well-formed JSON as far as the first unknown key. Raises msgspec.DecodeError if the rest is not.
    """
    found: list[Unknown] = []
    return bytes(_pruned(inspect.type_info(request), msgspec.Raw(body), "", found)), found


def header_of(found: Sequence[Unknown]) -> bytes:
    """Return the paths of unknown keys as the value of a header: visible ASCII, at most NAMED_MAX paths.

    All other characters are percent-encoded. A path of more than PATH_MAX bytes is cut and ends with ``...``; ``...``
    as the last entry means that there were more.
    """
    names = [encoded(one.path, PATH_MAX, _SAFE) for one in found[:NAMED_MAX]]
    return b", ".join([*names, *([CUT] if len(found) > NAMED_MAX else [])])


def parts_of(request: type[object]) -> set[type[object]]:
    """Return the shape of a body and of every object in it."""
    found: set[type[object]] = set()
    waiting = [inspect.type_info(request)]
    while waiting:
        for one in _alternatives(waiting.pop()):
            match one:
                case inspect.StructType(cls=cls, fields=fields) if cls not in found:
                    found.add(cls)
                    waiting += [field.type for field in fields]
                case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
                    waiting.append(inner)
    return found


def _pruned(of: inspect.Type, raw: msgspec.Raw, at: str, found: list[Unknown]) -> msgspec.Raw:
    """Remove unknown keys from a value of a known type; return any other value unchanged."""
    first = bytes(raw).lstrip()[:1]
    for one in _alternatives(of):
        if first == b"{" and isinstance(one, inspect.StructType):
            return _object(one, raw, at, found)
        if first == b"{" and isinstance(one, inspect.DictType):
            return _each(one.value_type, raw, at, found)
        if first == b"[" and isinstance(one, inspect.ListType):
            items = msgspec.json.decode(raw, type=list[msgspec.Raw])
            kept = [_pruned(one.item_type, item, f"{at}[{place}]", found) for place, item in enumerate(items)]
            return msgspec.Raw(msgspec.json.encode(kept))
    return raw


def _alternatives(of: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(of, inspect.UnionType):
        for one in of.types:
            yield from _alternatives(one)
    elif isinstance(of, inspect.Metadata):
        yield from _alternatives(of.type)
    else:
        yield of


def _object(of: inspect.StructType, raw: msgspec.Raw, at: str, found: list[Unknown]) -> msgspec.Raw:
    fields = {field.encode_name: field.type for field in of.fields}
    kept: dict[str, msgspec.Raw] = {}
    for key, value in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
        path = f"{at}.{key}" if at else key
        if key in fields:
            kept[key] = _pruned(fields[key], value, path, found)
        else:
            found.append(Unknown(path, key, tuple(fields), getattr(of.cls, "is_ours", False)))
    return msgspec.Raw(msgspec.json.encode(kept))


def _each(of: inspect.Type, raw: msgspec.Raw, at: str, found: list[Unknown]) -> msgspec.Raw:
    """Prune the values of an object whose keys callers choose."""
    values = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return msgspec.Raw(
        msgspec.json.encode({key: _pruned(of, value, f"{at}.{key}", found) for key, value in values.items()})
    )
