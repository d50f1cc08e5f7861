"""The agenda: what happens to an instance by itself, for every status and every time that it may have."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any, get_args

import pytest

from leasebook.domain.model.instance import Instance, InstanceStatus
from leasebook.domain.record.agenda import Due, DueKind, agenda_of, due_until, head_of, soonest_new
from leasebook.domain.values.calendar import Instant

R, E, T, C = DueKind.RELEASE, DueKind.EXPIRE, DueKind.RETIRE, DueKind.CHARGE
RENEW, STOP, RESUME, REMIND = DueKind.RENEW, DueKind.STOP, DueKind.RESUME, DueKind.REMIND
TIMES = {
    "release_at": (Instant(10), R),
    "expires_at": (Instant(20), E),
    "retire_at": (Instant(30), T),
    "charge_at": (Instant(40), C),
    "renew_at": (Instant(50), RENEW),
    "stop_at": (Instant(60), STOP),
    "resume_at": (Instant(70), RESUME),
    "remind_at": (Instant(80), REMIND),
}

# Status: what falls due of the times that are set. All others never do.
FALLS_DUE: dict[InstanceStatus, set[DueKind]] = {
    "Creating": {R, REMIND},
    "CreateFailed": set(),
    "Running": {R, E, C, RENEW, STOP, REMIND},
    "Stopped": {R, T, RENEW, RESUME, REMIND},
    "Releasing": set(),
    "Released": set(),
    "Reconfiguring": {R, E, C, RENEW, STOP, REMIND},
    "ReconfigureFailed": {R, E, C, RENEW, STOP, REMIND},
    "BillingChanging": {R, E, C, RENEW, STOP, REMIND},
}


def unit(status: InstanceStatus, **times: Any) -> Instance:
    return Instance(
        id="unit-1",
        account_id="acc-1",
        created_by="user-1",
        order_id="order-1",
        service_id=None,
        region="bj",
        type="gpu-1",
        count=1,
        payment_timing="Postpaid",
        status=status,
        created_at=Instant(0),
        started_at=Instant(1),
        **times,
    )


def test_the_table_names_every_status() -> None:
    assert set(FALLS_DUE) == set(get_args(InstanceStatus))


@pytest.mark.parametrize("status", list(FALLS_DUE))
def test_what_falls_due_is_what_the_status_lets_happen_of_the_times_that_are_set(status: InstanceStatus) -> None:
    for chosen in product((False, True), repeat=len(TIMES)):
        names = [name for name, is_set in zip(TIMES, chosen, strict=True) if is_set]
        times = {name: TIMES[name][0] for name in names}
        expected = {Due(at, kind, "unit-1") for at, kind in map(TIMES.get, names) if kind in FALLS_DUE[status]}  # type: ignore[misc]
        assert agenda_of(unit(status, **times)) == expected, names
        assert head_of(unit(status, **times)) == min(expected, default=None), names
        assert due_until(unit(status, **times), Instant(40)) == sorted(
            (due for due in expected if due.at <= 40), key=lambda due: due.kind
        ), names


def test_every_kind_of_due_work_has_a_time_of_its_own() -> None:
    assert {kind for _, kind in TIMES.values()} == set(DueKind) - {DueKind.APPROVAL}


def test_nothing_happens_to_an_instance_that_is_none() -> None:
    assert agenda_of(None) == frozenset()


def test_of_work_due_at_one_moment_the_first_is_that_of_the_lowest_kind() -> None:
    """For every pair of kinds, in both orders of their fields."""
    for one, other in permutations(TIMES.values(), 2):
        names = {kind: name for name, (_, kind) in TIMES.items()}
        together: dict[str, Any] = {names[one[1]]: Instant(7), names[other[1]]: Instant(7)}
        for status, kinds in FALLS_DUE.items():
            both = sorted(kinds & {one[1], other[1]})
            first = head_of(unit(status, **together))
            assert first == (Due(Instant(7), both[0], "unit-1") if both else None)


def test_a_change_makes_due_what_was_not_due_before_and_the_soonest_of_it_is_passed_on() -> None:
    later = {"release_at": Instant(90), "charge_at": Instant(50)}
    old = unit("Running", **later)
    assert soonest_new(None, old) == Due(Instant(50), C, "unit-1")
    assert soonest_new(old, old) is None
    # The charge still comes first. Who sleeps until it rests must learn of the release nevertheless.
    assert soonest_new(old, unit("Running", **{**later, "release_at": Instant(60)})) == Due(Instant(60), R, "unit-1")
    assert soonest_new(old, unit("Running", release_at=Instant(90))) is None
    assert soonest_new(old, unit("Releasing", **later)) is None


def test_sorting_puts_due_work_by_time_then_by_kind_then_by_id() -> None:
    in_order = [
        Due(Instant(1), C, "unit-9"),
        Due(Instant(2), RENEW, "unit-9"),
        Due(Instant(2), R, "unit-2"),
        Due(Instant(2), R, "unit-3"),
        Due(Instant(2), E, "unit-1"),
        Due(Instant(2), T, "unit-1"),
        Due(Instant(2), C, "unit-0"),
        Due(Instant(2), C, "unit-1"),
        Due(Instant(2), STOP, "unit-0"),
        Due(Instant(2), RESUME, "unit-0"),
        Due(Instant(2), REMIND, "unit-0"),
        Due(Instant(3), R, "unit-0"),
    ]
    assert sorted([*reversed(in_order)]) == in_order
