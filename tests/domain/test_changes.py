"""A change set: whether it has anything, its tables, and how the parts of a batch become one."""

from __future__ import annotations

import msgspec

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES, METADATA
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant

ROW = StoreMetadata("clock", "real")
INSTANCE = Instance(
    id="unit-1",
    account_id="acc-1",
    created_by="user-1",
    order_id="order-1",
    service_id=None,
    region="bj",
    type="gpu-1",
    count=3,
    payment_timing="Postpaid",
    status="Running",
    created_at=Instant(0),
)


def on(*services: str) -> Instance:
    placements = tuple(Placement(service_id=name, replicas=1, units_each=1) for name in services)
    return msgspec.structs.replace(INSTANCE, placements=placements)


def test_a_change_set_knows_whether_it_has_rows_and_of_which_tables() -> None:
    changes = Changes([], [])
    assert not changes
    changes.updated[METADATA] = [ROW]
    assert changes
    assert METADATA in changes
    assert INSTANCES not in changes


def test_services_that_come_to_an_instance_or_leave_it_are_noted() -> None:
    changes = Changes([], [])
    changes.place(None, on("svco-2", "svco-1"))
    changes.place(on("svco-1", "svco-2"), on("svco-2", "svco-3"))
    changes.place(on("svco-4"), on("svco-4"))
    assert changes.placed_new == [("svco-1", "unit-1"), ("svco-2", "unit-1"), ("svco-3", "unit-1")]
    assert changes.placed_gone == [("svco-1", "unit-1")]


def test_parts_come_before_the_rest_and_neither_is_changed() -> None:
    first, last = Changes([], []), Changes([], [])
    first.inserted[METADATA] = [ROW]
    last.inserted[METADATA] = [StoreMetadata("home", "one")]
    last.placed_new = [("svco-1", "unit-1")]
    whole = last.after([first])
    assert whole.inserted == {METADATA: [ROW, StoreMetadata("home", "one")]}
    assert whole.placed_new == [("svco-1", "unit-1")]
    assert (first.inserted, last.inserted) == ({METADATA: [ROW]}, {METADATA: [StoreMetadata("home", "one")]})
