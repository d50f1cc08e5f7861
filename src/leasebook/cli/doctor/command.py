"""The subcommand ``doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leasebook.cli.doctor.finding import Finding
from leasebook.cli.exits import FAILED, printable
from leasebook.cli.server_packages import need_server_packages
from leasebook.cli.terminal.texts import _, for_programs, ngettext, of_finding
from leasebook.cli.urls import url_given

if TYPE_CHECKING:
    from leasebook.cli.doctor.caller import Given
    from leasebook.cli.doctor.machine import Serving

DIRECTORY: Final = click.Path(path_type=Path, file_okay=False, readable=False)


@click.command()
@click.option("--url", default=None, callback=url_given, help="Address of a service: look at a caller's set-up.")
@click.option("--access-key", default=None, help="Access key to call with; none: of the environment or a profile.")
@click.option("--secret-key", default=None, help="Its secret; better in LEASEBOOK_CLIENT_SECRET_KEY or a profile.")
@click.option("--profile", default=None, help="Profile to take address and key from.")
@click.option("--data", type=DIRECTORY, default=None, help="Data directory: look at an operator's set-up.")
@click.option("--store", default=None, help="The store of an operator's set-up: postgresql://HOST/DATABASE.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Settings of the server, in TOML."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address at which a server is to listen.")
@click.option("--port", default=None, type=click.IntRange(1, 65535), help="Its port: look whether it is free.")
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of output."
)
def doctor(
    url: str | None,
    access_key: str | None,
    secret_key: str | None,
    profile: str | None,
    data: Path | None,
    store: str | None,
    config: Path | None,
    host: str,
    port: int | None,
    output: str,
) -> None:
    """Find the faults of a set-up: of a caller's, or, with --data or --store, of a server's.

    Nothing is changed. The exit code is 0 if all is well, and 1 if something was found.
    """
    from leasebook.cli.doctor.caller import Given

    given = Given(url, access_key, secret_key, profile)
    findings: list[Finding] = []
    is_operator = data is not None or store is not None or config is not None or port is not None
    # The parts of a server write warnings into its log, which is no part of the answer.
    with redirect_stdout(sys.stderr), for_programs(are=output == "json"):
        if is_operator:
            from leasebook.cli.doctor.machine import Serving

            need_server_packages("doctor --data")
            findings += _of_operator(data, store, config, Serving(host, port), given)
        if not is_operator or url is not None:
            findings += _of_caller(given)
    if output == "json":
        import json

        click.echo(json.dumps({"findings": [one._asdict() for one in findings]}, ensure_ascii=False, indent=2))
    else:
        _show(findings)
    if findings:
        sys.exit(FAILED)


def _of_caller(given: Given) -> Iterator[Finding]:
    from leasebook.cli.doctor.caller import caller_findings

    yield from caller_findings(given, os.environ)


def _of_operator(
    data: Path | None, store: str | None, config: Path | None, serving: Serving, given: Given
) -> Iterator[Finding]:
    from leasebook.cli.doctor.machine import machine_findings
    from leasebook.cli.doctor.stored import store_findings
    from leasebook.cli.stores import target
    from leasebook.config.load import BadSettings, load_settings

    where = target(data or Path("data"), store)
    try:
        settings = load_settings(config, os.environ)
    except BadSettings as error:
        yield Finding(
            "BadSettings",
            str(error),
            _("Settings with the names and values of docs/operating/settings.md."),
            _("Correct the setting that the first line names. A server does not start before."),
        )
        return
    yield from machine_findings(settings, where, serving)
    yield from store_findings(settings, where, given.access_key)


def _show(findings: list[Finding]) -> None:
    right, remedy = _("Right would be:"), _("What to do:")
    for number, one in enumerate(findings, 1):
        click.echo(
            click.style(f"{number}. {one.fault}", bold=True) + f": {printable(' '.join(of_finding(one.so).split()))}"
        )
        click.echo(f"   {right} {printable(one.allowed)}")
        click.echo(f"   {remedy} {printable(one.remedy)}")
    if findings:
        number = len(findings)
        click.echo(ngettext("{number} finding.", "{number} findings.", number).format(number=number), err=True)
    else:
        click.echo(_("Nothing wrong was found."))
