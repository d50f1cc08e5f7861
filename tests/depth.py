"""How deep a run goes: an ordinary one plays each kind of thing once, a deep one all there is, again and again.

``LEASEBOOK_TEST_ROUNDS`` says it. Without it, or with 0, a run is an ordinary one: it tries a few of the values that
are for the same line, a few random examples, and the second store where the store matters. With 1 it is deep: every
value, every store, each property of chance as often as it needs. With a higher number, chance is tried that many times
as often.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

_ASKED: Final = int(os.environ.get("LEASEBOOK_TEST_ROUNDS") or 0)
IS_DEEP: Final = _ASKED > 0
ROUNDS: Final = max(1, _ASKED)
"""How many times more a deep run has to do; 1 in an ordinary run."""
SECOND: Final = "postgres"
BY_CALLERS: Final = ("api", "gateway", "life", "outbox", "reconciler")
"""Suites of the behaviour that callers see, on any store: tests/contract shows that both stores keep their promises,
and tests/api/test_published.py that every action answers alike on both."""
BY_MARKS: Final = ("api",)
"""Those of them whose ordinary runs have only marked tests on PostgreSQL. They have the most files."""


def few(ordinary: T, deep: T) -> T:
    """Return how much there is to do in a run of this depth."""
    return deep if IS_DEEP else ordinary


def some(values: Sequence[T], count: int) -> list[T]:
    """Return all values in a deep run, and ``count`` of them in an ordinary one: the first, the last, and some between.

    For values that are for the same line of code. Where each is for a line of its own, an ordinary run tries all.
    """
    if IS_DEEP or len(values) <= count:
        return list(values)
    if count == 1:
        return [values[0]]
    return [values[place * (len(values) - 1) // (count - 1)] for place in range(count)]


def left_to_deep_runs(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Return the tests that an ordinary run leaves out."""
    if IS_DEEP:
        return set()
    return {item for item in items if item.get_closest_marker("deep")} | _on_second_store_again(items)


def _on_second_store_again(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return the tests of these suites that an ordinary run leaves to the embedded store.

    In each file the first test of both stores runs on PostgreSQL too, but not in tests/api. So do all tests of the mark
    ``both_stores``, and all that run on PostgreSQL only. Files of other suites are treated alike where they have the
    mark ``mostly_embedded``.
    """
    found = [item for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    embedded = {(item.path, item.originalname) for item in found if not _is_second(item)}
    again: set[pytest.Item] = set()
    seen: set[Path] = set()
    for item in found:
        if not _is_second(item) or (item.path, item.originalname) not in embedded or not _is_by_callers(item):
            continue
        if item.path in seen or _is_by_marks(item):
            again.add(item)
        seen.add(item.path)
    return again


def _is_second(item: pytest.Function) -> bool:
    return any(value == SECOND for value in item.callspec.params.values() if isinstance(value, str))


def _is_by_marks(item: pytest.Item) -> bool:
    return any(part in BY_MARKS for part in item.path.parts)


def _is_by_callers(item: pytest.Item) -> bool:
    if item.get_closest_marker("mostly_embedded"):
        return True
    return item.get_closest_marker("both_stores") is None and any(part in BY_CALLERS for part in item.path.parts)
