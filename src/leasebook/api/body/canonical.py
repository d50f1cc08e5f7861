"""The canonical form of a request; a repeated client token is compared by it (decision 37)."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from leasebook.contract.shapes import TIME
from leasebook.domain.values.calendar import BadTime, parse_time

S = TypeVar("S", bound=msgspec.Struct)
_LEAVES: Final = frozenset({int, float, bool, type(None), msgspec.UnsetType})


class _Field(NamedTuple):
    name: str
    is_optional: bool
    is_time: bool


def meant(asked: S, zone: str) -> S:
    """Return the canonical form of a request; the same object if it has that form already.

    An empty text in an optional field counts as absent. Times become moments; ``zone`` applies to those without a
    zone. Decimal amounts lose trailing zeros. Names chosen by the caller, such as variables of an environment, stay.
    """
    changed: dict[str, Any] = {}
    for name, is_optional, is_time in _fields(type(asked)):
        value = getattr(asked, name)
        kind = type(value)
        if kind in _LEAVES:
            continue
        after = _text(value, zone, is_optional, is_time) if kind is str else _one(value, zone)
        if after is not value:
            changed[name] = after
    return msgspec.structs.replace(asked, **changed) if changed else asked


def _text(value: str, zone: str, is_optional: bool, is_time: bool) -> str | None:  # noqa: FBT001 - of a field
    if not value and is_optional:
        return None
    if not is_time:
        return value
    try:
        return str(parse_time(value, zone))
    except BadTime:
        return value


def _one(value: Any, zone: str) -> Any:
    if isinstance(value, msgspec.Struct):
        return meant(value, zone)
    if isinstance(value, list):
        return [_one(one, zone) for one in value]
    if isinstance(value, dict):
        return {key: _one(one, zone) for key, one in value.items()}
    return _plain(value) if isinstance(value, Decimal) else value


def _plain(value: Decimal) -> Decimal:
    """Cut the zeros after the point, to the last digit whatever the precision of arithmetic is."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return value
    kept = len(digits)
    while kept > 1 and digits[kept - 1] == 0:
        kept -= 1
    return Decimal((sign, digits[:kept], exponent + len(digits) - kept)) if any(digits) else Decimal(0)


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[_Field, ...]:
    """Return the fields that can be spelled in several ways; all others need not be looked at."""
    of = inspect.type_info(shape)
    assert isinstance(of, inspect.StructType)  # noqa: S101 - a struct's type is one
    found = (_Field(field.name, field.default is None, _is_time(field.type)) for field in of.fields)
    return tuple(
        one for one, field in zip(found, of.fields, strict=True) if _varies(field.type, is_optional=one.is_optional)
    )


def _varies(of: inspect.Type, *, is_optional: bool) -> bool:
    match of:
        case inspect.UnionType(types=types):
            return any(_varies(one, is_optional=is_optional) for one in types)
        case inspect.Metadata(type=inner):
            return _is_time(of) or _varies(inner, is_optional=is_optional)
        case inspect.StrType(min_length=least):
            return is_optional and not least
        case inspect.StructType() | inspect.ListType() | inspect.DictType() | inspect.DecimalType():
            return True
        case _:
            return False


def _is_time(of: inspect.Type) -> bool:
    if isinstance(of, inspect.UnionType):
        return any(_is_time(one) for one in of.types)
    if isinstance(of, inspect.Metadata):
        return (of.extra is not None and of.extra.get("means") == TIME) or _is_time(of.type)
    return False
