"""A server on the embedded store whose machine's clock is set releases nothing early, and writes nothing back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.crash.fleet import ACCOUNT, CATALOG, CLOCK, UNITS, Process, postpaid
from tests.faults.moved_clock import ROUNDS, MovedClock, ask, eventually, reasons
from tests.forked import Nursery
from tests.ports import free_port

HOUR_S = 3600


class ClockedServer:
    """A server under a clock that can be set."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock(folder)
        self.port = free_port()
        variables = self.clock.environment()
        self.nursery = Nursery(variables)
        self.server = Process("server", folder, ("serve",), self.port, variables=variables, nursery=self.nursery)
        self.server.start()
        self.recovers()
        offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 9}
        self.ask(CATALOG, "SetOffering", offering)
        self.ask(ACCOUNT, "TopUpAccount", {"amount": "1000"})

    def ask(self, path: str, action: str, body: dict[str, Any] | None = None) -> Any:
        return ask(self.port, self.clock, path, action, body)

    def buy(self, ahead_s: float) -> str:
        """Buy an instance with a release time, counted from the service's own time."""
        now = datetime.fromisoformat(self.ask(CLOCK, "DescribeClock")["now"])
        release = (now + timedelta(seconds=ahead_s)).isoformat()
        return str(self.ask(UNITS, "PurchaseComputeUnit", postpaid("gpu-1", release))["instanceId"])

    def status(self, unit_id: str) -> str:
        return str(self.ask(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})["computeUnitInstance"]["status"])

    def charged(self, unit_id: str) -> list[int]:
        """Return the minutes of every charge."""
        found = self.ask(ACCOUNT, "DescribePostings", {"instanceId": unit_id})["postings"]
        return [posting["minutes"] for posting in found if posting["kind"] == "Usage"]

    def waits(self, words: str) -> None:
        """Wait until it says so in /readyz."""
        eventually(words, lambda: words in reasons(self.port), within_s=90.0)

    def recovers(self) -> None:
        """Wait until it is ready."""
        eventually("ready", lambda: reasons(self.port) == "", within_s=90.0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    """A server that sells, under a clock that is right at first."""
    made = ClockedServer(tmp_path_factory.mktemp("house"))
    yield made
    made.server.remove()
    made.nursery.end()


def test_a_clock_set_two_hours_ahead_releases_nothing_also_when_the_server_is_started_again(
    house: ClockedServer,
) -> None:
    units = [house.buy(HOUR_S) for _ in range(2)]
    house.clock.move_to(2 * HOUR_S)
    house.waits("jumped 7")
    for _ in range(ROUNDS):
        house.server.kill()
        house.server.start()
        house.waits("jumped 7")
        assert [house.status(unit) for unit in units] == ["Running"] * 2
    # Releases by hand meanwhile are done at the time that the service believes.
    house.ask(UNITS, "ReleaseComputeUnit", {"instanceId": units[0]})
    assert sum(house.charged(units[0])) < 20, "minutes, and not two hours"
    house.clock.move_to(0)
    house.recovers()
    assert house.status(units[1]) == "Running"
    house.clock.move_to(2 * HOUR_S)
    house.waits("jumped 7")
    house.ask(CLOCK, "ConfirmClock")
    house.recovers()
    eventually("released", lambda: house.status(units[1]) == "Released", within_s=60.0)
    assert sum(house.charged(units[1])) == 60


def test_a_clock_set_back_an_hour_is_shown_and_nothing_is_written_before_what_was_written(house: ClockedServer) -> None:
    set_to = house.clock.ahead_s
    before = house.ask(CLOCK, "DescribeClock")["now"]
    unit = house.buy(HOUR_S)
    house.clock.move_to(set_to - HOUR_S)
    house.waits("was set 3")
    assert house.ask(CLOCK, "DescribeClock")["now"] > before
    house.server.kill()
    house.server.start()
    house.waits("was set 3")
    assert house.ask(CLOCK, "DescribeClock")["now"] > before
    house.ask(CLOCK, "ConfirmClock")
    house.recovers()
    # It does not move until the clock has caught up.
    stands = house.ask(CLOCK, "DescribeClock")["now"]
    assert stands > before
    assert house.ask(CLOCK, "DescribeClock")["now"] == stands
    assert house.status(unit) == "Running"
    house.ask(UNITS, "ReleaseComputeUnit", {"instanceId": unit})
    assert sum(house.charged(unit)) < 20
