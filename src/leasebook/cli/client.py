"""The subcommands for callers: they need no package of the server."""

from __future__ import annotations

import sys
from typing import Final

import click

from leasebook.cli.exits import FAILED, NO_ANSWER, stop
from leasebook.cli.urls import path_given, url_given

_OK: Final = 200

URL_OPTION = click.option(
    "--url",
    envvar=["LEASEBOOK_CLIENT_URL", "QIANFAN_CONSOLE_API_BASE_URL"],
    default="http://127.0.0.1:8000",
    show_default=True,
    callback=url_given,
    help="Address of the service.",
)
PATH_ARGUMENT = click.argument("path", callback=path_given)
ACCESS_KEY_OPTION = click.option(
    "--access-key", envvar=["LEASEBOOK_CLIENT_ACCESS_KEY", "QIANFAN_ACCESS_KEY"], required=True, show_envvar=True
)
SECRET_KEY_OPTION = click.option(
    "--secret-key", envvar=["LEASEBOOK_CLIENT_SECRET_KEY", "QIANFAN_SECRET_KEY"], required=True, show_envvar=True
)


@click.command()
@PATH_ARGUMENT
@click.argument("action")
@click.argument("body", default="{}")
@URL_OPTION
@ACCESS_KEY_OPTION
@SECRET_KEY_OPTION
def call(path: str, action: str, body: str, url: str, access_key: str, secret_key: str) -> None:
    """Call an action: leasebook call /v2/computeunit DescribeComputeUnits '{}'."""
    from leasebook.cli.caller import NoAnswer, post

    try:
        status, text = post(url, path, action, body, access_key, secret_key)
    except NoAnswer as error:
        stop(error, NO_ANSWER)
    except (OSError, ValueError) as error:
        stop(error, FAILED)
    click.echo(text)
    if status != _OK:
        sys.exit(FAILED)


@click.command()
@PATH_ARGUMENT
@click.argument("action")
@click.argument("body", default="")
@URL_OPTION
@ACCESS_KEY_OPTION
@SECRET_KEY_OPTION
def sign(path: str, action: str, body: str, url: str, access_key: str, secret_key: str) -> None:
    """Print the signed headers of one call with this BODY: leasebook sign PATH ACTION BODY | curl -H @- -d BODY URL."""
    from leasebook.cli.caller import signed

    try:
        for name, value in signed(url, path, action, body, access_key, secret_key).items():
            click.echo(f"{name}: {value}")
    except ValueError as error:
        stop(error, FAILED)


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
