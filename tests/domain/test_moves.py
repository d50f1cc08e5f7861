"""The statuses of an instance: every move between them is in the table, and no other can be made."""

from __future__ import annotations

import random
from itertools import product
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, SERVICES
from leasebook.domain.model.instance import ENDABLE, GONE, LEGAL, MOVES, UP, Instance, InstanceStatus, Placement
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.rules.lifecycle import change, count
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro

STATUSES: tuple[InstanceStatus, ...] = get_args(InstanceStatus)
PAIRS = [(start, end) for start, end in product(STATUSES, STATUSES) if start != end]


def unit(**changed: Any) -> Instance:
    facts: dict[str, Any] = {
        "id": "unit-1",
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": "order-1",
        "service_id": None,
        "region": "bj",
        "type": "gpu-1",
        "count": 9,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": Instant(0),
    }
    return Instance(**(facts | changed))


def service(service_id: str) -> Service:
    return Service(service_id, "acc-1", "user-1", "a", "", "a", "am-1", "amv-1", "GPU-1-1", None, None, 0, Instant(0))


def draft_with(row: Instance) -> Draft:
    """An instance, and services that count what it gives to them."""
    book = Book()
    book.load(INSTANCES, (row.id,), row)
    for name in ("svco-1", "svco-2"):
        book.load(SERVICES, (name,), service(name))
    draft = Draft(book)
    count(draft, row, 1)
    return draft


# --- the table -------------------------------------------------------------------------------------------


def test_a_move_is_in_the_table_once_and_says_what_causes_it() -> None:
    assert len(LEGAL) == len(MOVES)
    for move in MOVES:
        assert move.start != move.end
        assert move.start in (None, *STATUSES)
        assert move.end in STATUSES
        assert move.cause


def test_every_status_can_be_reached_from_a_purchase() -> None:
    reached: set[InstanceStatus | None] = {None}
    while more := {move.end for move in MOVES if move.start in reached} - reached:
        reached |= more
    assert reached == {None, *STATUSES}


def test_nothing_leaves_what_is_gone_and_everything_else_can_get_there() -> None:
    assert not [move for move in MOVES if move.start in GONE]
    ended: set[InstanceStatus | None] = {"Released"}
    while more := {move.start for move in MOVES if move.end in ended} - ended:
        ended |= more
    assert ended == {None, *STATUSES} - {"CreateFailed"}


def test_what_runs_can_stop_and_what_can_be_released_has_a_way_there() -> None:
    assert {move.start for move in MOVES if move.end == "Stopped"} == UP
    # An instance that becomes postpaid at its end is prepaid until then: it is not released, but stops.
    assert {move.start for move in MOVES if move.end == "Releasing"} == ENDABLE - {"BillingChanging"}


def test_only_what_is_gone_holds_nothing() -> None:
    assert {status for status in STATUSES if not unit(status=status).reserved} == GONE


# --- changing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_only_a_move_of_the_table_can_be_made(start: InstanceStatus, end: InstanceStatus) -> None:
    row = unit(status=start)
    draft = draft_with(row)
    if (start, end) in LEGAL:
        assert change(draft, row, status=end) == msgspec.structs.replace(row, status=end)
        assert draft.require(INSTANCES, "unit-1").status == end
    else:
        with pytest.raises(AssertionError, match=f"unit-1 cannot go from {start} to {end}"):
            change(draft, row, status=end)
        assert draft.changed == {}


def test_what_does_not_move_can_change_in_any_status() -> None:
    for status in STATUSES:
        row = unit(status=status)
        assert change(draft_with(row), row, charged=Micro(5), status=status).charged == 5


def counted(row: Instance, name: str) -> tuple[int, int, int, int]:
    """The counts that an instance adds to a service, by hand: replicas, coming up, prepaid and postpaid instances."""
    replicas = row.replicas_of(name)
    placed = any(one.service_id == name for one in row.placements)
    prepaid = row.payment_timing == "Prepaid"
    return (
        replicas if row.status in UP else 0,
        replicas if row.status == "Creating" else 0,
        int(placed and prepaid),
        int(placed and not prepaid),
    )


def shown(draft: Draft, name: str) -> tuple[int, int, int, int]:
    found = draft.require(SERVICES, name)
    return found.replicas, found.deploying, found.prepaid_units, found.postpaid_units


placements = st.sampled_from(
    [
        (),
        (Placement("svco-1", 2, 1),),
        (Placement("svco-1", 3, 2),),
        (Placement("svco-2", 1, 4),),
        (Placement("svco-1", 1, 1), Placement("svco-2", 2, 1)),
    ]
)


@given(st.randoms(use_true_random=False), st.lists(st.tuples(placements, st.sampled_from(["Prepaid", "Postpaid"]))))
def test_services_count_what_their_instances_give_them_whatever_happens(
    dice: random.Random, steps: list[tuple[tuple[Placement, ...], PaymentTiming]]
) -> None:
    row = unit(status="Creating", placements=(Placement("svco-1", 2, 1),))
    draft = draft_with(row)
    for placed, timing in steps:
        moves = [end for start, end in sorted(pair for pair in LEGAL if pair[0] is not None) if start == row.status]
        status = dice.choice([row.status, *moves])
        row = change(draft, row, status=status, placements=placed, payment_timing=timing)
        for name in ("svco-1", "svco-2"):
            assert shown(draft, name) == counted(row, name), (row.status, name)


def test_what_carries_no_service_needs_none() -> None:
    row = unit()
    book = Book()
    book.load(INSTANCES, (row.id,), row)
    assert change(Draft(book), row, status="Stopped").status == "Stopped"


# --- what a row says -------------------------------------------------------------------------------------


def test_the_units_that_replicas_use_and_whom_an_instance_serves() -> None:
    row = unit(service_id="svco-1", placements=(Placement("svco-2", 3, 2), Placement("svco-3", 1, 1)))
    assert (row.used, row.replicas) == (7, 4)
    assert [row.replicas_of(name) for name in ("svco-1", "svco-2", "svco-3", "svco-4")] == [0, 3, 1, 0]
    assert [row.serves(name) for name in ("svco-1", "svco-2", "svco-3", "svco-4")] == [True, True, True, False]


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_stopped_postpaid_instance_stands_still_for_a_debt(status: InstanceStatus) -> None:
    assert unit(status=status).is_halted is (status == "Stopped")
    assert not unit(status=status, payment_timing="Prepaid").is_halted
