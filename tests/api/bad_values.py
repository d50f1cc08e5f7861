"""The wrong values of a field, worked out from its type: a second reading of the shapes, used to judge the first."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sized
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect as mi

ABSENT: Final = object()
"""The field is left out."""

HOSTILE: Final = (
    "'; DROP TABLE units; --",
    '" OR ""="',
    "<script>alert(1)</script>",
    "%s%n%x{0}{x.__class__}${7*7}",
    "../../../../etc/passwd",
    "$(reboot)`reboot`|reboot",
    "line\nbreak\r\nX-Injected: yes",
    "a\n",
    "\u202etxet\u202c \u05d0\u05d1 \u0627\u0644",
    "👩‍👩‍👧‍👦🇨🇳é̂̂",
    "\x01\x02\x1b[31m\x7f",
    "\0",
    "a\0b",
    "\ufffe\uffff\U0010ffff",
    "null",
    "-1",
    "1e999999",
    " ",
    "%00",
    "x - at `$.other`",
    "Object missing required field `other`",
    "x" * 100_000,
    "界" * 10_000,
)
NUMBERS: Final = (-(10**30), -(2**63) - 1, -(2**63), -1, 0, 2**31, 2**63, 2**64, 10**30, 1e308, -1e308, 5e-324)
KINDS: Final[tuple[Any, ...]] = (None, True, False, 1, 1.5, "x", [], {}, [[]], {"x": {}})


MAPS: Final = (
    "units",
    "userUnits",
    "userSpend",
    "userNeedsApproval",
    "env",
    "importMeta",
    "trainMeta",
    "tags",
    "allowed",
    "filter",
    "group",
    "names",
    "projects",
)
"""Their keys are names that callers choose."""


class FieldPlace(NamedTuple):
    """A field of a request: its name on the wire, with the names of the fields around it, and its type."""

    path: tuple[str, ...]
    type: mi.Type
    required: bool

    @property
    def name(self) -> str:
        """The name as messages have it."""
        return ".".join(self.path)


def alternatives(found: mi.Type) -> tuple[mi.Type, ...]:
    """List the types that a value may have."""
    if isinstance(found, mi.Metadata):
        return alternatives(found.type)
    if isinstance(found, mi.UnionType):
        return tuple(inner for one in found.types for inner in alternatives(one))
    return (found,)


def places(request: Any) -> list[FieldPlace]:
    """List every field of a request, those inside others included."""
    found = mi.type_info(request)
    assert isinstance(found, mi.StructType)
    return list(_places(found, ()))


def _places(struct: mi.StructType, above: tuple[str, ...]) -> Iterator[FieldPlace]:
    for field in struct.fields:
        path = (*above, field.encode_name)
        yield FieldPlace(path, field.type, field.required)
        for one in alternatives(field.type):
            if isinstance(one, mi.StructType):
                yield from _places(one, path)


def allowed(found: mi.Type, value: Any) -> bool:
    """Whether a value is of a type and within its bounds. The inside of an object is not looked at."""
    return any(_allowed(one, value) for one in alternatives(found))


def _allowed(found: mi.Type, value: Any) -> bool:
    match found:
        case mi.NoneType():
            return value is None
        case mi.BoolType():
            return isinstance(value, bool)
        case mi.StrType():
            return isinstance(value, str) and _fits(found, value)
        case mi.LiteralType():
            return any(type(value) is type(one) and value == one for one in found.values)
        case mi.StructType():
            return isinstance(value, dict)
        case mi.DictType():
            return isinstance(value, dict) and all(allowed(found.value_type, inner) for inner in value.values())
        case mi.ListType():
            return (
                isinstance(value, list)
                and _of_length(found, value)
                and all(allowed(found.item_type, item) for item in value)
            )
        case mi.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _within(found, value)
        case mi.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool) and _within(found, value)
        case mi.DecimalType():
            return _is_decimal(value)
        case mi.AnyType():
            return True
    raise TypeError(f"{found} is a type that nothing is known about here")


def _fits(found: mi.StrType, value: str) -> bool:
    return _of_length(found, value) and (found.pattern is None or re.search(found.pattern, value) is not None)


def _of_length(found: mi.StrType | mi.ListType, value: Sized) -> bool:
    return (found.min_length or 0) <= len(value) and (found.max_length is None or len(value) <= found.max_length)


def _within(found: mi.IntType | mi.FloatType, value: float) -> bool:
    return not (
        (found.ge is not None and value < found.ge)
        or (found.gt is not None and value <= found.gt)
        or (found.le is not None and value > found.le)
        or (found.lt is not None and value >= found.lt)
    )


def _is_decimal(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return re.fullmatch(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)", str(value)) is not None


def candidates(found: mi.Type) -> Iterator[Any]:
    """Yield values to try in the place of a field: of every JSON type, at its bounds and beyond, and hostile ones."""
    yield from KINDS
    for one in alternatives(found):
        match one:
            case mi.IntType():
                yield from NUMBERS
                bounds = [bound for bound in (one.ge, one.le) if bound is not None]
                yield from (bound + step for bound in bounds for step in (-1, 0, 1))
            case mi.FloatType():
                yield from NUMBERS
                limits = [limit for limit in (one.gt, one.le) if limit is not None]
                yield from (limit + step for limit in limits for step in (-0.000001, 0.0, 0.000001))
            case mi.StrType():
                lengths = [length for length in (one.min_length, one.max_length) if length is not None]
                yield from ("a" * max(0, length + step) for length in lengths for step in (-1, 0, 1))
                yield from HOSTILE
            case mi.LiteralType():
                yield from one.values
                yield from (str(value).lower() for value in one.values)
                yield from HOSTILE[::3]
            case mi.DecimalType():
                yield from NUMBERS
                yield from HOSTILE
            case mi.ListType():
                yield from ([value] for value in candidates(one.item_type))
                good = next(value for value in (*KINDS, 60, *literals(one.item_type)) if allowed(one.item_type, value))
                yield from ([good] * length for length in (2, 99, 100, 101, 50_000))
            case mi.DictType():
                yield from ({"x": value} for value in candidates(one.value_type))
                yield from ({name: 1} for name in HOSTILE)


def literals(found: mi.Type) -> Iterator[Any]:
    """Yield the values of a type that has only a few."""
    for one in alternatives(found):
        if isinstance(one, mi.LiteralType):
            yield from one.values


def put(body: Mapping[str, Any], path: tuple[str, ...], value: Any) -> Any:
    """Return a body with a value in the place of a field. An object around it that the body lacks is made."""
    changed: Any = copy.deepcopy(body)
    inner = changed
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    if value is ABSENT:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return changed


def with_unknown_keys(body: Any) -> Any:
    """Return a body with unknown keys in every object."""
    if isinstance(body, dict):
        known = {name: value if name in MAPS else with_unknown_keys(value) for name, value in body.items()}
        return {"": None, "unknown": {"x": [1, "\0", None]}, "client_token": 5, "__class__": "x" * 1000, **known}
    return body


def is_of(result: Any, found: Any) -> bool:
    """Whether a result is what an action of the table is said to answer."""
    try:
        # A stream has any number of them.
        for one in result if isinstance(result, list) else [result]:
            msgspec.convert(one, found)
    except msgspec.ValidationError:
        return False
    return True
