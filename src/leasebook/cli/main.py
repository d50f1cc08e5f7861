"""The command ``leasebook``. A subcommand imports slow modules itself."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Final

import click

from leasebook import __version__
from leasebook.cli.audit import audit
from leasebook.cli.client import call, sign, tour
from leasebook.cli.commands.register import register
from leasebook.cli.console import console
from leasebook.cli.doctor.command import doctor
from leasebook.cli.exits import FAILED, stop
from leasebook.cli.focus import focus
from leasebook.cli.house.command import apply, export
from leasebook.cli.master_key import rotate_master_key
from leasebook.cli.server_packages import ServerCommand
from leasebook.cli.stores import accept_loss, archive, backup, check, copy, founding_new, migrate, store_options, target
from leasebook.cli.terminal.help import SpeakingGroup
from leasebook.cli.terminal.texts import _
from leasebook.server.signals import AskedToStop

THRESHOLDS: Final = (50_000, 20, 50)
"""New objects until a collection, and collections until the older generations are looked through, too. A server that is
ready has others (``server/serve.py``)."""


@click.group(cls=SpeakingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="leasebook")
def cli() -> None:
    """Serve compute units, prove the books, and call the service."""


@cli.command(cls=ServerCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@store_options
@click.option("--new", is_flag=True, help="Found a new, empty store where one was and is gone.")
@click.option("--demo", is_flag=True, help="Load what the documents' samples name; again it changes nothing.")
@click.option("--clock", "clock_mode", type=click.Choice(["real", "virtual"]), default="real", show_default=True)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Certificate in PEM: serve TLS.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="Its key, in PEM.")
@click.option("--admin-host", default=None, help="Address of the port for operators.  [default: 127.0.0.1]")
@click.option("--admin-port", default=None, type=click.IntRange(0, 65535), help="Port for operators; none: no second.")
@click.option("--clock-start", default=None, help="Where the virtual clock of a new store begins.  [default: now]")
@click.option("--faults", is_flag=True, help="Let operators have faults made (SetFaults): for tests of callers.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="JSON with the address, once ready."
)
@click.option("--print-json", is_flag=True, help="Print that JSON, and nothing else, to standard output.")
def serve(
    host: str,
    port: int,
    data: Path,
    store: str | None,
    new: bool,  # noqa: FBT001
    demo: bool,  # noqa: FBT001
    clock_mode: str,
    config: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    admin_host: str | None,
    admin_port: int | None,
    clock_start: str | None,
    faults: bool,  # noqa: FBT001
    ready_file: Path | None,
    print_json: bool,  # noqa: FBT001
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what was accepted."""
    asked = AskedToStop().listen()
    from leasebook.config.load import BadSettings, given, load_settings, secret_variables
    from leasebook.security.private_files import keep_to_itself
    from leasebook.server.listening import CannotStart
    from leasebook.server.ready_file import Announcer
    from leasebook.server.serve import run

    try:
        options = {
            "tls_cert_file": tls_cert,
            "tls_key_file": tls_key,
            "admin_host": admin_host,
            "admin_port": admin_port,
            "faults": "yes" if faults else None,
        }
        settings, where = given(load_settings(config, os.environ), options), target(data, store)
        keep_to_itself(secret_variables())
        if new:
            where = founding_new(where)
        announcer = Announcer(ready_file, prints=print_json)
        run(
            settings,
            where,
            host=host,
            port=port,
            demo=demo,
            clock_mode=clock_mode,
            asked=asked,
            announcer=announcer,
            clock_start=clock_start,
        )
    except (BadSettings, CannotStart) as error:
        stop(error)


@cli.command(cls=ServerCommand)
@store_options
@click.option("--clock", "clock_mode", type=click.Choice(["real", "virtual"]), default="real", show_default=True)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings in TOML.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address for monitors.")
@click.option("--port", default=None, type=click.IntRange(0, 65535), help="Port for monitors; none: do not listen.")
def work(  # one parameter an option
    data: Path, store: str | None, clock_mode: str, config: Path | None, host: str, port: int | None
) -> None:
    """Do due work only, beside servers on the same PostgreSQL, until SIGTERM or Ctrl-C."""
    asked = AskedToStop().listen()
    from leasebook.config.load import BadSettings, load_settings, secret_variables
    from leasebook.security.private_files import keep_to_itself
    from leasebook.server.listening import CannotStart
    from leasebook.server.serve import work as do_work

    try:
        settings, where = load_settings(config, os.environ), target(data, store)
        keep_to_itself(secret_variables())
        do_work(settings, where, host=host, port=port, clock_mode=clock_mode, asked=asked)
    except (BadSettings, CannotStart) as error:
        stop(error)


@cli.command(cls=ServerCommand)
@click.option("--check", "only_check", is_flag=True, help="Only say whether the pages are current.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The project's folder.")
def docs(only_check: bool, root: Path) -> None:  # noqa: FBT001
    """Write the pages and modules that are generated from the code."""
    from leasebook.cli.reference import PLACE, commands_page
    from leasebook.docsgen.pages import generated

    stale, files = [], generated() | {PLACE: commands_page(cli).encode()}
    for name, content in files.items():
        path = root / name
        if path.exists() and path.read_bytes() == content:
            continue
        stale.append(str(path))
        if not only_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if only_check and stale:
        stop(_("not what the code generates, run make format: {names}").format(names=", ".join(stale)), FAILED)
    click.echo(
        _("{count} files are current").format(count=len(files))
        if not stale
        else _("wrote {names}").format(names=", ".join(stale))
    )


for subcommand in (
    rotate_master_key,
    check,
    migrate,
    copy,
    backup,
    archive,
    accept_loss,
    focus,
    audit,
    console,
    doctor,
    tour,
    call,
    sign,
    apply,
    export,
):
    cli.add_command(subcommand)
register(cli)


def main() -> None:
    """Run the command line."""
    # A subcommand imports up to 1,500 modules, whose objects live to the end. By Python's own thresholds the collector
    # looks through all of them many times, which takes a fifteenth of the time of a start.
    gc.set_threshold(*THRESHOLDS)
    cli()
