"""The steps of a command, which commands by hand change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from leasebook.cli.commands.showing.output import View
from leasebook.contract.parameters.fields import Field, arguments_of

if TYPE_CHECKING:
    from leasebook.cli.commands.calling.session import Session
    from leasebook.contract.action import Action


@dataclass
class Asked:
    """One run of a command: the body so far, and the values of the command's own options."""

    action: Action
    session: Session
    view: View
    body: dict[str, Any]
    given: Mapping[str, Any]
    command: str
    notes: dict[str, Any] = field(default_factory=dict)
    """Values that one step of a command keeps for the next."""


class Kind:
    """A command as the table makes it. Each method is a step that commands by hand change."""

    hidden: frozenset[str] = frozenset()
    """Fields of the request, by their first name on the wire, that have no option."""
    rows: str | None = None
    """The field of the result that has the rows, where it is not the one of the contract's pages."""

    def summary(self) -> str | None:
        """Return the sentence of the help; None: the contract's."""
        return None

    def positional(self, fields: Sequence[Field]) -> tuple[Field, ...]:
        """Return the fields that need no option's name."""
        return arguments_of(tuple(fields))

    def parameters(self) -> list[click.Parameter]:
        """Return options of the command's own."""
        return []

    def prepare(self, asked: Asked) -> None:
        """Complete the body."""

    def goes_on(self, asked: Asked) -> bool:  # noqa: ARG002 - commands by hand look at it
        """Ask the user where that is needed, and return whether the call is to be made."""
        return True

    def finish(self, asked: Asked, result: Any) -> Any:  # noqa: ARG002 - commands by hand look at it
        """Do what follows the call, and return the answer to show."""
        return result
