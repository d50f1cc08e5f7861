"""How long the command line takes to start, beside click alone.

    python -m benchmarks.cli_start

Each program is started in turn, and the fastest start of each counts: a busy machine only makes starts slower. The
program with click alone has one group with one command.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

ROUNDS = 20
CLICK = """
import click
@click.group()
def cli(): "A group."
@cli.command()
def one(): "A command."
cli(["--help"])
"""
PROGRAMS = {
    "click alone": ("-c", CLICK),
    "leasebook --help": ("-m", "leasebook", "--help"),
    "leasebook call --help": ("-m", "leasebook", "call", "--help"),
    "leasebook call --help, in Chinese": ("-m", "leasebook", "call", "--help"),
}


def started(name: str) -> float:
    environment = os.environ | {"LEASEBOOK_LANG": "zh" if name.endswith("Chinese") else "en"}
    began = time.perf_counter()
    subprocess.run([sys.executable, *PROGRAMS[name]], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began


def main() -> None:
    best = dict.fromkeys(PROGRAMS, float("inf"))
    for _ in range(ROUNDS):
        for name in PROGRAMS:
            best[name] = min(best[name], started(name))
    for name, seconds in best.items():
        print(f"{name:36} {seconds * 1000:6.0f} ms  {seconds / best['click alone']:.2f} times click alone")


if __name__ == "__main__":
    main()
