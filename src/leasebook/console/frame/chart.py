"""Stacked columns as SVG: the geometry, which the template draws.

Places from the left and widths are in percent of the columns' part, and places from the top and heights are in pixels.
So a chart fits any window, and its texts stay as large as all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final

import msgspec

WIDTH: Final = 100
HEIGHT: Final = 220
FOOT: Final = 22
"""Room for the names under the columns."""
HEAD: Final = 14
COLOURS: Final = 8
"""The series beyond them share the last colour."""
_LABELS_MAX: Final = 12
_LABELS_NARROW_MAX: Final = 4
"""Labels that have room in a window of 320 pixels."""
LINES_MAX: Final = 5
_ROUND: Final = (2, 5, 10, 20)


class Piece(msgspec.Struct, frozen=True):
    """A piece of a column: its colour, and where it is."""

    colour: int
    y: float
    height: float
    series: str
    amount: Decimal


class Column(msgspec.Struct, frozen=True):
    """A period: where its column is, its name, its sum, and its pieces from the foot up.

    ``label`` may be empty. A ``is_minor`` label is left out of a narrow window.
    """

    x: float
    width: float
    name: str
    label: str
    total: Decimal
    pieces: Sequence[Piece]
    is_minor: bool = False

    @property
    def middle(self) -> float:
        """The place of its label."""
        return round(self.x + self.width / 2, 3)


class Line(msgspec.Struct, frozen=True):
    """A line across the chart, and the amount that it is at."""

    y: float
    amount: Decimal


class Chart(msgspec.Struct, frozen=True):
    """A chart: its columns, its lines, and the series in the order of their colours."""

    columns: Sequence[Column]
    lines: Sequence[Line]
    series: Sequence[str]


def stacked(
    periods: Sequence[str], amounts: Mapping[tuple[str, str], Decimal], *, least_step: Decimal = Decimal(0)
) -> Chart | None:
    """Return the chart of amounts by period and series, the largest series at the foot; None where all is zero.

    The lines across are ``least_step`` apart or more: 1 for things that are counted. An amount below zero (a refund
    that is more than the charges of its period) has no piece; the table shows it.
    """
    sums: dict[str, Decimal] = {}
    for (_, series), amount in amounts.items():
        sums[series] = sums.get(series, Decimal(0)) + amount
    order = sorted(sums, key=lambda one: (-sums[one], one))
    totals = {
        period: sum((max(amounts.get((period, one), Decimal(0)), Decimal(0)) for one in order), Decimal(0))
        for period in periods
    }
    top = max(totals.values(), default=Decimal(0))
    if top <= 0:
        return None
    step = max(_step(top), least_step)
    upper = step * (top / step).to_integral_value(ROUND_CEILING)
    scale = (HEIGHT - FOOT - HEAD) / float(upper)
    pitch = WIDTH / len(periods)
    every = -(-len(periods) // _LABELS_MAX)
    narrow = every * -(-len(periods) // (every * _LABELS_NARROW_MAX))
    columns = []
    for place, period in enumerate(periods):
        y, pieces = float(HEIGHT - FOOT), []
        for colour, series in enumerate(order):
            amount = amounts.get((period, series), Decimal(0))
            if amount > 0:
                height = float(amount) * scale
                y -= height
                pieces.append(Piece(min(colour, COLOURS - 1), round(y, 2), round(height, 2), series, amount))
        label = period if place % every == 0 else ""
        columns.append(
            Column(
                round(place * pitch + pitch * 0.15, 3),
                round(pitch * 0.7, 3),
                period,
                label,
                totals[period],
                pieces,
                place % narrow != 0,
            )
        )
    lines = [
        Line(round(HEIGHT - FOOT - float(step * count) * scale, 2), step * count)
        for count in range(int(upper / step) + 1)
    ]
    return Chart(columns, lines, order)


def _step(top: Decimal) -> Decimal:
    """Return a round distance of lines, so that there are two to five of them."""
    power = Decimal(10) ** (top.adjusted() - 1)
    return next(power * factor for factor in _ROUND if top <= LINES_MAX * power * factor)
