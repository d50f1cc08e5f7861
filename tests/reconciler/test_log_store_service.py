"""A whole server with the process engine: the lines of a real replica reach a real log store, each once."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from leasebook.store.verify.check import check_store
from tests.copies import STORES, empty
from tests.harness import Client, a_service
from tests.log_stores import LogKeeper, a_log_store, answer_of
from tests.outbox.receivers import until as seen
from tests.reconciler.test_service import _of_replicas, bought, until

NAMES = {"serviceType": "Custom", "serviceId": "svco-1", "logProject": "default", "logStoreName": "lines"}
WITHIN_S = 60.0


async def arrived(keeper: LogKeeper, words: str) -> None:
    await seen(words, lambda: any(words in line for line in keeper.lines), within_s=WITHIN_S)


async def say(desk: Client, words: str) -> None:
    """Have the replica write a line: its server has one for each call."""
    asked = {"serviceId": "svco-1", "instanceId": "unit-1"}
    (row,) = (await desk.call("/v2/service", "DescribeReplicas", asked)).result["replicas"]
    async with httpx2.AsyncClient() as caller:
        await caller.get(f"http://{row['address']}/{words}")


@pytest.mark.parametrize("kind", STORES)
async def test_each_line_of_a_replica_arrives_once_through_restarts_and_outages(tmp_path: Path, kind: str) -> None:
    with empty(kind, tmp_path / "data", migrated=True) as where:
        async with a_log_store() as keeper:
            environment = {"LEASEBOOK_LOG_STORE_URL": keeper.url, "LEASEBOOK_ENGINES": "*=process"}
            async with a_service(where, clock="real", environment=environment) as desk:
                await bought(desk)
                assert (await desk.call("/v2/service", "AttachLogStore", NAMES)).result is True
                await until(desk, "Running")
                await arrived(keeper, "hello")
                await say(desk, "before")
                await arrived(keeper, "before")
            async with a_service(where, clock="real", environment=environment) as desk:
                keeper.answer = lambda _request: answer_of(503, None, "retry-after: 0")
                await say(desk, "meanwhile")
                keeper.answer = LogKeeper().answer
                await arrived(keeper, "meanwhile")
                assert (await desk.call("/v2/service", "DetachLogStore", {"serviceId": "svco-1"})).result is True
                await say(desk, "unheard")
                assert (await desk.call("/v2/service", "AttachLogStore", NAMES)).result is True
                await say(desk, "last")
                await arrived(keeper, "last")
                assert (await desk.call("/v2/computeunit", "ReleaseComputeUnit", {"instanceId": "unit-1"})).result
                await until(desk, "Released")
            asked = [found[1] for line in keeper.lines if (found := re.search("GET /([a-z]+) ", line))]
            assert asked == ["before", "meanwhile", "unheard", "last"], "a log store gets on where it was detached"
            assert keeper.lines.count("hello") == 1
            assert {record.whose["leasebook.instance_id"] for record in keeper.records} == {"unit-1"}
            assert _of_replicas(check_store(where).findings) == []
