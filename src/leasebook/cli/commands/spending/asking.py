"""Questions before something that costs money, or ends something."""

from __future__ import annotations

import sys

import click

from leasebook.cli.commands.generated.values import is_terminal
from leasebook.cli.commands.language import _
from leasebook.cli.exits import FAILED, printable, remark, stop


def yes_option() -> click.Option:
    """Return ``--yes``."""
    return click.Option(["-y", "--yes"], is_flag=True, help=_("Do not ask; needed where no terminal can be asked."))


def agreed(question: str, *, yes: bool) -> bool:
    """Ask, and return whether the answer is yes. Ends the command where there is no terminal and no ``--yes``."""
    if yes:
        return True
    if not is_terminal():
        stop(_("Nothing was done: this asks before it acts, and standard input is no terminal. Give --yes."))
    if click.confirm(printable(question), err=True):
        return True
    remark(_("Nothing was done."))
    sys.exit(FAILED)
