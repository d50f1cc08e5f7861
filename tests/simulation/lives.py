"""Histories that are written by hand, of one account that buys an instance or a few."""

from __future__ import annotations

import asyncio
from typing import Final

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.command import Engine
from leasebook.domain.model.instance import Instance
from leasebook.domain.values.calendar import Instant, parse_time
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.simulation.asks import Ask, Buy, Step
from tests.simulation.history import History
from tests.simulation.memory_books import Books
from tests.simulation.playing import watched
from tests.simulation.witness import Witness

START: Final = parse_time("2030-01-15T09:30:00Z", "UTC")
MONTH: Final = 300_000_000
"""The price of a unit for a month at these offerings; a minute is half of one."""
MINUTELY, MONTHLY = Ask(Buy(0, "bj", "gpu-1", 1, 0, None)), Ask(Buy(0, "bj", "gpu-1", 1, 1, None))


def found(
    *steps: Step,
    engine: Engine | None = None,
    funds: int = 5_000_000_000,
    start: Instant = START,
    zone: str = "UTC",
    rules: Rules | None = None,
) -> History:
    """A history, of an engine that confirms at once unless another is named."""
    return History(start, Micro(funds), (zone, zone), rules or Rules(), engine or InstantEngine(), steps)


def played(history: History) -> tuple[Books, Witness]:
    """Play it on time, everything checked after every step."""
    return asyncio.run(watched(history))


def lived(history: History) -> list[Instance]:
    """The same; returns the instances."""
    units: list[Instance] = played(history)[0].table(INSTANCES)
    return units
