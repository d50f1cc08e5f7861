"""Measures the price of stricter signature checks: ``python -m benchmarks.signatures --against OTHER/src``.

Two versions of the code take turns, each in processes of its own, without sockets: a service on an embedded store in a
temporary folder, and a crowd that calls it with requests signed beforehand. Processor time is compared. Of many short
blocks the quickest counts, because it has the least noise of a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
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
KINDS: Final = ("plain", "hashed", "once")
"""Only the host is signed; the body's SHA-256 too; and a nonce besides."""
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
    if kind == "once":
        covered["x-bce-nonce"] = secrets.token_hex(16)
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
    queue = [signed(kind) if kind == "once" else one for _ in range(PER_BLOCK)]

    async def client() -> None:
        while queue:
            await call(app, PATH, QUERY, queue.pop(), BODY)

    began = time.process_time()
    await asyncio.gather(*(client() for _ in range(CROWD)))
    return (time.process_time() - began) / PER_BLOCK * 1e6


async def _measure(blocks: int, folder: Path) -> dict[str, float]:
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
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(blocks):
            for kind in KINDS:
                found[kind].append(await _block(service.app, kind))
    return {kind: min(times) for kind, times in found.items()}


def _turn(source: Path, blocks: int) -> dict[str, float]:
    """Measure one version in a process of its own."""
    command = [sys.executable, __file__, "--turn", "--blocks", str(blocks)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--turn", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(_measure(given.blocks, Path(folder) / "data"))))
        return
    ours = Path(__file__).parents[1] / "src"
    sources = {"this": ours, **({"other": given.against.resolve()} if given.against else {})}
    found: dict[tuple[str, str], list[float]] = {}
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for number in range(given.rounds):
        # The version that goes second finds a warmer machine, so they change places.
        for name in sorted(sources, reverse=bool(number % 2)):
            for kind, time_us in _turn(sources[name], given.blocks).items():
                found.setdefault((name, kind), []).append(time_us)
    print(f"load {os.getloadavg()[0]:.1f}")
    for (name, kind), times in sorted(found.items()):
        print(f"{name} {kind}: {min(times):.1f} us at best, {statistics.median(times):.1f} in the median of turns")
    if given.against:
        for kind in KINDS:
            pairs = zip(found["this", kind], found["other", kind], strict=True)
            best = min(found["this", kind]) / min(found["other", kind])
            print(
                f"this / other, {kind}: {best:.3f} at best, {statistics.median(a / b for a, b in pairs):.3f} in turns"
            )


if __name__ == "__main__":
    main()
