"""Subcommand ``focus``: a month's costs as a file of the FinOps Open Cost and Usage Specification."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leasebook.cli.exits import FAILED, NOTHING_IN_IT, remark, stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import refusing, store_options, target
from leasebook.domain.values.wording import counted

if TYPE_CHECKING:
    from leasebook.domain.values.calendar import Instant
    from leasebook.ports.queries.read_repository import ReadRepository

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
YEARS = range(1970, 9000)


def _month(_: click.Context, __: click.Parameter, text: str) -> tuple[int, int]:
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) not in YEARS:
        raise click.BadParameter(f"{text!r} is no month; write it like 2026-11.")
    return int(found[1]), int(found[2])


@click.command(cls=ServerCommand)
@store_options
@click.option("--month", required=True, callback=_month, help="YYYY-MM, on each account's own clocks.")
@click.option(
    "--out",
    "goal",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file: .csv, or .parquet (needs leasebook[focus]).",
)
@click.option("--account", default=None, help="One account's id; none: all accounts.")
@click.option("--provider", default="Leasebook", show_default=True, help="Who sells, issues invoices and is published.")
@click.option("--bom", is_flag=True, help="Begin a CSV with the mark by which spreadsheets know UTF-8.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
def focus(
    data: Path,
    store: str | None,
    month: tuple[int, int],
    goal: Path,
    account: str | None,
    provider: str,
    bom: bool,  # noqa: FBT001
    config: Path | None,
) -> None:
    """Export a month's costs for FinOps tools (FOCUS), also while a server works on the store."""
    from leasebook.config.load import BadSettings, load_settings
    from leasebook.domain.values.money import amount_text
    from leasebook.export.focus.export import UnknownAccountError, export, not_over
    from leasebook.export.focus.files import CannotWriteError, WrongNameError, write
    from leasebook.export.focus.rows import Seller
    from leasebook.store.queries.snapshot import snapshot

    try:
        currency = load_settings(config, os.environ).currency
        with refusing(), snapshot(target(data, store)) as ask:
            standing = not_over(ask, *month, _now(ask), account)
            written = write(goal, export(ask, *month, Seller(provider, currency), account), bom=bom)
    except BadSettings as error:
        stop(error)
    except WrongNameError as error:
        stop(error)
    except (CannotWriteError, UnknownAccountError) as error:
        stop(error, FAILED)
    name = f"{month[0]}-{month[1]:02}"
    if standing is not None:
        remark(f"{name} {standing}: its costs are not final.")
    if not written.rows:
        stop(
            f"{goal} has no rows: nothing was charged in {name}, and no term paid in advance reaches into it.",
            NOTHING_IN_IT,
        )
    click.echo(
        f"{goal}: {counted(written.rows, 'row')}, billed {amount_text(written.billed)} {currency}, "
        f"effective {amount_text(written.effective)} {currency}."
    )


def _now(ask: ReadRepository) -> Instant:
    """Return what time it is for the store."""
    from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
    from leasebook.domain.commands.store.clock import VIRTUAL_NOW
    from leasebook.domain.values.calendar import Instant

    if ask.fact(CLOCK_MODE) == "virtual":
        return Instant(int(ask.fact(VIRTUAL_NOW) or 0))
    return Instant(time.time_ns() // 1000)
