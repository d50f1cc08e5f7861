"""The file system of a data directory is frozen under a server, as before a snapshot: every write waits in the kernel.

No signal ends that wait, so that a server which writes on its event loop answers no caller and no monitor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.copies import give_tables
from tests.crash.fleet import UNITS, Account, FleetClient, Process, eventually, moment, postpaid
from tests.crash.lone import data_of, every_page, prove_books, show
from tests.faults.loop_disk import frozen, loop_disk
from tests.faults.writing_scene import TYPE, PurchaseOutcomes, metric, page, served, with_settings

pytestmark = pytest.mark.crash

WAIT_S = 1
BOUND_S = WAIT_S + 1.0
"""How long a batch may wait with these settings."""
MONITOR_S = 1.0
"""How long a monitor waits at most."""


class FrozenScene(NamedTuple):
    """A server whose data directory is a file system of its own; its log is elsewhere."""

    folder: Path
    server: Process
    account: Account

    def caller(self) -> FleetClient:
        """Return the customer."""
        assert self.server.port is not None
        return self.account.caller([self.server.port], timeout_s=20)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenScene]:
    folder = tmp_path_factory.mktemp("frozen")
    settings = with_settings({"STORE_LOCK_WAIT_SECONDS": WAIT_S, "STORE_ANSWER_SECONDS": WAIT_S})
    with loop_disk(folder / "image", data_of(folder)):
        (data_of(folder) / "lost+found").rmdir()
        give_tables(data_of(folder))
        with served(folder, settings) as (server, account):
            yield FrozenScene(folder, server, account)
            server.stop()
            prove_books(data_of(folder))


def _monitors_are_answered(server: Process) -> str:
    """Fail unless both monitors are answered in time; returns the reasons for not being ready."""
    alive, ready = page(server, "/healthz"), page(server, "/readyz")
    assert alive.status == HTTPStatus.OK
    assert max(alive.took_s, ready.took_s) < MONITOR_S
    return ready.reasons if ready.status == HTTPStatus.SERVICE_UNAVAILABLE else ""


def test_callers_get_an_answer_in_time_and_after_the_thaw_all_goes_on_without_a_restart(scene: FrozenScene) -> None:
    outcomes, server, said = PurchaseOutcomes({}, set(), set()), scene.server, len(scene.server.log())
    with scene.caller() as caller:
        for number in range(3):
            outcomes.buy(caller, f"before-{number}")
        at = moment(BOUND_S + 1)
        due = caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE, at)).result["instanceId"]
        with frozen(data_of(scene.folder)):
            first = outcomes.buy(caller, "first")
            assert first.status == HTTPStatus.SERVICE_UNAVAILABLE
            # BEGIN waits for the disk, or COMMIT where a batch without changes has come between.
            assert re.search("frozen|may or may not have been done", first.body["message"])
            assert caller.slowest_s < BOUND_S + 1
            began = page(server, "/healthz").took_s
            for number in range(20):
                # While the first of them waits, no other does.
                assert outcomes.buy(caller, f"during-{number}").code == "StoreUnavailable"
            assert "frozen" in _monitors_are_answered(server)
            reads = [caller.call_at(0, UNITS, "DescribeComputeUnits") for _ in range(10)]
            assert {read.status for read in reads} <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
            assert caller.slowest_s < BOUND_S + 1
            assert metric(server, "leasebook_store_writes_failing_seconds") > 0
            eventually("the release is due", lambda: _monitors_are_answered(server) and moment(0) > at)
            assert began < MONITOR_S
        eventually("it is ready", lambda: page(server, "/readyz").status == HTTPStatus.OK, within_s=5)
        # No more than one answer was unsure, and the same client token finds it out.
        assert len(outcomes.unknown) <= 1
        for token in sorted(outcomes.nothing | outcomes.unknown):
            assert outcomes.buy(caller, token).status == HTTPStatus.OK
        found = {
            unit["instanceId"] for unit in every_page(caller, UNITS, "DescribeComputeUnits", "computeUnitInstanceList")
        }
        assert {*outcomes.bought.values(), due} <= found
        assert len(set(outcomes.bought.values())) == 3 + 1 + 20
        ended = eventually("it is released", lambda: (seen := show(caller, due))["status"] == "Released" and seen)
        assert ended["expiredTime"] == ended["releaseTime"]
    lines = server.log_since(said)
    assert lines.count("the store cannot write") == 1, lines
    assert lines.count("the store can be written again") == 1, lines
    assert "Traceback" not in lines


def test_a_monitor_learns_of_it_without_any_caller(scene: FrozenScene) -> None:
    with frozen(data_of(scene.folder)):
        reasons = eventually("a monitor learns of it", lambda: _monitors_are_answered(scene.server), within_s=10)
        assert "frozen" in reasons or "waiting" in reasons
    eventually("it is ready", lambda: page(scene.server, "/readyz").status == HTTPStatus.OK, within_s=5)


@pytest.mark.parametrize("seconds", [0.3])
def test_a_short_freeze_is_waited_for(scene: FrozenScene, seconds: float) -> None:
    outcomes = PurchaseOutcomes({}, set(), set())
    with scene.caller() as caller:
        for number in range(3):
            with frozen(data_of(scene.folder)):
                pass
            assert outcomes.buy(caller, f"short-{seconds}-{number}").status == HTTPStatus.OK
