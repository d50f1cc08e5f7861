"""Bills of projects: neither a line of a statement nor a charge that is rolled up covers two projects."""

from __future__ import annotations

from leasebook.domain.rules.statement import lines_of
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.store.maintenance.archive import _goes_on as is_rolled_up_with
from tests.contract.rows import posting

FACTS = {"minutes": 60, "count": 2, "price": 1}


def test_consecutive_charges_of_two_projects_stay_two_lines_and_are_not_rolled_up() -> None:
    first = posting(120, since=Instant(0), project_id="prj-1", **FACTS)
    for project, lines in (("prj-1", 1), ("prj-2", 2), (None, 2)):
        second = posting(120, since=Instant(60 * MINUTE_US), project_id=project, **FACTS)
        assert len(list(lines_of([first, second]))) == lines
        assert is_rolled_up_with(first, second, "UTC") is (lines == 1)
