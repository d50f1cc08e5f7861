"""The benchmark's server with HTTP in a process of its own: it sells, refuses, records, and its books are right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.faces import faces_of
from benchmarks.serving import Server

BODY = {
    "billing": {"paymentTiming": "Postpaid", "releaseTime": "2099-01-01T00:00:00Z"},
    "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
    "computeUnitCount": 1,
    "clientToken": "once",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.face_process"]
    started = Server("faces", command, ["--data", str(tmp_path / "data")], tmp_path / "log")
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.kill()


# A server of a benchmark, which changes seldom; test_benchmark_server.py starts another one.
@pytest.mark.deep
def test_what_a_face_takes_the_core_decides_and_both_stop_together(server: Server) -> None:
    def buy(**other: Any) -> Any:
        return server.call("/v2/computeunit", "PurchaseComputeUnit", {**BODY, **other})

    (face,) = faces_of(server.pid)
    bought = buy()
    assert buy() == bought
    with pytest.raises(RuntimeError, match="The catalogue has no none in bj"):
        buy(computeUnitConfig={"region": "bj", "type": "none"}, clientToken="another")
    shown = server.call("/v2/computeunit", "DescribeComputeUnits", {})["computeUnitInstanceList"]
    assert [unit["instanceId"] for unit in shown] == ["unit-xxx", bought["instanceId"]]
    log = server.call("/v2/account", "DescribeAuditLog", {"action": "PurchaseComputeUnit"})["entries"]
    assert [(one["status"] == 200, one["code"] == "OK", "gpu-1" in one["body"]) for one in log] == [
        (False, False, False),
        (True, True, True),
        (True, True, True),
    ]
    assert face in faces_of(server.pid)
    server.stop()
    assert not Path(f"/proc/{face}").exists()
    assert "2 units" in server.check()
