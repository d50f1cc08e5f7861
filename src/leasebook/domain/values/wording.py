"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number of things in words: ``1 unit``, ``2 units``. The last word is the one that takes the ``s``.

    ``several`` is what more of them are called, where it is not that.
    """
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def are(number: int, what: str, more: str = "") -> str:
    """Return them with their verb: ``1 unit is``, ``2 units of cpu are``, where ``more`` is ``of cpu``."""
    return f"{' '.join(filter(None, (counted(number, what), more)))} {'is' if number == 1 else 'are'}"


def were(number: int, what: str, more: str = "") -> str:
    """Return them with their verb in the past: ``1 unit was``, ``2 units of cpu were``."""
    return f"{' '.join(filter(None, (counted(number, what), more)))} {'was' if number == 1 else 'were'}"
