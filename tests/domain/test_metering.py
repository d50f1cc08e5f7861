"""Metering: a started minute counts, once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.domain.calendar import MINUTE_US, SECOND_US, Instant
from leasehold.domain.metering import minutes_started

START = Instant(1_893_456_017_250_000)

spans = st.one_of(
    st.integers(-10 * MINUTE_US, 500 * MINUTE_US),
    st.builds(lambda minutes, beside: minutes * MINUTE_US + beside, st.integers(0, 500), st.sampled_from((-1, 0, 1))),
)

COUNTED = [
    (-1, 0),
    (0, 0),
    (1, 1),
    (SECOND_US, 1),
    (MINUTE_US - 1, 1),
    (MINUTE_US, 1),
    (MINUTE_US + 1, 2),
    (90 * MINUTE_US + 30 * SECOND_US, 91),
    (60 * 24 * MINUTE_US, 1440),
]


@pytest.mark.parametrize(("span", "minutes"), COUNTED)
def test_a_started_minute_counts(span: int, minutes: int) -> None:
    assert minutes_started(START, Instant(START + span)) == minutes


@given(spans)
def test_the_minutes_are_those_that_began_before_the_end(span: int) -> None:
    minutes = minutes_started(START, Instant(START + span))
    begun = [minute for minute in range(502) if START + minute * MINUTE_US < START + span]
    assert minutes == len(begun)


@given(spans, st.lists(spans, max_size=8))
def test_cut_at_any_moments_the_parts_add_up_to_the_whole(span: int, cuts: list[int]) -> None:
    edges = [0, *sorted(min(max(cut, 0), max(span, 0)) for cut in cuts), max(span, 0)]
    counted = [minutes_started(START, Instant(START + edge)) for edge in edges]
    parts = [later - earlier for earlier, later in pairwise(counted)]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == minutes_started(START, Instant(START + span))
