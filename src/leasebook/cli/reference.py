"""The reference page of all commands, written from the commands themselves."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from leasebook.cli.commands.generated.command import OperationCommand
from leasebook.cli.commands.generated.options import common_options, list_options
from leasebook.cli.commands.generated.options import shape_options as options_without_a_call
from leasebook.cli.commands.tree import NounGroup
from leasebook.contract.actions import ACTIONS

PLACE: Final = "docs/operating/commands.md"
LANGUAGE: Final = "LEASEBOOK_LANG"
_INTRODUCTION: Final = """\
# Commands

This page is generated from the commands; `leasebook COMMAND --help` shows the same on a terminal, in English or
Chinese. [The command line](command-line.md) is about language, progress and start, [exit codes](exit-codes.md) about
how a command ends, and [buying from the shell](../how-to/buy-and-release-from-the-shell.md) shows some of them at work.

"""
_COMMON: Final = """\
## Options that many commands have

Commands that call an operation of the service also have these. `--watch` is of those that only look, `--limit` of
those that list.

"""


def commands_page(cli: click.Group) -> str:
    """Return the page, in English."""
    with _in_english():
        context = click.Context(cli, info_name="leasebook")
        names = cli.list_commands(context)
        found = [(name, command) for name in names if (command := cli.get_command(context, name)) is not None]
        ordered = sorted(found, key=lambda one: not isinstance(one[1], NounGroup))
        pieces = [_INTRODUCTION, _overview(ordered), _COMMON, _table(_rows(_shared(), context))]
        pieces += [piece for name, command in ordered for piece in _command(name, command, context, "##")]
        return "".join(pieces).rstrip("\n") + "\n"


@contextmanager
def _in_english() -> Iterator[None]:
    """Have texts in English: the page is the same on every machine."""
    before = os.environ.get(LANGUAGE)
    os.environ[LANGUAGE] = "en"
    try:
        yield
    finally:
        if before is None:
            del os.environ[LANGUAGE]
        else:
            os.environ[LANGUAGE] = before


def _shared() -> list[click.Parameter]:
    listing = next(list_options(action) for action in ACTIONS if list_options(action))
    return [*listing, *common_options(is_read=True)]


def _overview(found: list[tuple[str, click.Command]]) -> str:
    lines = [f"| [`{name}`](#leasebook-{name}) | {_cell(_sentence(command))} |\n" for name, command in found]
    return f"| Command | Does |\n|---|---|\n{''.join(lines)}\n"


def _command(name: str, command: click.Command, parent: click.Context, level: str) -> Iterator[str]:
    """Yield the section of a command, and of those that it has in it."""
    context = command.make_context(name, [], parent, resilient_parsing=True)
    path = context.command_path
    yield f"{level} {path}\n\n{_text(context.command)}\n\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            one = command.get_command(context, inner)
            if one is not None:
                yield from _command(inner, one, context, f"{level}#")
        return
    # A command that is loaded when it is run is another one in its context.
    loaded = context.command
    yield f"    {path} {' '.join(loaded.collect_usage_pieces(context))}\n\n"
    arguments = loaded.argument_rows() if isinstance(loaded, OperationCommand) else []
    rows = [*arguments, *_rows([one for one in loaded.params if not _is_shared(loaded, one)], context)]
    if rows:
        yield _table(rows)


def _is_shared(command: click.Command, parameter: click.Parameter) -> bool:
    """Whether an option is among those that the page describes once."""
    shared = _shared() if isinstance(command, OperationCommand) else options_without_a_call()
    return isinstance(parameter, click.Option) and any(parameter.opts == one.opts for one in shared)


def _rows(parameters: list[click.Parameter], context: click.Context) -> list[tuple[str, str]]:
    """Return the options and arguments that say something about themselves."""
    found = [row for one in parameters if (row := one.get_help_record(context)) is not None]
    return [(name, meaning) for name, meaning in found if meaning]


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [f"| `{_cell(name)}` | {_cell(meaning)} |\n" for name, meaning in rows]
    return f"| Argument or option | Meaning |\n|---|---|\n{''.join(lines)}\n"


def _sentence(command: click.Command) -> str:
    return command.get_short_help_str(200)


def _text(command: click.Command) -> str:
    if isinstance(command, NounGroup):
        return command.get_short_help_str()
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in inspect.cleandoc(command.help or "").split("\n\n")
    ).replace("\b", "")


def _cell(text: str) -> str:
    """Return a text as a cell of a table; what looks like HTML stays text."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
