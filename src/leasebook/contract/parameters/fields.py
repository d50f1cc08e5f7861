"""The parameters of an operation, as options: read off the shape of its request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from msgspec import inspect

from leasebook.contract.shapes import TIME

Kind = Literal["text", "integer", "number", "amount", "switch", "choice", "time", "accounts", "list", "map", "json"]
"""How an option is written, and what a value of it becomes in the body."""

RENAMED: Final = {"accountId": "account", "projectId": "project", "url": "to-url"}
"""Options with other names than the parameter's: shorter ones, and `url`, which is the service's in all commands."""
NOT_ASKED: Final = frozenset({"marker", "maxKeys", "pageReverse"})
"""Parameters of pages: the commands ask for the pages by themselves."""
ARGUMENTS_MAX: Final = 2
"""An operation with more required values has them all as options: their order could not be remembered."""
_SIMPLE: Final[tuple[tuple[type[inspect.Type], Kind], ...]] = (
    (inspect.StrType, "text"),
    (inspect.BoolType, "switch"),
    (inspect.IntType, "integer"),
    (inspect.FloatType, "number"),
    (inspect.DecimalType, "amount"),
)


class Field(NamedTuple):
    """One value of a request. ``path`` has the names on the wire, from the body's own field inwards."""

    path: tuple[str, ...]
    kind: Kind
    required: bool
    choices: tuple[str, ...]
    meaning: str
    splits: bool

    @property
    def option(self) -> str:
        """The option's name without the hyphens in front."""
        if len(self.path) == 1 and self.path[0] in RENAMED:
            return RENAMED[self.path[0]]
        return "-".join(_hyphens(one) for one in self.path)

    @property
    def key(self) -> str:
        """The name by which the command keeps the value."""
        return "field_" + "__".join(map(_underscores, self.path))


def _hyphens(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _underscores(name: str) -> str:
    return _hyphens(name).replace("-", "_")


def fields_of(request: type) -> tuple[Field, ...]:
    """Return the values of a request; those of an object in it one by one, after the object itself."""
    found = inspect.type_info(request)
    assert isinstance(found, inspect.StructType)  # noqa: S101  # each request is one
    return tuple(_of(found, (), required=True))


def arguments_of(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the values that need no option's name: the required simple ones, where they are few."""
    simple = ("text", "integer", "amount", "choice")
    found = tuple(one for one in fields if one.required and len(one.path) == 1 and one.kind in simple)
    return found if len(found) <= ARGUMENTS_MAX else ()


def _of(struct: inspect.StructType, path: tuple[str, ...], *, required: bool) -> Iterator[Field]:
    for field in struct.fields:
        name = field.encode_name
        if not path and name in NOT_ASKED:
            continue
        inner = _without_none(field.type)
        kind, choices, splits = _kind(field.type, name)
        is_needed = required and field.required
        yield Field((*path, name), kind, is_needed, choices, _meaning(field.type), splits and not path)
        if isinstance(inner, inspect.StructType):
            yield from _of(inner, (*path, name), required=is_needed)


def _kind(of: inspect.Type, name: str) -> tuple[Kind, tuple[str, ...], bool]:
    if _is_time(of) or name.endswith("Time"):
        return "time", (), False
    kinds = [_bare(one) for one in of_all(of)]
    first = kinds[0]
    if isinstance(first, inspect.LiteralType):
        return "choice", tuple(str(one) for one in first.values), False
    if len(kinds) > 1 and name == "accountId":
        return "accounts", (), False
    if isinstance(first, inspect.ListType):
        item = _without_none(first.item_type)
        if isinstance(item, inspect.LiteralType):
            return "list", tuple(str(one) for one in item.values), True
        return ("list", (), True) if isinstance(item, inspect.StrType | inspect.IntType) else ("json", (), False)
    if isinstance(first, inspect.DictType):
        value = [_bare(one) for one in of_all(first.value_type)]
        return ("map" if isinstance(value[0], inspect.StrType) else "json"), (), False
    for simple, kind in _SIMPLE:
        if isinstance(first, simple):
            return kind, (), False
    return "json", (), False


def of_all(of: inspect.Type) -> list[inspect.Type]:
    """Return the types that a value may have, None left out."""
    bare = _bare(of)
    kinds = list(bare.types) if isinstance(bare, inspect.UnionType) else [bare]
    return [one for one in kinds if not isinstance(_bare(one), inspect.NoneType)]


def _without_none(of: inspect.Type) -> inspect.Type:
    return _bare(of_all(of)[0])


def _bare(of: inspect.Type) -> inspect.Type:
    while isinstance(of, inspect.Metadata):
        of = of.type
    return of


def _meaning(of: inspect.Type) -> str:
    if isinstance(of, inspect.Metadata):
        said = (of.extra_json_schema or {}).get("description")
        return str(said) if said else _meaning(of.type)
    if isinstance(of, inspect.UnionType):
        return next((text for text in map(_meaning, of.types) if text), "")
    return ""


def _is_time(of: inspect.Type) -> bool:
    if isinstance(of, inspect.Metadata):
        return (of.extra or {}).get("means") == TIME or _is_time(of.type)
    return isinstance(of, inspect.UnionType) and any(map(_is_time, of.types))
