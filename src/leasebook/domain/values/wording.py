"""Numbers with their nouns, for messages."""

from __future__ import annotations


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number with its noun: ``1 unit``, ``2 units``. The plural adds an ``s`` to the last word.

    ``several`` is the plural, if it is another one.
    """
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def are(number: int, what: str, more: str = "") -> str:
    """Return a number with noun and verb: ``1 unit is``, ``2 units of cpu are``, where ``more`` is ``of cpu``."""
    return f"{' '.join(filter(None, (counted(number, what), more)))} {'is' if number == 1 else 'are'}"


def were(number: int, what: str, more: str = "") -> str:
    """Return a number with noun and past verb: ``1 unit was``, ``2 units of cpu were``."""
    return f"{' '.join(filter(None, (counted(number, what), more)))} {'was' if number == 1 else 'were'}"
