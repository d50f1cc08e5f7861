"""The rows of a store that lived: what they come to, and what they say."""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing, nullcontext
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from leasebook.domain.values.calendar import DAY_US, Instant, parse_time
from leasebook.export.focus.columns import Row
from leasebook.store.maintenance.archive import archive
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.queries.account import spending
from leasebook.store.queries.account.excerpt import Excerpt
from leasebook.store.queries.snapshot import excerpt, snapshot
from leasebook.store.rows.codec import POSTINGS
from tests import postgres
from tests.api.scene import ACCOUNT, a_scene
from tests.focus.exports import MICRO, exported, micro, of, rows_in
from tests.focus.life import MONTHS, ExportScenario, Month
from tests.simulation.memory_store import MemoryStore

Said = tuple[object, ...]
ZONES = {"shanghai": "Asia/Shanghai", "new york": "America/New_York"}


def month_of(month: Month, zone: str) -> tuple[int, int]:
    """When a month begins and ends on a zone's clocks, in microseconds."""
    year, number = month
    begin = datetime(year, number, 1, tzinfo=ZoneInfo(zone))
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=ZoneInfo(zone))
    return int(begin.timestamp()) * MICRO, int(end.timestamp()) * MICRO


def charged(life: ExportScenario, account: str, month: Month | None = None) -> dict[str, int]:
    """Charges less refunds, by instance, as the postings have them."""
    since, until = month_of(month, ZONES[account]) if month else (0, 2**62)
    own = f"wallet:{life.accounts[account]}"
    with closing(sqlite3.connect(life.directory / "leasebook.db")) as store:
        return dict(
            store.execute(
                "SELECT unit_id, sum(CASE debit WHEN ? THEN amount ELSE -amount END) FROM postings "
                "WHERE account_id = ? AND unit_id IS NOT NULL AND at >= ? AND at < ? GROUP BY unit_id",
                (own, life.accounts[account], since, until),
            )
        )


def by_unit(rows: list[Row], cost: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row.resource_id] += getattr(row, cost)
    return dict(sums)


def said(rows: list[Row]) -> list[Said]:
    """The columns of rows that the tables below list."""
    return [
        (row.posting_kind, row.charge_category, row.charge_class, row.billed_cost, row.effective_cost) for row in rows
    ]


@pytest.fixture(scope="module")
def all_rows(life: ExportScenario) -> dict[Month, list[Row]]:
    return {month: rows_in(life, month) for month in MONTHS}


# --- sums ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", list(ZONES))
@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_what_is_billed_in_a_month_is_what_its_postings_say(life: ExportScenario, month: Month, account: str) -> None:
    billed = by_unit(rows_in(life, month, life.accounts[account]), "billed_cost")
    assert {unit: cost for unit, cost in billed.items() if cost} == {
        unit: cost for unit, cost in charged(life, account, month).items() if cost
    }


def test_what_is_billed_on_an_invoice_is_what_the_statement_of_its_name_charges(
    life: ExportScenario, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    with a_scene(data) as scene:
        for month in MONTHS:
            billed: dict[str, int] = defaultdict(int)
            for row in rows_in(Target(data), month):
                billed[row.invoice_id] += row.billed_cost
            assert billed
            for invoice, cost in billed.items():
                account, named = invoice.split("/")
                asked = {"accountId": account, "month": named}
                assert micro(scene.operator.do(ACCOUNT, "DescribeStatement", asked)["charged"]) == cost


@pytest.mark.parametrize("account", list(ZONES))
def test_over_all_months_the_effective_cost_is_what_was_billed(
    life: ExportScenario, all_rows: dict[Month, list[Row]], account: str
) -> None:
    rows = [row for month in MONTHS for row in all_rows[month] if row.billing_account_id == life.accounts[account]]
    assert by_unit(rows, "effective_cost") == by_unit(rows, "billed_cost") == charged(life, account)
    assert sum(charged(life, account).values()) > 0


def test_months_of_all_accounts_are_those_of_each(life: ExportScenario, all_rows: dict[Month, list[Row]]) -> None:
    for month, rows in all_rows.items():
        each = [rows_in(life, month, account) for account in life.accounts.values()]
        assert sorted(map(repr, rows)) == sorted(map(repr, chain.from_iterable(each)))


def test_a_price_times_a_quantity_is_the_cost_to_the_micro_unit(all_rows: dict[Month, list[Row]]) -> None:
    rows = list(chain.from_iterable(all_rows.values()))
    assert len(rows) > 80
    for row in rows:
        assert round(row.pricing_quantity * row.list_unit_price) == row.list_cost == row.contracted_cost
        assert row.list_cost == (row.billed_cost or row.effective_cost)


# --- billing periods and charge periods -------------------------------------------------------------


def cost(billed: str, effective: str) -> tuple[int, int]:
    return micro(billed), micro(effective)


ONCE, OVER_TIME = ("Purchase", "Purchase", None), ("Purchase", "Usage", None)
HISTORIES: dict[str, dict[Month, list[Said]]] = {
    # 16 February to 16 March of a leap year: 14 of 29 days, and 15.
    "leap": {
        (2028, 2): [(*ONCE, *cost("110", "0")), (*OVER_TIME, *cost("0", "53.103448"))],
        (2028, 3): [(*OVER_TIME, *cost("0", "56.896552"))],
        (2028, 4): [],
    },
    # Two units for four months from 30 December, noon: 122 days, a day and a half of them in December.
    "failed": {
        (2027, 12): [(*ONCE, *cost("6222.16", "0")), (*OVER_TIME, *cost("0", "76.501967"))],
        (2028, 1): [
            ("Refund", "Purchase", "Correction", *cost("-6222.16", "0")),
            ("Purchase", "Usage", "Correction", *cost("0", "-76.501967")),
        ],
        (2028, 2): [],
    },
    "never": {
        (2028, 2): [(*ONCE, *cost("777.77", "0")), ("Refund", "Purchase", None, *cost("-777.77", "0"))],
        (2028, 3): [],
    },
    # A term of its own for April, paid in March.
    "early": {
        (2028, 3): [
            (*ONCE, *cost("110", "0")),
            ("Renewal", "Purchase", None, *cost("110", "0")),
            (*OVER_TIME, *cost("0", "106.451612")),
        ],
        (2028, 4): [
            (*OVER_TIME, *cost("0", "3.548388")),
            ("Renewal", "Usage", None, *cost("0", "106.333333")),
        ],
        (2028, 5): [("Renewal", "Usage", None, *cost("0", "3.666667"))],
    },
    # Its term ended on 14 February; brought back on the 16th. Nothing counts for the two days between.
    "lapsed": {
        (2028, 2): [
            ("Renewal", "Purchase", None, *cost("110", "0")),
            (*OVER_TIME, *cost("0", "43.184411")),
            ("Renewal", "Usage", None, *cost("0", "56.230715")),
        ],
        (2028, 3): [("Renewal", "Usage", None, *cost("0", "53.769285"))],
    },
}


@pytest.mark.parametrize(("unit", "month"), [(unit, month) for unit, months in HISTORIES.items() for month in months])
def test_a_term_is_billed_when_it_is_paid_and_counts_by_its_days(
    life: ExportScenario, all_rows: dict[Month, list[Row]], unit: str, month: Month
) -> None:
    assert said(of(all_rows[month], life.units[unit])) == HISTORIES[unit][month]


def test_metered_use_is_a_row_for_every_size_and_price(life: ExportScenario, all_rows: dict[Month, list[Row]]) -> None:
    rows = of(all_rows[2028, 1], life.units["metered"])
    found: list[Said] = [
        (row.pricing_quantity, row.list_unit_price, row.billed_cost, row.effective_cost, row.consumed_quantity)
        for row in rows
    ]
    assert found == [
        # From the hour that ended with the year: nine hours and the minute that had begun, at the old price.
        (3 * 541, 500_000, 811_500_000, 811_500_000, 3 * 541),
        (3 * 1589, 654_321, 3 * 1589 * 654_321, 3 * 1589 * 654_321, 3 * 1589),
        # Five units from 10:30 on the second until midnight.
        (5 * 810, 654_321, 5 * 810 * 654_321, 5 * 810 * 654_321, 5 * 810),
    ]
    assert {(row.pricing_unit, row.charge_category, row.charge_frequency) for row in rows} == {
        ("Unit-Minutes", "Usage", "Usage-Based")
    }


def test_quota_is_another_service_without_a_region_and_without_reservations(
    life: ExportScenario, all_rows: dict[Month, list[Row]]
) -> None:
    (row,) = of(all_rows[2027, 12], life.units["quota"])
    assert (row.service_name, row.service_category, row.resource_type) == (
        "Model quota",
        "AI and Machine Learning",
        "TPM quota",
    )
    assert row.region_id is row.region_name is row.capacity_reservation_id is None
    assert row.sku_price_id == "TPM/global/ernie-4.0-8k/minute"


def test_what_became_prepaid_has_both_kinds_of_rows(life: ExportScenario, all_rows: dict[Month, list[Row]]) -> None:
    rows = of(all_rows[2028, 1], life.units["converted"])
    assert [(row.posting_kind, row.charge_category, row.pricing_unit) for row in rows] == [
        ("Usage", "Usage", "Unit-Minutes"),
        ("Conversion", "Purchase", "Unit-Months"),
        ("Conversion", "Usage", "Unit-Months"),
    ]


# --- capacity --------------------------------------------------------------------------------------------


def test_a_term_is_parted_by_the_units_that_replicas_use(
    life: ExportScenario, all_rows: dict[Month, list[Row]]
) -> None:
    # Three units; replicas run on two of them.
    rows = [row for row in of(all_rows[2028, 4], life.units["served"]) if row.charge_category == "Usage"]
    used, unused = rows
    assert (used.capacity_reservation_status, unused.capacity_reservation_status) == ("Used", "Unused")
    assert used.effective_cost == (used.effective_cost + unused.effective_cost) * 2 // 3
    assert used.consumed_quantity is not None
    assert unused.consumed_quantity is not None
    assert abs(used.consumed_quantity - 2 * unused.consumed_quantity) < Decimal("1e-15")


def test_units_on_which_nothing_runs_are_unused(life: ExportScenario, all_rows: dict[Month, list[Row]]) -> None:
    rows = [row for row in of(all_rows[2028, 5], life.units["idle"]) if row.charge_category == "Usage"]
    assert [(row.capacity_reservation_id, row.capacity_reservation_status) for row in rows] == [
        (life.units["idle"], "Unused")
    ]


def test_nothing_is_said_about_the_use_of_what_is_gone(life: ExportScenario, all_rows: dict[Month, list[Row]]) -> None:
    (row,) = [row for row in of(all_rows[2028, 3], life.units["leap"]) if row.charge_category == "Usage"]
    assert (row.capacity_reservation_id, row.capacity_reservation_status) == (None, None)


def test_a_status_goes_with_a_reservation_and_only_use_has_one(all_rows: dict[Month, list[Row]]) -> None:
    # Rules of the specification that the validator cannot check: see test_validator.py.
    for row in chain.from_iterable(all_rows.values()):
        if row.charge_category == "Usage":
            assert (row.capacity_reservation_id is None) == (row.capacity_reservation_status is None)
        else:
            assert row.capacity_reservation_status is None


# --- periods ---------------------------------------------------------------------------------------------


def test_the_billing_period_is_the_month_on_the_account_s_clocks(
    life: ExportScenario, all_rows: dict[Month, list[Row]]
) -> None:
    # New York's clocks are set forward in March 2028, so that its month is an hour short.
    (row,) = of(all_rows[2028, 3], life.units["elsewhere"])
    assert (row.billing_period_start, row.billing_period_end) == (
        parse_time("2028-03-01T05:00:00Z", "UTC"),
        parse_time("2028-04-01T04:00:00Z", "UTC"),
    )
    assert row.invoice_id == f"{life.accounts['new york']}/2028-03"
    assert (row.charge_period_start, row.charge_period_end) == (row.billing_period_start, row.billing_period_end)
    assert row.consumed_quantity == (31 * 24 - 1) * 60


def test_a_charge_period_is_never_empty_and_in_whole_seconds(all_rows: dict[Month, list[Row]]) -> None:
    for row in chain.from_iterable(all_rows.values()):
        assert row.charge_period_start < row.charge_period_end
        assert row.charge_period_start % MICRO == row.charge_period_end % MICRO == 0


# --- the store -------------------------------------------------------------------------------------------


def test_the_shared_store_has_the_same_rows(life: ExportScenario, tmp_path: Path) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    with postgres.shared_server().database(migrated=True) as url:
        where = Target(data, url)
        copy(Target(data), where)
        for month in MONTHS:
            assert sorted(map(repr, rows_in(where, month))) == sorted(map(repr, rows_in(life, month)))


def test_rolled_up_charges_are_billed_in_the_month_in_which_they_were_made(
    life: ExportScenario, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    done = archive(Target(data), parse_time("2028-03-01T00:00:00+08:00", "UTC"), tmp_path / "charges.jsonl.gz")
    assert done.hourly > 100
    for month in MONTHS:
        for kind in ("billed_cost", "effective_cost"):
            assert by_unit(rows_in(Target(data), month), kind) == by_unit(rows_in(life, month), kind)


def test_every_store_knows_who_spent_and_what_was_paid_in_advance(life: ExportScenario) -> None:
    memory = MemoryStore()
    with closing(sqlite3.connect(life.directory / "leasebook.db")) as store:
        rows = store.execute(f"SELECT {', '.join(POSTINGS.columns)} FROM postings ORDER BY seq").fetchall()
    memory.postings[:] = [POSTINGS.read(row) for row in rows]
    account = life.accounts["shanghai"]
    with snapshot(Target(life.directory)) as ask:
        for month in MONTHS:
            since, until = map(Instant, month_of(month, ZONES["shanghai"]))
            everybody = ask.spenders(account, since, until, after="", limit=1000)
            assert everybody == memory.ask(lambda own: own.spenders(account, since, until, after="", limit=1000))  # noqa: B023
            paged, after = [], ""
            while page := ask.spenders(account, since, until, after=after, limit=2):
                paged += page
                after = page[-1].unit_id
            assert paged == everybody
            for spender in everybody:
                terms = ask.terms(spender.unit_id, until)
                assert terms == memory.ask(lambda own: own.terms(spender.unit_id, until))  # noqa: B023
                assert bool(terms) >= spender.prepaid


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_costs_are_those_of_each_instance_however_few_are_read_at_once(
    life: ExportScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setattr(spending, "PAGE", 2)
    monkeypatch.setattr(spending, "CHARGES_AT_ONCE", 3)
    if store == "sqlite":
        _prove_costs(Target(life.directory), life)
        return
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    with postgres.shared_server().database(migrated=True) as url:
        copy(Target(data), Target(data, url))
        _prove_costs(Target(data, url), life)


def _prove_costs(where: Target, life: ExportScenario) -> None:
    for month in MONTHS:
        for name, account in life.accounts.items():
            since, until = map(Instant, month_of(month, ZONES[name]))
            # The excerpt of a longer time has the same costs in the month.
            more = Excerpt((account,), Instant(since - DAY_US), Instant(until + DAY_US))
            with snapshot(where) as ask, excerpt(where, more, nullcontext) as part:
                everybody = ask.spenders(account, since, until, after="", limit=1000)
                found = list(ask.spending(account, since, until))
                assert found == list(part.spending(account, since, until))
                assert [one.unit.id for one in found] == [one.unit_id for one in everybody]
                for one, spender in zip(found, everybody, strict=True):
                    assert one.unit == ask.unit(one.unit.id)
                    assert one.bill == ask.bill(one.unit.id, since, until)
                    assert one.terms == (ask.terms(one.unit.id, until) if spender.prepaid else [])
                    assert one.tags == ask.tags_of([one.unit.id]).get(one.unit.id)
                assert [one._replace(bill=[]) for one in found] == list(
                    ask.spending(account, since, until, with_bills=False)
                )
                # A period that ends when a term is paid does not have that payment.
                for paid in {posting.at for one in found for posting in one.terms if posting.at > since}:
                    assert all(one.terms == ask.terms(one.unit.id, paid) for one in ask.spending(account, since, paid))


def test_what_an_older_version_wrote_counts_when_it_was_paid(life: ExportScenario, tmp_path: Path) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    with closing(sqlite3.connect(data / "leasebook.db")) as store, store:
        store.execute("UPDATE posting_rows SET since = NULL, until = NULL, count = NULL, price = NULL")
    for month in MONTHS:
        rows = rows_in(Target(data), month)
        assert by_unit(rows, "billed_cost") == by_unit(rows, "effective_cost")
        billed = by_unit(rows_in(life, month), "billed_cost")
        assert {unit: cost for unit, cost in billed.items() if cost} == {
            unit: cost for unit, cost in by_unit(rows, "billed_cost").items() if cost
        }
        for row in rows:
            assert round(row.pricing_quantity * row.list_unit_price) == row.list_cost


def test_an_export_is_the_same_every_time(life: ExportScenario, tmp_path: Path) -> None:
    first, second = (exported(life.directory, (2028, 1), tmp_path / name) for name in ("a.csv", "b.csv"))
    assert first.read_bytes() == second.read_bytes()
