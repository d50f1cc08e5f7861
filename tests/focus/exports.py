"""Making exports, and reading them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from click.testing import CliRunner, Result

from leasebook.cli.main import cli
from leasebook.export.focus.columns import Row
from leasebook.export.focus.export import export
from leasebook.export.focus.rows import Seller
from leasebook.store.opening import Target
from leasebook.store.queries.snapshot import snapshot
from tests.focus.life import ExportScenario, Month

SELLER = Seller("The Lessor", "CNY")
MICRO = 1_000_000


def command(*arguments: str | Path) -> Result:
    """Run the subcommand."""
    return CliRunner().invoke(cli, ["focus", *map(str, arguments)])


def exported(directory: Path, month: Month, goal: Path, *more: str) -> Path:
    """Export a month into a file."""
    done = command("--data", directory, "--month", f"{month[0]}-{month[1]:02}", "--out", goal, *more)
    assert done.exit_code == 0, done.output
    return goal


def lines(file: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        return list(csv.DictReader(text))


def rows_in(where: ExportScenario | Target, month: Month, account: str | None = None) -> list[Row]:
    """Return the rows of a month."""
    target = where if isinstance(where, Target) else Target(where.directory)
    with snapshot(target) as ask:
        return list(export(ask, *month, SELLER, account))


def of(rows: Iterable[Row], unit: str) -> list[Row]:
    """Return an instance's rows."""
    return [row for row in rows if row.resource_id == unit]


def micro(amount: str) -> int:
    """Read an amount as a person writes it."""
    return int(Decimal(amount) * MICRO)
