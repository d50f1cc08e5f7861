"""Measures the price of stricter signature checks: ``python -m benchmarks.signatures --against OTHER/src``.

Two versions of the code take turns of a tenth of a second, each in a process of its own, without sockets: a service on
an embedded store in a temporary folder, and a crowd that calls it with requests signed beforehand. It compares
processor time: the quickest blocks, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

KEY, SECRET, HOST = "AKBENCH", "secret-of-the-benchmark", "leasebook.test"
PATH, QUERY = "/v2/computeunit", "Action=PurchaseComputeUnit"
CROWD: Final = 64
PER_BLOCK: Final = 8 * CROWD
KINDS: Final = ("plain", "hashed", "varied", "once")
"""Only the host is signed; the body's SHA-256 too; besides a header that differs from call to call; a nonce instead.

A signature that was verified before is verified faster, and signatures with a nonce are new each time. So are those of
a client that makes one call a second; the header that differs has the same effect.
"""
NEW_EACH_TIME: Final = {"varied": "x-bce-request-id", "once": "x-bce-nonce"}
BODY: Final = json.dumps(
    {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": "2099-01-01T00:00:00Z"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
).encode()


def signed(kind: str, path: str = PATH, query: str = QUERY, body: bytes = BODY) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request."""
    from leasebook.contract.signing import sign

    covered = {"host": HOST}
    if kind != "plain":
        covered["x-bce-content-sha256"] = hashlib.sha256(body).hexdigest()
    if kind in NEW_EACH_TIME:
        covered[NEW_EACH_TIME[kind]] = secrets.token_hex(16)
    text = sign(
        access_key=KEY,
        secret_key=SECRET,
        method="POST",
        path=path,
        query=query,
        headers=covered,
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=tuple(covered),
    )
    headers = {**covered, "authorization": text, "content-length": str(len(body))}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def call(app: Any, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a request past the sockets; raises RuntimeError where it is refused."""
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": query.encode(), "headers": headers, "client": ("192.0.2.1", 1)}
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    if said[0]["status"] != 200:
        raise RuntimeError(said)


async def _block(app: Any, kind: str) -> float:
    """Buy with a crowd; returns the microseconds of processor time for each purchase."""
    one = signed(kind)
    queue = [signed(kind) if kind in NEW_EACH_TIME else one for _ in range(PER_BLOCK)]

    async def client() -> None:
        while queue:
            await call(app, PATH, QUERY, queue.pop(), BODY)

    began = time.process_time()
    await asyncio.gather(*(client() for _ in range(CROWD)))
    return (time.process_time() - began) / PER_BLOCK * 1e6


async def _measure(folder: Path) -> None:
    """Serve blocks for as long as kinds are read: one line in, the microseconds of processor time out."""
    from leasebook.config.load import load_settings
    from leasebook.observability.metrics import configure_logging
    from leasebook.server.composition import running
    from leasebook.store.opening import Target

    root = {"LEASEBOOK_ROOT_ACCESS_KEY": KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET}
    settings = load_settings(None, {**root, "LEASEBOOK_ENGINES": "*=instant"})
    configure_logging("json", "error", ())
    async with running(settings, Target(folder), demo=True) as service:
        more = b'{"region": "bj", "type": "gpu-1", "stockTotal": 1000000000}'
        headers = signed("plain", "/v2/catalog", "Action=SetOffering", more)
        await call(service.app, "/v2/catalog", "Action=SetOffering", headers, more)
        for kind in KINDS:
            await _block(service.app, kind)
        # As the server does: the collector need not look again at objects that live to the end.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        print("ready", flush=True)
        for line in sys.stdin:
            print(await _block(service.app, line.strip()), flush=True)


class Version:
    """One version in a process of its own, which has nothing to do while it is not its turn."""

    def __init__(self, source: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--turn"],
            env={**os.environ, "PYTHONPATH": str(source)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        """Read a line; raises RuntimeError where the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a version has ended")
        return line.strip()

    def block(self, kind: str) -> float:
        """Buy with a crowd; returns the microseconds of processor time for each purchase."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        return float(self.answer())

    def stop(self) -> None:
        """End it, and wait until it has closed its store."""
        self._process.communicate()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--turn", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_measure(Path(folder) / "data"))
        return
    ours = Path(__file__).parents[1] / "src"
    sources = {"this": ours, **({"other": given.against.resolve()} if given.against else {})}
    compare({name: Version(source) for name, source in sources.items()}, given.rounds)


def compare(versions: dict[str, Version], rounds: int) -> None:
    """Let versions take turns, and print how they did."""
    found: dict[tuple[str, str], list[float]] = {}
    for version in versions.values():
        while version.answer() != "ready":
            pass
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for number in range(rounds):
        for kind in KINDS:
            # The second one finds a warmer machine, so they change places.
            for name in sorted(versions, reverse=bool(number % 2)):
                found.setdefault((name, kind), []).append(versions[name].block(kind))
    for version in versions.values():
        version.stop()
    print(f"load {os.getloadavg()[0]:.1f}")
    report(found)


def report(found: dict[tuple[str, str], list[float]]) -> None:
    """Print the quickest blocks, and how many times the one took of the other."""
    for (name, kind), times in sorted(found.items()):
        print(f"{name} {kind}: {min(times):.1f} us at best, {statistics.median(times):.1f} in the median")
    names = sorted({name for name, _ in found})
    for name in names:
        print(f"{name}, once / varied: {_ratio(found[name, 'once'], found[name, 'varied'])}")
        for kind in KINDS[1:]:
            print(f"{name}, {kind} / plain: {_ratio(found[name, kind], found[name, 'plain'])}")
    if len(names) > 1:
        for kind in KINDS:
            print(f"this / other, {kind}: {_ratio(found['this', kind], found['other', kind])}")


def _ratio(first: list[float], second: list[float]) -> str:
    best = min(first) / min(second)
    return f"{best:.3f} at best, {statistics.median(a / b for a, b in zip(first, second, strict=True)):.3f} in pairs"


if __name__ == "__main__":
    main()
