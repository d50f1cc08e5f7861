"""How long nothing is lost: clients buy from a server without a pause, while everything around it fails by turns.

    python -m benchmarks.reliability --minutes 60 --store postgres --to docs/notes/reliability.md

Everything acknowledged is compared with the store after each trouble, and every tenth time ``leasebook check`` proves
the books, or less often once that takes more than a tenth of the time. It ends at the first thing that is not as it
must be. ``--to`` adds a line of figures to a table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.stand import Stand, a_folder, a_stand, phases_of

CHECK_EVERY: Final = 10
LOG_LINES: Final = 40
"""Lines of the server's log that are printed where a run fails, and as many errors before them."""
CHECKING_PART: Final = 10
"""Between two checks at least this many times as long as the last one took."""


def line(stand: Stand, minutes: float) -> str:
    """Return a row of the table."""
    back = sorted(seconds for some in stand.back_s.values() for seconds in some)
    troubles = ", ".join(f"{count} {name}" for name, count in sorted(stand.times.items()))
    cells = (
        f"{datetime.now(UTC):%Y-%m-%d}",
        stand.kind,
        f"{minutes:.0f}",
        troubles,
        f"{len(stand.acknowledged)}",
        # Neither a lost purchase nor an answer of 500 is passed over: the run ends with the first.
        *("0", "0"),
        f"{stand.checks}",
        f"{statistics.median(back):.1f}; {back[-1]:.1f}",
        f"{stand.late_s:.1f}",
        f"{os.getloadavg()[2]:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def run(kind: str, minutes: float, only: list[str], seed: str) -> str:
    """Cause faults for that many minutes; returns the row of the table. Raises AssertionError at the first error."""
    dice = Random(seed)
    print(f"seed {seed}", flush=True)
    with a_folder() as folder, a_stand("postgres" if kind == "postgres" else "sqlite", Path(folder)) as stand:
        try:
            return _rounds(stand, minutes, only or phases_of(stand.kind), dice)
        except BaseException:
            # The folder is deleted now, and the log says why an answer was no good.
            print("\n".join(_remarkable(stand.server.log())), flush=True)
            raise


def _remarkable(log: str) -> list[str]:
    lines = log.splitlines()
    errors = [line for line in lines[:-LOG_LINES] if '"error"' in line or '"critical"' in line]
    return [*errors[-LOG_LINES:], *lines[-LOG_LINES:]]


def _rounds(stand: Stand, minutes: float, phases: Sequence[str], dice: Random) -> str:
    began = time.monotonic()
    checked_at, check_s, number = began, 0.0, 0
    while time.monotonic() - began < 60 * minutes:
        phase = dice.choice(phases)
        stand.round(phase, dice)
        number += 1
        # A check takes longer with every purchase. Troubles, and not checks, should fill the time.
        if number % CHECK_EVERY == 0 and time.monotonic() - checked_at > CHECKING_PART * check_s:
            check_began = time.monotonic()
            stand.check()
            checked_at = time.monotonic()
            check_s = checked_at - check_began
        print(f"{number}: {phase}, back after {stand.back_s[phase][-1]:.1f} s", flush=True)
    stand.check()
    return line(stand, (time.monotonic() - began) / 60)


def main() -> None:
    """Read the arguments, run, and print the row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--phase", action="append", default=[], help="Only this kind of trouble; may be given again.")
    parser.add_argument("--seed", default=uuid.uuid4().hex[:8])
    parser.add_argument("--to", type=Path, default=None, help="The page whose last table gets a row.")
    given = parser.parse_args()
    row = run(given.store, given.minutes, given.phase, given.seed)
    print(row)
    if given.to is not None:
        with given.to.open("a") as page:
            page.write(f"{row}\n")


if __name__ == "__main__":
    main()
