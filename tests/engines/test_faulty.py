"""An engine that fails on demand, around the fake engine."""

from __future__ import annotations

from collections import Counter

import pytest

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.engines.contract import CannotRun, Unreachable
from leasebook.engines.faulty import FaultyReplicas, ReplicaFault, with_faults
from leasebook.testing.fake_engine import FakeEngine, FakeWorld

SPEC = RunSpec(command=("serve",))


def wanted(name: str) -> Wanted:
    return Wanted(name=name, unit_id="unit-1", service_id="svco-1", unit_type="gpu-1", units=1, spec=SPEC)


class OnDemand:
    """An engine with two units, and the faults that its next steps have."""

    def __init__(self) -> None:
        self.world = FakeWorld(lambda: 0.0, {"gpu-1": 2})
        self.due: Counter[ReplicaFault] = Counter()
        self.engine: FaultyReplicas = FaultyReplicas(FakeEngine(self.world), self.happens)

    def happens(self, kind: ReplicaFault) -> bool:
        self.due[kind] -= 1
        return self.due[kind] >= 0


async def test_without_faults_it_is_the_engine() -> None:
    there = OnDemand()
    await there.engine.start(wanted("chat-1"))
    assert list(await there.engine.observe()) == ["chat-1"]
    assert await there.engine.capacity() == {"gpu-1": 2}
    await there.engine.stop("chat-1", 0.0)
    assert await there.engine.observe() == {}
    assert list(with_faults({"fake": FakeEngine(there.world)}, there.happens)) == ["fake"]


async def test_it_is_silent_or_fails_and_starts_nothing() -> None:
    there = OnDemand()
    there.due = Counter({"EngineSilent": 1, "EngineFails": 1})
    with pytest.raises(Unreachable):
        await there.engine.start(wanted("chat-1"))
    with pytest.raises(CannotRun):
        await there.engine.start(wanted("chat-1"))
    assert there.world.running("chat-1") == 0
    await there.engine.start(wanted("chat-1"))
    assert there.world.running("chat-1") == 1


async def test_a_replica_that_is_lost_really_ends_and_the_others_run_on() -> None:
    there = OnDemand()
    for name in ("chat-1", "chat-2"):
        await there.engine.start(wanted(name))
    there.due = Counter({"ReplicaLost": 1})
    (left,) = await there.engine.observe()
    assert [there.world.running(name) for name in ("chat-1", "chat-2")].count(1) == 1
    assert there.world.running(left) == 1
