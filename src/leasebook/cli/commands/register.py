"""All commands of this folder, for the command line to take in."""

from __future__ import annotations

import click

from leasebook.cli.commands.late import ALONE, LateCommand
from leasebook.cli.commands.tree import groups


def register(cli: click.Group) -> None:
    """Add the commands for callers to the command line."""
    for command in groups():
        cli.add_command(command)
    for name, place in ALONE.items():
        cli.add_command(LateCommand(name, place))
