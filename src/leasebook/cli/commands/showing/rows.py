"""The rows of an answer, and the columns in which they are shown. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import click
from msgspec import inspect

from leasebook.cli.commands.language import _
from leasebook.contract.parameters.fields import of_all

OF_PAGES: Final = frozenset({"isTruncated", "maxKeys", "nextMarker", "pageInfo", "marker"})
"""Values of an answer about its pages."""
FIRST: Final[dict[str, tuple[str, ...]]] = {
    "describe_units": (
        "instanceId", "name", "status", "type", "totalComputeUnits", "releaseTime", "expiredTime", "region",
        "paymentTiming", "usedComputeUnits", "projectId", "projectName", "startTime",
    ),
    "describe_services": (
        "serviceId", "name", "runStatus", "resourceConfig.type", "resourceConfig.replicasCount", "urlSuffix", "payType",
        "creatorName", "createTime",
    ),
    "describe_offerings": (
        "type", "model", "region", "pricePerMinute", "pricePerMonth", "stockFree", "stockTotal", "currency",
    ),
    "describe_orders": ("createTime", "kind", "instanceId", "type", "count", "amount", "orderId"),
    "describe_accounts": ("accountId", "name", "status", "balance"),
    # The list of keys is made of users, too.
    "describe_users": (
        "accessKeyId", "userName", "status", "lastUsedTime", "userId", "name", "policies", "email", "isRoot",
        "createTime",
    ),
    "describe_postings": (
        "time", "kind", "amount", "instanceId", "instanceName", "count", "minutes", "price", "orderId", "debit",
        "credit", "postingId",
    ),
    "describe_attempts": ("time", "userName", "action", "code", "message", "requestId"),
    "describe_events": ("time", "type", "subject", "id"),
    "describe_audit_log": ("time", "userName", "action", "code", "address", "requestId"),
    "describe_costs": ("startTime", "group", "names", "billed", "amortised", "forecastBilled", "forecastAmortised"),
}  # fmt: skip
"""The columns that come first, where the order of the contract is not the best for people."""


LAST: Final = ("source", "specversion", "datacontenttype")
"""Columns that are the same in all rows, or long and of little use for people."""


class Rows(NamedTuple):
    """Rows, the names of their possible columns in the contract's order, and the rest of the answer."""

    rows: list[dict[str, Any]]
    known: tuple[str, ...]
    rest: dict[str, Any]


def rows_field(request: type, result: Any) -> str:
    """Return the field of a list's result that has its rows; empty: it is no list that comes in pages."""
    asked = inspect.type_info(request)
    assert isinstance(asked, inspect.StructType)  # noqa: S101  # each request is one
    if all(field.encode_name != "maxKeys" for field in asked.fields):
        return ""
    return next(
        (field.encode_name for field in _fields(inspect.type_info(result)) if _item(field.type) is not None), ""
    )


def column_names(result: Any, rows: str) -> tuple[str, ...]:
    """Return the columns that the contract knows for the rows of a result; those of objects in them with a point."""
    kind = inspect.type_info(result)
    item: inspect.Type | None = kind
    if rows:
        item = next((_item(field.type) for field in _fields(kind) if field.encode_name == rows), None)
    return () if item is None else tuple(_names(item, ""))


def _names(of: inspect.Type, before: str) -> Iterable[str]:
    for field in _fields(of):
        inner = of_all(field.type)[0]
        if _fields(inner):
            yield from _names(inner, f"{before}{field.encode_name}.")
        else:
            yield f"{before}{field.encode_name}"


def _fields(of: inspect.Type) -> Sequence[inspect.Field]:
    while isinstance(of, inspect.Metadata):
        of = of.type
    return of.fields if isinstance(of, inspect.StructType) else ()


def _item(of: inspect.Type) -> inspect.Type | None:
    for one in of_all(of):
        inner = one.type if isinstance(one, inspect.Metadata) else one
        if isinstance(inner, inspect.ListType):
            item = of_all(inner.item_type)[0]
            return item if _fields(item) else None
    return None


def flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return an object with the values of the objects in it beside its own: ``a.b``."""
    found: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, Mapping) and one and name not in {"tags", "group", "names", "labels"}:
            found |= flat(one, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = one
    return found


def chosen_columns(rows: Sequence[Mapping[str, Any]], known: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the columns that were asked for. Raises BadParameter for one that no row can have."""
    there = dict.fromkeys([*known, *(name for row in rows for name in row)])
    by_small = {name.lower(): name for name in there}
    found = []
    for one in asked:
        name = by_small.get(one.strip().lower())
        if name is None and there:
            near = get_close_matches(one.lower(), by_small, n=1)
            more = _(" Do you mean {name}?").format(name=by_small[near[0]]) if near else ""
            raise click.BadParameter(
                _("there is no column {one}.{more} There are: {names}.").format(
                    one=one, more=more, names=", ".join(there)
                ),
                param_hint="--columns",
            )
        found.append(name or one)
    return found


def all_columns(rows: Sequence[Mapping[str, Any]], known: Sequence[str], operation: str) -> list[str]:
    """Return the columns that have a value in some row, the most telling first."""
    there = dict.fromkeys(name for row in rows for name, value in row.items() if value not in (None, "", [], {}))
    ordered = dict.fromkeys([*FIRST.get(operation, ()), *known, *there])
    return [name for name in (*(one for one in ordered if one not in LAST), *LAST) if name in there]


def text(value: Any) -> str:
    """Return a value in one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(text(one) for one in value)
    return " ".join(str(value).split())
