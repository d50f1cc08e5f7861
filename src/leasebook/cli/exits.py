"""Exit codes, each with one meaning for all subcommands, and how a command ends with one. Append only."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

import click

from leasebook.cli.terminal.texts import of_error

FAILED: Final = 1
"""The request was refused or failed, or a check has findings."""
CANNOT_START: Final = 2
"""The command cannot begin: a wrong option, a wrong setting, or a missing store. Nothing was done."""
NO_ANSWER: Final = 3
"""The address does not answer. A call that was sent may or may not have been done."""
NOTHING_IN_IT: Final = 4
"""The command succeeded with an empty result: a file without rows."""
TO_DO: Final = 5
"""The command only looked, as it was asked to, and there is something to do."""
DENIED: Final = 6
"""The service does not accept the key or its signature, or the user's policies do not permit the call."""
OUT_OF_TIME: Final = 7
"""The call was done, and what the command then waited for has not happened in the time that it was to wait."""


def stop(message: object, code: int = CANNOT_START) -> NoReturn:
    """Print an error in one line, in the reader's language, and end."""
    remark(message)
    sys.exit(code)


def leave_unread() -> None:
    """Drop the rest of the output: the reader of the pipe has left, and Python would complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def remark(message: object) -> None:
    """Print a remark in one line to the standard error, in the reader's language."""
    click.echo(f"leasebook: {printable(' '.join(of_error(message).split()))}", err=True)


def printable(text: str) -> str:
    """Return a text without characters that a terminal obeys: names that tenants choose may have some."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
