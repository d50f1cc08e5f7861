"""Progress of the commands that take minutes: what it counts, and when it is shown."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner, Result

from leasebook.cli.main import cli
from leasebook.cli.terminal import progress
from leasebook.cli.terminal.progress import Shown, span
from leasebook.ports.progress import Stage, unseen
from leasebook.store.maintenance import backup
from leasebook.store.opening import Target
from leasebook.store.revisions import known
from tests.copies import STORES, copy_of, empty
from tests.harness import a_service

LINE = re.compile(r"leasebook: (\w[\w ]*): ([\d,]+)(?: of ([\d,]+), (\d+) %)?, [\d.,]+/s")


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    async def live(where: Target) -> None:
        async with a_service(where, demo=True) as root:
            billing = {"paymentTiming": "Postpaid"}
            body = {"computeUnitConfig": {"region": "bj", "type": "cpu"}, "billing": billing, "computeUnitCount": 1}
            _ = (await root.call("/v2/computeunit", "PurchaseComputeUnit", body)).result
            now = datetime.fromisoformat((await root.call("/v2/clock", "DescribeClock", {})).result["now"])
            await root.advance((now + timedelta(hours=3)).isoformat())

    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        asyncio.run(live(where))
        yield where


@pytest.fixture
def where(lived: Target, tmp_path: Path) -> Iterator[Target]:
    with copy_of(lived, tmp_path / "data") as copy:
        yield copy


@pytest.fixture
def each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each report."""
    monkeypatch.setattr(progress, "EVERY_S", 0.0)


def of(where: Target) -> list[str]:
    return ["--data", str(where.directory), *([] if where.url is None else ["--store", where.url])]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def shown(done: Result) -> dict[str, list[tuple[int, int | None]]]:
    """The reports of a command by what they count, in order: how much is done, and of how much."""
    assert done.exit_code in (0, 4), done.output
    found: dict[str, list[tuple[int, int | None]]] = {}
    for what, count, total, _ in LINE.findall(done.stderr):
        number = int(count.replace(",", ""))
        found.setdefault(what, []).append((number, int(total.replace(",", "")) if total else None))
    for reports in found.values():
        assert reports == sorted(reports, key=lambda one: one[0])
    return found


@pytest.mark.usefixtures("each")
def test_a_check_counts_every_row_and_then_its_other_checks(where: Target) -> None:
    done = run("check", *of(where), "--progress")
    found = shown(done)
    assert list(found) == ["rows read", "further checks"]
    assert "leasebook: the files of the store\n" in done.stderr
    for reports in found.values():
        assert reports[-1][0] == reports[-1][1]
    assert found["rows read"][-1][0] > 20


@pytest.mark.usefixtures("each")
def test_a_copy_counts_every_row(where: Target, tmp_path: Path) -> None:
    source = f"sqlite:///{where.directory}" if where.url is None else where.url
    done = run("copy", "--from", source, "--to", f"sqlite:///{tmp_path / 'new'}", "--progress")
    found = shown(done)
    assert list(found) == ["rows copied", "rows read", "further checks"]
    last = found["rows copied"][-1]
    assert last[0] == last[1]
    assert f"Copied {last[0]} rows" in done.stdout


@pytest.mark.usefixtures("each")
def test_a_migration_counts_its_steps(tmp_path: Path) -> None:
    with empty("sqlite", tmp_path / "data") as where:
        found = shown(run("migrate", *of(where), "--progress"))
    assert found == {"migrations applied": [(number, len(known())) for number in range(1, len(known()) + 1)]}


@pytest.mark.usefixtures("each")
def test_an_archive_counts_instances(where: Target, tmp_path: Path) -> None:
    found = shown(
        run("archive", *of(where), "--before", "2020-01-01 00:00:00", "--to", tmp_path / "a.gz", "--progress")
    )
    assert found == {"instances looked at": [(2, 2)]}


@pytest.mark.usefixtures("each")
def test_a_backup_counts_bytes(lived: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if lived.url is not None:
        pytest.skip("only the embedded store has backups of its own")
    monkeypatch.setattr(backup, "LOOK_EVERY_S", 0.001)
    found = shown(run("backup", "--data", lived.directory, "--to", tmp_path / "b.db", "--progress"))
    size = (tmp_path / "b.db").stat().st_size
    assert found["bytes written"][-1] == (size, size)


@pytest.mark.usefixtures("each")
def test_an_export_says_how_much_it_has_and_no_total(where: Target, tmp_path: Path) -> None:
    found = shown(run("focus", *of(where), "--month", "2030-01", "--out", tmp_path / "a.csv", "--progress"))
    assert {total for reports in found.values() for _, total in reports} == {None}


def test_nothing_is_counted_or_shown_on_a_pipe(where: Target) -> None:
    done = run("check", *of(where))
    assert done.exit_code == 0
    assert done.stderr == ""
    with progress.shown(lines=False) as reports:
        assert reports is unseen


def test_lines_come_each_ten_seconds_with_rate_and_rest() -> None:
    lines: list[str] = []
    now = [0.0]
    show = Shown(lines.append, 10.0, lambda: now[0])
    for second in range(41):
        now[0] = float(second)
        show("rows", second * 1000, 100_000)
    assert lines == [
        "rows read: 10,000 of 100,000, 10 %, 1,000/s, 1m30s left",
        "rows read: 20,000 of 100,000, 20 %, 1,000/s, 1m20s left",
        "rows read: 30,000 of 100,000, 30 %, 1,000/s, 1m10s left",
        "rows read: 40,000 of 100,000, 40 %, 1,000/s, 1m00s left",
    ]


def test_a_terminal_shows_each_new_stage_at_once() -> None:
    lines: list[str] = []
    now = [0.0]
    show = Shown(lines.append, 10.0, lambda: now[0], at_once=True)
    show("file", 0, None)
    show("rows", 1, 2)
    show("rows", 2, 2)
    assert lines == ["the files of the store", "rows read: 1 of 2, 50 %, 0.0/s, ? left"]


def test_a_stage_has_a_rate_of_its_own_and_perhaps_no_total() -> None:
    lines: list[str] = []
    now = [0.0]
    show = Shown(lines.append, 0.0, lambda: now[0])
    reports: list[tuple[float, Stage, int, int | None]] = [
        (0.0, "rows", 5, None),
        (2.0, "rows", 15, None),
        (3.0, "checks", 1, 40),
        (5.0, "checks", 2, 40),
        (5.0, "migrations", 0, 0),
    ]
    for at, stage, done, total in reports:
        now[0] = at
        show(stage, done, total)
    assert lines == [
        "rows read: 5, 0.0/s",
        "rows read: 15, 5.0/s",
        "further checks: 1 of 40, 2 %, 0.0/s, ? left",
        "further checks: 2 of 40, 5 %, 0.5/s, 1m16s left",
        "migrations applied: 0 of 0, 100 %, 0.0/s, ? left",
    ]
    assert [span(one) for one in (0.4, 59, 61, 3600, 90_000)] == ["0s", "59s", "1m01s", "1h00m", "25h00m"]


def test_a_terminal_has_one_line_that_lives_and_goes(lived: Target) -> None:
    if lived.url is not None:
        pytest.skip("one store is enough for the terminal")
    program = "from leasebook.cli import main; from leasebook.cli.terminal import progress; "
    program += "progress.LIVE_S = 0.0; main.main()"
    line = ["-c", program, "check", *of(lived)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LEASEBOOK_LANG": "zh"}
    child = pexpect.spawn(sys.executable, line, env=environment, encoding="utf-8", timeout=60, dimensions=(24, 80))
    child.expect("存储的文件")
    child.expect("已读取的行")
    child.expect("账目正确")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
