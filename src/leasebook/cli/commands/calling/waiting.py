"""Waiting until an instance is in a state, with a line on the terminal that says how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import click

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.generated.kind import Asked
from leasebook.cli.commands.language import _, marked
from leasebook.cli.exits import FAILED, OUT_OF_TIME, stop
from leasebook.cli.terminal.texts import of_error

WAIT_S: Final = 600.0
LOOK_FIRST_S: Final = 0.1
LOOK_MAX_S: Final = 5.0


class Goal(NamedTuple):
    """The state that is waited for, and those after which it will not come."""

    wanted: str
    last: frozenset[str]
    word: str


RUNNING: Final = Goal("Running", frozenset({"Released", "CreateFailed"}), marked("runs"))
RELEASED: Final = Goal("Released", frozenset(), marked("is released"))


def wait_options(meaning: str) -> list[click.Parameter]:
    """Return ``--wait`` and its time."""
    return [
        click.Option(["--wait"], is_flag=True, help=meaning),
        click.Option(
            ["--wait-seconds"],
            type=click.FloatRange(0),
            default=WAIT_S,
            show_default=True,
            help=_("How long to wait at most."),
        ),
    ]


def wait_for(asked: Asked, unit: str, goal: Goal) -> Any:
    """Return the instance once it is in the state; ends the command with OUT_OF_TIME, or FAILED where it cannot be."""
    show = action_of("describe_unit", "instance")
    names = {name: asked.body[name] for name in ("accountId",) if name in asked.body}
    until = time.monotonic() + asked.given["wait_seconds"]
    pause = LOOK_FIRST_S
    with _display() as say:
        while True:
            found = asked.session.call(show, {"instanceId": unit, **names})
            instance = found["computeUnitInstance"]
            status = instance["status"]
            if status == goal.wanted:
                return instance
            if status in goal.last:
                why = instance.get("reason") or ""
                stop(_("{unit} is {status}. {why}").format(unit=unit, status=status, why=of_error(why)), FAILED)
            left = until - time.monotonic()
            if left <= 0:
                stop(
                    _(
                        "{unit} is {status} after {seconds:g} seconds; "
                        "with a virtual clock `leasebook clock advance` moves it."
                    ).format(unit=unit, status=status, seconds=asked.given["wait_seconds"]),
                    OUT_OF_TIME,
                )
            say(_("{unit} is {status} …").format(unit=unit, status=status))
            time.sleep(min(pause, left, LOOK_MAX_S))
            pause *= 1.5


@contextmanager
def _display() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a line in one place of the terminal; without a terminal it shows nothing."""
    if not sys.stderr.isatty():
        yield lambda _line: None
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False)
    with console.status("") as status:
        yield status.update
