"""Events of what could not be had: each with all that it tells, on engines that say no."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.engine_report import ConfirmFailed, ConfirmResizeFailed, ConfirmRunning
from leasebook.server import composition as wiring
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.conftest import open_up
from tests.api.scene import MODEL, SERVICE, UNITS, Caller, ServiceHarness, a_scene, new_service
from tests.api.test_events import events
from tests.focus.life import BIG, HesitantEngine

PATIENCE_S = 60
ENGINE = {"LEASEBOOK_ENGINES": "*=process", "LEASEBOOK_ENGINES_PROCESS_UNITS": "cpu=1"}


@pytest.fixture
def hesitant(migrated: Target, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceHarness]:
    """A service whose engine does not confirm big units until the test lets it."""
    monkeypatch.setattr(wiring, "RoutedEngine", lambda _routes: HesitantEngine())
    with a_scene(migrated) as scene:
        open_up(scene)
        scene.sell("bj", BIG)
        yield scene
    assert check_store(migrated).findings == []


@contextmanager
def running(where: Target) -> Iterator[ServiceHarness]:
    """A service that runs replicas as processes, one unit of them at most."""
    with a_scene(where, environment=ENGINE) as scene:
        open_up(scene)
        scene.sell("bj", "cpu")
        yield scene
    assert check_store(where).findings == []


def report(scene: ServiceHarness, command: Command) -> None:
    """Say what the engine says."""

    async def submitted() -> None:
        assert await scene.running.sequencer.submit(command)

    scene.play(submitted)


def until(scene: ServiceHarness, what: Callable[[], Any]) -> Any:
    """Wait until something is so, while the reconciler works; returns it."""

    async def wait() -> None:
        await asyncio.sleep(0.02)

    end = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < end, "it never came to that"
        scene.play(wait)
    return found


@pytest.mark.parametrize("bought", [{}, {"release": "2030-01-16T08:00:00+08:00"}, {"months": 2}], ids=repr)
def test_what_could_not_be_created_tells_why_and_nothing_else(hesitant: ServiceHarness, bought: dict[str, Any]) -> None:
    customer = hesitant.customer()
    unit = customer.buy(type=BIG, count=2, **bought)
    report(hesitant, ConfirmFailed(unit_id=unit, reason="no power"))
    (failed,) = events(customer, types=["unit.createFailed"])
    assert failed == failed | {"subject": unit, "time": "2030-01-15T08:00:00+08:00"}
    assert failed["data"] == {"status": "CreateFailed", "failure": "no power"}


@pytest.mark.parametrize("bought", [{}, {"months": 2}], ids=repr)
def test_what_could_not_be_resized_tells_why_and_nothing_else(hesitant: ServiceHarness, bought: dict[str, Any]) -> None:
    customer = hesitant.customer()
    unit = customer.buy(type=BIG, count=2, **bought)
    report(hesitant, ConfirmRunning(unit_id=unit))
    customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 3})
    hesitant.advance("2030-01-15T08:30:00+08:00")
    report(hesitant, ConfirmResizeFailed(unit_id=unit, reason="no neighbour"))
    (failed,) = events(customer, types=["unit.resizeFailed"])
    assert failed == failed | {"subject": unit, "time": "2030-01-15T08:30:00+08:00"}
    assert failed["data"] == {"status": "ReconfigureFailed", "failure": "no neighbour"}


def served(caller: Caller, name: str, *command: str) -> dict[str, str]:
    """Buy a service with one replica of that command."""
    owner = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": name})
    run = {"command": list(command), "port": None}
    model = caller.do(MODEL, "CreateCustomModel", {**owner, "run": run})
    caller.operator.do(MODEL, "ApproveModel", {"modelId": model["modelId"]})
    body = new_service(type="cpu-1", region="bj", replicasCount=1)
    named = {"name": name, "urlSuffix": name, "modelSetId": owner["modelSetId"], "modelId": model["modelId"]}
    made: dict[str, str] = caller.do(
        SERVICE, "CreateService", {**body, **named, "billing": {"paymentTiming": "Postpaid"}}
    )
    return made


def test_a_program_that_is_not_there_and_an_engine_that_is_full_are_events_with_all_that_is_known(
    migrated: Target,
) -> None:
    with running(migrated) as scene:
        customer = scene.customer()
        lost = served(customer, "lost", "/usr/no/such/program")
        (failed,) = until(scene, lambda: events(customer, types=["unit.createFailed"]))
        assert failed["subject"] == lost["instanceId"]
        why = failed["data"].pop("failure")
        assert why.startswith("it cannot run: There is no command /usr/no/such/program that may be executed")
        assert failed["data"] == {"status": "CreateFailed"}
        assert customer.unit(lost["instanceId"])["reason"] == why

        first = served(customer, "first", "sleep", "600")
        until(scene, lambda: customer.unit(first["instanceId"])["status"] == "Running")
        second = served(customer, "second", "sleep", "600")
        (trouble,) = until(scene, lambda: events(customer, types=["engine.trouble"]))
        assert trouble["subject"] == second["instanceId"]
        assert trouble["data"] == {
            "engine": "process",
            "serviceId": second["serviceId"],
            "replica": 0,
            "state": "Stopping",
            "message": "process has no room: 1 unit of cpu is wanted; 1 of 1 are used.",
        }
        units = [one["instanceId"] for one in (first, second)]
        for unit in units:
            customer.release(unit)
        until(scene, lambda: {customer.unit(unit)["status"] for unit in units} == {"Released"})
