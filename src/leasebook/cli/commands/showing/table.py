"""Tables on a terminal, as wide as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from leasebook.cli.commands.language import ngettext
from leasebook.cli.commands.showing.rows import OF_PAGES, Rows, all_columns, by_group, chosen_columns, flat, text
from leasebook.cli.commands.showing.span import left_in_words, short, time_of_cell
from leasebook.cli.commands.showing.titles import title
from leasebook.cli.exits import printable

ENDS: Final = frozenset({"releaseTime", "expiredTime", "endsTime", "nextTryTime", "nextStartTime", "quoteExpiredTime"})
"""Times that are of interest by how far off they are."""
STYLES: Final = {
    "Running": "green",
    "Serving": "green",
    "Active": "green",
    "Delivered": "green",
    "Creating": "yellow",
    "Deploying": "yellow",
    "Reconfiguring": "yellow",
    "BillingChanging": "yellow",
    "Releasing": "yellow",
    "Pending": "yellow",
    "Stopped": "red",
    "Suspended": "red",
    "CreateFailed": "red",
    "ReconfigureFailed": "red",
    "GivenUp": "red",
    "Released": "dim",
    "Deleted": "dim",
    "Closed": "dim",
}
GAP: Final = 2
FLEXIBLE_MAX: Final = 36
"""How wide a text is at most where columns are chosen; it is folded into that."""
UNBOUNDED: Final = 10_000
"""The width of a table that goes into a file or a pipe: nothing is left out or folded."""
MEASURED_MAX: Final = 500


def console_for(*, colour: bool, is_terminal: bool) -> Console:
    """Return the console of standard output. Without a terminal it is as wide as the rows need."""
    return Console(
        width=None if is_terminal else UNBOUNDED,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not is_terminal,
    )


def as_table(
    found: Rows, asked: Sequence[str], operation: str, *, now: datetime | None, width: int
) -> tuple[RenderableType, int]:
    """Return the rows as a table that fits, with the rest of the answer below; and how many columns do not fit.

    Columns that were asked for are all shown.
    """
    rows = [flat(row) for row in found.rows]
    if asked:
        columns = chosen_columns(rows, found.known, asked)
        fitting, is_long = columns, True
    else:
        rows, known = by_group(rows, found.known)
        columns = all_columns(rows, known, operation)
        fitting, is_long = _fitting(rows, columns, now, width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column in fitting:
        table.add_column(title(column), overflow="fold", no_wrap=_is_id(column), justify=_justified(rows, column))
    for row in rows:
        table.add_row(*(_cell(column, row.get(column), now, is_long=is_long) for column in fitting))
    below = as_details(found.rest, now, width) if any(value is not None for value in found.rest.values()) else None
    count = Text(ngettext("{count} row", "{count} rows", len(rows)).format(count=len(rows)), style="dim")
    parts: list[RenderableType] = [table, Text("")] if rows and below is not None else [table] if rows else []
    return Group(*parts, count if below is None else below), len(columns) - len(fitting)


def as_details(result: Mapping[str, Any], now: datetime | None, width: int) -> RenderableType:
    """Return one thing as names and values; lists of things in it as tables of their own, of the columns that fit."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    parts: list[RenderableType] = [table]
    for name, value in flat({name: one for name, one in result.items() if name not in OF_PAGES}).items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            inner, _left = as_table(Rows(value, (), {}), (), f"describe_{name}", now=now, width=width)
            parts += [Text(""), Text(title(name), style="bold"), inner]
        elif value not in (None, [], {}):
            table.add_row(title(name), _many_lines(name, value, now))
    return Group(*parts)


def _many_lines(name: str, value: Any, now: datetime | None) -> Text:
    if isinstance(value, str) and "\n" in value:
        return Text("\n".join(printable(line) for line in value.splitlines()))
    at = time_of_cell(value)
    if at is not None and now is not None and name.rpartition(".")[2] in ENDS:
        return Text(f"{value} ({left_in_words(at, now)})")
    return _styled(text(value))


def _is_id(column: str) -> bool:
    return column.endswith(("Id", "Time")) or column in {"status", "type"}


def _justified(rows: Sequence[Mapping[str, Any]], column: str) -> Any:
    values = [row[column] for row in rows[:MEASURED_MAX] if row.get(column) is not None]
    return "right" if values and all(_is_number(one) for one in values) else "left"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (
        isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit()
    )


def _cell(column: str, value: Any, now: datetime | None, *, is_long: bool) -> Text:
    at = time_of_cell(value)
    if at is None:
        return _styled(text(value))
    if now is None or column.rpartition(".")[2] not in ENDS:
        return Text(short(at))
    left = left_in_words(at, now)
    return Text(f"{short(at)} ({left})" if is_long else left)


def _styled(value: str) -> Text:
    return Text(printable(value), style=STYLES.get(value, ""))


def _fitting(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], now: datetime | None, width: int
) -> tuple[list[str], bool]:
    """Return the columns from the left that fit, and whether ends are shown with their dates."""
    for is_long in (True, False):
        total = 0
        found: list[str] = []
        for column in columns:
            total += _width(rows, column, now, is_long=is_long) + (GAP if found else 0)
            if total > width and found:
                break
            found.append(column)
        if len(found) == len(columns) or not is_long:
            return found, is_long
    return [], False


def _width(rows: Iterable[Mapping[str, Any]], column: str, now: datetime | None, *, is_long: bool) -> int:
    cells = (_cell(column, row.get(column), now, is_long=is_long).plain for row in list(rows)[:MEASURED_MAX])
    widest = max([cell_len(title(column)), *(cell_len(cell) for cell in cells)])
    return widest if _is_id(column) else min(widest, FLEXIBLE_MAX)
