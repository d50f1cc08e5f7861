"""A command of an operation: its options, its run, and its help."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.commands.generated.kind import Asked, Kind
from leasebook.cli.commands.generated.options import (
    argument,
    body_of,
    common_options,
    list_options,
    needs_time,
    option,
)
from leasebook.cli.commands.language import _, of_contract
from leasebook.contract.parameters.fields import Field, fields_of

if TYPE_CHECKING:
    from leasebook.cli.commands.calling.session import Session
    from leasebook.contract.action import Action

UNSET: Final = (None, ())


OPTIONS_SHOWN: Final = 5


class OperationCommand(click.Command):
    """A command with a list of its arguments in the help, as options have one."""

    allow_extra_args = True
    """``parse_args`` refuses them itself."""

    def __init__(self, name: str, *, arguments: Sequence[Field], named: Sequence[Field], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._arguments = arguments
        self._named = named

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises UsageError, which names the option that was probably meant."""
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [text for one in self.get_params(ctx) for text in one.opts if text.startswith("--")]
            near = get_close_matches(error.option_name, known, n=1)
            raise click.NoSuchOption(error.option_name, possibilities=near, ctx=ctx) from None
        if ctx.args and not ctx.resilient_parsing:
            names = [f"--{one.option}" for one in self._named if one.path[0] != "clientToken"]
            raise click.UsageError(
                _("{given} is one value too many. A value that has an option goes behind it: {options}.").format(
                    given=" ".join(ctx.args), options=", ".join(names[:OPTIONS_SHOWN]) or "--output"
                ),
                ctx,
            )
        return rest

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context, with the form of help that the command line has."""
        if parent is not None:
            self.context_class = type(parent)
        return super().make_context(info_name, args, parent, **extra)

    def argument_rows(self) -> list[tuple[str, str]]:
        """Return the names of the arguments, and what they mean."""
        return [(metavar(field), of_contract(field.meaning)) for field in self._arguments]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        rows = self.argument_rows()
        if rows:
            with formatter.section(_("Arguments")):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def metavar(field: Field) -> str:
    """Return an argument's name in the help."""
    return field.option.upper().replace("-", "_")


def command_of(action: Action, name: str, path: str, kind: Kind) -> OperationCommand:
    """Return the command of an operation. ``path`` is the command as it is typed."""
    hidden = kind.hidden if action.writes else kind.hidden | {"clientToken"}
    fields = tuple(one for one in fields_of(action.request) if one.path[0] not in hidden)
    arguments = kind.positional(fields)
    named = [one for one in fields if one not in arguments]
    parameters: list[click.Parameter] = [argument(one, metavar(one)) for one in arguments]
    parameters += kind.parameters()
    taken = {text for parameter in parameters for text in parameter.opts}
    parameters += [option(one) for one in named if f"--{one.option}" not in taken]
    parameters += list_options(action) + common_options(is_read=not action.writes and not action.follows)
    summary = kind.summary() or of_contract(action.summary)

    def run(**given: Any) -> None:
        _run(action, kind, path, {one.key: one for one in fields}, given)

    return OperationCommand(
        name,
        arguments=arguments,
        named=named,
        params=parameters,
        callback=run,
        help=summary,
        short_help=summary,
    )


def _run(action: Action, kind: Kind, path: str, fields: Mapping[str, Field], given: dict[str, Any]) -> None:
    from leasebook.cli.commands.calling.session import Session, exit_codes
    from leasebook.cli.commands.showing.output import FORMS, View, is_screen

    columns = tuple(one for one in (given.pop("columns") or "").split(",") if one)
    form = given.pop("output") or (FORMS[0] if is_screen() or columns else FORMS[1])
    if columns and form not in {"table", "csv"}:
        raise click.UsageError(_("--columns is for tables and CSV; of JSON and YAML --query takes a part."))
    watch_s = given.pop("watch", None)
    colour = is_screen() and not given.pop("no_color") and not os.environ.get("NO_COLOR")
    view = View(form, given.pop("query"), columns, colour, watch_s)
    if watch_s is not None and (form != FORMS[0] or not is_screen()):
        raise click.BadParameter(_("it needs a terminal and a table."), param_hint="--watch")
    session = Session(given.pop("url"), given.pop("access_key"), given.pop("profile"), given.pop("timeout"))
    values = {name: given.pop(name) for name in fields if name in given}
    try:
        with exit_codes():
            now = session.now() if needs_time(fields, values) else None
            body = body_of(fields, values, given.pop("body", None), now)
            asked = Asked(action, session, view, body, given, path)
            kind.prepare(asked)
            _check(fields, asked.body, kind.positional(tuple(fields.values())))
            if kind.goes_on(asked):
                _call_and_show(kind, asked)
    finally:
        session.close()


def _check(fields: Mapping[str, Field], body: Mapping[str, Any], arguments: Sequence[Field]) -> None:
    """Raise UsageError where a required value is missing: an option, or a part of ``--body``, may have given it."""
    for one in fields.values():
        if one.required and len(one.path) == 1 and body.get(one.path[0]) is None:
            raise click.UsageError(
                _("{name} is missing: {meaning}").format(
                    name=metavar(one) if one in arguments else f"--{one.option}", meaning=of_contract(one.meaning)
                )
            )


def _call_and_show(kind: Kind, asked: Asked) -> None:
    from leasebook.cli.commands.showing.output import renderable, show, watch

    look = _looking(kind, asked)
    if asked.view.watch_s is None:
        show(asked.view, asked.action, look(), _time_of(asked.session, asked.view.is_table), kind.rows)
        return
    watch(asked.view, lambda: renderable(asked.view, asked.action, look(), _time_of(asked.session, True)))


def _looking(kind: Kind, asked: Asked) -> Callable[[], Any]:
    from leasebook.cli.commands.calling.naming import name_projects, say_messages
    from leasebook.cli.commands.showing.rows import rows_field

    rows = rows_field(asked.action.request, asked.action.result)
    limit = asked.given.get("limit")

    def look() -> Any:
        if rows and limit is not None and "maxKeys" not in asked.body and "marker" not in asked.body:
            result = asked.session.pages(asked.action, asked.body, rows, limit)
        else:
            result = asked.session.call(asked.action, asked.body)
        answer = kind.finish(asked, result)
        if asked.view.is_table:
            name_projects(asked.session, answer)
            say_messages(answer)
        return answer

    return look


def _time_of(session: Session, is_table: bool) -> Callable[[], datetime | None]:  # noqa: FBT001
    from leasebook.client.errors import LeasebookError

    def now() -> datetime | None:
        try:
            return session.now() if is_table else None
        except LeasebookError:
            # The table is worth more than the spans in it.
            return None

    return now
