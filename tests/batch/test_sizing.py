"""How much a batch takes, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.batch.ports import BatchLimits, DueRequest
from leasebook.batch.sizing import (
    CALLERS_MIN,
    IDLE_AFTER_S,
    ROW_WAIT_S,
    callers_to_take,
    due_to_take,
    is_contended,
    is_idle,
    select_due,
)
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant


def due(at: int, name: str = "unit-1") -> Due:
    return Due(at=Instant(at), kind=DueKind.RELEASE, unit_id=name)


@pytest.mark.parametrize(
    ("waiting", "unanswered", "parts", "taken"),
    [
        pytest.param(100, 0, 1, 100, id="one part is everything"),
        pytest.param(100, 0, 2, 50, id="half of the backlog"),
        pytest.param(101, 0, 2, 51, id="the larger half"),
        pytest.param(60, 60, 2, 60, id="callers that are not answered yet belong to the backlog"),
        pytest.param(30, 90, 2, 30, id="never more than wait"),
        pytest.param(CALLERS_MIN, 0, 2, CALLERS_MIN, id="too few to divide"),
        pytest.param(CALLERS_MIN + 1, 0, 2, CALLERS_MIN, id="one more than the minimum"),
        pytest.param(0, 50, 2, 0, id="nothing waits"),
    ],
)
def test_a_batch_takes_its_part_of_the_backlog(waiting: int, unanswered: int, parts: int, taken: int) -> None:
    assert callers_to_take(waiting, unanswered, BatchLimits(backlog_parts=parts), is_contended=False) == taken


def test_a_batch_takes_the_whole_backlog_while_another_server_competes_for_the_rows() -> None:
    assert callers_to_take(100, 50, BatchLimits(backlog_parts=2), is_contended=True) == 100


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 600), st.integers(1, 4), st.booleans())
def test_a_batch_is_never_larger_than_its_limit_and_never_empty_while_callers_wait(
    waiting: int,
    unanswered: int,
    batch_max: int,
    parts: int,
    contended: bool,  # noqa: FBT001 - a table's column
) -> None:
    limits = BatchLimits(batch_max=batch_max, backlog_parts=parts)
    taken = callers_to_take(waiting, unanswered, limits, is_contended=contended)
    assert taken <= min(waiting, batch_max)
    assert (taken > 0) == (waiting > 0)


@pytest.mark.parametrize(
    ("writers", "load_s", "has_due", "expected"),
    [
        pytest.param(True, 2 * ROW_WAIT_S, False, True, id="others wrote, and the rows were waited for"),
        pytest.param(False, 2 * ROW_WAIT_S, False, False, id="slow, but no other server writes"),
        pytest.param(True, ROW_WAIT_S / 2, False, False, id="others wrote, and the rows were free"),
        pytest.param(True, 2 * ROW_WAIT_S, True, False, id="due work takes long to load by itself"),
    ],
)
def test_a_store_is_contended_only_where_all_evidence_says_so(
    writers: bool,  # noqa: FBT001 - columns of a table
    load_s: float,
    has_due: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_contended(has_concurrent_writers=writers, load_s=load_s, has_due_work=has_due) is expected


def test_a_server_is_idle_half_a_second_after_its_last_call() -> None:
    assert is_idle(float("inf"))
    assert is_idle(IDLE_AFTER_S + 0.01)
    assert not is_idle(IDLE_AFTER_S)


def test_more_due_work_is_taken_while_the_server_is_idle_and_while_the_clock_is_moved() -> None:
    limits = BatchLimits(due_max=10, moving_times=4, idle_times=3)
    assert due_to_take(limits, moves_clock=False, is_idle=False) == 10
    assert due_to_take(limits, moves_clock=False, is_idle=True) == 30
    assert due_to_take(limits, moves_clock=True, is_idle=False) == 40
    assert due_to_take(limits, moves_clock=True, is_idle=True) == 40


def test_work_that_rests_is_left_out_and_takes_no_place() -> None:
    found = [due(1, "a"), due(1, "b"), due(2, "c"), due(3, "d")]
    request = DueRequest(resting=frozenset({found[0], found[2]}))
    assert select_due(found, request, 2) == [found[1], found[3]]
    assert select_due(found, request, 1) == [found[1]]


def test_a_batch_that_moves_the_clock_takes_the_work_of_the_first_moment() -> None:
    found = [due(1, "a"), due(1, "b"), due(2, "c")]
    assert select_due(found, DueRequest(moving=True), 10) == found[:2]
    assert select_due(found, DueRequest(), 10) == found
    assert select_due([], DueRequest(moving=True), 10) == []
