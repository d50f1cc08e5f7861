"""The storm: ``python -m benchmarks.storm [--store postgres]``.

A hundred thousand running instances, all to be released in the same second. It measures from that second to the
last one that is gone, first alone and then while purchases go on at a steady rate, and proves that each was charged
and released exactly once.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import re
import select
import shlex
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import history
from benchmarks.filling import Filler, Sale, aim, store_options, stores
from benchmarks.load import KeptOpen
from benchmarks.purchase import PURCHASE, prepare, requests
from benchmarks.serving import LEASEBOOK, Server, cpu_s
from benchmarks.sinks import asking, sink
from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import SECOND_US, Instant, next_full_hour
from leasebook.scheduler.cost_sums import LOOK_EVERY_S
from leasebook.store.opening import Target

RATE_AIM, P99_AIM_MS = 8_000, 100
CALM_S: Final = 4.0
"""Seconds of purchases before the storm; the times of purchases during the storm are compared with theirs."""
GIVE_UP_S: Final = 240
_BEHIND: Final = re.compile(r"^leasebook_costs_behind_postings (\S+)$", re.MULTILINE)
_DONE: Final = re.compile(r'^leasebook_due_done_total\{kind="release"\} (\S+)$', re.MULTILINE)


class Watched(Server):
    """A server whose memory and metrics are looked at."""

    def rss_kib(self, *, peak: bool = False) -> int:
        """Return the memory that it holds, or the most that it ever held."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:" if peak else "VmRSS:")[2].split()[0])

    def metrics(self) -> str:
        """Return everything that it counts."""
        return self._get("/metrics")[1]

    def wait_until_summed(self) -> None:
        """Wait until the sums of costs have all postings of a filling: adding them takes the processor of callers.

        Older versions have no sums.
        """
        time.sleep(2 * LOOK_EVERY_S)
        while (behind := _BEHIND.search(self.metrics())) and float(behind[1]) > 0:
            time.sleep(0.5)

    def released(self) -> int:
        """Return how many releases it has done."""
        found = _DONE.search(self.metrics())
        return int(float(found[1])) if found else 0


class Purchases(msgspec.Struct, frozen=True):
    """When purchases were due to be sent, and how long after that their answers came."""

    sent_at: list[float]
    seconds: list[float]
    errors: list[str]

    def between(self, begin: float, end: float) -> list[float]:
        """Return the times of those that were due to be sent then, in milliseconds, the shortest first."""
        pairs = zip(self.sent_at, self.seconds, strict=True)
        return sorted(seconds * 1000 for at, seconds in pairs if begin <= at < end)


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return a quantile of ordered values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else math.nan


def _buy(port: int, request: bytes, rate: float, parent: Connection) -> None:
    """Buy at that rate, whether the server keeps up or not, until the parent says something."""
    clients = {client.socket.fileno(): client for client in (KeptOpen(port) for _ in range(128))}
    poll = select.epoll()
    for number in (*clients, parent.fileno()):
        poll.register(number, select.EPOLLIN)
    free, waiting, errors = deque(clients.values()), deque[float](), list[str]()
    due_at, sent_at, seconds = dict[int, float](), list[float](), list[float]()
    begun, count, stopping = time.time(), 0, False
    while not stopping or due_at:
        while not stopping and begun + count / rate <= time.time():
            waiting.append(begun + count / rate)
            count += 1
        while waiting and free:
            client = free.popleft()
            due_at[client.socket.fileno()] = waiting.popleft()
            client.socket.sendall(request)
        for number, _ in poll.poll(max(0.0, begun + count / rate - time.time())):
            if number == parent.fileno():
                stopping = True
                poll.unregister(number)
            elif (answer := clients[number].receive()) is not None:
                sent_at.append(due_at.pop(number))
                seconds.append(time.time() - sent_at[-1])
                free.append(clients[number])
                if answer[9:12] != b"200":
                    errors.append(answer.decode("utf-8", "replace"))
    parent.send_bytes(msgspec.msgpack.encode(Purchases(sent_at, seconds, errors[:10])))


class Buyer:
    """Buys in a process of its own, at a steady rate."""

    def __init__(self, server: Server, rate: float) -> None:
        self._pipe, child = multiprocessing.Pipe()
        request = requests(server, tokens=False)[PURCHASE]
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_buy, args=(server.port, request, rate, child), daemon=True)
        self._process.start()
        child.close()

    def stop(self) -> Purchases:
        """Stop, and return what was bought; raises RuntimeError where something was refused."""
        self._pipe.send_bytes(b"stop")
        bought = msgspec.msgpack.decode(self._pipe.recv_bytes(), type=Purchases)
        self._process.join()
        if bought.errors:
            raise RuntimeError(f"purchases were refused, among them:\n{bought.errors[0]}")
        return bought


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    store: str
    units: int
    pending: int
    rate: float
    rounds: int
    servers: dict[str, str]
    modes: tuple[str, ...]
    workers: int = 0


class Storm(msgspec.Struct, frozen=True):
    """One storm: how long it took, who worked, and how purchases fared before it and during it."""

    server: str
    mode: str
    seconds: float
    rate: float
    server_cores: float
    database_cores: float
    bought: int
    calm_p99_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class _Due(msgspec.Struct):
    """The state in which the storm has to leave the store."""

    at: Instant
    units: int = 0
    minutes: int = 0
    amount: int = 0


def _gather(filler: Filler, due: _Due, units: int) -> Iterator[Sale]:
    """Add up what the storm must charge, on the way into the store."""
    for sale in filler.due(units, due.at, charge_at=next_full_hour(due.at, "Asia/Shanghai")):
        minutes = minutes_started(sale.unit.created_at, due.at)
        due.units += 1
        due.minutes += minutes
        due.amount += minutes * filler.per_minute(sale.unit)
        yield sale


def brew(where: Target, units: int, seed: int) -> _Due:
    """Put a storm into a store that is not served, to break loose once a server has had time to start."""
    # Before it breaks loose, the sums of costs must have the postings of the filling, too.
    lead_s = 15 + units / 1500
    due = _Due(Instant((int(time.time() + lead_s) + 1) * SECOND_US))
    with sink(where, tidy=False) as out:
        filler = Filler(out, seed=seed)
        filler.add(_gather(filler, due, units))
        filler.close()
    return due


def database_cpu_s(where: Target) -> float:
    """Return the processor time that the database's connections have used; zero where there is none."""
    if where.url is None:
        return 0.0
    with asking(where) as (_, run):
        pids = [pid for (pid,) in run("SELECT pid FROM pg_stat_activity WHERE application_name = ?", ("leasebook",))]
    used = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            fields = stat.read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
    return used / 100


def watch(where: Target, due: _Due) -> float:
    """Wait until nothing of the storm is left to do; returns when that was. Raises RuntimeError after a while."""
    with asking(where) as (questions, _):
        while questions.oldest_release_due(due.at) is not None:
            time.sleep(0.02)
            if time.time() > due.at / SECOND_US + GIVE_UP_S:
                raise RuntimeError(f"the storm is not over after {GIVE_UP_S} s")
    return time.time()


def prove(where: Target, due: _Due) -> None:
    """Raise RuntimeError unless each was charged and released exactly once, at its time."""
    with asking(where) as (_, run):
        found = run(
            "SELECT count(*), count(DISTINCT u.id), sum(p.minutes), sum(p.amount) FROM units u "
            "JOIN postings p ON p.unit_id = u.id AND p.kind = 'Usage' AND p.at = u.release_at "
            "WHERE u.release_at = ? AND u.status = 'Released' AND u.end_reason = 'Schedule' "
            "AND u.ended_at = u.release_at AND u.released_at = u.release_at",
            (due.at,),
        )
    expected = (due.units, due.units, due.minutes, due.amount)
    if tuple(map(int, found[0])) != expected:
        raise RuntimeError(f"charges, units, minutes, amount are {found[0]}, and should be {expected}")


@contextmanager
def serving(name: str, command: str, where: Target) -> Iterator[Watched]:
    """Serve a store; the books are proved in the end."""
    server = Watched(name, shlex.split(command), store_options(where), where.directory / f"{name}.log")
    try:
        prepare(server)
        yield server
        server.stop()
    finally:
        server.kill()


@contextmanager
def working(command: str, where: Target, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Have ``workers`` processes do due work beside the server."""
    log = (where.directory / "workers.log").open("ab")
    found = [
        subprocess.Popen([*shlex.split(command), "work", *store_options(where)], stdout=log, stderr=log)
        for _ in range(workers)
    ]
    try:
        yield found
    finally:
        for worker in found:
            worker.terminate()
        for worker in found:
            worker.wait()
        log.close()


def worker_cpu_s(workers: Sequence[subprocess.Popen[bytes]]) -> float:
    """Return the processor time that they have used so far."""
    return sum(cpu_s(worker.pid) for worker in workers)


def storm(name: str, command: str, where: Target, options: Options, mode: str, seed: int) -> Storm:
    """Have one storm."""
    due = brew(where, options.units, seed)
    begin = due.at / SECOND_US
    with serving(name, command, where) as server, working(command, where, options.workers) as workers:
        server.wait_until_summed()
        time.sleep(max(0.0, begin - CALM_S - time.time()))
        if time.time() > begin - 1:
            raise RuntimeError("the storm broke loose before the server was ready: the machine is too slow for it")
        buyer = Buyer(server, options.rate) if mode == "selling" else None
        time.sleep(max(0.0, begin - time.time()))
        cpu, database_cpu = server.cpu_s() + worker_cpu_s(workers), database_cpu_s(where)
        end = watch(where, due)
        cpu = server.cpu_s() + worker_cpu_s(workers) - cpu
        database_cpu = database_cpu_s(where) - database_cpu
        bought = buyer.stop() if buyer is not None else Purchases([], [], [])
        if not workers and server.released() != options.units:
            raise RuntimeError(f"{server.released()} releases were counted")
    prove(where, due)
    took = end - begin
    calm, during = bought.between(0, begin - 0.5), bought.between(begin, end)
    return Storm(
        server=name,
        mode=mode,
        seconds=took,
        rate=options.units / took,
        server_cores=cpu / took,
        database_cores=database_cpu / took,
        bought=len(during),
        calm_p99_ms=quantile(calm, 0.99),
        p50_ms=quantile(during, 0.5),
        p99_ms=quantile(during, 0.99),
        max_ms=during[-1] if during else math.nan,
    )


def run(options: Options, folder: Path) -> list[Storm]:
    """Have every storm, the servers in turns, each on a store of its own."""
    storms: list[Storm] = []
    with stores(options.store, folder, *options.servers) as places:
        for where in places:
            with sink(where) as out:
                filler = Filler(out)
                filler.add(filler.pending(options.pending))
                filler.close()
        turns = list(zip(options.servers.items(), places, strict=True))
        for number in range(options.rounds):
            for mode in options.modes:
                for (name, command), where in turns if number % 2 == 0 else reversed(turns):
                    found = storm(name, command, where, options, mode, 2 + len(storms))
                    print(_text(found), file=sys.stderr)
                    storms.append(found)
        for (name, command), where in turns:
            with serving(name, command, where) as server:
                server.stop()
                print(f"{name}: {server.check()}")
    return storms


def _text(found: Storm) -> str:
    text = f"{found.server} {found.mode}: {found.rate:,.0f} units/s ({found.seconds:.2f} s; "
    text += f"server {found.server_cores:.0%} of a core, database {found.database_cores:.0%})"
    if found.mode == "selling":
        text += f"; {found.bought} purchases p50 {found.p50_ms:.1f}, p99 {found.p99_ms:.1f}, max {found.max_ms:.1f} ms"
        text += f", before the storm p99 {found.calm_p99_ms:.1f} ms"
    return text


def show(storms: Sequence[Storm], options: Options) -> dict[str, Any]:
    """Print the medians and the verdicts; returns the medians."""
    medians: dict[str, Any] = {}
    for name in options.servers:
        for mode in options.modes:
            rows = [row for row in storms if (row.server, row.mode) == (name, mode)]
            rate = statistics.median(row.rate for row in rows)
            label = f"{name}, {'while purchases go on' if mode == 'selling' else 'alone'}"
            medians[f"{name} {mode}"] = {"rate": rate}
            aim(f"{label}: released", rate, RATE_AIM, at_most=False, unit="/s")
            if mode == "selling":
                p99 = statistics.median(row.p99_ms for row in rows)
                medians[f"{name} {mode}"]["p99_ms"] = p99
                aim(f"{label}: p99 of {options.rate:g} purchases/s", p99, P99_AIM_MS, at_most=True, unit=" ms")
    first, *others = options.servers
    for name in others:
        for mode in options.modes:
            ratio = medians[f"{name} {mode}"]["rate"] / medians[f"{first} {mode}"]["rate"]
            print(f"{name} / {first}, {mode}: {ratio:.2f} of the rate")
    return medians


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("storm", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=100_000, help="released in the same second")
    parser.add_argument("--pending", type=int, default=1_000_000, help="instances in the store beside them")
    parser.add_argument("--rate", type=float, default=500, help="purchases a second meanwhile")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--modes", default="alone,selling")
    parser.add_argument("--workers", type=int, default=0, help="processes of `leasebook work` beside the server")
    parser.add_argument("--server", default=shlex.join(LEASEBOOK), metavar="COMMAND", help="what stands for leasebook")
    parser.add_argument("--against", metavar="COMMAND", help="the same for a second server, measured in turns")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    servers = {"leasebook": given.server} | ({"variant": given.against} if given.against else {})
    modes = tuple(given.modes.split(","))
    options = Options(given.store, given.units, given.pending, given.rate, given.rounds, servers, modes, given.workers)
    with history.running("storm", given.json) as place:
        storms = run(options, place.folder)
        medians = show(storms, options)
        figures = {f"{name}: units/s": median["rate"] for name, median in medians.items()}
        figures |= {f"{name}: p99 ms": median["p99_ms"] for name, median in medians.items() if "p99_ms" in median}
        place.record(msgspec.to_builtins(options), figures, {"storms": msgspec.to_builtins(storms)})


if __name__ == "__main__":
    main()
