"""Messages for values that the decoder refuses; they name the values that are allowed (decision 19)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from msgspec import inspect

SHOWN: Final = 30
NEAR_MAX: Final = 64
_ENUM: Final = "Invalid enum value "
_DECIMAL: Final = "Invalid decimal string"
_REGEX: Final = re.compile(r"Expected `str` matching regex ('.*'|\".*\")", re.DOTALL)
_STEP: Final = re.compile(r"\[\.\.\.\]|\.?([^.\[]+)")
WORDS: Final = {
    "^[^\\x00]*$": "a text without NUL",
    "^[^\\x00]*[^\\s\\x00][^\\x00]*$": "a text that is not blank, without NUL",
    "^[^\\x00-\\x1f\\x7f]*$": "a text without control characters",
    "^[^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*(?!\\n)$": (
        "a text of one line, without control characters, and not only of spaces"
    ),
    "^[a-z0-9-]+(?!\\n)$": "small letters, digits and hyphens, such as gpu-1",
    "^[a-z0-9-]*(?!\\n)$": "small letters, digits and hyphens, such as bj",
    "^[\\x21-\\x7e]*(?!\\n)$": "printable ASCII characters without spaces",
    "^[0-9]{1,18}-[0-9]{1,9}(?!\\n)$": "the id of an event, such as 1-0",
    "^[0-9]{4}-(0[1-9]|1[0-2])(?!\\n)$": "a month such as 2026-11",
    "^[a-z0-9][a-z0-9_-]*[a-z0-9](?!\\n)$": "small letters, digits, hyphens and underscores, with a letter or digit "
    "first and last",
    "^[A-Za-z0-9][A-Za-z0-9._-]*(?!\\n)$": "letters, digits, points, hyphens and underscores, with a letter or digit "
    "first",
}
"""Each regular expression of the request shapes, in words for the caller."""
_BY_TEXT: Final = {repr(pattern): words for pattern, words in WORDS.items()}


def in_words(request: type[object], field: str, what: str) -> str:
    """Return the decoder's message ``what`` about a field of a request, with the allowed values added if it lacks them.

    ``field`` is a path as the decoder writes it: ``billing.paymentTiming``, ``limits.units[...]``.
    """
    if what.startswith(_ENUM):
        values = [str(one) for one in _values(_at(inspect.type_info(request), _STEP.findall(field)))]
        given = what.removeprefix(_ENUM)
        if not values:
            return what
        more = ", …" if len(values) > SHOWN else ""
        return f"{given} is none of {', '.join(values[:SHOWN])}{more}{_nearest(given, values)}"
    if what == _DECIMAL:
        return "Expected a plain decimal number such as 12.5"
    found = _REGEX.fullmatch(what)
    words = None if found is None else _BY_TEXT.get(found[1])
    return what if words is None else f"Expected {words}"


def _nearest(given: str, values: Sequence[str]) -> str:
    small = {value.lower(): value for value in values}
    found = get_close_matches(given[:NEAR_MAX].strip("'\"").lower(), small, n=1)
    return f" (did you mean {small[found[0]]}?)" if found else ""


def _at(of: inspect.Type, steps: Sequence[str]) -> Iterator[inspect.Type]:
    """Yield the types allowed at a path; an empty step means each item of a list, or each value of an object."""
    match of:
        case inspect.UnionType(types=types):
            for one in types:
                yield from _at(one, steps)
        case inspect.Metadata(type=inner):
            yield from _at(inner, steps)
        case _ if not steps:
            yield of
        case inspect.StructType(fields=fields):
            for field in fields:
                if field.encode_name == steps[0]:
                    yield from _at(field.type, steps[1:])
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _at(inner, steps[1:])
        case _:
            return


def _values(kinds: Iterator[inspect.Type]) -> Iterator[object]:
    for kind in kinds:
        if isinstance(kind, inspect.LiteralType):
            yield from kind.values
