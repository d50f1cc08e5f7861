"""The subcommand that gives a store a new master key."""

from __future__ import annotations

import os
from pathlib import Path

import click

from leasebook.cli.exits import FAILED, stop
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import refusing, store_options, target
from leasebook.cli.terminal.texts import _, of_error


@click.command("rotate-master-key", cls=ServerCommand)
@store_options
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
@click.option(
    "--wait", type=click.FloatRange(0), default=None, help="Seconds to wait for servers; without it: for ever."
)
@click.option("--abandon", is_flag=True, help="Announce no key any more, as long as the new one does not seal yet.")
def rotate_master_key(
    data: Path,
    store: str | None,
    config: Path | None,
    wait: float | None,
    abandon: bool,  # noqa: FBT001
) -> None:
    """Seal everything under a new master key, while servers work. Run it again where it was cut off."""
    import asyncio

    from leasebook.batch import OutcomeUnknown, Unavailable
    from leasebook.config.load import BadSettings, load_settings
    from leasebook.observability.logs.lines import configure_logging
    from leasebook.security.vault import BadMasterKey
    from leasebook.server import rotate_master_key as rotating
    from leasebook.server.master_key_rotation import NotYet

    where = target(data, store)
    try:
        with refusing():
            if abandon:
                rotating.abandon(where)
                click.echo(_("No new master key is announced any more."))
                return
            settings = load_settings(config, os.environ)
            configure_logging(settings.log_format, "warning", [])
            asyncio.run(
                rotating.rotate_master_key(settings, where, wait_s=wait, say=lambda text: click.echo(of_error(text)))
            )
    except (BadSettings, BadMasterKey) as error:
        stop(error)
    except (NotYet, Unavailable, OutcomeUnknown) as error:
        stop(_("{error}. Run it again to go on.").format(error=of_error(error)), FAILED)
    click.echo(_("The store is sealed under the new master key, and nothing of it under the one before."))
