"""Housekeeping that batches do beside their commands: how often, how much, and by which clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from leasebook.batch import KeyUses, housekeeping
from leasebook.batch.housekeeping import (
    CLEAR_EVERY_S,
    CLEAR_MAX,
    FORGET_EVERY_S,
    FORGET_MIN,
    PRUNE_EVERY_S,
    PRUNE_MIN,
    Pruner,
)
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, NONCE_PAGES
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.rule_settings import Rules

NOW = Instant(10**15)


class PruneTransaction:
    """Notes what it is to delete."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        self.asked.append(("records", before, limit))

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        self.asked.append(("deliveries", now, limit))

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        self.asked.append(("signatures", nonces_before, refused_before, limit))

    async def note_uses(self, uses: Any) -> None:
        self.asked.append(("uses", *uses))


class HousekeepingBench:
    """Batches at moments that the test chooses, in seconds since the start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.at = 1000.0
        monkeypatch.setattr(housekeeping, "time", SimpleNamespace(monotonic=lambda: self.at))
        self.rules = Rules()
        self.pruner = Pruner(self.rules, **options)

    def batch(self, after_s: float = 0.0, *, records: int = 0, nonces: int = 0) -> list[tuple[Any, ...]]:
        self.at += after_s
        changes, transaction = Changes([], []), PruneTransaction()
        changes.inserted = {IDEMPOTENCY_RECORDS: [object()] * records, NONCE_PAGES: [object()] * nonces}
        asyncio.run(self.pruner.prune(transaction, NOW, changes))  # type: ignore[arg-type]
        return transaction.asked


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> HousekeepingBench:
    return HousekeepingBench(monkeypatch)


def test_most_batches_delete_nothing(bench: HousekeepingBench) -> None:
    assert bench.batch() == []
    assert bench.batch(PRUNE_EVERY_S) == []


def test_idempotency_records_go_after_their_time_and_faster_than_new_ones_come(bench: HousekeepingBench) -> None:
    assert bench.batch(records=40) == []
    before = NOW - bench.rules.token_keep_us
    assert bench.batch(PRUNE_EVERY_S + 0.01, records=60) == [("records", before, PRUNE_MIN + 2 * 100)]
    assert bench.batch() == []
    assert bench.batch(PRUNE_EVERY_S + 0.01)[0] == ("records", before, PRUNE_MIN), "each is counted once"


def test_deliveries_go_twice_a_second(bench: HousekeepingBench) -> None:
    assert ("deliveries", NOW, CLEAR_MAX) in bench.batch(CLEAR_EVERY_S + 0.01)
    assert ("deliveries", NOW, CLEAR_MAX) not in bench.batch(CLEAR_EVERY_S - 0.01)
    assert ("deliveries", NOW, CLEAR_MAX) in bench.batch(0.02)


@pytest.mark.parametrize(
    ("mode", "wall", "nonces_go_by"),
    [
        pytest.param("real", NOW + HOUR_US, NOW, id="a machine whose clock was set ahead"),
        pytest.param("real", NOW - HOUR_US, NOW - HOUR_US, id="a machine whose clock is behind"),
        pytest.param("virtual", NOW + HOUR_US, NOW + HOUR_US, id="signatures do not go by a virtual clock"),
    ],
)
def test_nonces_go_an_hour_after_they_are_of_no_use_by_the_earlier_clock(
    monkeypatch: pytest.MonkeyPatch, mode: str, wall: int, nonces_go_by: int
) -> None:
    monkeypatch.setattr(housekeeping, "wall_us", lambda: Instant(wall))
    bench = HousekeepingBench(monkeypatch, mode=mode)
    assert not any(asked[0] == "signatures" for asked in bench.batch(nonces=7))
    asked = bench.batch(FORGET_EVERY_S + 0.01)
    keep_us = bench.rules.refused_keep_us
    assert ("signatures", nonces_go_by - HOUR_US, nonces_go_by - keep_us, FORGET_MIN + 14) in asked


def test_uses_of_keys_are_written_with_the_next_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = KeyUses(lambda: 0.0)
    bench = HousekeepingBench(monkeypatch, uses=uses)
    uses.used("key-1", NOW)
    assert bench.batch() == [("uses", ("key-1", NOW))]
    assert bench.batch() == []
