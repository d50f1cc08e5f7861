"""A list of rare rows is a walk along an index of these rows, whatever else it asks for.

Mostly of the embedded store: PostgreSQL plans by what it has counted, and of an empty table that is nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import InstanceStatus
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import Wanted
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import HistoryFilter, Place, UnitFilter
from leasebook.store.opening import Target, upgrade
from leasebook.store.queries.due import RELEASE_BEFORE_TEXT
from leasebook.store.queries.read_repository import HALTED_TEXT, Queries
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.store import FILE
from leasebook.store.tag_lists import PART
from tests.contract.stores import _empty_database as empty_database
from tests.contract.test_store_outbox import hook
from tests.copies import give_tables

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
        self.asked: list[tuple[str, Sequence[Any]]] = []

    def _fetch(self, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        if "1 = 0" not in text:  # a page without rows
            self.asked.append((text, params))
            self.plan(text, params)
        return self._connection.execute(text, params).fetchall()

    def sell(self, region: str, *types: str) -> None:
        """Offer instances of these types."""
        text = "INSERT INTO offerings (region, type, position, stock_total, stock_free) VALUES (?, ?, 1, 1, 1)"
        self._connection.executemany(text, [(region, name) for name in types])

    def list_tag(self, key: str, value: str, number: int) -> None:
        """List an instance under a tag."""
        values = (WHO, "unit", key, value, number // PART, number, f",{number},")
        self._connection.execute("INSERT INTO tag_lists VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def plan(self, text: str, params: Sequence[Any]) -> None:
        steps = self._connection.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
        self.plans.append(" / ".join(step[3] for step in steps))

    def columns_of_rows(self, text: str, params: Sequence[Any], table: str) -> int:
        """Count the columns that a statement takes from the rows of a table, and not from the entries of an index."""
        ((root,),) = self._connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        marks = text.count("?")
        steps = self._connection.execute(f"EXPLAIN {text}", params[:marks]).fetchall()
        cursors = {step[2] for step in steps if step[1] == "OpenRead" and step[3] == root}
        return sum(step[1] == "Column" and step[2] in cursors for step in steps)


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    give_tables(tmp_path)
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


def test_usual_instances_are_merged_from_walks_along_one_index(planner: Planner) -> None:
    planner.sell("bj", "gpu-1", "gpu-2")
    planner.sell("bd", "gpu-1", "gpu-2")
    statuses: tuple[InstanceStatus | None, ...] = (None, "Running", "Released")
    for status, auto_renew, kinds in product(statuses, (None, False), KINDS):
        planner.plans.clear()
        planner.ask.units(UnitFilter(account_id=WHO, status=status, auto_renew=auto_renew, **kinds), after=9, limit=101)
        index = "units_released_kinds" if status == "Released" else "units_live_kinds"
        _catalogue, walks = planner.plans
        steps = [step.replace("COVERING ", "") for step in walks.split(" / ") if "units" in step]
        walk = "(account=? AND region=? AND type=? AND payment_timing=? AND seq>?)"
        assert set(steps) == {f"SEARCH units USING INDEX {index} {walk}"}
        timings, places = 1 if "payment_timing" in kinds else 2, 4 // 2 ** len({"region", "type"} & kinds.keys())
        assert len(steps) == timings * places
        # They are merged as far as the page needs: none of them is read to its end and put into an order first.
        assert "TEMP B-TREE" not in walks, (status, auto_renew, kinds)


def test_what_stands_still_is_found_among_the_rare(planner: Planner) -> None:
    planner.plan(HALTED_TEXT, (WHO, 500))
    assert planner.plans[0].startswith("SEARCH units USING INDEX units_unusual (account_id=? AND status=?")


def test_due_work_is_read_along_its_index_and_never_sorted(planner: Planner) -> None:
    planner.ask.due(Instant(2**62), 200)
    assert planner.plans == [
        "SEARCH units USING INDEX units_due (due_at<?)",
        "SEARCH approvals USING COVERING INDEX approvals_due (due_at<?)",
    ]


def test_an_overdue_release_is_looked_for_along_the_index_of_due_work(planner: Planner) -> None:
    planner.ask.oldest_release_due(Instant(2**62))
    planner.plan(RELEASE_BEFORE_TEXT, (5, 5))
    # Without a look at the rows of instances: a million charges may be overdue with no release among them.
    assert planner.plans == ["SEARCH units USING COVERING INDEX units_due (due_at<?)"] * 3


def test_moves_between_projects_are_found_along_an_index_of_their_own(planner: Planner) -> None:
    planner.ask.moves(WHO)
    assert planner.plans == ["SEARCH event_pages USING INDEX event_pages_moves (account_id=?)"]


def test_due_work_is_counted_along_its_index_alone(planner: Planner) -> None:
    planner.ask.due_counts(Instant(5), Instant(2**62))
    units, releases, approvals = planner.plans
    assert units == "SEARCH units USING COVERING INDEX units_due (due_at<?) / USE TEMP B-TREE FOR GROUP BY"
    assert releases == "SEARCH units USING COVERING INDEX units_due (due_at<?)"
    assert approvals == "SEARCH approvals USING COVERING INDEX approvals_due (due_at<?)"


def test_rare_orders_and_postings_have_indexes_of_their_own(planner: Planner) -> None:
    planner.ask.orders(HistoryFilter(account_id=WHO, kind="Renewal"), after=None, limit=101)
    planner.ask.postings(HistoryFilter(account_id=WHO, kind="TopUp"), after=None, limit=101)
    orders, postings = planner.plans
    assert "order_rows_unusual" in orders
    assert "posting_rows_unusual" in postings


@pytest.mark.parametrize("ids", [None, ("account-1", "account-2")])
def test_instances_over_accounts_are_found_in_the_indexes_alone(planner: Planner, ids: tuple[str, ...] | None) -> None:
    statuses = (None, "Running", "Released", *RARE)
    for status, kinds in product(statuses, KINDS):
        planner.plans.clear()
        planner.ask.units_across(UnitFilter(account_id="", across=Across(ids), status=status, **kinds), 9, 101)
        (plan,) = planner.plans
        steps = [step for step in plan.split(" / ") if "units" in step]
        if status in RARE:
            assert "units_unusual" in steps[0], (status, kinds, plan)
        else:
            index = "units_released_kinds" if status == "Released" else "units_live_kinds"
            # SQLite knows the status from the index's own condition, so it reads no rows.
            assert f"INDEX {index}" in steps[0], (status, kinds, plan)


def test_histories_over_accounts_are_merged_from_walks_along_the_indexes_of_each(planner: Planner) -> None:
    both = Across(("account-1", "account-2"))
    for kind in (None, "Purchase", "Renewal"):
        planner.ask.orders(HistoryFilter(account_id="", across=both, kind=kind), after=7, limit=11)
    for kind in (None, "Usage", "TopUp"):
        planner.ask.postings(HistoryFilter(account_id="", across=both, kind=kind), after=Place(7, 7), limit=11)
    walks = [plan for plan in planner.plans if "COMPOUND" in plan or "UNION" in plan]
    assert len(walks) == 6
    for plan in walks:
        steps = [step for step in plan.split(" / ") if "order_rows" in step or "posting_rows" in step]
        assert steps
        assert all(step.startswith("SEARCH") and "account=?" in step for step in steps), plan
        assert "TEMP B-TREE" not in plan, plan


def test_the_history_of_an_instance_is_found_by_the_instance(planner: Planner) -> None:
    many = [f"account-{number}" for number in range(3)]
    times: dict[str, Any] = {"since": Instant(5), "until": Instant(9)}
    for across, kind, bounds in product((None, Across(tuple(many))), (None, "Renewal", "TopUp", "Usage"), ({}, times)):
        wanted = HistoryFilter(account_id=WHO, across=across, unit_id="unit-1", kind=kind, **bounds)
        planner.ask.orders(wanted, after=None, limit=101)
        planner.ask.orders(wanted, after=7, limit=101)
        planner.ask.postings(wanted, after=None, limit=101)
        planner.ask.postings(wanted, after=Place(Instant(7), 7), limit=101)
    walked = [part for plan in planner.plans for part in plan.split(" / ") if "SEARCH" in part or "SCAN" in part]
    of_tables = {part.partition(" (")[0] for part in walked if "order_rows" in part or "posting_rows" in part}
    assert {of_table.rpartition(" ")[2] for of_table in of_tables} == {"order_rows_unit", "posting_rows_unit"}
    assert all(of_table.startswith("SEARCH") for of_table in of_tables)


def test_postgresql_finds_the_history_of_an_instance_by_the_instance() -> None:
    url, *_ = empty_database()
    upgrade(Target(Path(), url))
    plans = []
    with psycopg.connect(url, autocommit=True) as connection:
        # Of an empty table all indexes cost the same; the question is which one would be taken of a large one.
        connection.execute("INSERT INTO account_numbers (account_id) VALUES (%s)", [WHO])
        connection.execute(
            "INSERT INTO posting_rows (at, amount, unit, account, kind) "
            "SELECT i, 1, i % 1000 + 1, 1, CASE i % 100 WHEN 0 THEN 'Renewal' ELSE 'Usage' END "
            "FROM generate_series(1, 20000) AS i"
        )
        connection.execute(
            "INSERT INTO order_rows (unit, amount, count, account, months, kind, payment_timing) "
            "SELECT i % 1000 + 1, 1, 1, 1, 0, CASE i % 3 WHEN 0 THEN 'Renewal' ELSE 'Purchase' END, 'Prepaid' "
            "FROM generate_series(1, 5000) AS i"
        )
        connection.execute("ANALYZE posting_rows, order_rows, account_numbers")

        def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
            explain: Any = f"EXPLAIN {text.replace('?', '%s')}"
            plans.append("\n".join(line for (line,) in connection.execute(explain, params)))
            return []

        for kind in (None, "Renewal", "Usage"):
            wanted = HistoryFilter(account_id=WHO, unit_id="unit-1", kind=kind)
            Queries(fetch).orders(wanted, after=None, limit=101)
            Queries(fetch).postings(wanted, after=None, limit=101)
    assert [plan for plan in plans if not re.search(r"Index Cond: \(unit = [($]", plan)] == []
    assert len(plans) == 6


def test_live_instances_are_counted_along_partial_indexes_and_never_sorted_by_status(planner: Planner) -> None:
    planner.ask.unit_counts()
    unusual, live = planner.plans
    assert "units_unusual" in unusual
    assert "units_live" in live
    assert "TEMP B-TREE" not in live


def test_tagged_instances_are_walked_along_the_lists_of_their_tag_from_the_start_of_a_page(planner: Planner) -> None:
    # Other live instances are never looked at, so a page of a rare tag costs the same at any depth and of any number.
    planner.list_tag("team", "vision", 2000)
    planner.list_tag("stage", "test", 2000)
    for after, kinds in product((0, 1000), KINDS):
        wanted = Wanted((("team", "vision"), ("stage", None)))
        planner.ask.units(UnitFilter(account_id=WHO, tags=wanted, **kinds), after=after, limit=101)
    lists = {plan for plan in planner.plans if "tag_lists" in plan and "looked_at" not in plan}
    assert lists == {"SEARCH tag_lists USING PRIMARY KEY (account_id=? AND kind=? AND key=? AND value=? AND part>?)"}
    (looked_up,) = {plan for plan in planner.plans if "thing" in plan}
    assert "SEARCH thing USING INTEGER PRIMARY KEY (rowid=?)" in looked_up
    assert "SEARCH o USING INDEX sqlite_autoindex_tags_1 (id=?)" in looked_up
    assert "SCAN" not in looked_up


@pytest.mark.parametrize("accounts", [("*",), ("account-1", "account-2")])
def test_accounts_behind_are_found_by_two_lookups_each_and_new_pages_by_their_numbers(
    planner: Planner, accounts: tuple[str, ...]
) -> None:
    planner.ask.accounts_behind(hook("sub-1", accounts=accounts), after="a", limit=5)
    planner.ask.accounts_since(9)
    planner.ask.last_page()
    behind, since, last = planner.plans
    assert "SEARCH p USING PRIMARY KEY (hook_id=? AND account_id=?)" in behind
    assert "SEARCH e USING COVERING INDEX event_pages_account (account_id=?)" in behind
    assert "SEARCH a USING COVERING INDEX" in behind
    assert since.startswith("SEARCH event_pages USING INTEGER PRIMARY KEY (rowid>?)")
    assert "SCAN" not in last


def test_instances_of_a_project_are_walked_along_an_index_of_their_own(planner: Planner) -> None:
    for after, status in product((0, 1000), (None, "Running", "Stopped", "Released")):
        every: tuple[dict[str, Any], ...] = ({}, {"region": "bj", "type": "gpu-1", "payment_timing": "Postpaid"})
        for kinds in every:
            wanted = UnitFilter(account_id=WHO, project_id="prj-1", status=status, **kinds)
            planner.ask.units(wanted, after=after, limit=101)
    walks = {plan for plan in planner.plans if "units_project" in plan}
    index = "SEARCH units USING INDEX units_project_{} (project_id=? AND kind=? AND seq>?)"
    assert walks == {index.format("live"), index.format("released")}
    assert not any("TEMP B-TREE" in plan or "SCAN" in plan for plan in planner.plans)


def test_a_purchase_into_the_default_project_writes_no_index_entry_for_it() -> None:
    partial = {
        index.name for table in metadata.sorted_tables for index in table.indexes if "project_id" in index.columns
    }
    assert partial == {"units_project_live", "units_project_released", "services_project", "packages_project"}
    for table in metadata.sorted_tables:
        for index in table.indexes:
            if index.name in partial:
                assert "project_id IS NOT NULL" in str(index.dialect_options["sqlite"]["where"])


@pytest.mark.parametrize("status", [None, "Running", "Released"])
def test_scans_read_the_instances_of_their_account_and_no_others(
    planner: Planner, status: InstanceStatus | None
) -> None:
    for kinds in KINDS:
        wanted = UnitFilter(account_id=WHO, created_by="user-1", status=status, **kinds)
        planner.ask.units_of_buyer(wanted, 9, 101)
        planner.ask.coming_ends(wanted, Instant(5), 101)
    index = "units_released_kinds" if status == "Released" else "units_live_kinds"
    near = "SEARCH units USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    assert near in planner.plans
    whole = [plan for plan in planner.plans if plan != near]
    assert {plan.partition(" (")[0] for plan in whole} == {f"SEARCH units USING INDEX {index}"}
    assert all("(account=?" in plan for plan in whole)


@pytest.mark.parametrize("status", [None, "Running"])
def test_what_ends_soon_and_what_accounts_hold_is_read_from_entries_of_an_index_alone(
    planner: Planner, status: InstanceStatus | None
) -> None:
    for kinds in KINDS:
        planner.ask.coming_ends(UnitFilter(account_id=WHO, status=status, **kinds), Instant(5), 101)
    planner.ask.holdings([WHO])
    planner.ask.units_by_project(WHO)
    *ends, held, _services, counted, in_projects, failed, used = planner.plans
    assert all("USING INDEX units_live_kinds (account=?" in plan for plan in (*ends, held, counted))
    assert "TEMP B-TREE" not in counted
    assert "SEARCH u USING INDEX units_project_live (project_id=? AND kind=?)" in in_projects
    assert "SEARCH units USING INDEX units_unusual (account_id=? AND status=?)" in failed
    assert "SEARCH services USING INDEX services_kept (account_id=?)" in used
    # To group a hundred thousand entries they would have to be sorted, if they were in another order.
    assert "TEMP B-TREE" not in held.partition("units_unusual (account_id=? AND status=?")[0]
    for text, params in planner.asked:
        if text.startswith(("SELECT project_id", "SELECT u.project_id")):
            continue
        if "units_unusual" not in text and "FROM units" in text:
            assert planner.columns_of_rows(text.partition(" UNION ALL ")[0], params, "units") == 0, text


def test_a_month_of_an_account_is_read_from_its_sums_and_the_postings_that_they_lack(planner: Planner) -> None:
    account = Account(WHO, "Ours", "UTC", Micro(0), Instant(0))
    since, until = month_of(2030, 1, "UTC")
    planner.ask.charged_in_month(account, since, until)
    _, charged = planner.plans
    assert "SEARCH costs USING PRIMARY KEY (account_id=? AND level=? AND since>? AND since<?)" in charged
    assert "USING INTEGER PRIMARY KEY (rowid>?)" in charged
    assert "posting_rows_account" not in charged
