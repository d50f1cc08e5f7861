"""Amounts as they may be written: digits, a point, digits. What a decoder would take besides is refused here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

EACH: Final = "*"
"""Stands for every key of an object, or every item of a list."""
PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)", re.ASCII)

_untyped: Final = msgspec.json.Decoder(float_hook=str).decode


@cache
def places_of(shape: type) -> tuple[tuple[str, ...], ...]:
    """Return where a shape has amounts: the names that lead to each from its top."""
    return tuple(_places(inspect.type_info(shape)))


def odd_amount(shape: type, body: bytes) -> tuple[str, str] | None:
    """Return the field and the text of an amount in a body that is no plain decimal number; None: all are.

    The body is one that the shape's decoder takes. ``1_000``, ``5.``, ``1e3``, blanks and the digits of other scripts
    are numbers to that, and a slip of whoever wrote them.
    """
    places = places_of(shape)
    if not places or not body:
        return None
    whole = _untyped(body)
    for place in places:
        for field, value in _found(whole, place):
            if isinstance(value, str) and not PLAIN.fullmatch(value):
                return field, value
    return None


def _places(kind: inspect.Type) -> Iterator[tuple[str, ...]]:
    match kind:
        case inspect.DecimalType():
            yield ()
        case inspect.Metadata():
            yield from _places(kind.type)
        case inspect.UnionType():
            for one in kind.types:
                yield from _places(one)
        case inspect.StructType():
            for field in kind.fields:
                yield from ((field.encode_name, *rest) for rest in _places(field.type))
        case inspect.DictType():
            yield from ((EACH, *rest) for rest in _places(kind.value_type))
        case inspect.ListType():
            yield from ((EACH, *rest) for rest in _places(kind.item_type))


def _found(value: Any, place: tuple[str, ...], field: str = "") -> Iterator[tuple[str, Any]]:
    if not place:
        yield field, value
        return
    name, rest = place[0], place[1:]
    if name == EACH and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _found(item, rest, f"{field}[...]")  # as the decoder names it
    elif isinstance(value, dict) and name in value:
        yield from _found(value[name], rest, f"{field}.{name}" if field else name)
