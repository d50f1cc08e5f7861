"""Bills of projects: neither a line of a statement nor a charge that is rolled up covers two projects."""

from __future__ import annotations

from typing import Final

from leasebook.domain.model.account import Account
from leasebook.domain.rules.statement import lines_of
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.export.focus.rows import Month, Seller, rows_of
from leasebook.store.maintenance.archive import _goes_on as is_rolled_up_with
from tests.contract.rows import posting, unit

FACTS: Final = {"minutes": 60, "count": 2, "price": 1}


def test_consecutive_charges_of_two_projects_stay_two_lines_and_are_not_rolled_up() -> None:
    first = posting(120, since=Instant(0), project_id="prj-1", **FACTS)
    for project, lines in (("prj-1", 1), ("prj-2", 2), (None, 2)):
        second = posting(120, since=Instant(60 * MINUTE_US), project_id=project, **FACTS)
        assert len(list(lines_of([first, second]))) == lines
        assert is_rolled_up_with(first, second, "UTC") is (lines == 1)


def test_the_project_of_a_charge_is_its_sub_account_in_focus_and_the_default_project_is_none() -> None:
    bill = [
        posting(120, unit_id="unit-1", since=Instant(hour * 60 * MINUTE_US), project_id=project, **FACTS)
        for hour, project in enumerate(("prj-1", None, "prj-2"))
    ]
    bought = posting(5, unit_id="unit-1", kind="Purchase", credit="revenue:prepaid", project_id="prj-2")
    account = Account("acc-1", "team", "UTC", Micro(0), Instant(0))
    month = Month(Instant(0), Instant(31 * 24 * 60 * MINUTE_US))
    names = {"prj-1": "atlas", "prj-2": "maps"}
    rows = list(rows_of(account, unit("unit-1"), month, bill, [bought], Seller("us", "CNY"), None, names))
    assert [(row.sub_account_id, row.sub_account_name) for row in rows][:3] == [
        ("prj-1", "atlas"),
        (None, None),
        ("prj-2", "maps"),
    ]
    assert {row.sub_account_id for row in rows[3:]} == {"prj-2"}
    assert sum(row.billed_cost for row in rows) == 3 * 120 + 5
