"""The schema of a house file: parsers of values as people write them, and tables that know their keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec

from leasebook.cli.house import words
from leasebook.cli.house.reading import Items, Node, Table, Text
from leasebook.cli.house.words import BadHouse
from leasebook.contract.allowed_values import in_words

T = TypeVar("T")
Parser = Callable[[Node], T]

_GROUPED: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_AMOUNT: Final = re.compile(rf"{_GROUPED}(?:\.[0-9]{{1,6}})?", re.ASCII)
_COUNT: Final = re.compile(_GROUPED, re.ASCII)
_SPAN: Final = re.compile(r"(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?")
_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
NEAR_MAX: Final = 64


def scalar(node: Node) -> Text:
    """Return a value that is one text; raises BadHouse for a list, a table, or nothing."""
    if not isinstance(node, Text) or node.is_null:
        raise BadHouse(words.WANTS_TEXT, node.line)
    return node


def text(node: Node) -> str:
    """Read a text."""
    return scalar(node).value


def amount(node: Node) -> Decimal:
    """Read an amount of money: ``1000``, ``0.50`` or ``1,000.00``."""
    value = text(node)
    if not _AMOUNT.fullmatch(value):
        raise BadHouse(words.bad_amount(shown(node)), node.line)
    return Decimal(value.replace(",", ""))


def count(node: Node) -> int:
    """Read a whole number: ``20000`` or ``20,000``."""
    value = text(node)
    if not _COUNT.fullmatch(value) or len(value) > NEAR_MAX:
        raise BadHouse(words.bad_count(shown(node)), node.line)
    return int(value.replace(",", ""))


def span(node: Node) -> int:
    """Read a length of time such as ``8h`` or ``1d12h``, in seconds."""
    value = text(node)
    found = _SPAN.fullmatch(value)
    if found is None or not value:
        raise BadHouse(words.bad_span(shown(node)), node.line)
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), _SECONDS.values(), strict=True))


def span_text(seconds: int) -> str:
    """Write a length of time as ``span`` reads it: 129600 is ``1d12h``."""
    parts = []
    for name, unit in _SECONDS.items():
        number, seconds = divmod(seconds, unit)
        if number:
            parts.append(f"{number}{name}")
    return "".join(parts) or "0s"


def truth(node: Node) -> bool:
    """Read ``true`` or ``false``."""
    value = text(node)
    if value not in {"true", "false"}:
        raise BadHouse(words.bad_truth(shown(node)), node.line)
    return value == "true"


def one_of(*allowed: str) -> Parser[str]:
    """Return a parser of one of some words."""

    def read(node: Node) -> str:
        value = text(node)
        if value not in allowed:
            raise BadHouse(words.none_of(shown(node), allowed, nearest(value, allowed)), node.line)
        return value

    return read


def many(parser: Parser[T]) -> Parser[list[T]]:
    """Return a parser of a list."""

    def read(node: Node) -> list[T]:
        if not isinstance(node, Items):
            raise BadHouse(words.WANTS_LIST, node.line)
        return [parser(one) for one in node.items]

    return read


def by_key(parser: Parser[T]) -> Parser[dict[str, T]]:
    """Return a parser of a table whose keys the writer chooses."""

    def read(node: Node) -> dict[str, T]:
        return {key: parser(value) for key, value in table(node).entries.items()}

    return read


def table(node: Node) -> Table:
    """Return a value that is a table; a key without a value is an empty one."""
    if isinstance(node, Text) and node.is_null:
        return Table({}, node.line)
    if not isinstance(node, Table):
        raise BadHouse(words.WANTS_TABLE, node.line)
    return node


def fields(node: Node, parsers: Mapping[str, Parser[Any]]) -> dict[str, Any]:
    """Read a table whose keys are known; raises BadHouse with the nearest known key for an unknown one."""
    found = table(node)
    for key in found.entries:
        if key not in parsers:
            raise BadHouse(words.no_key(key, tuple(parsers), nearest(key, tuple(parsers))), found.line_of(key))
    return {key: parsers[key](value) for key, value in found.entries.items()}


def nearest(given: str, known: Sequence[str]) -> str | None:
    """Return the known word that is spelled most alike."""
    small = {word.casefold(): word for word in known}
    near = get_close_matches(given[:NEAR_MAX].casefold(), small, n=1)
    return small[near[0]] if near else None


def shown(node: Node) -> str:
    """Return a value for a message, with the names of variables in place of their values."""
    return scalar(node).shown[:NEAR_MAX]


def fitting(request: type[msgspec.Struct], body: Mapping[str, Any], line: int, names: Mapping[str, str]) -> None:
    """Check a request before anything is sent; raises BadHouse if the service would not read it.

    ``names`` translate the fields of the request to the keys of the file.
    """
    try:
        msgspec.json.decode(msgspec.json.encode(body), type=request)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = where.removesuffix("`").lstrip(".")
        for given, key in names.items():
            field = field.replace(given, key)
        said = in_words(request, where.removesuffix("`").lstrip("."), what)
        raise BadHouse(words.unfit(field, said), line) from None
