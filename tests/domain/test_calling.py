"""Calls are counted by the hour, and no count is more than a store can hold."""

from __future__ import annotations

from leasebook.domain.model.usage import ServiceUsage
from leasebook.domain.values.calendar import Instant

HELD_MAX = 2**63 - 1


def test_counts_add_up() -> None:
    calls = ServiceUsage("svco-1", "app", Instant(0), "acc").plus(1, 2, 3, 4).plus(10, 20, 30, 40)
    assert (calls.input_tokens, calls.output_tokens, calls.succeeded, calls.failed) == (11, 22, 33, 44)


def test_a_count_never_leaves_what_a_store_can_hold() -> None:
    calls = ServiceUsage("svco-1", "app", Instant(0), "acc")
    for _ in range(3000):
        calls = calls.plus(2**53, 2**53, 2**53, 2**53)
    assert max(calls.input_tokens, calls.output_tokens, calls.succeeded, calls.failed) <= HELD_MAX
