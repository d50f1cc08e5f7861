"""Measures what a call costs its caller: ``python -m benchmarks.client_overhead``.

Our client and the official Python client make the same calls in turns, in one process, over connections that both
keep, against one server. It compares the processor time of the caller's process for each call.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import history
from benchmarks.apart import ROOT, in_pairs, ratio_text
from benchmarks.purchase import prepare
from benchmarks.serving import ACCESS_KEY, HOST, LEASEBOOK, SECRET_KEY, Server
from leasebook.client import Client

CALLS: Final = 50


def _blocks(url: str) -> dict[str, Callable[[], None]]:
    """Return what makes one call, by client."""
    os.environ["QIANFAN_CONSOLE_API_BASE_URL"] = url
    os.environ["QIANFAN_ACCESS_KEY"], os.environ["QIANFAN_SECRET_KEY"] = ACCESS_KEY, SECRET_KEY
    try:
        call_action = importlib.import_module("qianfan.resources.console.utils").call_action
    except ImportError:
        raise RuntimeError("the official client is not there: run tests/conformance, or name its folder") from None
    client = Client(url, ACCESS_KEY, SECRET_KEY)
    return {
        "ours": lambda: _checked(client.describe_unit(instance_id="unit-xxx").compute_unit_instance.instance_id),
        "official": lambda: _checked(
            call_action("/v2/computeunit", "DescribeComputeUnit", {"instanceId": "unit-xxx"}).body["result"][
                "computeUnitInstance"
            ]["instanceId"]
        ),
    }


def _conformance() -> Path | None:
    """Return the packages of the conformance tests, where the official client is."""
    return next((ROOT / ".venv-conformance").glob("lib/python3*/site-packages"), None)


def _checked(unit: str) -> None:
    if unit != "unit-xxx":
        raise RuntimeError(f"the answer is about {unit}")


def _block(call: Callable[[], None]) -> float:
    """Call; returns the microseconds of processor time for each call."""
    began = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - began) / CALLS * 1e6


def main() -> None:
    """Run it."""
    parser = history.parser_of("client_overhead", __doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--packages", type=Path, default=_conformance(), help="the folder that has the official client")
    given = parser.parse_args()
    # At the end: packages that both have are ours.
    sys.path.append(str(given.packages))
    with history.running("client_overhead", given.json) as place:
        server = Server("leasebook", LEASEBOOK, ["--data", str(place.folder / "data")], place.folder / "server.log")
        try:
            prepare(server)
            calls = _blocks(f"http://{HOST}:{server.port}")
            found: dict[str, list[float]] = {name: [] for name in calls}
            for call in calls.values():
                _block(call)
            for turn in range(given.rounds):
                for name in calls if turn % 2 else reversed(calls):
                    found[name].append(_block(calls[name]))
        finally:
            server.stop()
        for name, times in found.items():
            print(f"{name}: {min(times):.0f} us at best, {statistics.median(times):.0f} in the median")
        print(f"ours / official: {ratio_text(found['ours'], found['official'])}")
        figures = {"ours / official": in_pairs(found["ours"], found["official"])}
        place.record({"rounds": given.rounds}, figures | {f"{n}: us": statistics.median(t) for n, t in found.items()})


if __name__ == "__main__":
    main()
