"""Measures the price of stricter signature checks: ``python -m benchmarks.signatures --against OTHER/src``.

Two versions of the code take turns, each in a process of its own, without sockets: a service on an embedded store in a
temporary folder, and a crowd that buys with requests signed beforehand. It compares processor time: the quickest
blocks, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import history
from benchmarks.apart import (
    NEW_EACH_TIME,
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

PATH, ACTION = "/v2/computeunit", "PurchaseComputeUnit"
CROWD: Final = 64
KINDS: Final = ("plain", "hashed", "varied", "once")
"""Only the host is signed; the body's SHA-256 too; besides a header that differs from call to call; a nonce instead.

A signature that was verified before is verified faster, and signatures with a nonce are new each time. So are those of
a client that makes one call a second; the header that differs has the same effect.
"""
BODY: Final = json.dumps(
    {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": "2099-01-01T00:00:00Z"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
).encode()


async def _measure(folder: Path, calls: int) -> None:
    async with serving(folder) as app:

        async def block(kind: str) -> float:
            """Buy with a crowd; returns the microseconds of processor time for each purchase."""
            one = signed(PATH, ACTION, BODY, kind)
            headers = [signed(PATH, ACTION, BODY, kind) if kind in NEW_EACH_TIME else one for _ in range(calls)]
            buying = [partial(call, app, PATH, ACTION, each, BODY) for each in headers]
            began = time.process_time()
            await crowd(CROWD, buying)
            return (time.process_time() - began) / calls * 1e6

        await answer_turns(block, KINDS)


def main() -> None:
    """Run it."""
    parser = history.parser_of("signatures", __doc__)
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--turn", nargs="+", metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        asyncio.run(_measure(Path(given.turn[0]), 8 * CROWD))
        return
    with history.running("signatures", given.json) as place, tempfile.TemporaryDirectory(dir=place.folder) as name:
        folder = Path(name).resolve()
        versions = {
            version: Version(source, "benchmarks.signatures", folder / version)
            for version, source in sources(given.against).items()
        }
        found = compare(versions, KINDS, given.rounds)
        figures: dict[str, float] = {}
        for version in versions:
            for kind in KINDS[1:]:
                times, plain = found[version, kind], found[version, "plain"]
                print(f"{version}, {kind} / plain: {ratio_text(times, plain)}")
                if version == "this":
                    figures[f"{kind} / plain"] = in_pairs(times, plain)
            once, varied = found[version, "once"], found[version, "varied"]
            print(f"{version}, once / varied: {ratio_text(once, varied)}")
            if version == "this":
                figures["once / varied"] = in_pairs(once, varied)
        figures |= report_versions(found, KINDS)
        details = {f"{version}, {kind}": times for (version, kind), times in found.items()}
        place.record({"rounds": given.rounds}, figures, msgspec.to_builtins(details))


if __name__ == "__main__":
    main()
