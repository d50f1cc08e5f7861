"""One answer in the form that was asked for."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from leasebook.cli.commands.language import _, ngettext
from leasebook.cli.commands.showing.rows import (
    OF_PAGES,
    Rows,
    all_columns,
    chosen_columns,
    column_names,
    flat,
    rows_field,
    text,
)
from leasebook.cli.exits import printable, remark

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType

    from leasebook.contract.action import Action

FORMS: Final = ("table", "json", "yaml", "csv")
UNFOLDED: Final = 1 << 20
"""Lines of YAML are not folded."""
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")


class View(NamedTuple):
    """How answers are shown."""

    form: str
    query: str | None
    columns: tuple[str, ...]
    colour: bool
    watch_s: float | None = None

    @property
    def is_table(self) -> bool:
        """Whether people read it."""
        return self.form == "table"


def is_screen() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def show(
    view: View, action: Action, result: Any, now: Callable[[], datetime | None] = lambda: None, rows: str | None = None
) -> None:
    """Print an answer. ``now`` tells the service's time, for spans; ``rows`` names the field of the rows."""
    found = queried(view.query, result)
    if view.is_table:
        _printed(view, _renderable(view, action, found, now, rows))
    elif view.form == "json":
        # One text that a query found is for a variable of the shell.
        is_text = view.query is not None and isinstance(found, str)
        click.echo(_safe(found) if is_text else json.dumps(found, indent=2, ensure_ascii=False))
    elif view.form == "yaml":
        # The fastest of the three to write, the slowest to load.
        import yaml

        click.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=UNFOLDED), nl=False)
    else:
        click.echo(_csv(view, action, found, rows), nl=False)


def watch(view: View, look: Callable[[], RenderableType]) -> None:
    """Show a table again and again in one place, until Ctrl-C."""
    from rich.live import Live

    from leasebook.cli.commands.showing.table import console_for

    console = console_for(colour=view.colour, is_terminal=is_screen())
    try:
        with Live(look(), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(view.watch_s or 0.0)
                live.update(look(), refresh=True)
    except KeyboardInterrupt:
        return


def renderable(view: View, action: Action, result: Any, now: Callable[[], datetime | None]) -> RenderableType:
    """Return a table as ``watch`` shows it."""
    return _renderable(view, action, queried(view.query, result), now, None)[0]


def queried(query: str | None, result: Any) -> Any:
    """Return what a JMESPath expression finds. Raises BadParameter for a wrong one."""
    if query is None:
        return result
    import jmespath

    try:
        return jmespath.search(query, result)
    except jmespath.exceptions.JMESPathError as error:
        raise click.BadParameter(
            _("this is no JMESPath expression: {why}").format(why=" ".join(str(error).split())), param_hint="--query"
        ) from None


def _renderable(
    view: View, action: Action, found: Any, now: Callable[[], datetime | None], rows: str | None
) -> tuple[RenderableType, int]:
    # It takes 50 ms to load.
    from rich.text import Text

    from leasebook.cli.commands.showing.table import UNBOUNDED, as_details, as_table, console_for

    width = console_for(colour=view.colour, is_terminal=is_screen()).width if is_screen() else UNBOUNDED
    if found is True:
        return Text(_("Done.")), 0
    table = _rows(view, action, found, rows)
    if table is None:
        if isinstance(found, Mapping):
            return as_details(found, now() if _has_times(found) else None, width), 0
        lines = [text(one) for one in found] if isinstance(found, list) else [text(found)]
        return Text("\n".join(map(printable, lines))), 0
    if not table.rows and not table.rest:
        return Text(_("There is nothing.")), 0
    moment = now() if any(_has_times(row) for row in table.rows) else None
    return as_table(table, view.columns, action.operation, now=moment, width=width)


def _has_times(row: Mapping[str, Any]) -> bool:
    from leasebook.cli.commands.showing.table import ENDS

    return any(name.rpartition(".")[2] in ENDS and value is not None for name, value in flat(row).items())


def _printed(view: View, renderable_and_left: tuple[RenderableType, int]) -> None:
    from leasebook.cli.commands.showing.table import console_for

    renderable, left = renderable_and_left
    console = console_for(colour=view.colour, is_terminal=is_screen())
    if is_screen():
        console.print(renderable)
    else:
        with console.capture() as captured:
            console.print(renderable)
        for line in captured.get().splitlines():
            click.echo(line.rstrip())
    if left:
        remark(
            ngettext(
                "{count} more column does not fit: --columns chooses, --output json has all.",
                "{count} more columns do not fit: --columns chooses, --output json has all.",
                left,
            ).format(count=left)
        )


def _rows(view: View, action: Action, found: Any, rows: str | None) -> Rows | None:
    """Return the rows of an answer, or of a query's result; None: it has none."""
    if isinstance(found, list):
        return Rows(found, (), {}) if all(isinstance(one, Mapping) for one in found) else None
    if not isinstance(found, Mapping):
        return None
    name = rows_field(action.request, action.result) if rows is None else rows
    if view.query is not None or not name:
        return Rows([dict(found)], column_names(action.result, ""), {}) if view.columns else None
    rest = {key: value for key, value in found.items() if key != name and key not in OF_PAGES}
    return Rows(list(found.get(name) or ()), column_names(action.result, name), rest)


def _csv(view: View, action: Action, found: Any, rows: str | None) -> str:
    from leasebook.export.csv_table import Table

    table = _rows(view, action, found, rows)
    if table is None:
        one = found if isinstance(found, Mapping) else {"value": found}
        many = [{"value": value} for value in found] if isinstance(found, list) else [dict(one)]
        table = Rows(many, (), {})
    flattened = [flat(row) for row in table.rows]
    columns = (
        chosen_columns(flattened, table.known, view.columns)
        if view.columns
        else list(dict.fromkeys([*table.known, *all_columns(flattened, (), "")]))
    )
    out = io.StringIO()
    file = Table(out)
    file.put(columns)
    for row in flattened:
        file.put([_csv_cell(row.get(column)) for column in columns])
    return out.getvalue()


def _safe(value: str) -> str:
    """Return a text as it is, and on a terminal without the characters that it obeys."""
    return printable(value) if is_screen() else value


def _csv_cell(value: Any) -> str:
    from leasebook.export.csv_table import text_cell

    plain = _safe(text(value))
    return plain if _NUMBER.fullmatch(plain) else text_cell(plain)
