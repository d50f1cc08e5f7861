"""The datasets of FOCUS 1.4: well-formed by the model, in agreement with each other, and with the postings."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from leasebook.export.focus.columns import COLUMNS
from leasebook.export.focus.datasets import LAYOUTS
from leasebook.export.focus.versions import DATASETS, VERSIONS, DatasetName
from tests.conformance.toolchains import Toolchain
from tests.focus.exports import command, exported, lines, micro
from tests.focus.life import MONTHS, NAME, TAGS, ExportScenario
from tests.focus.model import judged, ready_model

Files = dict[DatasetName, Path]
ALL_MONTHS = ("--last-month", f"{MONTHS[-1][0]}-{MONTHS[-1][1]:02}", "--version", "1.4")


@pytest.fixture(scope="module")
def model() -> Toolchain:
    return ready_model()


@pytest.fixture(scope="module")
def files(life: ExportScenario, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Every dataset of all months."""
    folder = tmp_path_factory.mktemp("datasets")
    return {
        name: exported(life.directory, MONTHS[0], folder / f"{name}.csv", *ALL_MONTHS, "--dataset", name)
        for name in DATASETS
    }


def test_every_dataset_is_what_the_model_says_and_they_agree(model: Toolchain, files: Files) -> None:
    found = judged(model, files)
    assert found.lint == {name: [] for name in DATASETS}
    assert found.between == []
    assert found.checks


def test_the_model_finds_a_mistake_in_a_file_and_one_between_two(
    model: Toolchain, files: Files, tmp_path: Path
) -> None:
    rows = lines(files["InvoiceDetail"])
    rows[0]["InvoiceIssueStatus"] = "Paid"
    rows[0]["BilledCost"] = str(Decimal(rows[0]["BilledCost"]) + Decimal("0.000001"))
    with (tmp_path / "broken.csv").open("w", newline="") as goal:
        writer = csv.DictWriter(goal, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = judged(model, {**files, "InvoiceDetail": tmp_path / "broken.csv"})
    assert len(found.lint["InvoiceDetail"]) == len(found.between) == 1


def test_what_1_4_took_away_is_not_there_and_1_2_is_as_it_was() -> None:
    old, new = ({column.name for column in COLUMNS[version]} for version in ("1.2", "1.4"))
    assert not new & {"ProviderName", "PublisherName"}
    assert new - old == {
        "ContractApplied",
        "HostProviderName",
        "InvoiceDetailId",
        "ServiceProviderName",
    }
    assert len(old) == 52


def charged(life: ExportScenario) -> dict[str, int]:
    """Charges less refunds of every account, as the postings have them."""
    with closing(sqlite3.connect(life.directory / "leasebook.db")) as store:
        return dict(
            store.execute(
                "SELECT account_id, sum(CASE debit WHEN 'wallet:' || account_id THEN amount ELSE -amount END) "
                "FROM postings WHERE kind <> 'TopUp' GROUP BY account_id"
            )
        )


def sums(rows: list[dict[str, str]], cost: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row["BillingAccountId"]] += micro(row[cost])
    return {account: total for account, total in found.items() if total}


def test_both_costs_and_the_invoices_are_the_postings_to_the_micro_unit(life: ExportScenario, files: Files) -> None:
    wanted = {account: total for account, total in charged(life).items() if total}
    assert sums(lines(files["CostAndUsage"]), "BilledCost") == wanted
    assert sums(lines(files["CostAndUsage"]), "EffectiveCost") == wanted
    assert sums(lines(files["InvoiceDetail"]), "BilledCost") == wanted


def test_what_is_drawn_from_a_commitment_is_what_it_cost_or_nothing_once_it_is_canceled(files: Files) -> None:
    drawn: dict[str, Decimal] = defaultdict(Decimal)
    for row in lines(files["CostAndUsage"]):
        if not row["ContractApplied"]:
            continue
        (element,) = json.loads(row["ContractApplied"], parse_float=Decimal)["Elements"]
        assert element["ContractCommitmentAppliedCost"] == Decimal(row["EffectiveCost"])
        drawn[element["ContractCommitmentId"]] += element["ContractCommitmentAppliedCost"]
    commitments = lines(files["ContractCommitment"])
    assert {row["ContractCommitmentLifecycleStatus"] for row in commitments} > {"Canceled", "Expired"}
    for row in commitments:
        is_kept = row["ContractCommitmentLifecycleStatus"] != "Canceled"
        assert drawn[row["ContractCommitmentId"]] == (Decimal(row["ContractCommitmentCost"]) if is_kept else 0)
    assert {row["ContractCommitmentDurationType"] for row in commitments} >= {"1 Month", "3 Months"}


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_have_the_name_and_the_tags_of_their_instance(life: ExportScenario, tmp_path: Path, version: str) -> None:
    file = exported(life.directory, (2028, 1), tmp_path / "costs.csv", "--version", version)
    found = {row["ResourceId"]: (row["ResourceName"], row["Tags"]) for row in lines(file)}
    name, tags = found.pop(life.units["served"])
    assert (name, json.loads(tags)) == (NAME, TAGS)
    assert set(found.values()) == {("", "")}


def test_a_month_that_is_over_is_closed_and_the_one_at_hand_is_open(files: Files) -> None:
    periods = {row["BillingPeriodStart"]: row["BillingPeriodStatus"] for row in lines(files["BillingPeriod"])}
    # The clock of the store is at 29 April 2028 in Shanghai.
    assert periods["2028-02-29T16:00:00Z"] == "Closed"
    assert periods["2028-03-31T16:00:00Z"] == periods["2028-05-31T16:00:00Z"] == "Open"
    assert len(periods) == 2 * len(MONTHS)


def test_a_dataset_that_1_2_does_not_have_is_refused(life: ExportScenario, tmp_path: Path) -> None:
    for name in DATASETS[1:]:
        asked = ("--data", life.directory, "--month", "2028-01", "--out", tmp_path / "x.csv", "--dataset", name)
        done = command(*asked)
        assert done.exit_code == 2
        assert f"FOCUS 1.2 has the dataset CostAndUsage only; {name} is in version 1.4." in done.output
    assert not list(tmp_path.iterdir())
    assert set(LAYOUTS) == {("1.2", "CostAndUsage"), *(("1.4", name) for name in DATASETS)}


def test_a_last_month_before_the_first_is_refused(life: ExportScenario, tmp_path: Path) -> None:
    asked = ("--data", life.directory, "--month", "2028-02", "--last-month", "2028-01", "--out", tmp_path / "x.csv")
    assert "--last-month 2028-01 is before --month 2028-02." in command(*asked).output


@pytest.mark.parametrize("name", DATASETS)
def test_parquet_has_the_columns_of_the_dataset(life: ExportScenario, tmp_path: Path, name: DatasetName) -> None:
    from pyarrow import parquet

    goal = exported(life.directory, (2028, 1), tmp_path / "x.parquet", "--version", "1.4", "--dataset", name)
    assert parquet.read_table(goal).column_names == [column.name for column in LAYOUTS["1.4", name]]
