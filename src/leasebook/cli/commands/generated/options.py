"""The options of the commands, and the body that their values make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from leasebook.cli.commands.completion.values import completing
from leasebook.cli.commands.generated.times import is_relative, time_of
from leasebook.cli.commands.generated.values import accounts_of, amount_of, json_of, list_of, map_of, object_of
from leasebook.cli.commands.language import _, of_contract
from leasebook.cli.commands.showing.output import FORMS
from leasebook.cli.urls import url_given
from leasebook.contract.parameters.fields import Field

if TYPE_CHECKING:
    from leasebook.contract.action import Action

TIMEOUT_S: Final = 60.0
WATCH_S: Final = 2.0
LIMIT: Final = 1000
_TYPES: Final[dict[str, click.ParamType[Any]]] = {
    "integer": click.INT,
    "number": click.FLOAT,
}
METAVAR_MAX: Final = 30
"""Values that take more are listed after the option's meaning."""
_METAVARS: Final = {"json": "JSON|@FILE|-", "map": "KEY=VALUE", "time": "TIME", "amount": "AMOUNT"}


class AnyCase(click.ParamType[str]):
    """One of some values, in small or capital letters; another is refused with the nearest."""

    name = "choice"

    def __init__(self, values: tuple[str, ...]) -> None:
        self._values: Final = {value.lower(): value for value in values}

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value as the service writes it."""
        found = self._values.get(value.lower())
        if found is not None:
            return found
        near = get_close_matches(value.lower(), self._values, n=1)
        more = _(" Do you mean {name}?").format(name=self._values[near[0]]) if near else ""
        raise click.BadParameter(
            _("{given} is none of {values}.{more}").format(
                given=value, values=", ".join(self._values.values()), more=more
            ),
            ctx,
            param,
        )

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the values that begin like this."""
        del ctx, param
        return [CompletionItem(one) for small, one in self._values.items() if small.startswith(incomplete.lower())]


def argument(field: Field, metavar: str) -> click.Argument:
    """Return a field as an argument. It may be left out where ``--body`` has it."""
    return click.Argument(
        [field.key], required=False, metavar=metavar, type=_type(field), shell_complete=completing(field.path[-1])
    )


def option(field: Field) -> click.Option:
    """Return a field as an option."""
    meaning = of_contract(field.meaning)
    listed = "|".join(field.choices)
    if field.choices and (field.kind == "list" or len(listed) > METAVAR_MAX):
        meaning, listed = f"{meaning} {', '.join(field.choices)}", ""
    if field.kind == "switch":
        return click.Option([field.key, f"--{field.option}/--no-{field.option}"], default=None, help=meaning)
    return click.Option(
        [field.key, f"--{field.option}", *(["--tag"] if field.option == "tags" else [])],
        type=_type(field),
        metavar=_METAVARS.get(field.kind) or listed or field.path[-1].upper(),
        multiple=field.kind in {"list", "map"},
        help=meaning,
        shell_complete=completing(field.path[-1]),
    )


def _type(field: Field) -> click.ParamType[Any]:
    if field.kind == "choice":
        return AnyCase(field.choices)
    return _TYPES.get(field.kind, click.STRING)


def list_options(action: Action) -> list[click.Parameter]:
    """Return the option of lists that come in pages."""
    from leasebook.cli.commands.showing.rows import rows_field

    if not rows_field(action.request, action.result):
        return []
    return [
        click.Option(
            ["--limit"],
            type=click.IntRange(0),
            default=LIMIT,
            show_default=True,
            help=_("At most this many rows; 0: all."),
        )
    ]


def _form_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-o", "--output"],
            type=click.Choice(FORMS),
            help=_("The form of the answer: a table on a terminal, else JSON."),
        ),
        click.Option(["--query"], metavar="JMESPATH", help=_("A part of the answer, as a JMESPath expression.")),
        click.Option(
            ["--columns"], metavar="NAMES", help=_("The columns of a table or CSV: names of the API, with commas.")
        ),
    ]


def _colour_option() -> click.Parameter:
    return click.Option(
        ["--no-color"], is_flag=True, help=_("No colours. The variable NO_COLOR does the same for all programs.")
    )


def shape_options() -> list[click.Parameter]:
    """Return the options of a command that calls nothing: the form of its answer."""
    return [*_form_options(), _colour_option()]


def common_options(*, is_read: bool) -> list[click.Parameter]:
    """Return the options that all commands of operations have."""
    found: list[click.Parameter] = [
        click.Option(["--body"], metavar="JSON|@FILE|-", help=_("The request as JSON; options go before its values.")),
        *_form_options(),
    ]
    if is_read:
        found.append(
            click.Option(
                ["--watch"],
                type=click.FloatRange(0.2),
                is_flag=False,
                flag_value=WATCH_S,
                metavar="SECONDS",
                help=_("Show it again every 2 seconds, or as often as you say, until Ctrl-C."),
            )
        )
    return [*found, *connection_options()]


def connection_options() -> list[click.Parameter]:
    """Return the options of the connection. The secret comes from the environment or a profile, never from here."""
    return [
        _colour_option(),
        click.Option(["--profile"], metavar="NAME", help=_("A profile that `leasebook login` wrote.")),
        click.Option(["--url"], callback=url_given, help=_("Address of the service, in place of that of the profile.")),
        click.Option(["--access-key"], help=_("Access key; its secret is in LEASEBOOK_CLIENT_SECRET_KEY.")),
        click.Option(
            ["--timeout"],
            type=click.FloatRange(0.1),
            default=TIMEOUT_S,
            metavar="SECONDS",
            show_default=True,
            help=_("How long to wait for each answer."),
        ),
    ]


def needs_time(fields: Mapping[str, Field], values: Mapping[str, Any]) -> bool:
    """Whether a value can only be understood with the service's time."""
    return any(
        fields[name].kind == "time" and value is not None and is_relative(value) for name, value in values.items()
    )


def body_of(
    fields: Mapping[str, Field], values: Mapping[str, Any], given: str | None, now: datetime | None
) -> dict[str, Any]:
    """Return the body of the options' values, over that of ``--body``. Raises BadParameter."""
    body = object_of(given) if given is not None else {}
    for name, value in values.items():
        if value is None or value == ():
            continue
        field = fields[name]
        try:
            at = body
            for step in field.path[:-1]:
                at = at.setdefault(step, {})
            at[field.path[-1]] = _value(field, value, now)
        except click.BadParameter as error:
            error.param_hint = error.param_hint or f"--{field.option}"
            raise
    return body


def _value(field: Field, value: Any, now: datetime | None) -> Any:
    match field.kind:
        case "time":
            return time_of(value, now)
        case "amount":
            return amount_of(value)
        case "accounts":
            return accounts_of(value)
        case "json":
            return json_of(value)
        case "list":
            return list_of(value, splits=field.splits, of_integers=field.path[-1].endswith("Seconds"))
        case "map":
            return map_of(value)
        case _:
            return value
