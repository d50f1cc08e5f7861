"""Whether an example answer looks like a real one: the same fields with values of the same types, read by its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import inspect


def differences(of: inspect.Type, example: Any, real: Any, at: str = "result") -> Iterator[str]:
    """Say what an example answer has and the real one lacks, or the other way round.

    Of a list, and of an object whose keys are data, the example may show fewer entries: one is enough where there are
    some, and each must look like one that is really there.
    """
    match of:
        case inspect.Metadata(type=inner):
            yield from differences(inner, example, real, at)
        case _ if example is None or real is None:
            if example is not real:
                yield f"{at} is {example!r} in the example, and really {real!r}"
        case inspect.UnionType(types=types):
            inner = next(one for one in types if not isinstance(one, inspect.NoneType))
            yield from differences(inner, example, real, at)
        case inspect.StructType(fields=fields):
            yield from _fields({field.encode_name: field.type for field in fields}, example, real, at)
        case inspect.ListType(item_type=inner):
            yield from _entries(inner, example, real, at)
        case inspect.DictType(value_type=inner):
            yield from _entries(inner, list(example.values()), list(real.values()), at)
        case inspect.AnyType():
            return
        case _:
            if type(example) is not type(real):
                yield f"{at} is {example!r} in the example, and really {real!r}"


def _fields(
    kinds: Mapping[str, inspect.Type], example: Mapping[str, Any], real: Mapping[str, Any], at: str
) -> Iterator[str]:
    for name in sorted({*example, *real}):
        if name not in real:
            yield f"{at}.{name} is in the example only"
        elif name not in example:
            yield f"{at}.{name} is not in the example, and really {real[name]!r}"
        else:
            yield from differences(kinds[name], example[name], real[name], f"{at}.{name}")


def _entries(of: inspect.Type, example: Sequence[Any], real: Sequence[Any], at: str) -> Iterator[str]:
    if bool(example) != bool(real):
        yield f"{at} has {len(example)} entries in the example, and really {len(real)}"
    for place, shown in enumerate(example):
        tries = [list(differences(of, shown, found, f"{at}[{place}]")) for found in real]
        if all(tries):
            yield from min(tries, key=len, default=[])
