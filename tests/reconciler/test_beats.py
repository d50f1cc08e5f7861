"""Beats: the age of one is measured from when it was first seen, and a new beat begins a new measurement."""

from __future__ import annotations

from leasebook.reconciler.beats import Beats
from tests.reconciler.lease_books import LeaseTime


def test_a_beat_stands_still_since_it_was_first_seen() -> None:
    time = LeaseTime()
    beats = Beats(time)
    assert beats.standing({"one": 1, "two": 7}) == {"one": 0.0, "two": 0.0}
    time.move(4)
    assert beats.standing({"one": 2, "two": 7}) == {"one": 0.0, "two": 4.0}
    time.move(1)
    assert beats.standing({"one": 2}) == {"one": 1.0}
    assert beats.standing({"one": 2, "two": 7}) == {"one": 1.0, "two": 0.0}, "it was forgotten in between"
