"""Loops of tests rest the longer between two looks the longer they wait."""

from __future__ import annotations

from tests.rests import Rests


def test_a_rest_is_an_eighth_of_the_time_that_was_waited_within_its_bounds() -> None:
    now = 100.0
    rests = Rests(0.01, 0.25, lambda: now)
    found = []
    for waited in (0.0, 0.04, 0.08, 0.8, 1.6, 60.0):
        now = 100.0 + waited
        found.append(round(rests.next_s(), 6))
    assert found == [0.01, 0.01, 0.01, 0.1, 0.2, 0.25]


def test_a_loop_that_looks_often_on_purpose_keeps_its_pace() -> None:
    now = 0.0
    rests = Rests(0.5, 0.5, lambda: now)
    assert rests.next_s() == 0.5
    now = 60.0
    assert rests.next_s() == 0.5
    assert Rests(0.5, now=lambda: now).next_s() == 0.5
