"""A store that lived from December 2027 to April 2028: everything that can cost something or be paid back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from leasebook.contract.action import TAG
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.engine_report import ConfirmFailed, ConfirmResizeFailed, ConfirmRunning
from leasebook.domain.model.instance import Instance
from leasebook.engines.instant import InstantEngine
from leasebook.server import composition as wiring
from tests.api.scene import ACCOUNT, CHARGE, IAM, UNITS, Caller, ServiceHarness, a_scene

Month = tuple[int, int]

MONTHS: tuple[Month, ...] = ((2027, 12), (2028, 1), (2028, 2), (2028, 3), (2028, 4), (2028, 5), (2028, 6))
"""The months of its life, and those into which its longest terms reach."""
NAME, TAGS = 'training, "a"', {"team": "vision", "费用": 'a "b", c'}
"""The name and the tags of the instance "served"."""
BIG = "gpu-big"
"""A type whose units the engine below has trouble with."""


class HesitantEngine(InstantEngine, frozen=True):
    """Is as quick as the instant one, but confirms big units only when the test lets it."""

    def confirmations(self, unit: Instance) -> Sequence[Command]:
        """Return nothing for big units."""
        waits = unit.type == BIG and unit.status in ("Creating", "Reconfiguring")
        return () if waits else super().confirmations(unit)


class ExportScenario:
    """The store, and the instances in it by what they are there for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.units: dict[str, str] = {}
        self.accounts: dict[str, str] = {}


@contextmanager
def _hesitant_scene(directory: Path) -> Iterator[ServiceHarness]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "RoutedEngine", lambda _routes: HesitantEngine())
        with a_scene(directory) as scene:
            yield scene


def live(directory: Path) -> ExportScenario:
    """Live it, on an empty directory."""
    life = ExportScenario(directory)
    with _hesitant_scene(directory) as scene:
        scene.advance("2027-12-14T09:17:31.25+08:00")
        scene.sell("bj", "gpu-1", minute="0.5", month="100.000001", stock=100)
        scene.sell("gz", BIG, minute="3.333333", month="777.77", stock=50)
        scene.sell_quota()
        caller = scene.customer("1000000")
        life.accounts["shanghai"] = caller.account_id()
        for chapter in (_december, _january, _february, _march, _april):
            chapter(scene, caller, life)
    return life


def _december(scene: ServiceHarness, caller: Caller, life: ExportScenario) -> None:
    units = life.units
    service = caller.create_service("GPU-1-1")
    units["served"] = caller.buy_replicas(service, 2, months=3)
    units["idle"] = caller.buy(count=5, months=1)
    caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": units["idle"], **_RENEWED})
    caller.do(TAG, "TagResource", {"resourceId": units["served"], "tags": TAGS})
    caller.do(TAG, "RenameResource", {"resourceId": units["served"], "name": NAME})
    units["lapsed"] = caller.buy(count=1, months=2)
    made = scene.operator.do(IAM, "CreateAccount", {"name": "New York", "timeZone": "America/New_York"})
    life.accounts["new york"] = made["accountId"]
    scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": "10000", "accountId": made["accountId"]})
    other = scene.caller(made)
    units["elsewhere"] = other.buy(count=1, months=6)
    scene.advance("2027-12-30T12:00:00+08:00")
    units["metered"] = caller.buy(count=3)
    units["quota"] = caller.buy_quota(count=4, release="2028-01-02 00:00:30")
    units["failed"] = caller.buy(region="gz", type=BIG, count=2, months=4)


def _january(scene: ServiceHarness, caller: Caller, life: ExportScenario) -> None:
    units = life.units
    scene.advance("2028-01-01T08:00:10+08:00")
    # In the middle of an hour, so that one hour has two prices.
    scene.sell("bj", "gpu-1", minute="0.654321", month="110", stock=100)
    _report(scene, ConfirmFailed(unit_id=units["failed"], reason="no power"))
    scene.advance("2028-01-02T10:30:00+08:00")
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": units["metered"], "count": 5})
    units["converted"] = caller.buy(count=1)
    scene.advance("2028-01-03T00:00:00+08:00")
    caller.do(UNITS, "ChangeBilling", {"instanceId": units["converted"], "paymentTiming": "Prepaid", **_reserved(1)})
    caller.release(units["metered"])
    scene.advance("2028-01-20T00:00:00+08:00")
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": units["served"], "count": 3})
    units["not grown"] = caller.buy(region="gz", type=BIG, count=1, months=2)
    _report(scene, ConfirmRunning(unit_id=units["not grown"]))


def _february(scene: ServiceHarness, caller: Caller, life: ExportScenario) -> None:
    units = life.units
    scene.advance("2028-02-05T00:00:00+08:00")
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": units["not grown"], "count": 3})
    units["never"] = caller.buy(region="gz", type=BIG, count=1, months=1)
    _report(scene, ConfirmFailed(unit_id=units["never"], reason="no room"))
    scene.advance("2028-02-16T00:00:00+08:00")
    # Its term ended on the 14th, and it is brought back before it is released.
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": units["lapsed"], "months": 1})
    units["leap"] = caller.buy(count=1, months=1)


def _march(scene: ServiceHarness, caller: Caller, life: ExportScenario) -> None:
    units = life.units
    scene.advance("2028-03-02T00:00:00+08:00")
    _report(scene, ConfirmResizeFailed(unit_id=units["not grown"], reason="no neighbour"))
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": units["served"], "months": 2, "expiryDay": 31})
    # Paid in advance for a month that begins in another one.
    units["early"] = caller.buy(count=1, months=1)
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": units["early"], "months": 1})


def _april(scene: ServiceHarness, caller: Caller, life: ExportScenario) -> None:
    scene.advance("2028-04-10T00:00:00+08:00")
    caller.do(CHARGE, "DeleteAutoRenewRules", {"instanceId": life.units["idle"]})
    scene.advance("2028-04-29T00:00:00+08:00")


_RENEWED = {"instanceType": "ComputingUnit", "autoRenewTimeUnit": "Month", "autoRenewTime": 1}


def _reserved(months: int) -> dict[str, object]:
    return {"reservation": {"reservationTimeUnit": "Month", "reservationLength": months}}


def _report(scene: ServiceHarness, report: Command) -> None:
    async def submitted() -> None:
        assert await scene.running.sequencer.submit(report) is True

    scene.play(submitted)
