"""Calls are counted by the hour and the minute, and no count is more than a store can hold."""

from __future__ import annotations

import json

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import SERVICE_USAGE, SERVICES
from leasebook.domain.commands.command import Engine, decide
from leasebook.domain.commands.service.usage import CountCalls, ForgetMinutes
from leasebook.domain.model.service import Service
from leasebook.domain.model.usage import MINUTES_KEEP_US, MinuteCount, ServiceUsage, UsageKey
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.store.verify.service_calls import call_findings

HELD_MAX = 2**63 - 1
NOON = Instant(1000 * 24 * HOUR_US + 12 * HOUR_US)


def test_counts_add_up() -> None:
    calls = ServiceUsage("svco-1", "app", Instant(0), "acc").plus(1, 2, 3, 4, minute=59)
    calls = calls.plus(10, 20, 30, 40, minute=0).plus(100, 0, 0, 0, minute=59)
    assert (calls.input_tokens, calls.output_tokens, calls.succeeded, calls.failed) == (111, 22, 33, 44)
    assert calls.minutes == (MinuteCount(0, 10, 20, 30, 40), MinuteCount(59, 101, 2, 3, 4))


def test_a_count_never_leaves_what_a_store_can_hold() -> None:
    calls = ServiceUsage("svco-1", "app", Instant(0), "acc")
    for _ in range(3000):
        calls = calls.plus(2**53, 2**53, 2**53, 2**53, minute=7)
    assert max(calls.input_tokens, calls.output_tokens, calls.succeeded, calls.failed) <= HELD_MAX
    assert max(*calls.minutes[0]) <= HELD_MAX


def test_the_first_count_of_an_hour_deletes_the_minutes_of_two_days_before() -> None:
    former = Instant(NOON - MINUTES_KEEP_US)
    older = ServiceUsage("svco-1", "app", former, "acc").plus(1, 2, 3, 4, minute=5)
    service = Service("svco-1", "acc", "user", "name", "", "name", "am-1", "amv-1", "GPU-1-1", None, None, 0, NOON)
    command = CountCalls(
        account_id="acc",
        service_id="svco-1",
        app_id="app",
        at=Instant(NOON + 7 * MINUTE_US + 1),
        input_tokens=1,
        output_tokens=2,
        succeeded=3,
        failed=4,
    )
    book = Book()
    assert (SERVICE_USAGE, ("svco-1", "app", former)) in list(command.needs())
    book.load(SERVICES, ("svco-1",), service)
    book.load(SERVICE_USAGE, ("svco-1", "app", former), older)
    book.load(SERVICE_USAGE, ("svco-1", "app", NOON), None)
    decide(book, command, Rules(), Instant(NOON + HOUR_US), Engine())
    kept, counted = (book.get(SERVICE_USAGE, "svco-1", "app", hour) for hour in (former, NOON))
    assert kept is not None
    assert (kept.minutes, kept.input_tokens, kept.failed) == ((), 1, 4)
    assert counted is not None
    assert counted.minutes == (MinuteCount(7, 1, 2, 3, 4),)


def test_minutes_are_deleted_when_they_are_no_longer_shown_and_never_before() -> None:
    keys = [UsageKey("svco-1", app, NOON) for app in ("app", "quiet", "gone")]
    counted = ServiceUsage(*keys[0], "acc").plus(1, 2, 3, 4, minute=59)
    rows = [counted, ServiceUsage(*keys[1], "acc", 1), None]
    command = ForgetMinutes(hours=tuple(keys))
    assert list(command.needs()) == [(SERVICE_USAGE, key) for key in keys]
    for now, is_deleted in (
        (NOON + MINUTES_KEEP_US + HOUR_US - 1, False),
        (NOON + MINUTES_KEEP_US + HOUR_US, True),
    ):
        book = Book()
        for key, row in zip(keys, rows, strict=True):
            book.load(SERVICE_USAGE, key, row)
        decide(book, command, Rules(), Instant(now), Engine())
        kept, quiet, gone = (book.get(SERVICE_USAGE, *key) for key in keys)
        assert kept == ServiceUsage(*keys[0], "acc", 1, 2, 3, 4, () if is_deleted else counted.minutes)
        assert (quiet, gone) == (rows[1], None)
        assert bool(book.changes()) is is_deleted


@pytest.mark.parametrize(
    ("minutes", "is_right"),
    [
        ([[0, 1, 1, 1, 1], [59, 1, 1, 1, 1]], True),
        ([[7, 2, 2, 2, 2]], True),
        # An hour that an earlier version counted in part.
        ([[7, 1, 0, 1, 0]], True),
        ([[7, 3, 0, 0, 0]], False),
        ([[7, 1, 0, 0, 0], [8, 2, 0, 0, 0]], False),
        ([[8, 1, 0, 0, 0], [7, 1, 0, 0, 0]], False),
        ([[7, 1, 0, 0, 0], [7, 1, 0, 0, 0]], False),
        ([[60, 1, 0, 0, 0]], False),
        ([[7, 1]], False),
    ],
)
def test_the_check_names_minutes_that_are_not_those_of_their_hour(minutes: list[list[int]], *, is_right: bool) -> None:
    pages = [[("svco-1", "app", NOON, 2, 2, 2, 2, json.dumps(minutes))], []]
    found = list(call_findings(lambda *_: pages.pop(0)))
    assert found == [] if is_right else f"service svco-1 by app in the hour {NOON}" in found[0]
