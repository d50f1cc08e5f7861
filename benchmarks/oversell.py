"""The oversell race: ``python -m benchmarks.oversell``.

Twenty units are in stock and sixty-four buyers ask for one each, all at once, spread over several servers on one
PostgreSQL (or one on SQLite). Round after round exactly twenty may get one: the answers say so, the rows of the
database say so, and the check of the books says so.
"""

from __future__ import annotations

import argparse
import collections
import json
import select
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import history
from benchmarks.filling import aim, stores
from benchmarks.load import PATIENCE_S, KeptOpen
from benchmarks.serving import LEASEBOOK
from benchmarks.sinks import asking
from benchmarks.storm import Watched, serving
from leasebook.store.opening import Target

REGION, TYPE = "gz", "gpu-6"
STOCK_ERROR: Final = "InsufficientStock"


class Options(msgspec.Struct, frozen=True):
    """How to race."""

    store: str
    servers: int
    buyers: int
    stock: int
    rounds: int


def buy_at_once(clients: Sequence[KeptOpen], requests: Sequence[bytes]) -> list[bytes]:
    """Send every request before any answer is read; returns the answers."""
    places = {client.socket.fileno(): place for place, client in enumerate(clients)}
    answers = [b""] * len(clients)
    poll = select.epoll()
    for number in places:
        poll.register(number, select.EPOLLIN)
    for client, request in zip(clients, requests, strict=True):
        client.socket.sendall(request)
    waiting = len(clients)
    while waiting:
        events = poll.poll(PATIENCE_S)
        if not events:
            raise RuntimeError(f"{waiting} buyers are not answered")
        for number, _ in events:
            answer = clients[places[number]].receive()
            if answer is not None:
                answers[places[number]] = answer
                waiting -= 1
    poll.close()
    return answers


def rows(where: Target) -> tuple[int, int, int, int]:
    """Return what the database says: instances of that offering, their units, its stock, and what of it is free."""
    with asking(where) as (_, run):
        ((instances, units),) = run(
            "SELECT count(*), coalesce(sum(count), 0) FROM units "
            "WHERE region = ? AND type = ? AND status NOT IN ('Released', 'CreateFailed')",
            (REGION, TYPE),
        )
        text = "SELECT coalesce(sum(stock_total), 0), coalesce(sum(stock_free), 0) FROM offerings "
        ((total, free),) = run(f"{text} WHERE region = ? AND type = ?", (REGION, TYPE))
    return int(instances), int(units), int(total), int(free)


def race(servers: Sequence[Watched], where: Target, options: Options) -> dict[str, Any]:
    """Race round after round; raises RuntimeError where it is not exactly the stock that was sold."""
    body = {
        "billing": {"paymentTiming": "Postpaid"},
        "computeUnitConfig": {"region": REGION, "type": TYPE},
        "computeUnitCount": 1,
    }
    held = rows(where)[1]
    sold_by = collections.Counter[str]()
    took = []
    clients = [KeptOpen(servers[place % len(servers)].port) for place in range(options.buyers)]
    for number in range(options.rounds):
        stock = held + options.stock
        servers[0].call("/v2/catalog", "SetOffering", {"region": REGION, "type": TYPE, "stockTotal": stock})
        signed = [
            server.request("/v2/computeunit", "PurchaseComputeUnit", json.dumps(body).encode()) for server in servers
        ]
        began = time.monotonic()
        answers = buy_at_once(clients, [signed[place % len(servers)] for place in range(options.buyers)])
        took.append(time.monotonic() - began)
        names = set()
        for place, answer in enumerate(answers):
            head, _, text = answer.partition(b"\r\n\r\n")
            if head[9:12] == b"200":
                names.add(json.loads(text)["result"]["instanceId"])
                sold_by[servers[place % len(servers)].name] += 1
            elif json.loads(text)["code"] != STOCK_ERROR:
                raise RuntimeError(f"round {number + 1}: {text.decode()}")
        instances, units, total, free = rows(where)
        if (len(names), units - held, total, free) != (options.stock, options.stock, stock, 0):
            raise RuntimeError(
                f"round {number + 1}: {len(names)} were answered that they have one, {units - held} units are held by "
                f"{instances} instances, and {free} of {total} are free"
            )
        held = units
    return {"sold_by": dict(sold_by), "seconds": sorted(took)}


def run(options: Options, folder: Path) -> dict[str, Any]:
    """Start the servers, race, and have the books proved."""
    with stores(options.store, folder, "race") as (where,), ExitStack() as stack:
        servers = [
            stack.enter_context(serving(f"server {number + 1}", " ".join(LEASEBOOK), where))
            for number in range(options.servers)
        ]
        servers[0].call("/v2/account", "TopUpAccount", {"amount": "100000000"})
        offering = {"region": REGION, "type": TYPE, "pricePerMinute": "0.50", "stockTotal": rows(where)[1]}
        servers[0].call("/v2/catalog", "SetOffering", offering)
        found = race(servers, where, options)
        print(servers[0].check())
    return found


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("oversell", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--servers", type=int, default=3, help="processes on the database; one on sqlite")
    parser.add_argument("--buyers", type=int, default=64)
    parser.add_argument("--stock", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=200)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    servers = 1 if given.store == "sqlite" else given.servers
    options = Options(given.store, servers, given.buyers, given.stock, given.rounds)
    with history.running("oversell", given.json) as place:
        found = run(options, place.folder)
        median = found["seconds"][options.rounds // 2]
        print(
            f"{options.rounds} rounds, {options.buyers} buyers at {servers} servers on {options.store}: "
            f"{options.stock} of {options.stock} sold in every one; median {median * 1000:.1f} ms a round"
        )
        print(f"who sold: {found['sold_by']}")
        aim("rounds in which too much or too little was sold", 0, 0, at_most=True)
        figures = {f"{options.store}: wrong rounds": 0.0, f"{options.store}: ms a round": median * 1000}
        place.record(msgspec.to_builtins(options), figures, {"sold_by": found["sold_by"]})


if __name__ == "__main__":
    main()
