"""A list of rare rows is a walk along an index of these rows, whatever else it asks for.

Of the embedded store only: PostgreSQL plans by what it has counted, and of an empty table that is nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import Wanted
from leasebook.ports.queries.read_repository import HistoryFilter, UnitFilter
from leasebook.store.opening import Target, upgrade
from leasebook.store.queries.due import RELEASE_BEFORE_TEXT
from leasebook.store.queries.read_repository import HALTED_TEXT, Queries
from leasebook.store.sqlite.store import FILE

WHO = "account-1"
KINDS: list[dict[str, Any]] = [
    {},
    {"region": "bj"},
    {"type": "gpu-1"},
    {"payment_timing": "Postpaid"},
    {"region": "bj", "type": "gpu-1", "payment_timing": "Prepaid"},
]
RARE = ("Creating", "Reconfiguring", "BillingChanging", "Stopped", "Releasing", "CreateFailed", "ReconfigureFailed")


class Planner:
    """Asks questions of an empty store, and keeps what SQLite says of how it answers them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.ask = Queries(self._fetch)
        self.plans: list[str] = []

    def _fetch(self, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        self.plan(text, params)
        return self._connection.execute(text, params).fetchall()

    def plan(self, text: str, params: Sequence[Any]) -> None:
        steps = self._connection.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
        self.plans.append(" / ".join(step[3] for step in steps))


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    upgrade(Target(tmp_path))
    connection = sqlite3.connect(tmp_path / FILE)
    yield Planner(connection)
    connection.close()


@pytest.mark.parametrize("after", [0, 1000])
def test_instances_of_a_rare_status_are_found_by_it(planner: Planner, after: int) -> None:
    for status, kinds in product(RARE, KINDS):
        planner.ask.units(UnitFilter(account_id=WHO, status=status, **kinds), after=after, limit=101)
        planner.ask.units(UnitFilter(account_id=WHO, status=status, **kinds))
    assert {plan.partition(" (")[0] for plan in planner.plans} == {"SEARCH units USING INDEX units_unusual"}
    assert all("(account_id=? AND status=? AND seq>?)" in plan for plan in planner.plans)


def test_instances_with_a_rule_for_renewal_are_found_by_it(planner: Planner) -> None:
    for kinds in KINDS:
        planner.ask.units(UnitFilter(account_id=WHO, auto_renew=True, **kinds), limit=101)
    assert set(planner.plans) == {"SEARCH units USING INDEX units_renewed (account_id=? AND seq>?)"}


def test_all_that_live_are_walked_along_without_the_dead(planner: Planner) -> None:
    for status in (None, "Running"):
        planner.ask.units(UnitFilter(account_id=WHO, status=status), limit=101)
    assert set(planner.plans) == {"SEARCH units USING INDEX units_live (account_id=? AND kind=? AND seq>?)"}


def test_what_stands_still_is_found_among_the_rare(planner: Planner) -> None:
    planner.plan(HALTED_TEXT, (WHO, 500))
    assert planner.plans[0].startswith("SEARCH units USING INDEX units_unusual (account_id=? AND status=?")


def test_due_work_is_read_along_its_index_and_never_sorted(planner: Planner) -> None:
    planner.ask.due(Instant(2**62), 200)
    assert planner.plans == ["SEARCH units USING INDEX units_due (due_at<?)"]


def test_an_overdue_release_is_looked_for_along_the_index_of_due_work(planner: Planner) -> None:
    planner.ask.oldest_release_due(Instant(2**62))
    planner.plan(RELEASE_BEFORE_TEXT, (5, 5))
    # Without a look at the rows of instances: a million charges may be overdue with no release among them.
    assert planner.plans == ["SEARCH units USING COVERING INDEX units_due (due_at<?)"] * 3


def test_rare_orders_and_postings_have_indexes_of_their_own(planner: Planner) -> None:
    planner.ask.orders(HistoryFilter(account_id=WHO, kind="Renewal"), after=None, limit=101)
    planner.ask.postings(HistoryFilter(account_id=WHO, kind="TopUp"), after=None, limit=101)
    orders, postings = planner.plans
    assert "orders_unusual" in orders
    assert "postings_unusual" in postings


def test_tagged_instances_are_walked_along_the_index_of_their_tag_from_the_start_of_a_page(planner: Planner) -> None:
    # Other live instances are never looked at, so a page of a rare tag costs the same at any depth and of any number.
    for after, kinds in product((0, 1000), KINDS):
        wanted = Wanted((("team", "vision"), ("stage", None)))
        planner.ask.units(UnitFilter(account_id=WHO, tags=wanted, **kinds), after=after, limit=101)
    walks = {plan for plan in planner.plans if "thing" in plan}
    assert len(walks) == 1
    first, *rest = walks.pop().split(" / ")
    assert first.startswith("SEARCH t USING COVERING INDEX tagged_value (account_id=? AND kind=? AND key=? AND value=?")
    assert first.endswith("AND seq>?)")
    assert "SEARCH thing USING INTEGER PRIMARY KEY (rowid=?)" in rest
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in rest)
