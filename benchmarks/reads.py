"""Measures the cost of reading: ``python -m benchmarks.reads [--large 100000] [--against OTHER/src]``.

One version of the code, or two that take turns, each in a process of its own, without sockets: a service with a
thousand instances, and a crowd that asks for a page of a hundred, for one instance, and for the account. It prints
processor time for each call in parts of that of a signed no-op (DescribeClock), which has no read in it.

With ``--large`` the account has as many instances, a tenth of them prepaid, and a fifth more were released in the last
90 days. The crowd then also asks what ends soon, for the statement of last month, and for its costs by day.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

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
from benchmarks.filling import Filler, stores
from benchmarks.signatures import ACTION, BODY, PATH
from benchmarks.sinks import sink
from leasebook.store.opening import Target

UNITS: Final = 1_000
CROWD: Final = 16
FEW: Final = 2
"""The crowd of a large account: more of its long reads would wait for each other until their time is over."""
NO_OP: Final = "no-op"
KINDS: Final = (NO_OP, "account", "unit", "page of 100")
LARGE_KINDS: Final = (*KINDS, "ends soon", "statement", "costs by day")
CALLS: Final = {NO_OP: 512, "account": 256, "unit": 256, "page of 100": 64}
LARGE_CALLS: Final = {**CALLS, "account": 4, "ends soon": 4, "statement": 2, "costs by day": 1}
"""How many calls are a block."""
ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The time zone of the account."""


async def _filled(app: Any, units: int) -> str:
    """Buy instances; returns the id of one."""
    headers = signed(PATH, ACTION, BODY)
    answers: list[bytes] = []

    async def buy() -> None:
        answers.append(await call(app, PATH, ACTION, headers, BODY))

    await crowd(64, [buy] * units)
    return str(json.loads(answers[0])["result"]["instanceId"])


def _fill(where: Target, units: int) -> None:
    """Give the account many instances: postpaid, prepaid and released ones."""
    with sink(where) as out:
        filler = Filler(out, others=0)
        filler.add(filler.pending(units * 9 // 10))
        filler.add(filler.prepaid(units // 10))
        filler.add(filler.released(units // 5))
        filler.close()


async def _measure(folder: Path, url: str | None, large: int) -> None:
    if large:
        async with serving(folder, url):
            """Its first start makes the store."""
        _fill(Target(folder, url), large)
    async with serving(folder, url) as app:
        unit = await _filled(app, 1 if large else UNITS)
        after = datetime.now(ZONE).replace(day=1)
        last = after - timedelta(days=1)
        month = {"from": f"{last:%Y-%m}-01 00:00:00", "to": f"{after:%Y-%m}-01 00:00:00"}
        asked: dict[str, tuple[str, str, bytes]] = {
            NO_OP: ("/v2/clock", "DescribeClock", b"{}"),
            "account": ("/v2/account", "DescribeAccount", b"{}"),
            "unit": (PATH, "DescribeComputeUnit", json.dumps({"instanceId": unit}).encode()),
            "page of 100": (PATH, "DescribeComputeUnits", b'{"maxKeys": 100}'),
            "ends soon": (PATH, "DescribeComputeUnits", b'{"comingEnds": true, "maxKeys": 100}'),
            "statement": ("/v2/account", "DescribeStatement", f'{{"month": "{last:%Y-%m}", "maxKeys": 50}}'.encode()),
            "costs by day": ("/v2/account", "DescribeCosts", json.dumps({**month, "granularity": "day"}).encode()),
        }
        calls = LARGE_CALLS if large else CALLS

        async def block(kind: str) -> float:
            """Ask with a crowd; returns the microseconds of processor time for each answer."""
            path, action, body = asked[kind]
            asking = partial(call, app, path, action, signed(path, action, body), body)
            began = time.process_time()
            await crowd(FEW if large else CROWD, [asking] * calls[kind])
            return (time.process_time() - began) / calls[kind] * 1e6

        await answer_turns(block, tuple(calls))


def main() -> None:
    """Run it."""
    parser = history.parser_of("reads", __doc__)
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--large", type=int, default=0, metavar="UNITS", help="live instances of the account")
    parser.add_argument("--turn", nargs="+", metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        folder, *url = given.turn
        asyncio.run(_measure(Path(folder), url[0] if url else None, given.large))
        return
    with history.running("reads", given.json) as place, tempfile.TemporaryDirectory(dir=place.folder) as name:
        compared = sources(given.against)
        kinds, more = (LARGE_KINDS, ["--large", str(given.large)]) if given.large else (KINDS, [])
        with stores(given.store, Path(name).resolve(), *compared, founded=False) as places:
            versions = {
                version: Version(source, "benchmarks.reads", where.directory, where.url, more)
                for (version, source), where in zip(compared.items(), places, strict=True)
            }
            found = compare(versions, kinds, given.rounds)
        figures: dict[str, float] = {}
        which = f"{given.store}, {given.large} instances" if given.large else given.store
        for kind in kinds[1:]:
            times, base = found["this", kind], found["this", NO_OP]
            print(f"{kind} / no-op on {given.store}: {ratio_text(times, base)}")
            figures[f"{which}: {kind} / no-op"] = in_pairs(times, base)
        figures |= {f"{which}: {what}": ratio for what, ratio in report_versions(found, kinds).items()}
        details = {f"{version}, {kind}": times for (version, kind), times in found.items()}
        place.record({"store": given.store, "rounds": given.rounds, "large": given.large}, figures, details)


if __name__ == "__main__":
    main()
