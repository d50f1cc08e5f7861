"""ExportCosts: whose costs a caller gets, and the same file that the command line writes."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from leasebook.contract.nouns.finance import cost_export as own
from leasebook.export.focus.versions import DATASETS, VERSIONS
from tests.api.scene import ACCOUNT, IAM, Caller, ServiceHarness, a_scene
from tests.focus.exports import command

MONTH = {"month": "2030-01"}


def export(caller: Caller, **asked: object) -> str:
    return str(caller.do(ACCOUNT, "ExportCosts", {**MONTH, **asked}))


def owners(text: str) -> set[str]:
    return {row["BillingAccountId"] for row in csv.DictReader(io.StringIO(text))}


def stocked(scene: ServiceHarness) -> tuple[Caller, Caller]:
    """Two customers who spend: one by the month, one by the minute."""
    scene.sell("bj", "gpu-1", minute="0.5", month="100", stock=10)
    one = scene.customer("1000")
    made = scene.operator.do(IAM, "CreateAccount", {"name": "=other", "timeZone": "America/New_York"})
    scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": made["accountId"]})
    other = scene.caller(made)
    one.buy(count=2, months=2)
    other.buy(count=1)
    scene.advance("2030-01-15T10:30:00+08:00")
    return one, other


def test_a_tenant_gets_its_own_costs_and_an_operator_those_of_one_of_several_or_of_all(
    either: ServiceHarness,
) -> None:
    one, other = stocked(either)
    ids = one.account_id(), other.account_id()
    assert owners(export(one)) == {ids[0]}
    assert owners(export(one, accountId=ids[0])) == {ids[0]}
    for others in (ids[1], [*ids], "*"):
        assert one.refused(ACCOUNT, "ExportCosts", {**MONTH, "accountId": others}) == "AccessDenied"
        assert owners(export(either.operator, accountId=others)) == ({ids[1]} if others == ids[1] else {*ids})
    assert owners(export(either.operator, accountId=[ids[1]])) == {ids[1]}
    missing = {**MONTH, "accountId": [ids[0], "0" * 32]}
    assert either.operator.refused(ACCOUNT, "ExportCosts", missing) == "ResourceNotFound"


def test_every_file_is_the_one_that_the_command_writes(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data") as scene:
        scene.advance("2030-01-15T08:00:00+08:00")
        stocked(scene)
        _compare(scene, tmp_path)


def _compare(scene: ServiceHarness, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for version in VERSIONS:
        for dataset in DATASETS if version == "1.4" else DATASETS[:1]:
            goal = tmp_path / f"{dataset}-{version}.csv"
            more = ("--version", version, "--dataset", dataset, "--last-month", "2030-02", "--bom")
            done = command("--data", data, "--month", "2030-01", "--out", goal, *more)
            assert done.exit_code == 0, done.output
            asked = {"version": version, "dataset": dataset, "lastMonth": "2030-02", "bom": True, "accountId": "*"}
            assert export(scene.operator, **asked) == goal.read_text(encoding="utf-8").replace("\r\n", "\n")


def test_the_answer_is_a_file_with_a_name_and_parquet_has_the_same_rows(either: ServiceHarness) -> None:
    one, _ = stocked(either)
    answer = one.ask(ACCOUNT, "ExportCosts", {**MONTH, "format": "parquet"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"] == 'attachment; filename="CostAndUsage-2030-01.parquet"'
    table = parquet.read_table(io.BytesIO(answer.result))
    rows = list(csv.DictReader(io.StringIO(export(one))))
    assert table["ResourceId"].to_pylist() == [row["ResourceId"] for row in rows]
    assert [str(cost) for cost in table["BilledCost"].to_pylist()] == [
        f"{float(row['BilledCost']):.6f}" for row in rows
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"month": "2030-13"}, "month"),
        ({"month": "9000-01"}, "month"),
        ({"lastMonth": "2029-12"}, "lastMonth"),
        ({"lastMonth": "2033-01"}, "lastMonth"),
        ({"dataset": "InvoiceDetail"}, "dataset"),
        ({"format": "parquet", "bom": True}, "bom"),
        ({"version": "1.3"}, "version"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_the_field(shared: ServiceHarness, asked: object, field: str) -> None:
    assert isinstance(asked, dict)
    assert shared.operator.field_refused(ACCOUNT, "ExportCosts", {**MONTH, **asked}) == field


def test_parquet_without_its_library_says_what_to_install(
    shared: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    answer = shared.operator.ask(ACCOUNT, "ExportCosts", {**MONTH, "format": "parquet"})
    assert answer.code == "OperationNotSupported"
    assert "pip install 'leasebook[focus]', on the server" in answer.body["message"]


def test_the_contract_and_the_writer_have_the_same_datasets_and_versions() -> None:
    assert own.Dataset.__args__ == DATASETS  # type: ignore[attr-defined]
    assert own.FocusVersion.__args__ == VERSIONS  # type: ignore[attr-defined]
