"""Ownership: an instance that is not the caller's is answered like one that does not exist, for commands and reads."""

from __future__ import annotations

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.offering import QUOTA, UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.rules.ownership import no_instance, owned_instance, require_instance
from leasebook.domain.values.refusal import Refusal
from tests.contract import rows

MINE = rows.unit("unit-1", placements=(Placement("svco-1", 1, 1),))


@pytest.mark.parametrize(
    ("row", "account_id", "service_id", "kind", "is_found"),
    [
        (MINE, "acc-1", None, UNITS_OF_COMPUTE, True),
        (MINE, "acc-1", "svco-1", UNITS_OF_COMPUTE, True),
        (MINE, "acc-1", None, None, True),
        (MINE, "acc-2", None, UNITS_OF_COMPUTE, False),
        (MINE, "acc-1", "svco-2", UNITS_OF_COMPUTE, False),
        (MINE, "acc-1", None, QUOTA, False),
        (rows.unit("unit-1", kind=QUOTA), "acc-1", None, UNITS_OF_COMPUTE, False),
        (rows.unit("unit-1", kind=QUOTA), "acc-1", None, None, True),
        (None, "acc-1", None, None, False),
    ],
)
def test_every_instance_that_is_not_the_callers_is_refused_alike(
    row: Instance | None, account_id: str, service_id: str | None, kind: OfferingKind | None, *, is_found: bool
) -> None:
    book = Book()
    book.load(INSTANCES, ("unit-1",), row)
    if is_found:
        assert owned_instance(row, account_id, "unit-1", service_id, kind=kind) is row
        assert require_instance(Draft(book), account_id, "unit-1", service_id, kind=kind) is row
        return
    with pytest.raises(Refusal) as read:
        owned_instance(row, account_id, "unit-1", service_id, kind=kind)
    with pytest.raises(Refusal) as commanded:
        require_instance(Draft(book), account_id, "unit-1", service_id, kind=kind)
    assert read.value == commanded.value == no_instance("unit-1")
