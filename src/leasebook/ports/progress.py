"""How far a long piece of work is, for people who wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Stage = Literal["file", "rows", "checks", "copied", "migrations", "instances", "bytes"]
"""The things that are counted: rows that a check has read, its further checks, rows that were copied, migrations that
were applied, instances that were looked at, bytes that were written. Work on a file comes in one piece without a count.
"""
Progress = Callable[[Stage, int, int | None], None]
"""Is called with the stage, how much of it is done, and how much there is in all; None: that is not known."""


def unseen(_stage: Stage, _done: int, _total: int | None) -> None:
    """Show nothing: no one waits."""
