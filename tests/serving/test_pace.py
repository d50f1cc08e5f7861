"""Whether a caller sends and receives fast enough, second by second."""

from __future__ import annotations

import pytest

from leasebook.server.transport.pace import BodyPace, Limits, SendPace

LIMITS = Limits(head_s=10, body_s=3, body_rate=100, idle_s=75, write_s=60)


@pytest.mark.parametrize(
    ("bytes_each_second", "too_slow_at"),
    [
        ([0, 0, 0], 3),
        ([100, 100, 100, 100, 100], None),
        ([50, 50, 50, 50, 50, 50], 6),
        ([100_000, 0, 0, 0], 4),
        ([0, 0, 200, 0, 0, 0], 5),
    ],
    ids=["silence", "the rate exactly", "half the rate", "a fast beginning buys no silence", "late bytes pay a little"],
)
def test_a_body_pays_with_its_bytes_for_the_time_that_passes(
    bytes_each_second: list[int], too_slow_at: int | None
) -> None:
    pace = BodyPace(LIMITS)
    pace.begin()
    found = None
    for second, size in enumerate(bytes_each_second, start=1):
        pace.arrived += size
        if pace.is_too_slow(1.0):
            found = second
            break
    assert found == too_slow_at


def test_each_body_begins_with_all_of_its_credit() -> None:
    pace = BodyPace(LIMITS)
    pace.begin()
    assert pace.is_too_slow(3.0)
    pace.begin()
    assert not pace.is_too_slow(2.9)


def test_a_caller_is_stuck_once_nothing_moved_for_the_whole_limit() -> None:
    pace = SendPace()
    looks = [(500, 0.0), (500, 59.0), (400, 60.0), (400, 119.0), (400, 120.0)]
    assert [pace.is_stuck(unsent, now, 60.0) for unsent, now in looks] == [False, False, False, False, True]


def test_a_caller_that_was_sent_nothing_is_never_stuck() -> None:
    pace = SendPace()
    assert not any(pace.is_stuck(0, now, 60.0) for now in (0.0, 100.0, 1000.0))
