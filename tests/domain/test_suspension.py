"""Every command is placed: a suspended or closed account refuses it, or it is among those that are allowed."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator

from leasebook.domain import commands
from leasebook.domain.commands.command import Command, DueCommand
from leasebook.domain.rules.suspension import ALLOWED, REFUSED, REFUSED_IF_CLOSED


def below(kind: type[Command]) -> Iterator[type[Command]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


def concrete() -> list[str]:
    """Return the names of all commands of the domain; a class that others build on is none."""
    for found in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        importlib.import_module(found.name)
    kinds = {one for one in below(Command) if one.__module__.startswith(f"{commands.__name__}.")}
    assert DueCommand in kinds
    return [one.__name__ for one in kinds if not one.__subclasses__()]


def test_every_command_is_in_one_of_the_tables_and_every_name_in_them_is_a_command() -> None:
    placed = [*REFUSED, *REFUSED_IF_CLOSED, *ALLOWED]
    assert Counter(placed) == Counter(concrete()), "place each new command in domain/rules/suspension.py, on purpose"
