"""The process engine: ``python -m benchmarks.engines [--replicas 100] [--rounds 20]``.

Three things are measured, with a trivial echo server as the replica. By turns: the time of ``start`` without a sandbox
and in one, which is complete where the machine allows. Alone: the time of ``start`` and the time from its
call to Ready, looked at every few milliseconds; most of the latter is the server itself, whose own start without any
engine is printed beside it. Many: how long until all are Ready when all are started at once, how long one look at all
of them takes, what a keeper holds of memory for itself (its proportional share of what keepers share), and how long
until all are gone. Medians; the spread is printed as the quartiles.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.sandbox.sandbox import Mode, Sandbox

ECHO = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    with server.accept()[0] as client:
        client.sendall(client.recv(4096))
"""
LOOK_S = 0.002


def command(port: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", ECHO, port)


def wanted(name: str) -> Wanted:
    spec = RunSpec(command=command("{port}"))
    return Wanted(name=name, unit_id="u", service_id="s", unit_type="cpu-1", units=1, spec=spec)


def show(what: str, seconds: Sequence[float]) -> None:
    ordered = sorted(value * 1000 for value in seconds)
    low, middle, high = statistics.quantiles(ordered, n=4) if len(ordered) > 1 else ordered * 3
    print(f"{what:42} {middle:9.1f} ms   ({low:.1f} to {high:.1f})")


def bare() -> float:
    """Start the server without an engine, and return how long it takes until it takes connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = time.perf_counter()
    with subprocess.Popen(command(str(port))) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(LOOK_S)
        took = time.perf_counter() - before
        process.kill()
    return took


async def gone(engine: ProcessEngine) -> None:
    while await engine.observe():  # noqa: ASYNC110 - replicas are looked at, they do not call
        await asyncio.sleep(LOOK_S)


async def ready(engine: ProcessEngine, count: int) -> None:
    while sum(one.state == "Ready" for one in (await engine.observe()).values()) < count:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)


async def alone(engine: ProcessEngine, rounds: int) -> None:
    started, until_ready, until_gone = [], [], []
    for number in range(rounds):
        before = time.perf_counter()
        await engine.start(wanted(f"alone-{number}"))
        started.append(time.perf_counter() - before)
        await ready(engine, 1)
        until_ready.append(time.perf_counter() - before)
        before = time.perf_counter()
        await engine.stop(f"alone-{number}", 5)
        await gone(engine)
        until_gone.append(time.perf_counter() - before)
    show("alone: the server without an engine", [bare() for _ in range(rounds)])
    show("alone: start", started)
    show("alone: from start to Ready", until_ready)
    show("alone: from stop to gone", until_gone)


def keeper_kib() -> list[int]:
    """Return what each keeper of ours holds for itself, in KiB."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"keeper.main" in (folder / "cmdline").read_bytes():
                rollup = (folder / "smaps_rollup").read_text()
                found.append(int(rollup.partition("\nPss:")[2].split()[0]))
        except (OSError, ValueError):
            continue
    return found


async def many(engine: ProcessEngine, count: int) -> None:
    before = time.perf_counter()
    await asyncio.gather(*(engine.start(wanted(f"many-{number}")) for number in range(count)))
    started = time.perf_counter() - before
    await ready(engine, count)
    show(f"{count}: until all are started", [started])
    show(f"{count}: until all are Ready", [time.perf_counter() - before])
    looks = []
    for _ in range(10):
        before = time.perf_counter()
        await engine.observe()
        looks.append(time.perf_counter() - before)
        await asyncio.sleep(1.1)  # Longer than between two checks of one replica, so that each look checks all.
    show(f"{count}: one look, every health checked", looks)
    print(f"{f'{count}: memory of one keeper':42} {statistics.median(keeper_kib()) / 1024:9.1f} MiB")
    before = time.perf_counter()
    await asyncio.gather(*(engine.stop(f"many-{number}", 5) for number in range(count)))
    await gone(engine)
    show(f"{count}: until all are gone", [time.perf_counter() - before])


async def compared(rounds: int) -> None:
    """Start by turns without a sandbox and in one; what the rest of the machine does meanwhile hits both alike."""
    took: dict[str, list[float]] = {"off": [], "require": []}
    with tempfile.TemporaryDirectory() as folder:
        modes: tuple[Mode, ...] = ("off", "require")
        engines = {mode: ProcessEngine(Path(folder) / mode, {"cpu-1": 1}, sandbox=Sandbox(mode=mode)) for mode in modes}
        for number in range(rounds):
            for mode, engine in engines.items():
                before = time.perf_counter()
                await engine.start(wanted(f"{mode}-{number}"))
                took[mode].append(time.perf_counter() - before)
                await engine.stop(f"{mode}-{number}", 0)
                await gone(engine)
        for engine in engines.values():
            await engine.close()
    show("by turns: start without a sandbox", took["off"])
    show("by turns: start in the sandbox", took["require"])


async def measure(rounds: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = ProcessEngine(Path(folder), {"cpu-1": count})
        try:
            await alone(engine, rounds)
            await many(engine, count)
        finally:
            for name in await engine.observe():
                await engine.stop(name, 0)
            await gone(engine)
            await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    asyncio.run(compared(options.rounds))
    asyncio.run(measure(options.rounds, options.replicas))


if __name__ == "__main__":
    main()
