"""Measures what a subscription over all accounts costs purchases: ``python -m benchmarks.wide_subscription``.

Three servers are measured in turns: without one, with one to a type of event that does not happen, and with one to all
events, whose receiver is never there. The results are CPU and bytes for each purchase, against the server without one.
The CPU of the last two includes the work after the purchases: looking through the events, and the deliveries.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import msgspec

from benchmarks import history
from benchmarks.purchase import Sample, keep_off_the_hour, measure, prepare, requests
from benchmarks.serving import LEASEBOOK, Server

PURCHASE = "purchase"
SETTLE_S = 2.0
TYPES = {"none": None, "quiet": ["account.closed"], "all": []}
"""The types that the subscription of each server asks for; None: there is no subscription."""


class Measured(msgspec.Struct, frozen=True):
    """One measurement, and the bytes that the store grew by for each purchase."""

    sample: Sample
    bytes: float


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def run(folder: Path, clients: int, rounds: int, seconds: float) -> list[dict[str, Measured]]:
    """Take turns: each round measures every server, in an order that changes."""
    servers = [Server(name, LEASEBOOK, ("--data", str(folder / name)), folder / f"{name}.log") for name in TYPES]
    found: list[dict[str, Measured]] = []
    try:
        for server in servers:
            prepare(server)
            types = TYPES[server.name]
            if types is not None:
                asked = {"kind": "Webhook", "url": "https://receiver.invalid/", "accounts": ["*"], "types": types}
                server.call("/v2/notification", "CreateSubscription", asked)
        signed = {server.name: requests(server, tokens=False)[PURCHASE] for server in servers}
        first = 0
        for number in range(rounds + 1):
            samples = {}
            for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                before = _size(folder / server.name)
                sample = measure(server, signed[server.name], clients, seconds, first)
                time.sleep(SETTLE_S)
                first += sample.tally.sent
                grown = (_size(folder / server.name) - before) / sample.tally.sent
                samples[server.name] = Measured(sample, grown)
            # The first round warms everything up.
            if number:
                found.append(samples)
                print(f"round {number} of {rounds} done", file=sys.stderr)
        for server in servers:
            server.stop()
            print(f"{server.name}: {server.check()}")
    finally:
        for server in servers:
            server.kill()
    return found


def show(rounds: list[dict[str, Measured]]) -> dict[str, float]:
    """Print the medians; returns the ratios."""
    median, figures = statistics.median, dict[str, float]()
    print(f"{'subscription':<14}{'per second':>12}{'CPU us':>9}{'bytes':>9}{'CPU ratio':>11}{'rate ratio':>12}")
    for name in TYPES:
        cpu = median(one[name].sample.cpu_us / one["none"].sample.cpu_us for one in rounds)
        rate = median(one[name].sample.tally.rate / one["none"].sample.tally.rate for one in rounds)
        print(
            f"{name:<14}{median(one[name].sample.tally.rate for one in rounds):>12,.0f}"
            f"{median(one[name].sample.cpu_us for one in rounds):>9.0f}"
            f"{median(one[name].bytes for one in rounds):>9.0f}{cpu:>11.3f}{rate:>12.3f}"
        )
        figures |= {f"{name}: CPU per purchase against none": cpu, f"{name}: rate against none": rate}
    return figures


def main() -> None:
    """Run the benchmark."""
    parser: argparse.ArgumentParser = history.parser_of("wide_subscription", __doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    given = parser.parse_args()
    with history.running("wide_subscription", given.json) as place:
        keep_off_the_hour((given.rounds + 1) * len(TYPES) * (given.seconds + SETTLE_S + 1) + 20)
        rounds = run(place.folder, given.clients, given.rounds, given.seconds)
        options = {"clients": given.clients, "rounds": given.rounds, "seconds": given.seconds}
        place.record(options, show(rounds), {"rounds": msgspec.to_builtins(rounds)})


if __name__ == "__main__":
    main()
