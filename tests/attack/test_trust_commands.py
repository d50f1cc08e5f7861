"""A tenant's command as the control plane: refused wherever the engine does not keep it apart, and nothing runs.

The tenant is what the attack began with: a user with QianfanServiceOperateAccessPolicy and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from leasebook.reconciler.ports import Timing
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.api.scene import IAM, MODEL, SERVICE, UNITS, Caller, Runner, ServiceHarness, billing_of, new_service
from tests.copies import STORES, empty
from tests.harness import a_service

pytestmark = pytest.mark.mostly_embedded

OPERATE: Final = "QianfanServiceOperateAccessPolicy"
RUN: Final = {"command": ["sh", "-c", "cat /proc/$PPID/environ; sleep 600"], "port": None}
TIMING: Final = Timing(look_s=0.05, observe_s=0.05, busy_s=0.02, again_s=0.0)


class Exposed(FakeEngine):
    """The process engine as far as it is asked here, on a machine without a sandbox. Nothing really runs."""

    name = "process"


@contextmanager
def exposed(where: Target) -> Iterator[tuple[ServiceHarness, FakeWorld]]:
    """Run a service whose engine lacks a sandbox."""
    world = FakeWorld(lambda: 1e9, {"gpu-1": 100})
    world.missing = ("bubblewrap is not installed", "Landlock is too old")
    engines = {"process": Exposed(world)}
    environment = {"LEASEBOOK_ENGINES": "*=process"}
    with Runner() as runner:
        running = a_service(where, environment=environment, engines=engines, timing=TIMING)
        desk = runner.run(running.__aenter__())
        scene = ServiceHarness(runner, desk, where)
        try:
            scene.sell(stock=100)
            yield scene, world
        finally:
            runner.run(running.__aexit__(None, None, None))
    assert check_store(where).findings == []


@pytest.fixture(params=STORES)
def attacked(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[tuple[ServiceHarness, FakeWorld]]:
    with empty(request.param, tmp_path / "data", migrated=True) as where, exposed(where) as scene:
        yield scene


def tenant(scene: ServiceHarness) -> tuple[Caller, dict[str, str]]:
    """Return the attacker, and a version with a command of theirs."""
    user = scene.user(scene.customer("100000"), OPERATE)
    made = user.do(MODEL, "CreateCustomModelSet", {"modelSetName": "thief"})
    model = user.do(MODEL, "CreateCustomModel", {**made, "run": RUN})
    return user, {"modelSetId": made["modelSetId"], "modelId": model["modelId"]}


def turn(scene: ServiceHarness) -> None:
    """Let the reconciler do what it would."""

    async def wait() -> None:
        # Until it has looked at everything some times; nothing tells that nothing is done.
        for _ in range(10):
            await asyncio.sleep(TIMING.look_s)

    scene.runner.run(wait())


def test_no_way_leads_to_a_replica_of_a_command_that_no_operator_has_seen(
    attacked: tuple[ServiceHarness, FakeWorld],
) -> None:
    scene, world = attacked
    user, model = tenant(scene)
    balance, unit = user.balance(), user.buy(count=4)
    body = {**new_service(), **model}
    placed = {"deploymentComputeUnitList": [{"instanceId": unit, "deploymentReplicasCount": 1}]}
    # Services of something that is only counted, to be turned into the other.
    counted = user.create_service()
    user.do(SERVICE, "ScaleService", {"serviceId": counted, "instanceId": unit, "deploymentReplicasCount": 1})
    for action, asked in (
        ("CreateService", body),
        ("CreateService", {**new_service(replicasCount=1), **model, "billing": billing_of()}),
        ("CreateService", {**body, "deploymentConfig": placed}),
    ):
        answer = user.ask(SERVICE, action, asked)
        assert answer.code == "UntrustedModel", asked
        for said in ("bubblewrap is not installed", "Landlock is too old", "ApproveModel", model["modelId"]):
            assert said in answer.body["message"]
    assert user.refused(SERVICE, "ModifyService", {"serviceId": counted, **model}) == "InvalidState"
    bare = user.create_service()
    # It has no replicas, so that nothing is run yet; but none can be placed.
    user.do(SERVICE, "ModifyService", {"serviceId": bare, **model})
    bought = {"serviceId": bare, "replicasCount": 1, "billing": billing_of()}
    ways: list[tuple[str, str, Any]] = [
        (SERVICE, "ScaleService", {"serviceId": bare, "instanceId": unit, "deploymentReplicasCount": 1}),
        ("/v2/charge", "PurchaseComputeUnit", bought),
        ("/v2/charge", "PurchaseServiceResource", bought),
        ("/v2/serviceresources", "PurchaseComputeUnit", bought),
    ]
    for path, action, asked in ways:
        assert user.refused(path, action, asked) == "UntrustedModel", action
    turn(scene)
    assert world.runs == []
    assert user.balance() == balance
    assert user.do(SERVICE, "DescribeService", {"serviceId": bare})["whyNotRun"] != []


def test_nobody_but_an_operator_approves_and_what_an_operator_approves_runs(
    attacked: tuple[ServiceHarness, FakeWorld],
) -> None:
    scene, world = attacked
    user, model = tenant(scene)
    manager = scene.customer()
    for action in ("ApproveModel", "WithdrawModelApproval"):
        for caller in (user, manager):
            assert caller.refused(MODEL, action, {"modelId": model["modelId"]}) == "AccessDenied"
    # Not by becoming one either.
    me = next(one for one in manager.do(IAM, "DescribeUsers")["users"] if one["isRoot"])["userId"]
    policy = {"userId": me, "policyName": "LeasebookOperatorPolicy"}
    assert manager.refused(IAM, "AttachPolicy", policy) == "AccessDenied"
    shown = scene.operator.do(MODEL, "ApproveModel", {"modelId": model["modelId"]})
    assert (shown["trusted"], shown["run"]["command"]) == (True, RUN["command"])
    service = user.do(SERVICE, "CreateService", {**new_service(replicasCount=1), **model, "billing": billing_of()})
    turn(scene)
    assert [run.wanted.trusted for run in world.runs] == [True]
    assert user.do(SERVICE, "DescribeService", {"serviceId": service["serviceId"]}).get("whyNotRun") is None
    assert user.do(MODEL, "DescribeModel", {"modelId": model["modelId"]})["approvedBy"]


def test_a_rollout_to_a_version_that_nobody_approved_is_refused_and_the_old_one_goes_on(
    attacked: tuple[ServiceHarness, FakeWorld],
) -> None:
    scene, world = attacked
    user, good = tenant(scene)
    bad = user.do(MODEL, "CreateCustomModel", {"modelSetId": good["modelSetId"], "run": RUN})["modelId"]
    scene.operator.do(MODEL, "ApproveModel", {"modelId": good["modelId"]})
    made = user.do(SERVICE, "CreateService", {**new_service(replicasCount=1), **good, "billing": billing_of()})
    turn(scene)
    service = {"serviceId": made["serviceId"]}
    changed = {**service, "modelSetId": good["modelSetId"], "modelId": bad}
    assert user.refused(SERVICE, "ModifyService", changed) == "UntrustedModel"
    turn(scene)
    assert [world.running(run.wanted.name) for run in world.runs] == [1]
    scene.operator.do(MODEL, "WithdrawModelApproval", {"modelId": good["modelId"]})
    turn(scene)
    told = user.do(UNITS, "ExplainComputeUnit", {"instanceId": made["instanceId"]})["text"]
    assert "took back" in told
    assert "took back its approval" in user.do(SERVICE, "DescribeService", service)["whyNotRun"][0]
    # To take it on again is a way to a replica, too.
    user.do(SERVICE, "DeactivateService", service)
    assert user.refused(SERVICE, "ActivateService", service) == "UntrustedModel"
    turn(scene)
    assert [world.running(run.wanted.name) for run in world.runs] == [0]
    kinds = [event["type"] for event in user.do("/v2/events", "DescribeEvents", {"maxKeys": 100})["events"]]
    assert kinds.count("model.approved") == 1
    assert kinds.count("model.approvalWithdrawn") == 1
