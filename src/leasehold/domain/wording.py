"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Return a number of things in words: ``1 unit``, ``2 units``. The last word is the one that takes the ``s``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
