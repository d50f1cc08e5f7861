"""A mark for texts that are translated where they are shown, and not where they are written."""

from __future__ import annotations


def marked(text: str) -> str:
    """Return a text as it is; ``leasebook docs`` collects it for the catalogue."""
    return text
