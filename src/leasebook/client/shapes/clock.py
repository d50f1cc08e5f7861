"""Shapes of values: clock. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape


class ClockDetail(Shape, kw_only=True):
    """The time that instances and bills go by, and the clock that gives it."""

    now: datetime
    """The present moment on that clock."""
    mode: str
    """real: the machine's clock. virtual: a clock that only AdvanceClock moves."""
    held: bool = False
    """True while a jump of the machine's clock holds due work; left out otherwise."""
    reason: str | None = None
    """Why due work is held, and what ends that."""
