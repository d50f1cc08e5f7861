"""Measures the share of events and audit log in a purchase: ``python -m benchmarks.record``.

Three servers are measured in turns in one run: one that writes both down, one that writes events only, and one that
writes nothing. The results are the ratios of CPU for each purchase, and of the rate.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks import history
from benchmarks.purchase import Sample, keep_off_the_hour, measure, prepare, requests
from benchmarks.serving import LEASEBOOK, Server
from leasebook.store.sqlite import store as sqlite
from leasebook.store.verify.nouns.events import UNITS_BEFORE_EVENTS

PURCHASE = "purchase"
AIM = 1.10
VARIANTS = {
    "both": list(LEASEBOOK),
    "events": [sys.executable, "-m", "benchmarks.no_record", "events"],
    "nothing": [sys.executable, "-m", "benchmarks.no_record", "nothing"],
}


class Round(msgspec.Struct, frozen=True):
    """One round's samples by server."""

    samples: dict[str, Sample]

    def cpu(self, name: str) -> float:
        """Return CPU for each purchase, against the server that writes nothing, in this round."""
        return self.samples[name].cpu_us / self.samples["nothing"].cpu_us

    def rate(self, name: str) -> float:
        """Return purchases a second, against the same."""
        return self.samples[name].tally.rate / self.samples["nothing"].tally.rate


def run(folder: Path, clients: int, rounds: int, seconds: float) -> list[Round]:
    """Take turns: each round measures every server, in an order that changes."""
    servers = [
        Server(name, command, ("--data", str(folder / name)), folder / f"{name}.log")
        for name, command in VARIANTS.items()
    ]
    found: list[Round] = []
    try:
        for server in servers:
            prepare(server)
        signed = {server.name: requests(server, tokens=False)[PURCHASE] for server in servers}
        first = 0
        for number in range(rounds + 1):
            order = servers[number % len(servers) :] + servers[: number % len(servers)]
            samples = {}
            for server in order:
                samples[server.name] = measure(server, signed[server.name], clients, seconds, first)
                first += samples[server.name].tally.sent
            # The first round warms everything up.
            if number:
                found.append(Round(samples))
                print(f"round {number} of {rounds} done", file=sys.stderr)
        for server in servers:
            server.stop()
            if server.name == "nothing":
                _excuse(folder / server.name)
            print(f"{server.name}: {server.check()}")
    finally:
        for server in servers:
            server.kill()
    return found


def _excuse(data: Path) -> None:
    """Have the check take the instances that no event tells of for older than events."""
    with closing(sqlite.connect(data / sqlite.FILE)) as store:
        store.execute("UPDATE facts SET value = (SELECT max(seq) FROM units) WHERE name = ?", (UNITS_BEFORE_EVENTS,))


def show(rounds: list[Round]) -> dict[str, float]:
    """Print the medians; returns the figures."""
    median = statistics.median
    figures: dict[str, float] = {}
    print(f"{'server':<10}{'per second':>12}{'CPU us':>9}{'batch':>8}{'CPU ratio':>11}{'rate ratio':>12}")
    for name in VARIANTS:
        cpu, rate = median(one.cpu(name) for one in rounds), median(one.rate(name) for one in rounds)
        samples = [one.samples[name] for one in rounds]
        print(
            f"{name:<10}{median(s.tally.rate for s in samples):>12,.0f}{median(s.cpu_us for s in samples):>9.0f}"
            f"{median(s.batch for s in samples):>8.1f}{cpu:>11.3f}{rate:>12.3f}"
        )
        figures[f"{name}: CPU per purchase against nothing"] = cpu
        figures[f"{name}: rate against nothing"] = rate
    print(f"events and audit log cost {figures['both: CPU per purchase against nothing'] - 1:.1%} (aim: {AIM - 1:.0%})")
    return figures


def main() -> None:
    """Run the benchmark."""
    parser: argparse.ArgumentParser = history.parser_of("record", __doc__)
    parser.add_argument("--clients", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    given = parser.parse_args()
    with history.running("record", given.json) as place:
        keep_off_the_hour((given.rounds + 1) * len(VARIANTS) * (given.seconds + 1) + 20)
        rounds = run(place.folder, given.clients, given.rounds, given.seconds)
        options = {"clients": given.clients, "rounds": given.rounds, "seconds": given.seconds}
        place.record(options, show(rounds), {"rounds": msgspec.to_builtins(rounds)})


if __name__ == "__main__":
    main()
