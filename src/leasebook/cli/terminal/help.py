"""Help in the reader's language, and as wide as the terminal: a Chinese character takes two columns."""

from __future__ import annotations

import copy
import inspect
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import click

from leasebook.cli.terminal.texts import help_text, language, let_click_speak

C = TypeVar("C", bound=click.Command)

_WIDE: Final = "WF"
_PIECES: Final = re.compile(r"[!-~]+|\s+|[^!-~\s]")
SENTENCE_MAX: Final = 300
"""Characters of a first sentence; the longest has about 100."""
_NOT_FIRST: Final = "，。、；：？！）》」』”’…"  # noqa: RUF001 - Chinese
"""Marks that begin no line."""


def cells(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(one) in _WIDE else 1 for one in text)


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a paragraph: words of Latin letters stay whole, Chinese breaks after any character."""
    lines, line = [], ""
    for piece in _PIECES.findall(" ".join(text.split())):
        # Room is left for a mark that may not begin the next line.
        if line and piece not in _NOT_FIRST and cells(line + piece) > width - 2:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines or [""]


class WideFormatter(click.HelpFormatter):
    """A formatter that counts columns, not characters."""

    def write_text(self, text: str) -> None:
        """Write paragraphs, each wrapped."""
        indent = " " * self.current_indent
        for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
            if number:
                self.write("\n")
            for line in wrapped(paragraph, max(self.width - self.current_indent, 10)):
                self.write(f"{indent}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions in two columns; a long name has a line of its own."""
        rows = list(rows)
        first = min(max(cells(name) for name, _ in rows), col_max) + col_spacing
        indent, rest = " " * self.current_indent, " " * (self.current_indent + first)
        for name, description in rows:
            lines = wrapped(description, max(self.width - len(rest) - 1, 10))
            if cells(name) <= first - col_spacing:
                self.write(f"{indent}{name}{' ' * (first - cells(name))}{lines.pop(0)}".rstrip() + "\n")
            else:
                self.write(f"{indent}{name}\n")
            for line in filter(None, lines):
                self.write(f"{rest}{line}\n")


class WideContext(click.Context):
    """The state of a command whose help is in Chinese."""

    formatter_class = WideFormatter


def translated(command: C) -> C:
    """Return a copy of a command, with the commands in it, whose help is in the language of this process."""
    copied = copy.copy(command)
    copied.context_class = WideContext
    for name in ("help", "short_help", "epilog"):
        text = getattr(copied, name)
        if text:
            # A docstring has the indentation of the source.
            setattr(copied, name, help_text(inspect.cleandoc(text)))
    copied.params = [_parameter(one) for one in command.params]
    # The library keeps the option --help, in the language in which it was first shown.
    copied._help_option = None  # noqa: SLF001
    if isinstance(copied, click.Group):
        copied.commands = {name: translated(one) for name, one in copied.commands.items()}
    return copied


def _parameter(parameter: click.Parameter) -> click.Parameter:
    copied = copy.copy(parameter)
    if isinstance(copied, click.Option):
        for name in ("help", "prompt"):
            text = getattr(copied, name)
            if isinstance(text, str):
                setattr(copied, name, help_text(text))
    return copied


class SpeakingGroup(click.Group):
    """A group of commands that speaks the reader's language."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its whole first sentence: the library cuts it off where the line ends."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, "".join(command.get_short_help_str(SENTENCE_MAX).partition("。")[:2]))
            for name, command in found
            if command is not None and not command.hidden
        ]
        with formatter.section(help_text("Commands")):
            formatter.write_dl(rows)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line in the language of this process."""
        if language() == "en":
            return super().main(*args, **extra)
        let_click_speak()
        return click.Group.main(translated(self), *args, **extra)
