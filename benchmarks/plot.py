"""Draw the history of the figures: ``python -m benchmarks.plot [--to build/history.svg]``.

A small chart for each figure of each benchmark, its runs from left to right, the median of all of them dashed.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from benchmarks import history

WIDTH, HEIGHT, COLUMNS = 300, 110, 3
PLOT_LEFT, PLOT_TOP, PLOT_RIGHT, PLOT_BOTTOM = 12, 34, 280, 90
_STYLE: Final = (
    "text{font:11px sans-serif;fill:#333}.h{font-weight:bold}.l{fill:none;stroke:#2563a8;stroke-width:1.5}"
    ".d{fill:#2563a8}.m{stroke:#999;stroke-dasharray:4 3}"
)


def series(lines: Sequence[history.Line]) -> dict[tuple[str, str], list[tuple[str, float]]]:
    """Return the values of each figure of each benchmark, with the dates of their runs."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for line in lines:
        for name, value in line.figures.items():
            found.setdefault((line.benchmark, name), []).append((f"{line.date[:16]} {line.commit}", value))
    return found


def chart(title: tuple[str, str], points: Sequence[tuple[str, float]]) -> str:
    """Draw one figure."""
    values = [value for _, value in points]
    top = max(values) * 1.1 or 1.0

    def place(number: int, value: float) -> tuple[float, float]:
        step = (PLOT_RIGHT - PLOT_LEFT) / max(1, len(values) - 1)
        return PLOT_LEFT + number * step, PLOT_BOTTOM - value / top * (PLOT_BOTTOM - PLOT_TOP)

    places = [place(number, value) for number, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    middle = statistics.median(values)
    y = place(0, middle)[1]
    dots = "".join(
        f'<circle class="d" cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>{escape(when)}: {value:g}</title></circle>'
        for (x, y), (when, value) in zip(places, points, strict=True)
    )
    return (
        f'<text class="h" x="{PLOT_LEFT}" y="13">{escape(title[0])}</text>'
        f'<text x="{PLOT_LEFT}" y="27">{escape(title[1][:48])}</text>'
        f'<line class="m" x1="{PLOT_LEFT}" x2="{PLOT_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<polyline class="l" points="{line}"/>{dots}'
        f'<text x="{PLOT_LEFT}" y="104">{len(values)} runs, last {values[-1]:,.4g}, median {middle:,.4g}</text>'
    )


def draw(lines: Sequence[history.Line]) -> str:
    """Draw all of them, three in a row, from zero up."""
    parts = []
    found = sorted(series(lines).items())
    for number, (title, points) in enumerate(found):
        x, y = number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT
        parts.append(f'<g transform="translate({x},{y})">{chart(title, points)}</g>')
    height = -(-len(found) // COLUMNS) * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * COLUMNS}" height="{height}">'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("--from", type=Path, default=history.FILE, dest="source", metavar="FILE")
    parser.add_argument("--to", type=Path, default=history.BUILD / "history.svg", metavar="FILE")
    given = parser.parse_args()
    lines = history.read(given.source)
    given.to.parent.mkdir(parents=True, exist_ok=True)
    given.to.write_text(draw(lines))
    print(f"{len(lines)} runs are drawn in {given.to}")


if __name__ == "__main__":
    main()
