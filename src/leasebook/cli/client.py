"""The subcommands for callers: they need no package of the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.exits import FAILED, NO_ANSWER, remark, stop
from leasebook.cli.terminal.texts import marked, of_error
from leasebook.cli.urls import path_given, url_given

if TYPE_CHECKING:
    from leasebook.client.caller import Keys

_OK: Final = 200
_URL_HELP: Final = marked("Address of the service.")

URL_OPTION = click.option(
    "--url",
    envvar=["LEASEBOOK_CLIENT_URL", "QIANFAN_CONSOLE_API_BASE_URL"],
    default="http://127.0.0.1:8000",
    show_default=True,
    callback=url_given,
    help=_URL_HELP,
)
ACCESS_KEY_OPTION = click.option(
    "--access-key", envvar=["LEASEBOOK_CLIENT_ACCESS_KEY", "QIANFAN_ACCESS_KEY"], required=True, show_envvar=True
)
SECRET_KEY_OPTION = click.option(
    "--secret-key", envvar=["LEASEBOOK_CLIENT_SECRET_KEY", "QIANFAN_SECRET_KEY"], required=True, show_envvar=True
)


def _paths(_context: click.Context, _parameter: click.Parameter, start: str) -> list[Any]:
    from leasebook.contract.actions import ACTIONS

    return [path for path in dict.fromkeys(row.path for row in ACTIONS) if path.startswith(start)]


def _actions(context: click.Context, _parameter: click.Parameter, start: str) -> list[Any]:
    from leasebook.contract.actions import ACTIONS

    path = context.params.get("path")
    return [row.name for row in ACTIONS if path in {None, row.path} and row.name.startswith(start)]


_PATH: Final = click.argument("path", callback=path_given, shell_complete=_paths)
_ACTION: Final = click.argument("action", shell_complete=_actions)
_URL: Final = click.option(
    "--url", envvar=["LEASEBOOK_CLIENT_URL", "QIANFAN_CONSOLE_API_BASE_URL"], callback=url_given, help=_URL_HELP
)
_ACCESS_KEY: Final = click.option("--access-key", help="Left out: LEASEBOOK_CLIENT_ACCESS_KEY, or a profile's.")
_SECRET_KEY: Final = click.option("--secret-key", help="Left out: LEASEBOOK_CLIENT_SECRET_KEY, or a profile's.")
_PROFILE: Final = click.option("--profile", help="A profile that `leasebook login` wrote.")


@click.command()
@_PATH
@_ACTION
@click.argument("body", default="{}")
@_URL
@_ACCESS_KEY
@_SECRET_KEY
@_PROFILE
def call(path: str, action: str, body: str, **given: str | None) -> None:
    """Call an action: leasebook call /v2/computeunit DescribeComputeUnits '{}'. BODY may be @FILE, or - for a pipe."""
    from leasebook.cli.caller import NoAnswer, post

    try:
        keys = _keys(**given)
        status, text = post(keys.url, path, action, _body(body), keys.access_key, keys.secret_key)
    except NoAnswer as error:
        stop(error, NO_ANSWER)
    except (OSError, ValueError) as error:
        stop(error, FAILED)
    click.echo(text)
    if status != _OK:
        if sys.stdout.isatty():
            _say_in_language(text)
        sys.exit(FAILED)


@click.command()
@_PATH
@_ACTION
@click.argument("body", default="")
@_URL
@_ACCESS_KEY
@_SECRET_KEY
@_PROFILE
def sign(path: str, action: str, body: str, **given: str | None) -> None:
    """Print the signed headers of one call with this BODY: leasebook sign PATH ACTION BODY | curl -H @- -d BODY URL."""
    from leasebook.cli.caller import signed

    try:
        keys = _keys(**given)
        headers = signed(keys.url, path, action, _body(body), keys.access_key, keys.secret_key)
        for name, value in headers.items():
            click.echo(f"{name}: {value}")
    except ValueError as error:
        stop(error, FAILED)


def _say_in_language(text: str) -> None:
    """Print why a call was refused in the reader's language, where that is not the one in which servers answer."""
    import json

    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return
    if of_error(message) != message:
        remark(message)


def _body(given: str) -> str:
    from leasebook.cli.commands.generated.values import text_of

    return text_of(given)


def _keys(*, url: str | None, access_key: str | None, secret_key: str | None, profile: str | None) -> Keys:
    """Return where the service is, and a key of it. Ends the command where one is missing."""
    from leasebook.client.connection import connection
    from leasebook.client.errors import ConfigurationError

    try:
        return connection(url, access_key, secret_key, profile=profile).keys
    except ConfigurationError as error:
        stop(error)


@click.command()
@click.option(
    "--url",
    default=None,
    callback=url_given,
    help="A server that runs with --demo; none: one is started, and gone afterwards.",
)
@click.option("--access-key", envvar="QIANFAN_ACCESS_KEY", default=None, show_envvar=True)
@click.option("--secret-key", envvar="QIANFAN_SECRET_KEY", default=None, show_envvar=True)
def tour(url: str | None, access_key: str | None, secret_key: str | None) -> None:
    """Buy, deploy a service, call it, schedule its release, watch it go, and see the bill."""
    from leasebook.cli.tour import run

    run(url, access_key, secret_key)
