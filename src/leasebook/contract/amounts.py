"""Plain decimal amounts: digits, a point, digits. The decoder accepts more spellings, and this module refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

EACH: Final = "*"
"""The step of a path that means each value of an object, or each item of a list."""
PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)", re.ASCII)

_untyped: Final = msgspec.json.Decoder(float_hook=str).decode


@cache
def places_of(shape: type) -> tuple[tuple[str, ...], ...]:
    """Return the path of each amount in a shape: the names of its fields from the top."""
    return tuple(_places(inspect.type_info(shape)))


def odd_amount(shape: type, body: bytes) -> tuple[str, str] | None:
    """Return the path and text of the first amount that is no plain decimal number; None if all of them are.

    ``body`` has passed the shape's decoder. The decoder also accepts ``1_000``, ``5.``, ``1e3``, blanks and digits of
    other scripts; in a request for money these are probably slips.
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
