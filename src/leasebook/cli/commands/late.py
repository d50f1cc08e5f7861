"""Commands that are loaded when they are run: only their sentence is there at the start."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from leasebook.cli.commands.language import _, marked


class Late(NamedTuple):
    """Where a command is: a module below ``leasebook.cli.commands`` and a class in it; and its sentence."""

    module: str
    name: str
    sentence: str


ALONE: Final[dict[str, Late]] = {
    "login": Late("profiles.login", "Login", marked("Write a profile: an address and a key, for all other commands.")),
    "logout": Late("profiles.login", "Logout", marked("Remove a profile.")),
    "completion": Late("completion.scripts", "Completion", marked("Print the completion for bash, zsh or fish.")),
}
"""The commands that are in no group."""
IN_GROUPS: Final[dict[str, Late]] = {
    "policies list": Late("byhand.policies", "Policies", marked("List the policies, and what each permits.")),
}
"""The commands of groups that call no operation."""


class LateCommand(click.Command):
    """A place for a command until it is run."""

    def __init__(self, name: str, late: Late) -> None:
        super().__init__(name)
        self._late = late

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the sentence about the command, in the language of the environment."""
        del limit
        return _(self._late.sentence)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Load the command, and begin to run it."""
        module = import_module(f"leasebook.cli.commands.{self._late.module}")
        command: click.Command = getattr(module, self._late.name)()
        if parent is not None:
            # The form of help that the command line has.
            command.context_class = type(parent)
        settings: MutableMapping[str, Any] = {"help_option_names": ["-h", "--help"], **extra}
        return command.make_context(info_name, args, parent, **settings)
