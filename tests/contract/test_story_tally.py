"""The values that follow from all events of an instance: how often it was extended, and where its meter began."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from typing import Any

import pytest

from leasebook.domain.record.event import (
    BILLING_CHANGED,
    BILLING_CHANGING,
    RELEASE_CLEARED,
    RELEASE_MOVED,
    REMINDED,
    RENEWED,
    RESUMED,
    RUNNING,
    STOPPED,
)
from leasebook.store.verify.nouns.stories import BESIDES, WHOLE, Stories, Tally

MINUTE = 60_000_000
Step = tuple[str, int, dict[str, Any], dict[str, Any]]


@pytest.mark.parametrize(
    ("steps", "column", "value"),
    [
        ([(RUNNING, 5, {}, {})], "meter_from", 5),
        ([(RUNNING, 0, {}, {}), (STOPPED, 90_000_000, {}, {}), (RESUMED, 2 * MINUTE - 1, {}, {})], "meter_from", 0),
        (
            [(RUNNING, 0, {}, {}), (STOPPED, 90_000_000, {}, {}), (RESUMED, 2 * MINUTE, {}, {})],
            "meter_from",
            2 * MINUTE,
        ),
        ([(RUNNING, 0, {}, {}), (BILLING_CHANGED, 7, {}, {})], "meter_from", 7),
        ([(RELEASE_MOVED, 1, {"release_at": 10}, {"release_at": 20})], "extensions", 1),
        ([(RELEASE_MOVED, 1, {"release_at": 20}, {"release_at": 10})], "extensions", 0),
        ([(RELEASE_MOVED, 1, {"release_at": None}, {"release_at": 10})], "extensions", 0),
        ([(RELEASE_CLEARED, 1, {"release_at": 10}, {"release_at": None})], "extensions", 1),
        ([(BILLING_CHANGED, 1, {"release_at": 10}, {"release_at": None})], "extensions", 1),
        ([(BILLING_CHANGED, 1, {"release_at": None}, {"release_at": None})], "extensions", 0),
        ([(RENEWED, 1, {}, {})], "extensions", 0),
        ([(RELEASE_CLEARED, 1, {}, {}), (RENEWED, 2, {}, {})], "extensions", 2),
        ([(REMINDED, 3, {}, {}), (REMINDED, 9, {}, {})], "reminded_at", 9),
    ],
)
def test_a_column_follows_from_the_events(steps: list[Step], column: str, value: int | None) -> None:
    tally = Tally()
    for type_, at, before, data in steps:
        tally.add(type_, at, before, data)
    assert tally.columns()[column] == value


@pytest.mark.parametrize(("extended", "counts"), [(False, True), (True, False)])
def test_a_billing_switch_after_an_extension_leaves_the_number_open(extended: bool, counts: bool) -> None:  # noqa: FBT001
    tally = Tally()
    if extended:
        tally.add(RELEASE_CLEARED, 1, {}, {})
    tally.add(BILLING_CHANGING, 2, {}, {})
    assert tally.counts_extensions is counts


def _peak_bytes(units: int) -> int:
    """Return the peak of memory while the stories of ``units`` instances are read, in bytes."""
    row = [f"a value of {name}" for name in (*WHOLE, *BESIDES)]
    with closing(Stories(units)) as stories:
        for number in range(units):
            stories.row(f"unit-{number}", "account", number, row)
        tracemalloc.start()
        try:
            assert sum(1 for _ in stories.stories()) == units
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_the_memory_for_stories_does_not_grow_with_their_number() -> None:
    assert _peak_bytes(20_000) < 1.5 * _peak_bytes(6_000)
