"""The file system of a data directory is frozen under a server, as before a snapshot: every write waits in the kernel.

No signal ends that wait, so that a server which writes on its event loop answers no caller and no monitor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.copies import give_tables
from tests.crash.fleet import UNITS, Account, FleetClient, Process, eventually, moment, postpaid
from tests.crash.lone import data_of, every_page, prove_books, show
from tests.faults.loop_disk import frozen, loop_disk
from tests.faults.writing_scene import TYPE, PurchaseOutcomes, metric, page, served

pytestmark = pytest.mark.crash

WAIT_S = 1
"""How long a batch may wait for the disk, and for another program's lock."""
DUE_S = 3.0
"""Seconds from a purchase to its release, which falls due while the disk is frozen."""
CALLS = 20


class FrozenScene(NamedTuple):
    """A server whose data directory is a file system of its own; its log is elsewhere."""

    folder: Path
    server: Process
    account: Account

    def caller(self) -> FleetClient:
        """Return the customer, who fails the test where no answer comes in a minute.

        The disk is thawed after the answers only. So a call that waited for the thaw would have none, on a quick
        machine as on a slow one.
        """
        assert self.server.port is not None
        return self.account.caller([self.server.port], timeout_s=60)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenScene]:
    folder = tmp_path_factory.mktemp("frozen")
    settings = {"LEASEBOOK_STORE_LOCK_WAIT_SECONDS": str(WAIT_S), "LEASEBOOK_STORE_ANSWER_SECONDS": str(WAIT_S)}
    with loop_disk(folder / "image", data_of(folder)):
        (data_of(folder) / "lost+found").rmdir()
        give_tables(data_of(folder))
        with served(folder, variables=settings) as (server, account):
            yield FrozenScene(folder, server, account)
            server.stop()
            prove_books(data_of(folder))


def _monitors_are_answered(server: Process) -> str:
    """Fail unless both monitors are answered; returns the reasons for not being ready."""
    alive, ready = page(server, "/healthz"), page(server, "/readyz")
    assert alive.status == HTTPStatus.OK
    return ready.reasons if ready.status == HTTPStatus.SERVICE_UNAVAILABLE else ""


def _bought(outcomes: PurchaseOutcomes, caller: FleetClient, token: str) -> None:
    """Buy, though a batch of a busy machine may take longer than these settings allow."""
    eventually(f"{token} is bought", lambda: outcomes.buy(caller, token).status == HTTPStatus.OK)


def _bought_until(caller: FleetClient, ahead_s: float) -> tuple[str, str]:
    """Buy an instance that ends soon; returns its id and its release time."""

    def tried() -> tuple[str, str] | None:
        at = moment(ahead_s)
        answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid(TYPE, at))
        return (answer.result["instanceId"], at) if answer.status == HTTPStatus.OK else None

    bought: tuple[str, str] = eventually("it is bought", tried)
    return bought


def test_callers_get_an_answer_in_time_and_after_the_thaw_all_goes_on_without_a_restart(scene: FrozenScene) -> None:
    outcomes, server, said = PurchaseOutcomes({}, set(), set()), scene.server, len(scene.server.log())
    with scene.caller() as caller:
        for number in range(3):
            _bought(outcomes, caller, f"before-{number}")
        due, at = _bought_until(caller, DUE_S)
        with frozen(data_of(scene.folder)):
            since = len(server.log())
            first = outcomes.buy(caller, "first")
            assert first.status == HTTPStatus.SERVICE_UNAVAILABLE
            # BEGIN waits for the disk, or COMMIT where a batch without changes has come between.
            assert re.search("frozen|may or may not have been done", first.body["message"])
            took_s = []
            for number in range(CALLS):
                caller.slowest_s = 0.0
                assert outcomes.buy(caller, f"during-{number}").code == "StoreUnavailable"
                took_s.append(caller.slowest_s)
            # While the first of them waits, no other does.
            assert min(took_s) < WAIT_S
            assert "frozen" in _monitors_are_answered(server)
            reads = [caller.call_at(0, UNITS, "DescribeComputeUnits") for _ in range(10)]
            assert {read.status for read in reads} <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
            assert metric(server, "leasebook_store_writes_failing_seconds") > 0
            eventually("the release is due", lambda: _monitors_are_answered(server) and moment(0) > at)
            assert server.log_since(since).count("the store cannot write") <= 1, server.log_since(since)
        eventually("it is ready", lambda: page(server, "/readyz").status == HTTPStatus.OK)
        # No more than one answer was unsure, and the same client token finds it out.
        assert len(outcomes.unknown) <= 1
        for token in sorted(outcomes.nothing | outcomes.unknown):
            _bought(outcomes, caller, token)
        found = {
            unit["instanceId"] for unit in every_page(caller, UNITS, "DescribeComputeUnits", "computeUnitInstanceList")
        }
        # The list has no instance that is released.
        assert set(outcomes.bought.values()) <= found
        assert len(set(outcomes.bought.values())) == 3 + 1 + CALLS
        ended = eventually("it is released", lambda: (seen := show(caller, due))["status"] == "Released" and seen)
        assert ended["expiredTime"] == ended["releaseTime"]
    lines = server.log_since(said)
    assert "the store cannot write" in lines
    assert "the store can be written again" in lines
    assert "Traceback" not in lines


def test_a_monitor_learns_of_it_without_any_caller(scene: FrozenScene) -> None:
    with frozen(data_of(scene.folder)):
        reasons = eventually("a monitor learns of it", lambda: _monitors_are_answered(scene.server))
        assert "frozen" in reasons or "waiting" in reasons
    eventually("it is ready", lambda: page(scene.server, "/readyz").status == HTTPStatus.OK)


def test_a_short_freeze_is_waited_for(scene: FrozenScene) -> None:
    outcomes, tokens = PurchaseOutcomes({}, set(), set()), (f"short-{number}" for number in count())
    with scene.caller() as caller, ThreadPoolExecutor(1) as thread:

        def bought_across_a_freeze() -> bool:
            """Have the disk frozen while a purchase comes in; a busy machine may make that too long for it."""
            with frozen(data_of(scene.folder)):
                bought = thread.submit(outcomes.buy, caller, next(tokens))
                for _ in range(3):
                    page(scene.server, "/healthz")
            return bought.result().status == HTTPStatus.OK

        eventually("a purchase is answered that waited for the thaw", bought_across_a_freeze)
