"""Runs the set in one go: ``python -m benchmarks.all [--against FOLDER]``.

Each benchmark is a process of its own with a bound on its time, and adds its line to the history. At the end the ratios
of this run are printed beside those of the last run before it, and the history is drawn.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import history, plot

ROOT: Final = Path(__file__).parents[1]
STORES: Final = ("sqlite", "postgres")


class Step(msgspec.Struct, frozen=True):
    """A benchmark to run: its arguments, those with which it only starts, and how many minutes it may take.

    ``compares``: how it is given the other version, a command or a folder ``src``; it is left out without one if
    ``needs_other``. ``leaves_line``: whether it adds to the history.
    """

    name: str
    arguments: str
    tiny: str
    minutes: float
    compares: str = ""
    needs_other: bool = False
    leaves_line: bool = True

    @property
    def title(self) -> str:
        """Its name with the store."""
        words = self.arguments.split()
        return f"{self.name} {words[words.index('--store') + 1]}" if "--store" in words else self.name


def _on_both(name: str, arguments: str, tiny: str, minutes: float) -> list[Step]:
    return [Step(name, f"--store {store} {arguments}", f"--store {store} {tiny}", minutes) for store in STORES]


STEPS: Final = (
    *_on_both("purchase", "--rounds 5", "--levels 1,2 --rounds 1 --seconds 0.1", 4),
    Step(
        "turns",
        "--levels 1,128 --turns 20",
        "--levels 1 --turns 2 --seconds 0.1",
        4,
        compares="command",
        needs_other=True,
        leaves_line=False,
    ),
    Step("signatures", "--rounds 10", "--rounds 1", 2, compares="folder"),
    Step("signatures_wire", "--rounds 20", "--rounds 1 --clients 2 --calls 8", 2),
    Step("reads", "--store sqlite --rounds 10", "--store sqlite --rounds 1", 2, compares="folder"),
    Step("reads", "--store postgres --rounds 10", "--store postgres --rounds 1", 2, compares="folder"),
    *_on_both("storm", "--units 40000 --pending 60000", "--units 200 --pending 200 --rate 20", 5),
    Step("yardstick", "--rounds 3", "--connections 1 --clients 2 --rounds 1 --seconds 0.1", 5),
    *_on_both(
        "size",
        "--units 100000 --rounds 3 --due-seconds 10",
        "--units 400 --few 200 --rounds 1 --seconds 0.1 --clients 2 --parts buying",
        5,
    ),
    Step(
        "fairness",
        "--store sqlite --rounds 1 --seconds 2",
        "--store sqlite --connections 4 --rounds 1 --seconds 0.2 --kind reads",
        4,
        leaves_line=False,
    ),
    *_on_both("history_size", "--units 200", "--units 10", 3),
    Step("console_pages", "--units 100000 --rounds 20", "--units 400 --rounds 1", 4),
)


class Outcome(msgspec.Struct, frozen=True):
    """The end of a step: its exit status (None: it took too long), and seconds."""

    step: Step
    code: int | None
    seconds: float


def command_of(step: Step, goal: Path | None, against: Path | None, *, tiny: bool) -> list[str] | None:
    """Return the command of a step; None where it compares with another version and there is none."""
    if step.needs_other and against is None:
        return None
    command = [sys.executable, "-m", f"benchmarks.{step.name}", *shlex.split(step.tiny if tiny else step.arguments)]
    if step.leaves_line:
        command += ["--no-json"] if goal is None else ["--json", str(goal)]
    if against is not None and step.compares:
        other = against / "src" if step.compares == "folder" else against / ".venv/bin/leasebook"
        command += ["--against", str(other)]
    return command


def bounded(command: Sequence[str], seconds: float, *, spare_s: float = 10.0) -> int | None:
    """Run a command; returns its status, or None where it took too long, and was ended with all that it started.

    It has ``spare_s`` seconds to end its servers and to remove its folder.
    """
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            for number in (signal.SIGINT, signal.SIGKILL):
                os.killpg(process.pid, number)
                try:
                    process.wait(spare_s)
                    break
                except subprocess.TimeoutExpired:
                    continue
            return None


def run(steps: Sequence[Step], goal: Path | None, against: Path | None, *, tiny: bool = False) -> list[Outcome]:
    """Run steps one after another; a step that fails does not keep the next from running."""
    outcomes = []
    for step in steps:
        command = command_of(step, goal, against, tiny=tiny)
        if command is None:
            continue
        print(f"\n=== {step.title}: {shlex.join(command[2:])}", flush=True)
        began = time.monotonic()
        code = bounded(command, step.minutes * 60)
        outcomes.append(Outcome(step, code, time.monotonic() - began))
    return outcomes


def ratios(lines: Sequence[history.Line], before: int) -> list[str]:
    """Return the figures of the lines after the first ``before``, each beside the last one of its name before them."""
    former = {(line.benchmark, name): value for line in lines[:before] for name, value in line.figures.items()}
    texts = []
    for line in lines[before:]:
        for name, value in line.figures.items():
            last = former.get((line.benchmark, name))
            beside = "" if last is None else f"   before: {last:,.4g}"
            texts.append(f"{line.benchmark:<13}{name}: {value:,.4g}{beside}")
    return texts


def report(outcomes: Sequence[Outcome]) -> list[str]:
    """Return how long each step took, and which failed."""
    words = {0: "done", None: "TOOK TOO LONG"}
    return [f"{one.step.title:<22}{one.seconds:>6.0f} s  {words.get(one.code, 'FAILED')}" for one in outcomes]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run them."""
    parser = history.parser_of("all", __doc__)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of another version, with its .venv")
    parser.add_argument("--only", default="", metavar="NAME,NAME", help="these benchmarks only")
    parser.add_argument("--tiny", action="store_true", help="numbers so small that they only show that all start")
    parser.add_argument("--picture", type=Path, default=history.BUILD / "history.svg", metavar="FILE")
    given = parser.parse_args(arguments)
    names = {step.name for step in STEPS}
    only = set(filter(None, given.only.split(","))) or names
    if only - names:
        parser.error(f"no benchmark of the set is called {', '.join(sorted(only - names))}")
    before = len(history.read(given.json)) if given.json is not None and given.json.exists() else 0
    against = given.against.resolve() if given.against else None
    outcomes = run([step for step in STEPS if step.name in only], given.json, against, tiny=given.tiny)
    lines = history.read(given.json) if given.json is not None and given.json.exists() else []
    print("\n" + "\n".join([*ratios(lines, before), "", *report(outcomes)]))
    if lines:
        given.picture.parent.mkdir(parents=True, exist_ok=True)
        given.picture.write_text(plot.draw(lines))
        print(f"{len(lines)} runs are drawn in {given.picture}")
    sys.exit(int(any(one.code != 0 for one in outcomes)))


if __name__ == "__main__":
    main()
