"""Subcommand ``console``: a link by which a user signs in to the console, once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leasebook.cli.exits import stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import refusing, store_options, target
from leasebook.cli.terminal.texts import _

if TYPE_CHECKING:
    from leasebook.domain.model.account import User
    from leasebook.ports.queries.read_repository import ReadRepository

HERE = "http://127.0.0.1:8000"


@click.command(cls=ServerCommand)
@store_options
@click.option("--user", "user_id", default=None, help="The user's id; none: the first user of the service.")
@click.option("--url", default=None, help="The server's address.  [default: public_url, else http://127.0.0.1:8000]")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
def console(data: Path, store: str | None, user_id: str | None, url: str | None, config: Path | None) -> None:
    """Print a link that signs a user in to the console: it works once, for some minutes.

    It takes the store and its master key, and a server need not be stopped for it.
    """
    from leasebook.config.load import BadSettings, load_settings
    from leasebook.console.session.sessions import new_link
    from leasebook.console.session.tokens import PURPOSE
    from leasebook.security.keyring import Keyring, keys_of, rotation_state
    from leasebook.security.vault import BadMasterKey
    from leasebook.store.queries.snapshot import glimpse

    try:
        settings = load_settings(config, os.environ)
    except BadSettings as error:
        stop(error)
    where = target(data, store)
    with refusing(), glimpse(where) as ask:
        user = _user(ask, user_id)
        try:
            vault, _rest = keys_of(Keyring(settings, where.directory), rotation_state(ask))
        except BadMasterKey as error:
            stop(error)
    minutes = settings.console_link_minutes
    link = new_link(vault.derive(PURPOSE), user.id, int(time.time()) + minutes * 60)
    base = (url or settings.public_url or HERE).rstrip("/") + settings.path_prefix.rstrip("/")
    click.echo(f"{base}/console/in/{link}")
    click.echo(
        _("It signs in as {name} ({user}), once, within {minutes} minutes.").format(
            name=user.name, user=user.id, minutes=minutes
        ),
        err=True,
    )


def _user(ask: ReadRepository, user_id: str | None) -> User:
    """Return the user who is meant; ends the command where there is none."""
    from leasebook.domain.commands.store.bootstrap import ROOT_USER

    user = ask.user(user_id or ask.fact(ROOT_USER) or "")
    if user is None or user.deleted_at is not None:
        stop(
            _("There is no user {user!r} here. DescribeUsers (/v2/iam) lists the users of an account.").format(
                user=user_id
            )
        )
    return user
