"""A whole server with the process engine: what callers see of replicas."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.values.money import Micro
from leasebook.store.verify.check import check_directory
from tests.harness import Client, a_service
from tests.reconciler.acts import Install, Runs, buying
from tests.reconciler.scene import model, service


async def bought(desk: Client) -> str:
    """Buy a replica for the root's account; returns the account."""
    account: str = (await desk.call("/v2/account", "DescribeAccount", {})).result["accountId"]
    submit = desk.service.sequencer.submit
    _ = (await desk.call("/v2/account", "TopUpAccount", {"amount": "1000000"})).result
    await submit(SetOffering(region="bj", unit_type="gpu-1", per_minute=Micro(10), stock_total=4))
    run = "import sys; print('hello', flush=True); import http.server as h; h.test(port=int(sys.argv[1]))"
    one = model("amv-1")
    spec = {"command": ("python3", "-c", run, "{port}"), "grace_s": 5.0}

    one = msgspec.structs.replace(one, services=1, run=msgspec.structs.replace(one.run, **spec))
    await submit(Install(models=(one,), services=(service("svco-1", account_id=account, region="bj"),)))
    command = buying("unit-1", "svco-1", 1)
    assert isinstance(command, Runs)
    inner: Any = command.inner
    purchase = msgspec.structs.replace(inner.purchase, account_id=account)
    await submit(Runs(inner=msgspec.structs.replace(inner, purchase=purchase)))
    return account


def _of_replicas(findings: list[str]) -> list[str]:
    """Leave out the findings about rows that no server wrote: the test put the service and its instance there."""
    return [line for line in findings if "replica" in line and "which its account has not got" not in line]


async def until(desk: Client, status: str) -> None:
    async with asyncio.timeout(60):
        while True:
            unit = await desk.service.store.read(lambda ask: ask.unit("unit-1"))
            if unit is not None and unit.status == status:
                return
            await asyncio.sleep(0.05)


async def test_a_caller_sees_the_replicas_of_a_service_and_what_they_wrote_until_they_are_gone(tmp_path: Path) -> None:
    async with a_service(tmp_path, clock="real") as desk:
        await bought(desk)
        await until(desk, "Running")
        asked = {"serviceId": "svco-1", "instanceId": "unit-1"}
        shown = (await desk.call("/v2/service", "DescribeReplicas", asked)).result
        assert shown["ready"] == 1
        (row,) = shown["replicas"]
        assert (row["replica"], row["replicaState"], row["engine"]) == (0, "Ready", "process")
        assert row["address"].startswith("127.0.0.1:")
        logs = (await desk.call("/v2/service", "DescribeReplicaLogs", asked)).result
        assert "hello" in logs["logLines"]
        assert logs["why"] is None
        none = (await desk.call("/v2/service", "DescribeReplicaLogs", asked | {"replica": 7})).result
        assert none == {"logLines": [], "why": "The replica does not exist and never existed."}
        other = await desk.call("/v2/service", "DescribeReplicas", {"serviceId": "svco-1", "instanceId": "unit-9"})
        assert other.code == "InstanceNotFound"
        targets = await desk.service.store.read(lambda ask: ask.targets("svco-1"))
        assert [target.address for target in targets] == [row["address"]]
        assert _of_replicas(check_directory(tmp_path).findings) == []
        assert (await desk.call("/v2/computeunit", "ReleaseComputeUnit", {"instanceId": "unit-1"})).result is True
        await until(desk, "Released")
        shown = (await desk.call("/v2/service", "DescribeReplicas", asked)).result
        assert [one["replicaState"] for one in shown["replicas"]] == ["Gone"]
    assert _of_replicas(check_directory(tmp_path).findings) == []
