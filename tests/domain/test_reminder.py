"""The rules of reminders: they are armed when a deadline is set, and given at their moment, or late."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from leasebook.domain.model.instance import ENDABLE, UP, Instance
from leasebook.domain.record.event import REMINDED, unit_events
from leasebook.domain.rules.reminder import (
    armed,
    deadline_of,
    disarmed,
    is_rearmed,
    said,
    to_offsets,
    unpaid,
    wants_none,
)
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant
from tests.contract.rows import unit

END: Final = Instant(1_893_456_000_000_000)
OFFSETS: Final = (7 * DAY_US, DAY_US, HOUR_US)


def before(us: int) -> Instant:
    return Instant(END - us)


def postpaid(**more: Any) -> Instance:
    return unit("unit-1", release_at=END, **more)


def prepaid(**more: Any) -> Instance:
    return unit("unit-1", payment_timing="Prepaid", expires_at=END, **more)


@pytest.mark.parametrize("status", sorted(ENDABLE | {"Releasing", "Released", "CreateFailed"}))
def test_the_deadline_is_what_ends_an_instance_by_itself(status: Any) -> None:
    assert deadline_of(postpaid(status=status)) == (END if status in ENDABLE else None)
    # A term that is followed by something is no deadline; one that has not begun, or is over, is none either.
    assert deadline_of(prepaid(status=status)) == (END if status in UP - {"BillingChanging"} else None)


ARMED = [
    # How long before the deadline it is set; the offsets that are still to come.
    (8 * DAY_US, OFFSETS),
    (7 * DAY_US + 1, OFFSETS),
    (7 * DAY_US, (DAY_US, HOUR_US)),
    (2 * DAY_US, (DAY_US, HOUR_US)),
    (HOUR_US + 1, (HOUR_US,)),
    (HOUR_US, ()),
    (5 * MINUTE_US, ()),
    (0, ()),
    (-DAY_US, ()),
]


@pytest.mark.parametrize(("lead", "ahead"), ARMED)
@pytest.mark.parametrize("row", [postpaid(), prepaid()])
def test_only_what_is_still_to_come_is_armed(row: Instance, lead: int, ahead: tuple[int, ...]) -> None:
    at = None if not ahead else END - ahead[0]
    assert armed(row, OFFSETS, before(lead)) == {"remind_at": at, "remind_before_us": ahead}
    assert armed(row, (), before(lead)) == {"remind_at": None, "remind_before_us": ()}


def test_what_was_said_once_is_not_armed_again_where_the_clock_is_set_back() -> None:
    row = postpaid(reminded_at=before(DAY_US))
    assert armed(row, OFFSETS, before(9 * DAY_US))["remind_before_us"] == (HOUR_US,)


def test_what_has_ended_forgets_of_what_it_was_reminded_and_what_lost_its_deadline_does_not() -> None:
    facts: dict[str, Any] = {"remind_at": END, "remind_before_us": OFFSETS, "reminded_at": before(DAY_US)}
    nothing = {"remind_at": None, "remind_before_us": ()}
    assert disarmed(unit("unit-1", **facts)) == nothing
    for status in ("Stopped", "Releasing", "Released"):
        assert disarmed(postpaid(status=status, **facts)) == {**nothing, "reminded_at": None}
    assert armed(unit("unit-1", **facts), OFFSETS, before(DAY_US)) == nothing


def test_an_instance_with_a_rule_for_its_renewal_has_nothing_to_be_reminded_of_before_one_fails() -> None:
    assert [wants_none(row) for row in (prepaid(), postpaid(), prepaid(auto_renew=True), unit("unit-1"))] == [
        False,
        False,
        True,
        True,
    ]
    row = prepaid(auto_renew=True)
    # The try at seven days before fails: that reminder is due at this very moment, and said.
    assert unpaid(row, OFFSETS, before(7 * DAY_US)) == armed(row, OFFSETS, before(7 * DAY_US + 1))
    assert unpaid(row, OFFSETS, before(7 * DAY_US))["remind_at"] == before(7 * DAY_US)
    assert unpaid(row, OFFSETS, before(3 * DAY_US))["remind_before_us"] == (DAY_US, HOUR_US)
    # Armed once, the next failure leaves it as it is: the reminder due now is not lost.
    assert unpaid(replace(row, remind_at=before(DAY_US)), OFFSETS, before(DAY_US)) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, postpaid(), True),
        (None, unit("unit-1"), False),
        (postpaid(), postpaid(status="Reconfiguring"), False),
        (postpaid(), postpaid(status="Stopped"), False),
        (postpaid(), postpaid(status="Releasing"), True),
        (postpaid(), unit("unit-1", release_at=before(1)), True),
        (prepaid(), prepaid(status="BillingChanging"), True),
        (prepaid(), prepaid(auto_renew=True), True),
        (prepaid(), prepaid(status="Stopped"), True),
    ],
)
def test_reminders_are_armed_anew_when_the_deadline_or_the_rule_changes(
    old: Instance | None,
    new: Instance,
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_rearmed(old, new) is expected


SAID = [
    # Offsets left, how long before the deadline the work is done: the reminder given, and the offsets left then.
    (OFFSETS, 7 * DAY_US, 7 * DAY_US, (DAY_US, HOUR_US)),
    (OFFSETS, 2 * DAY_US, 7 * DAY_US, (DAY_US, HOUR_US)),  # late, and still the nearest
    (OFFSETS, DAY_US, None, (DAY_US, HOUR_US)),  # a nearer one is due by now
    (OFFSETS, HOUR_US, None, (HOUR_US,)),
    (OFFSETS, 1, None, (HOUR_US,)),
    (OFFSETS, 0, None, ()),  # there is nothing left to remind of
    ((HOUR_US,), HOUR_US, HOUR_US, ()),
    ((HOUR_US,), 1, HOUR_US, ()),
    ((HOUR_US,), -1, None, ()),
]


@pytest.mark.parametrize(("left", "lead", "offset", "after"), SAID)
def test_what_is_late_is_said_once_and_as_what_is_nearest(
    left: tuple[int, ...], lead: int, offset: int | None, after: tuple[int, ...]
) -> None:
    row = postpaid(remind_at=before(left[0]), remind_before_us=left)
    done = replace(row, **said(row, before(left[0]), before(lead)))
    assert done.remind_before_us == after
    assert done.remind_at == (before(after[0]) if after else None)
    events = list(unit_events(row, done))
    expected = {"deadline": END, "offsetSeconds": (offset or 0) // 1_000_000, "what": "release", "buyerId": "user-1"}
    assert events == ([] if offset is None else [(REMINDED, expected)])


@given(
    st.lists(st.integers(MINUTE_US, 90 * DAY_US), max_size=8).map(tuple),
    st.integers(-DAY_US, 91 * DAY_US),
    st.lists(st.integers(0, 30 * DAY_US), max_size=12),
)
def test_however_late_the_work_is_each_offset_is_said_once_in_order_and_none_after_the_deadline(
    offsets: tuple[int, ...], lead: int, delays: list[int]
) -> None:
    kept = to_offsets(offsets)
    row = postpaid()
    row = replace(row, **armed(row, kept, before(lead)))
    told: list[int] = []
    while row.remind_at is not None:
        due = row.remind_at
        seen = Instant(due + (delays.pop() if delays else 0))
        after = replace(row, **said(row, due, seen))
        told += [data["offsetSeconds"] for kind, data in unit_events(row, after) if kind == REMINDED]
        assert after.remind_at is None or after.remind_at > due
        if after.reminded_at != row.reminded_at:
            assert after.reminded_at == due < END
            assert seen < END
            # Nothing nearer was due by then.
            assert not any(due < END - offset <= seen for offset in kept)
        row = after
    assert told == sorted(set(told), reverse=True)
    expected = {offset // 1_000_000 for offset in kept if END - offset > before(lead)}
    assert set(told) <= expected
