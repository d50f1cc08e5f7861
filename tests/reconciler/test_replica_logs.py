"""Logs of a replica: the engine's last lines, or why this server cannot have them."""

from __future__ import annotations

import asyncio

from leasebook.domain.replicas.unserved import Gone
from leasebook.engines.contract import Unreachable
from leasebook.engines.gone import GoneEngine, with_gone
from leasebook.reconciler.replica_logs import ReplicaLogs
from tests.reconciler.scene import replica


class Logging(GoneEngine):
    """An engine that has a log of three lines."""

    def __init__(self, *, local: bool = False, fails: Exception | None = None, slow: bool = False) -> None:
        super().__init__("fake")
        self.local = local
        self._fails = fails
        self._slow = slow

    async def logs(self, name: str, lines_max: int) -> list[str]:
        if self._fails is not None:
            raise self._fails
        if self._slow:
            await asyncio.Event().wait()
        return [f"{name} {number}" for number in range(3)][-lines_max:]


def last(logging: GoneEngine, *, node: str = "here", engine: str = "fake") -> tuple[list[str], str | None]:
    logs = ReplicaLogs({"fake": logging}, "here", 0.02)
    return asyncio.run(logs.last(replica("Ready", engine=engine, node=node), 2))


def test_the_engine_is_asked_for_the_last_lines() -> None:
    lines, why = last(Logging())
    assert ([line.rpartition(" ")[2] for line in lines], why) == (["1", "2"], None)
    assert len(last(Logging(), node="away")[0]) == 2, "an engine that is not local has the logs of every machine"


def test_a_server_says_why_it_cannot_have_the_lines() -> None:
    elsewhere = "This server cannot reach the engine {} of away; ask one on that machine."
    assert last(Logging(local=True), node="away") == ([], elsewhere.format("fake"))
    assert last(Logging(), engine="ray", node="away") == ([], elsewhere.format("ray"))
    assert last(Logging(slow=True)) == ([], "The engine fake did not answer within 0.02 s.")
    assert last(Logging(fails=Unreachable("no route"))) == ([], "The engine fake cannot be asked: no route")


async def test_an_engine_that_was_given_up_has_no_lines_left_and_one_that_is_there_is_itself() -> None:
    here = Logging()
    engines = with_gone({"fake": here}, (Gone("fake", "away"), Gone("ray", None)))
    assert engines["fake"] is here
    assert sorted(engines) == ["fake", "ray"]
    logs = ReplicaLogs(engines, "here", 1.0)
    assert await logs.last(replica("Ready", engine="ray", node="away"), 5) == ([], None)
