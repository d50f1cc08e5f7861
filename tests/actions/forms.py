"""The forms of answers and of the values in them, and the search for a place where an answer has another form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple


class Maybe(NamedTuple):
    """A key that is there in some answers only."""

    shape: Any


class Unfilled(NamedTuple):
    """A list without an entry as long as no replica runs and no stream is followed. Other tests look at its entries."""

    shape: list[Any]


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00")
AMOUNT = re.compile(r"-?\d+\.\d{2,6}")
HEX_ID = re.compile(r"[0-9a-f]{32}")
UNIT_ID = re.compile(r"unit-[0-9A-Za-z]{8}")
QUOTA_ID = re.compile(r"tpm-[0-9A-Za-z]{8}")
ANY_ID = re.compile(r"(unit|tpm)-[0-9A-Za-z]{8}")
PACKAGE_ID = re.compile(r"pkg-[0-9a-z]{12}")
SERVICE_ID = re.compile(r"svco-[0-9a-z]{12}")
SET_ID = re.compile(r"am-[0-9a-z]{12}")
MODEL_ID = re.compile(r"amv-[0-9a-z]{12}")
PROJECT_ID = re.compile(r"prj-[0-9a-z]{12}")
SERVICE_KEY_ID = re.compile(r"key-[0-9a-z]{12}")
SERVICE_KEY = re.compile(r"lsk-[0-9a-z]{12}-[A-Za-z0-9_-]{43}")
KEY_ID = re.compile(r"AK[0-9A-Za-z]+")
TIMING = re.compile("Prepaid|Postpaid")
PURCHASED = {"instanceId": UNIT_ID, "orderId": HEX_ID}
PAGE_INFO = {"marker": str, "maxKeys": int, "isTruncated": bool, "nextMarker": Maybe(str)}
ENDS_A_PAGE = {"isTruncated": bool, "maxKeys": int, "nextMarker": Maybe(str)}
MAY_END_A_PAGE = {
    "pageInfo": Maybe(PAGE_INFO),
    **{name: Maybe(shape) for name, shape in (("isTruncated", bool), ("maxKeys", int), ("nextMarker", str))},
}
"""The same of a list that has pages only if they are asked for, or if more rows follow."""


def misfit(value: Any, shape: Any, where: str = "result") -> str | None:
    """Return the first place where a value is not of a shape; None where there is none."""
    match shape:
        case Unfilled(shape=entries):
            return misfit(value, entries, where)
        case dict():
            required = {name for name, inner in shape.items() if not isinstance(inner, Maybe)}
            if type(value) is not dict or not required <= set(value) <= set(shape):
                return f"{where}: {value}"
            inner = {name: shape[name].shape if isinstance(shape[name], Maybe) else shape[name] for name in value}
            found = (misfit(value[name], inner[name], f"{where}.{name}") for name in value)
        case list():
            if type(value) is not list:
                return f"{where}: {value}"
            found = (misfit(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
        case tuple():
            return None if any(misfit(value, one) is None for one in shape) else f"{where}: {value}"
        case re.Pattern():
            return None if type(value) is str and shape.fullmatch(value) else f"{where}: {value!r}"
        case type():
            return None if type(value) is shape else f"{where}: {value!r}"
        case _:
            return None if value is shape else f"{where}: {value!r}"
    return next((finding for finding in found if finding is not None), None)


def unfilled(values: Iterable[Any], shape: Any, where: str = "result") -> set[str]:
    """Return the lists of a shape that have no entry in any of the values. Each value is of the shape."""
    values = list(values)
    match shape:
        case Maybe(shape=inner):
            return unfilled(values, inner, where)
        case dict():
            found = (
                unfilled((value[name] for value in values if name in value), inner, f"{where}.{name}")
                for name, inner in shape.items()
            )
            return set().union(*found)
        case list():
            entries = [entry for value in values for entry in value]
            return unfilled(entries, shape[0], f"{where}[]") if entries else {where}
        case _:
            return set()


OWNER: Final = {"accountId": Maybe(HEX_ID), "accountName": Maybe(str)}
"""The fields of a row that says whose it is."""
