"""Values of options: texts from the command line, from files and from standard input, as values of a body."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import click

from leasebook.cli.commands.language import _

FROM_FILE: Final = "@"
FROM_INPUT: Final = "-"
_FORMS: Final = ("{", "[", FROM_FILE)


def text_of(given: str) -> str:
    """Return the text that ``@FILE`` or ``-`` names, else the text itself. Raises BadParameter."""
    if given == FROM_INPUT:
        return sys.stdin.read()
    if given.startswith(FROM_FILE):
        try:
            return Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(_("{file} cannot be read: {why}").format(file=given[1:], why=error)) from None
    return given


def json_of(given: str) -> Any:
    """Return a value that is given as JSON, in ``@FILE``, or on standard input (``-``). Raises BadParameter."""
    text = text_of(given)
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(
            _("this is no JSON: {why}. Write {{…}}, @FILE for a file, or - for standard input.").format(why=error)
        ) from None


def object_of(given: str) -> dict[str, Any]:
    """Return a JSON object. Raises BadParameter."""
    found = json_of(given)
    if not isinstance(found, dict):
        raise click.BadParameter(_("a JSON object is needed, {{…}}."))
    return found


def amount_of(given: str) -> str:
    """Return an amount as the service takes it. Raises BadParameter."""
    try:
        Decimal(given)
    except InvalidOperation:
        raise click.BadParameter(_("{given} is no amount; write one like 12.50.").format(given=given)) from None
    return given


def list_of(given: Sequence[str], *, splits: bool, of_integers: bool = False) -> list[Any]:
    """Return a list: of an option given several times, of one text with commas, or of JSON. Raises BadParameter."""
    found: list[Any] = []
    for one in given:
        if one.startswith(_FORMS):
            value = json_of(one)
            found.extend(value if isinstance(value, list) else [value])
        else:
            found.extend(one.split(",") if splits else [one])
    if not of_integers:
        return found
    try:
        return [int(one) for one in found]
    except (TypeError, ValueError):
        raise click.BadParameter(_("whole numbers are needed.")) from None


def map_of(given: Sequence[str]) -> dict[str, Any]:
    """Return keys with values: ``KEY=VALUE`` several times, ``KEY`` alone for null, or JSON. Raises BadParameter."""
    found: dict[str, Any] = {}
    for one in given:
        if one.startswith(_FORMS):
            found |= object_of(one)
        else:
            key, mark, value = one.partition("=")
            found[key] = value if mark else None
    return found


def accounts_of(given: str) -> str | list[str]:
    """Return one account, ``*`` for all, or a list of those between commas."""
    parts = given.split(",")
    return given if len(parts) == 1 else parts


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()
