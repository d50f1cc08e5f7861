"""Exit codes, each with one meaning for all subcommands, and how a command ends with one. Append only."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

import click

FAILED: Final = 1
"""It was refused or could not be done, or what was looked at is not right."""
CANNOT_START: Final = 2
"""What was asked for makes no sense: an option, a setting, or a store that is not there. Nothing was done."""
NO_ANSWER: Final = 3
"""Nobody answers at the address. Of a call that was sent nobody knows whether it was done."""
NOTHING_IN_IT: Final = 4
"""It was done, and there was nothing: a file that has no rows."""


def stop(message: object, code: int = CANNOT_START) -> NoReturn:
    """Say in one line what is wrong, and end."""
    remark(message)
    sys.exit(code)


def remark(message: object) -> None:
    """Say something in one line that is no part of the answer."""
    click.echo(f"leasebook: {' '.join(str(message).split())}", err=True)
