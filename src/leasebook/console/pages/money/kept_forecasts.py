"""Forecasts of large accounts, which take long, kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from decimal import Decimal
from typing import Final

import msgspec

from leasebook.domain.values.calendar import Instant

KEPT_MAX: Final = 256
"""Forecasts in memory."""
KEEP_FROM_S: Final = 0.5
"""A forecast that took less is made anew each time."""
KEEP_TIMES: Final = 20
"""A forecast is kept for this many times as long as it took, so that it takes a twentieth of a reader's thread."""


class Forecast(msgspec.Struct, frozen=True):
    """The charges of a month at its end, and when they were forecast."""

    month: str
    billed: Decimal
    made_at: Instant


class KeptForecasts:
    """Forecasts of large accounts, by their reader and month: users may have rights for different projects."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[float, Forecast]] = OrderedDict()

    def find(self, user_id: str, month: str) -> Forecast | None:
        """Return a forecast that is young enough for the time that it took."""
        until, found = self._kept.get((user_id, month), (0.0, None))
        return found if time.monotonic() < until else None

    def keep(self, user_id: str, found: Forecast, took_s: float) -> None:
        """Keep a forecast; the one that was made longest ago goes."""
        if took_s >= KEEP_FROM_S:
            self._kept[user_id, found.month] = (time.monotonic() + KEEP_TIMES * took_s, found)
            self._kept.move_to_end((user_id, found.month))
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
