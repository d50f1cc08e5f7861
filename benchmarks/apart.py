"""Two versions of the code in processes of their own, called without sockets and compared by processor time.

They take turns of a tenth of a second, so that a machine whose speed drifts is as fast for the one as for the other.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

KEY, SECRET, HOST = "AKBENCH", "secret-of-the-benchmark", "leasebook.test"
ROOT: Final = Path(__file__).parents[1]

NEW_EACH_TIME: Final = {"varied": "x-bce-request-id", "once": "x-bce-nonce"}
"""The header that differs from call to call, by kind."""

Headers = list[tuple[bytes, bytes]]


def signed(path: str, action: str, body: bytes, kind: str = "plain") -> Headers:
    """Return the headers of a request.

    ``kind``: only the host is signed (``plain``), the body's SHA-256 too (``hashed``), or besides a header that differs
    from call to call (``varied``), or a nonce (``once``).
    """
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
        query=f"Action={action}",
        headers=covered,
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=tuple(covered),
    )
    headers = {**covered, "authorization": text, "content-length": str(len(body))}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def call(app: Any, path: str, action: str, headers: Headers, body: bytes) -> bytes:
    """Send a request past the sockets; returns the body of the answer. Raises RuntimeError where it is refused."""
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": f"Action={action}".encode(), "headers": headers, "client": ("192.0.2.1", 1)}
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    if said[0]["status"] != 200:
        raise RuntimeError(said)
    return b"".join(message.get("body", b"") for message in said[1:])


@asynccontextmanager
async def serving(directory: Path, url: str | None = None) -> AsyncIterator[Any]:
    """Run a service with something to sell, and the garbage collector as a server has it; gives the application.

    All postings of the store are part of the sums of costs.
    """
    from leasebook.config.load import load_settings
    from leasebook.observability.logs.lines import configure_logging
    from leasebook.server.composition import running
    from leasebook.store.opening import Target

    root = {"LEASEBOOK_ROOT_ACCESS_KEY": KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET}
    settings = load_settings(None, {**root, "LEASEBOOK_ENGINES": "*=instant"})
    configure_logging("json", "error", ())
    async with running(settings, Target(directory, url), demo=True) as service:
        more = b'{"region": "bj", "type": "gpu-1", "stockTotal": 1000000000}'
        headers = signed("/v2/catalog", "SetOffering", more)
        await call(service.app, "/v2/catalog", "SetOffering", headers, more)
        await service.costs.catch_up()
        collect_as_served()
        yield service.app


def collect_as_served() -> None:
    """Set the garbage collector as ``server/serve.py`` does when a server begins to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def answer_turns(block: Callable[[str], Awaitable[float]], kinds: Sequence[str]) -> None:
    """Warm up, and run a block for each kind that is read: one line in, the microseconds of each call out."""
    for kind in kinds:
        await block(kind)
    print("ready", flush=True)
    for line in sys.stdin:
        print(await block(line.strip()), flush=True)


class Version:
    """One version in a process of its own, idle while it is not its turn."""

    def __init__(
        self, source: Path, module: str, directory: Path, url: str | None = None, more: Sequence[str] = ()
    ) -> None:
        """``source`` is its folder ``src``; ``module`` is the benchmark, which takes ``--turn`` and the store.

        ``more`` are further arguments of the benchmark.
        """
        where = [str(directory), *([url] if url is not None else [])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *more, "--turn", *where],
            cwd=ROOT,
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
        """Run a block; returns the microseconds of processor time for each call."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        return float(self.answer())

    def stop(self) -> None:
        """End it, and wait until it has closed its store."""
        self._process.communicate()


def sources(against: Path | None) -> dict[str, Path]:
    """Return the folders ``src`` to compare: this version's, and another one's."""
    return {"this": ROOT / "src", **({"other": against.resolve()} if against else {})}


Found = dict[tuple[str, str], list[float]]
"""Microseconds of processor time by version and kind, in the order of the rounds."""


def compare(versions: dict[str, Version], kinds: Sequence[str], rounds: int) -> Found:
    """Let versions take turns; returns what each block took."""
    found: Found = {}
    for version in versions.values():
        while version.answer() != "ready":
            pass
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for number in range(rounds):
        for kind in kinds:
            # The second one finds a warmer machine, so they change places.
            for name in sorted(versions, reverse=bool(number % 2)):
                found.setdefault((name, kind), []).append(versions[name].block(kind))
    for version in versions.values():
        version.stop()
    print(f"load {os.getloadavg()[0]:.1f}")
    for (name, kind), times in sorted(found.items()):
        print(f"{name} {kind}: {min(times):.1f} us at best, {statistics.median(times):.1f} in the median")
    return found


def report_versions(found: Found, kinds: Sequence[str]) -> dict[str, float]:
    """Print and return how many times this version took of the other, if there is one."""
    if all(name == "this" for name, _ in found):
        return {}
    for kind in kinds:
        print(f"this / other, {kind}: {ratio_text(found['this', kind], found['other', kind])}")
    return {f"this / other, {kind}": in_pairs(found["this", kind], found["other", kind]) for kind in kinds}


def in_pairs(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the median of the ratios of neighbours."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def ratio_text(first: Sequence[float], second: Sequence[float]) -> str:
    """Return how many times the one took of the other, in words."""
    return f"{min(first) / min(second):.3f} at best, {in_pairs(first, second):.3f} in pairs"


async def crowd(size: int, calls: Sequence[Callable[[], Awaitable[Any]]]) -> None:
    """Make calls, ``size`` at a time."""
    queue = list(calls)

    async def client() -> None:
        while queue:
            await queue.pop()()

    await asyncio.gather(*(client() for _ in range(size)))
