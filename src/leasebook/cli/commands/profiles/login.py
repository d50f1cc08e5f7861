"""The commands ``login`` and ``logout``: they write a profile, and remove it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from leasebook.cli.commands.generated.values import is_terminal
from leasebook.cli.commands.language import _
from leasebook.cli.exits import FAILED, stop
from leasebook.cli.urls import url_given

if TYPE_CHECKING:
    from leasebook.client.device import DeviceCode


class Login(click.Command):
    """Asks for an address and a key, tries them, and writes a profile."""

    def __init__(self) -> None:
        super().__init__(
            "login",
            params=[
                click.Option(
                    ["--profile"], default="default", show_default=True, metavar="NAME", help=_("The profile.")
                ),
                click.Option(["--url"], callback=url_given, help=_("Address of the service.")),
                click.Option(
                    ["--access-key"], help=_("The id of the key. Its secret is asked for, or read from a pipe.")
                ),
                click.Option(
                    ["--device"],
                    is_flag=True,
                    help=_("Show a code that you confirm in the console; this machine gets a key of its own."),
                ),
                click.Option(["--no-check"], is_flag=True, help=_("Write it without a call to the service.")),
            ],
            callback=login,
            help=_("Write a profile: the address of a service and a key of it, for all other commands."),
        )


def login(profile: str, url: str | None, access_key: str | None, device: bool, no_check: bool) -> None:  # noqa: FBT001
    """Write a profile. The secret is asked for without an echo; without a terminal it is a line of standard input.

    With ``device`` the service gives the key, once a person has confirmed a code in the console.
    """
    from leasebook.cli.commands.calling.session import exit_codes
    from leasebook.cli.commands.profiles.files import put
    from leasebook.client.connection import DEFAULT_URL, profile_file
    from leasebook.client.device import log_in

    if url is None:
        asked: Any = click.prompt(_("Address of the service"), default=DEFAULT_URL, err=True) if is_terminal() else None
        url = url_given(click.get_current_context(), click.Option(["--url"]), asked or DEFAULT_URL)
    path = profile_file(os.environ)
    if device:
        if access_key is not None:
            raise click.UsageError(_("--device gets a key, and --access-key names one. Give one of the two."))
        with exit_codes():
            keys = log_in(str(url), _show)
            put(path, profile, {"url": str(url), "access_key": keys.access_key, "secret_key": keys.secret_key})
        click.echo(_("{file} has the profile {name}.").format(file=path, name=profile), err=True)
        return
    if access_key is None:
        if not is_terminal():
            raise click.UsageError(_("--access-key is missing, and standard input is no terminal that could be asked."))
        access_key = str(click.prompt(_("Access key"), err=True)).strip()
    if is_terminal():
        secret_key = str(click.prompt(_("Its secret (not shown)"), hide_input=True, err=True)).strip()
    else:
        secret_key = sys.stdin.readline().strip()
    if not secret_key:
        raise click.UsageError(_("There is no secret on standard input."))
    with exit_codes():
        if not no_check:
            _try(str(url), access_key, secret_key)
        put(path, profile, {"url": str(url), "access_key": access_key, "secret_key": secret_key})
    click.echo(_("{file} has the profile {name}.").format(file=path, name=profile), err=True)


def _show(code: DeviceCode) -> None:
    """Tell the person where to confirm, and what."""
    minutes = code.lapses_in_s // 60
    click.echo(
        _("Open {address} and enter the code {code}").format(address=code.address, code=code.user_code), err=True
    )
    click.echo(_("or open {address} at once.").format(address=code.whole), err=True)
    click.echo(_("Waiting for you to approve it there; the code holds for {n} minutes.").format(n=minutes), err=True)


def _try(url: str, access_key: str, secret_key: str) -> None:
    """Make a call that any valid key may make. Raises LeasebookError."""
    from leasebook.cli.commands.actions import action_of
    from leasebook.cli.commands.calling.caller import OperationCaller
    from leasebook.cli.commands.calling.session import operation_of

    with OperationCaller(url, access_key, secret_key, timeout=20) as caller:
        caller.call(operation_of(action_of("describe_clock", "clock")), {})


class Logout(click.Command):
    """Removes a profile."""

    def __init__(self) -> None:
        super().__init__(
            "logout",
            params=[
                click.Option(
                    ["--profile"], default="default", show_default=True, metavar="NAME", help=_("The profile.")
                )
            ],
            callback=logout,
            help=_("Remove a profile from the file. The key itself stays valid: `leasebook keys disable` ends it."),
        )


def logout(profile: str) -> None:
    """Remove a profile."""
    from leasebook.cli.commands.calling.session import exit_codes
    from leasebook.cli.commands.profiles.files import remove
    from leasebook.client.connection import profile_file

    path = profile_file(os.environ)
    with exit_codes():
        if not remove(path, profile):
            stop(_("{file} has no profile {name}.").format(file=path, name=profile), FAILED)
    click.echo(_("The profile {name} is removed from {file}.").format(file=path, name=profile), err=True)
