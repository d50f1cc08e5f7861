"""Subcommand ``focus``: the costs of months as a file of the FinOps Open Cost and Usage Specification."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leasebook.cli.exits import FAILED, NOTHING_IN_IT, remark, stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import refusing, store_options, target
from leasebook.cli.terminal.progress import progress_option, shown
from leasebook.cli.terminal.texts import _, marked, ngettext
from leasebook.export.focus.versions import DATASETS, VERSION, VERSIONS

if TYPE_CHECKING:
    from leasebook.domain.values.calendar import Instant
    from leasebook.export.focus.versions import DatasetName, Version
    from leasebook.ports.progress import Progress
    from leasebook.ports.queries.read_repository import ReadRepository

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
YEARS = range(1970, 9000)


def _month(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) not in YEARS:
        raise click.BadParameter(_("{text!r} is no month; write it like 2026-11.").format(text=text))
    return int(found[1]), int(found[2])


@click.command(cls=ServerCommand)
@store_options
@click.option("--month", required=True, callback=_month, help="YYYY-MM, on each account's own clocks.")
@click.option(
    "--last-month", default=None, callback=_month, help="The last month of a file of several; none: --month only."
)
@click.option(
    "--version",
    "version",
    type=click.Choice(VERSIONS),
    default=VERSION,
    show_default=True,
    help="Of the specification.",
)
@click.option(
    "--dataset",
    type=click.Choice(DATASETS),
    default=DATASETS[0],
    show_default=True,
    help="Version 1.2 has CostAndUsage only.",
)
@click.option(
    "--out",
    "goal",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file: .csv, or .parquet (needs leasebook[focus]).",
)
@click.option("--account", default=None, help="One account's id; none: all accounts.")
@click.option("--provider", default=None, help="Who sells and issues invoices; none: the setting costs.provider.")
@click.option("--bom", is_flag=True, help="Begin a CSV with the mark by which spreadsheets know UTF-8.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
@progress_option
def focus(
    data: Path,
    store: str | None,
    month: tuple[int, int],
    last_month: tuple[int, int] | None,
    version: Version,
    dataset: DatasetName,
    goal: Path,
    account: str | None,
    provider: str | None,
    bom: bool,  # noqa: FBT001
    config: Path | None,
    lines: bool,  # noqa: FBT001
) -> None:
    """Export the costs of months for FinOps tools (FOCUS), also while a server works on the store."""
    from leasebook.config.load import BadSettings, load_settings
    from leasebook.domain.values.money import amount_text
    from leasebook.export.focus.datasets import NoSuchDatasetError, layout_of
    from leasebook.export.focus.export import UnknownAccountError, Wanted, not_over, rows_wanted
    from leasebook.export.focus.files import CannotWriteError, WrongNameError, write
    from leasebook.export.focus.rows import Seller
    from leasebook.store.queries.snapshot import snapshot

    last = last_month or month
    if last < month:
        stop(_("--last-month {last} is before --month {first}.").format(last=_named(last), first=_named(month)))
    try:
        columns = layout_of(version, dataset)
        settings = load_settings(config, os.environ)
        currency = settings.currency
        with refusing(), shown(lines=lines) as progress, snapshot(target(data, store)) as ask:
            wanted = Wanted(
                dataset=dataset,
                first=month,
                last=last,
                accounts=None if account is None else (account,),
                seller=Seller(provider or settings.costs_provider, currency),
                now=_now(ask),
            )
            standing = not_over(ask, wanted)
            written = write(goal, rows_wanted(ask, wanted, _paced(progress)), columns, bom=bom)
    except (BadSettings, NoSuchDatasetError, WrongNameError) as error:
        stop(error)
    except (CannotWriteError, UnknownAccountError) as error:
        stop(error, FAILED)
    if standing is not None:
        remark(_("{month} {standing}: its costs are not final.").format(month=_named(last), standing=_(standing)))
    if not written.rows:
        name = _named(month) if last == month else _("{first} to {last}").format(first=_named(month), last=_named(last))
        stop(
            _("{goal} has no rows: nothing was charged in {name}, and no term paid in advance reaches into it.").format(
                goal=goal, name=name
            ),
            NOTHING_IN_IT,
        )
    sums = {"billed": written.billed, "effective": written.effective}
    amounts = [f"{_(word)} {amount_text(sums[word])} {currency}" for word in SUMS[dataset]]
    rows = ngettext("{goal}: {count} row", "{goal}: {count} rows", written.rows).format(goal=goal, count=written.rows)
    click.echo(f"{', '.join([rows, *amounts])}.")


SUMS: Final[dict[DatasetName, tuple[str, ...]]] = {
    "CostAndUsage": (marked("billed"), marked("effective")),
    "InvoiceDetail": (marked("billed"),),
    "ContractCommitment": (),
    "BillingPeriod": (),
}
"""The sums that the rows of a dataset come to."""
STANDING: Final = (marked("has not begun"), marked("is not over"))
"""Why the costs of a month are not final, as the export says it."""


def _paced(progress: Progress) -> Callable[[int], None]:
    """Return a function that reports the work on rows. How much there is in all is known only at the end."""
    done = 0

    def pace(rows: int) -> None:
        nonlocal done
        done += rows
        progress("rows", done, None)

    return pace


def _named(month: tuple[int, int]) -> str:
    return f"{month[0]}-{month[1]:02}"


def _now(ask: ReadRepository) -> Instant:
    """Return what time it is for the store."""
    from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
    from leasebook.domain.commands.store.clock import VIRTUAL_NOW
    from leasebook.domain.values.calendar import Instant

    if ask.fact(CLOCK_MODE) == "virtual":
        return Instant(int(ask.fact(VIRTUAL_NOW) or 0))
    return Instant(time.time_ns() // 1000)
