"""The subcommand, and the files that it writes."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from pyarrow import parquet

from leasebook.domain.values.money import amount_text
from leasebook.export.focus.columns import COLUMNS, Row
from leasebook.export.focus.files import CannotWriteError, write
from leasebook.export.focus.formats import HELD
from leasebook.export.focus.versions import Version
from tests.api.scene import ServiceHarness, a_scene
from tests.focus.exports import command, exported, lines, micro, rows_in
from tests.focus.life import ExportScenario

JANUARY = ("--month", "2028-01")


def test_both_formats_say_the_same(life: ExportScenario, tmp_path: Path) -> None:
    texts = lines(exported(life.directory, (2028, 1), tmp_path / "costs.csv"))
    table = parquet.read_table(exported(life.directory, (2028, 1), tmp_path / "costs.parquet"))
    assert table.column_names == list(texts[0]) == [column.name for column in COLUMNS["1.2"]]
    for text, row in zip(texts, table.to_pylist(), strict=True):
        for name, value in row.items():
            match value:
                case None:
                    assert text[name] == ""
                case Decimal():
                    assert Decimal(text[name]) == value
                    assert "." in text[name]
                case datetime():
                    assert datetime.strptime(text[name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) == value
                case _:
                    assert text[name] == value


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_columns_of_our_own_are_named_so_and_come_last(version: Version) -> None:
    names = [column.name for column in COLUMNS[version]]
    own = [name for name in names if name.startswith("x_")]
    assert own == ["x_CreatedBy", "x_OrderId", "x_PostingKind"]
    assert names == sorted(set(names) - set(own)) + own


def test_it_says_what_it_wrote(life: ExportScenario, tmp_path: Path) -> None:
    goal = tmp_path / "costs.csv"
    done = command("--data", life.directory, *JANUARY, "--out", goal)
    rows = lines(goal)
    billed, effective = (sum(micro(row[name]) for row in rows) for name in ("BilledCost", "EffectiveCost"))
    assert done.output == (
        f"{goal}: {len(rows)} rows, billed {Decimal(billed) / 10**6:f} CNY, "
        f"effective {Decimal(effective) / 10**6:f} CNY.\n"
    )
    assert list(tmp_path.iterdir()) == [goal]


def test_the_names_of_the_seller_and_the_currency_are_the_operator_s(
    life: ExportScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASEBOOK_CURRENCY", "EUR")
    file = exported(life.directory, (2028, 1), tmp_path / "costs.csv", "--provider", "Our Machines")
    for row in lines(file):
        assert {row[name] for name in ("ProviderName", "PublisherName", "InvoiceIssuerName")} == {"Our Machines"}
        assert row["BillingCurrency"] == row["PricingCurrency"] == "EUR"


def test_one_account_is_exported_alone(life: ExportScenario, tmp_path: Path) -> None:
    account = life.accounts["new york"]
    rows = lines(exported(life.directory, (2028, 1), tmp_path / "costs.csv", "--account", account))
    assert {(row["BillingAccountId"], row["BillingAccountName"]) for row in rows} == {(account, "New York")}


def test_a_month_without_costs_is_a_file_with_its_columns(life: ExportScenario, tmp_path: Path) -> None:
    for goal in (tmp_path / "costs.csv", tmp_path / "costs.parquet"):
        done = command("--data", life.directory, "--month", "2027-01", "--out", goal)
        assert (done.exit_code, done.stdout) == (4, "")
        assert done.stderr == (
            f"leasebook: {goal} has no rows: nothing was charged in 2027-01, and no term paid in advance reaches into "
            "it.\n"
        )
    assert lines(tmp_path / "costs.csv") == []
    assert parquet.read_table(tmp_path / "costs.parquet").num_rows == 0


def test_a_month_that_is_not_over_says_so(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data") as scene:
        _buy_prepaid(scene)
    for month, code, said in (
        ("2029-12", 4, ""),
        ("2030-01", 0, "leasebook: 2030-01 is not over: its costs are not final.\n"),
        ("2030-02", 4, "leasebook: 2030-02 has not begun: its costs are not final.\n"),
    ):
        done = command("--data", tmp_path / "data", "--month", month, "--out", tmp_path / f"{month}.csv")
        assert done.exit_code == code
        assert done.stderr.startswith(said)
        assert ("has no rows" in done.stderr) == (code == 4)


def test_it_reads_beside_a_server(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data") as scene:
        _buy_prepaid(scene)
        (bought, part) = lines(exported(tmp_path / "data", (2030, 1), tmp_path / "costs.csv"))
        assert (bought["BilledCost"], part["EffectiveCost"]) == ("100.00", "100.00")
        scene.advance("2030-01-03 00:00:00")


def _buy_prepaid(scene: ServiceHarness) -> None:
    scene.advance("2029-12-31T16:00:00Z")
    scene.sell()
    scene.customer().buy(months=1)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_no_file_is_written_over(life: ExportScenario, tmp_path: Path, suffix: str) -> None:
    goal = tmp_path / f"costs.{suffix}"
    goal.write_text("somebody's")
    done = command("--data", life.directory, *JANUARY, "--out", goal)
    assert (done.exit_code, done.output) == (
        1,
        f"leasebook: {goal} exists already; an export never writes over another file\n",
    )
    assert goal.read_text() == "somebody's"
    assert list(tmp_path.iterdir()) == [goal]


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--account", "nobody"), 1, "There is no account 'nobody'."),
        (("--out", "costs.xlsx"), 2, "costs.xlsx: the name of the file has to end in .csv or .parquet"),
        (
            ("--out", "no/such/folder/costs.csv"),
            1,
            "no/such/folder/costs.csv cannot be written: No such file or directory",
        ),
        (("--out", "costs.parquet", "--bom"), 2, "costs.parquet: only a CSV has a byte order mark; leave --bom out"),
        (("--data", "nowhere"), 2, "There is no store in nowhere: nowhere/leasebook.db does not exist."),
        (("--store", "mysql://somewhere"), 2, "--store mysql://…: the stores are"),
        (("--config", "none.toml"), 2, "none.toml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    life: ExportScenario,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("--data", life.directory, *JANUARY, "--out", "costs.csv", *more)
    assert done.exit_code == code
    assert done.output.startswith(f"leasebook: {message}")
    assert done.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("month", ["2028-13", "2028-1", "2028", "1969-12", "9999-01", "2028-01-01", "2028-\u0661"])
def test_what_is_no_month_is_refused(life: ExportScenario, tmp_path: Path, month: str) -> None:
    done = command("--data", life.directory, "--month", month, "--out", tmp_path / "costs.csv")
    assert done.exit_code == 2
    assert "is no month; write it like 2026-11." in done.output


def test_parquet_without_its_library_says_what_to_install(
    life: ExportScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    done = command("--data", life.directory, *JANUARY, "--out", tmp_path / "costs.parquet")
    assert (done.exit_code, done.output) == (
        1,
        "leasebook: Parquet needs pyarrow, which is not installed: pip install 'leasebook[focus]', or write a .csv\n",
    )
    exported(life.directory, (2028, 1), tmp_path / "costs.csv")


def test_a_store_of_another_schema_is_not_read(life: ExportScenario, tmp_path: Path) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    with closing(sqlite3.connect(data / "leasebook.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = '0001'")
    done = command("--data", data, *JANUARY, "--out", tmp_path / "costs.csv")
    assert done.exit_code == 2
    assert "is at schema 0001" in done.output
    assert "leasebook migrate" in done.output


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_is_not_finished_has_no_name(life: ExportScenario, tmp_path: Path, suffix: str) -> None:
    rows = rows_in(life, (2028, 1))
    goal = tmp_path / f"costs.{suffix}"

    def broken() -> Iterator[Row]:
        yield from rows
        assert not goal.exists()
        raise OSError("the disk is gone")

    with pytest.raises(CannotWriteError, match="the disk is gone"):
        write(goal, broken())
    assert list(tmp_path.iterdir()) == []


def test_long_files_are_written_in_parts(life: ExportScenario, tmp_path: Path) -> None:
    (row, *_) = rows_in(life, (2028, 1))
    goal = tmp_path / "costs.parquet"
    done = write(goal, (row for _ in range(2 * HELD + 1)))
    file = parquet.ParquetFile(goal)
    assert [file.metadata.row_group(part).num_rows for part in range(file.num_row_groups)] == [HELD, HELD, 1]
    assert (done.rows, done.billed) == (2 * HELD + 1, (2 * HELD + 1) * row.billed_cost)


NAMES = [
    'a "quoted" name, with a comma',
    "two\nlines",
    "a\rreturn",
    "both\r\nof them",
    "a\ttab",
    "\u2028 and \x85 end lines elsewhere",
    "\ufeffmarked",
    "  blanks  ",
    "x" * 500,
    "计算单元",
]
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@sum",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
    " =1+1",
    "\u3000 @sum",
    "\ufeff=1",
    "\x0b+1",
]
FORMULAS += ["\u200b-1", "\u2028=1", "\u202e=1+1"]


def _named(row: Row, name: str) -> Row:
    return msgspec.structs.replace(row, billing_account_name=name)


@pytest.mark.parametrize("bom", [False, True])
def test_a_name_of_any_letters_is_one_cell_of_one_row(life: ExportScenario, tmp_path: Path, *, bom: bool) -> None:
    (row, *_) = rows_in(life, (2028, 1))
    goal = tmp_path / "costs.csv"
    write(goal, (_named(row, name) for name in (*NAMES, *FORMULAS, "nothing\0here")), bom=bom)
    assert goal.read_bytes().startswith(b"\xef\xbb\xbf") == bom
    found = [line["BillingAccountName"] for line in lines(goal)]
    assert found == [*NAMES, *(f"'{formula}" for formula in FORMULAS), "nothing\ufffdhere"]
    assert {line["BilledCost"] for line in lines(goal)} == {amount_text(row.billed_cost)}


def test_a_parquet_file_has_names_as_they_are_and_no_mark(life: ExportScenario, tmp_path: Path) -> None:
    (row, *_) = rows_in(life, (2028, 1))
    goal = tmp_path / "costs.parquet"
    write(goal, (_named(row, name) for name in (*NAMES, *FORMULAS)))
    assert parquet.read_table(goal)["BillingAccountName"].to_pylist() == [*NAMES, *FORMULAS]
    with pytest.raises(CannotWriteError, match="only a CSV has a byte order mark"):
        write(tmp_path / "marked.parquet", [row], bom=True)
