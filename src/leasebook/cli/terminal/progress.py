"""How far a long command is, on standard error: a line that lives on a terminal, or a line each ten seconds.

Where standard error is no terminal, nothing is shown unless ``--progress`` asks for it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.terminal.texts import _, marked

if TYPE_CHECKING:
    from leasebook.ports.progress import Progress, Stage

EVERY_S: Final = 10.0
"""Seconds between two lines."""
LIVE_S = 0.1
"""Seconds between two looks of the line on a terminal."""
NAMES: Final[dict[Stage, str]] = {
    "file": marked("the files of the store"),
    "rows": marked("rows read"),
    "checks": marked("further checks"),
    "copied": marked("rows copied"),
    "migrations": marked("migrations applied"),
    "instances": marked("instances looked at"),
    "bytes": marked("bytes written"),
}
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def progress_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option for progress in lines to a command."""
    return click.option(
        "--progress", "lines", is_flag=True, help="Say on standard error each 10 seconds how far it is."
    )(command)


class Rate:
    """The speed of one stage, from its first report on."""

    def __init__(self, now: float, done: int) -> None:
        self._began = now
        self._from = done

    def text(self, stage: Stage, done: int, total: int | None, now: float) -> str:
        """Return how far the stage is, at which rate, and how long the rest takes."""
        passed = now - self._began
        rate = (done - self._from) / passed if passed > 0 else 0.0
        named = _(NAMES[stage])
        if total is None and not done:
            return named
        if total is None:
            return _("{what}: {done}, {rate}/s").format(what=named, done=f"{done:,}", rate=_short(rate))
        return _("{what}: {done} of {total}, {percent} %, {rate}/s, {rest} left").format(
            what=named,
            done=f"{done:,}",
            total=f"{total:,}",
            percent=100 if total == 0 else done * 100 // total,
            rate=_short(rate),
            rest=span((total - done) / rate) if rate > 0 else "?",
        )


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"  # noqa: PLR2004 - two digits say enough


def span(seconds: float) -> str:
    """Return a length of time: ``40s``, ``3m20s``, ``2h05m``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02}s"
    return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02}m"


class Shown:
    """Shows progress by ``show``, at most each ``every_s`` seconds; ``at_once``: each new stage at once."""

    def __init__(
        self,
        show: Callable[[str], None],
        every_s: float,
        now: Callable[[], float] = time.monotonic,
        *,
        at_once: bool = False,
    ) -> None:
        self._show = show
        self._every_s = every_s
        self._now = now
        self._at_once = at_once
        self._stage: Stage | None = None
        self._rate = Rate(0.0, 0)
        self._next = now() + every_s

    def __call__(self, stage: Stage, done: int, total: int | None) -> None:
        """Take a report."""
        now = self._now()
        if stage != self._stage:
            self._stage, self._rate = stage, Rate(now, done)
            if self._at_once:
                self._next = now
        if now >= self._next:
            self._next = now + self._every_s
            self._show(self._rate.text(stage, done, total, now))


@contextmanager
def shown(*, lines: bool) -> Iterator[Progress]:
    """Show progress meanwhile: on a terminal in one line, which is gone at the end; else in lines, if they are wanted.

    Yields ``unseen`` where nothing is to be shown, so that nothing is counted.
    """
    from leasebook.ports.progress import unseen

    if lines:
        yield Shown(lambda text: click.echo(f"leasebook: {text}", err=True), EVERY_S)
    elif sys.stderr.isatty():
        with _live() as show:
            yield Shown(show, LIVE_S, at_once=True)
    else:
        yield unseen


@contextmanager
def _live() -> Iterator[Callable[[str], None]]:
    # Loaded for a terminal only: it takes 50 ms.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        yield lambda text: live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)
