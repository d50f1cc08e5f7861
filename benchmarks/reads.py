"""Measures the cost of reading: ``python -m benchmarks.reads [--against OTHER/src]``.

One version of the code, or two that take turns, each in a process of its own, without sockets: a service with a
thousand instances, and a crowd that asks for a page of a hundred, for one instance, and for the account. It prints
processor time for each call in parts of that of a signed no-op (DescribeClock), which has no read in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import history
from benchmarks.apart import (
    Version,
    answer_turns,
    call,
    compare,
    crowd,
    in_pairs,
    ratio_text,
    report_versions,
    serving,
    signed,
    sources,
)
from benchmarks.filling import stores
from benchmarks.signatures import ACTION, BODY, PATH

UNITS: Final = 1_000
CROWD: Final = 16
NO_OP: Final = "no-op"
KINDS: Final = (NO_OP, "account", "unit", "page of 100")
CALLS: Final = {NO_OP: 512, "account": 256, "unit": 256, "page of 100": 64}
"""How many calls are a block."""


async def _filled(app: Any, units: int) -> str:
    """Buy instances; returns the id of one."""
    headers = signed(PATH, ACTION, BODY)
    answers: list[bytes] = []

    async def buy() -> None:
        answers.append(await call(app, PATH, ACTION, headers, BODY))

    await crowd(64, [buy] * units)
    return str(json.loads(answers[0])["result"]["instanceId"])


async def _measure(folder: Path, url: str | None) -> None:
    async with serving(folder, url) as app:
        unit = await _filled(app, UNITS)
        asked: dict[str, tuple[str, str, bytes]] = {
            NO_OP: ("/v2/clock", "DescribeClock", b"{}"),
            "account": ("/v2/account", "DescribeAccount", b"{}"),
            "unit": (PATH, "DescribeComputeUnit", json.dumps({"instanceId": unit}).encode()),
            "page of 100": (PATH, "DescribeComputeUnits", b'{"maxKeys": 100}'),
        }

        async def block(kind: str) -> float:
            """Ask with a crowd; returns the microseconds of processor time for each answer."""
            path, action, body = asked[kind]
            asking = partial(call, app, path, action, signed(path, action, body), body)
            began = time.process_time()
            await crowd(CROWD, [asking] * CALLS[kind])
            return (time.process_time() - began) / CALLS[kind] * 1e6

        await answer_turns(block, KINDS)


def main() -> None:
    """Run it."""
    parser = history.parser_of("reads", __doc__)
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--turn", nargs="+", metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        asyncio.run(_measure(Path(given.turn[0]), *given.turn[1:2] or [None]))
        return
    with history.running("reads", given.json) as place, tempfile.TemporaryDirectory(dir=place.folder) as name:
        compared = sources(given.against)
        with stores(given.store, Path(name).resolve(), *compared, founded=False) as places:
            versions = {
                version: Version(source, "benchmarks.reads", where.directory, where.url)
                for (version, source), where in zip(compared.items(), places, strict=True)
            }
            found = compare(versions, KINDS, given.rounds)
        figures: dict[str, float] = {}
        for kind in KINDS[1:]:
            times, base = found["this", kind], found["this", NO_OP]
            print(f"{kind} / no-op on {given.store}: {ratio_text(times, base)}")
            figures[f"{given.store}: {kind} / no-op"] = in_pairs(times, base)
        figures |= {f"{given.store}: {what}": ratio for what, ratio in report_versions(found, KINDS).items()}
        details = {f"{version}, {kind}": times for (version, kind), times in found.items()}
        place.record({"store": given.store, "rounds": given.rounds}, figures, details)


if __name__ == "__main__":
    main()
