"""Versions that no operator trusts, on an engine that does not keep them apart: the last line of defence."""

from __future__ import annotations

import msgspec

from leasebook.domain.commands.service.model import ApproveModel, WithdrawApproval
from leasebook.domain.record.event import MODEL_APPROVED, MODEL_WITHDRAWN
from leasebook.ports.queries.read_repository import EventFilter
from leasebook.testing.fake_engine import FakeEngine
from tests.reconciler.acts import ACCOUNT, Install, buying
from tests.reconciler.house import World
from tests.reconciler.scene import model

UNKNOWN = msgspec.structs.replace(model("amv-1", grace_s=5), services=1, approved_by=None, approved_at=None)
MISSING = ("a sandbox",)


def house(*missing: str) -> World:
    made = World()
    made.world.missing = missing
    return made


async def bought(house: World) -> None:
    _ = (await house.say(buying("unit-1", "svco-1", 2))).result()


def trust_events(house: World) -> list[str]:
    wanted = EventFilter(account_id=ACCOUNT, types=(MODEL_APPROVED, MODEL_WITHDRAWN))
    events = house.store.ask(lambda ask: ask.events(wanted, after=None, limit=100, oldest_first=True))
    return [f"{event.type} {event.data['modelId']}" for _, event in events]


async def test_a_version_that_nobody_trusts_is_not_even_asked_for_where_it_would_not_be_kept_apart() -> None:
    """Another server may have placed it, or an older version."""
    exposed = house(*MISSING)
    await exposed.found()
    _ = (await exposed.say(Install(models=(UNKNOWN,)))).result()
    await bought(exposed)
    await exposed.live(60)
    unit = exposed.unit("unit-1")
    assert unit.status == "CreateFailed"
    assert unit.failure is not None
    assert "ApproveModel" in unit.failure
    assert "a sandbox" in unit.failure
    assert not [one for one in exposed.hands[0].wire.touched if one.startswith("start")]


async def test_it_runs_where_nothing_is_missing_and_everywhere_once_it_is_approved() -> None:
    for missing, approved in (((), False), (MISSING, True)):
        lived = house(*missing)
        await lived.found()
        _ = (await lived.say(Install(models=(UNKNOWN,)))).result()
        if approved:
            _ = (await lived.say(ApproveModel(user_id="operator", model_id="amv-1"))).result()
        await bought(lived)
        await lived.live(5)
        assert lived.unit("unit-1").status == "Running"
        assert [run.wanted.trusted for run in lived.world.runs] == [approved, approved]


async def test_what_runs_is_ended_when_its_approval_is_withdrawn_and_comes_back_with_it() -> None:
    lived = house(*MISSING)
    await lived.found()
    await bought(lived)
    await lived.live(5)
    assert [row.state for row in lived.replicas()] == ["Ready", "Ready"]
    _ = (await lived.say(WithdrawApproval(model_id="amv-1"))).result()
    await lived.live(20)
    assert {row.state for row in lived.replicas()} <= {"Failed", "Stopping"}
    assert all(lived.world.running(run.wanted.name) == 0 for run in lived.world.runs)
    assert all("approv" in (row.reason or "") for row in lived.replicas())
    assert lived.unit("unit-1").status == "Running"
    _ = (await lived.say(ApproveModel(user_id="operator", model_id="amv-1"))).result()
    await lived.live(600)
    assert [row.state for row in lived.replicas()] == ["Ready", "Ready"]
    assert trust_events(lived)[-2:] == ["model.approvalWithdrawn amv-1", "model.approved amv-1"]


async def test_where_it_is_kept_apart_it_goes_on_without_its_approval() -> None:
    lived = house()
    await lived.found()
    await bought(lived)
    await lived.live(5)
    _ = (await lived.say(WithdrawApproval(model_id="amv-1"))).result()
    await lived.live(60)
    assert [(row.state, row.restarts) for row in lived.replicas()] == [("Ready", 0), ("Ready", 0)]


async def test_what_ran_before_versions_had_to_be_approved_goes_on_until_it_ends() -> None:
    lived = house(*MISSING)
    await lived.found()
    await bought(lived)
    await lived.live(5)
    # As the upgrade leaves a version of an account: never approved, and nothing withdrawn.
    _ = (await lived.say(Install(models=(UNKNOWN,)))).result()
    await lived.live(60)
    assert [row.state for row in lived.replicas()] == ["Ready", "Ready"]
    lived.world.lose(lived.replicas()[0].name)
    await lived.live(60)
    first, second = lived.replicas()
    assert (first.state, second.state) == ("Failed", "Ready")
    assert "ApproveModel" in (first.reason or "")


def test_the_fake_engine_says_what_its_world_lacks() -> None:
    assert FakeEngine(house(*MISSING).world).isolation().missing == MISSING
