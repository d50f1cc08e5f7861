"""A disk that fails under a real server on the embedded store, and another program that keeps the store locked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash.fleet import ROUNDS, UNITS, Account, FleetClient, Process, eventually, postpaid
from tests.crash.lone import data_of, every_page, prove_books
from tests.faults.writing_scene import (
    EIO,
    ENOSPC,
    EROFS,
    FOR_EVER,
    LOG,
    STORE,
    TYPE,
    FailingDisk,
    PurchaseOutcomes,
    metric,
    page,
    served,
    shimmed,
    store_of,
)
from tests.forked import Nursery

LOCK_WAIT_S = 1


class WritingScenario(NamedTuple):
    """A server, its disk, its only customer, and the answers to that customer so far."""

    folder: Path
    disk: FailingDisk
    server: Process
    account: Account
    outcomes: PurchaseOutcomes

    def caller(self) -> FleetClient:
        """Return the customer."""
        assert self.server.port is not None
        return self.account.caller([self.server.port], timeout_s=60)

    def restart(self) -> None:
        """Kill the server, so that nothing is cleared up, and start it on a disk that is well."""
        self.server.kill()
        self.disk.mend()
        self.server.start()
        self.server.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WritingScenario]:
    folder = tmp_path_factory.mktemp("writing")
    disk = shimmed(folder)
    settings = {"LEASEBOOK_STORE_LOCK_WAIT_SECONDS": str(LOCK_WAIT_S)}
    nursery = Nursery(disk.variables)
    with served(folder, variables=disk.variables | settings, nursery=nursery) as (server, account):
        yield WritingScenario(folder, disk, server, account, PurchaseOutcomes({}, set(), set()))
        server.stop()
        prove_books(data_of(folder))
    nursery.end()


@pytest.fixture
def place(running: WritingScenario) -> Iterator[WritingScenario]:
    """The server on a disk that is well; at the end everything must agree with the answers to the customer."""
    running.disk.mend()
    eventually("it is ready", lambda: page(running.server, "/readyz").status == HTTPStatus.OK)
    yield running
    running.disk.mend()
    eventually("it is ready", lambda: page(running.server, "/readyz").status == HTTPStatus.OK)
    with running.caller() as caller:
        _agrees_with(caller, running.outcomes)


def _agrees_with(caller: FleetClient, outcomes: PurchaseOutcomes) -> None:
    found = {row["instanceId"] for row in every_page(caller, UNITS, "DescribeComputeUnits", "computeUnitInstanceList")}
    assert set(outcomes.bought.values()) - found == set(), "acknowledged and lost"
    assert found - set(outcomes.bought.values()) == set(), "called undone, and there"
    assert not outcomes.unknown


def _finds_out(caller: FleetClient, outcomes: PurchaseOutcomes, token: str) -> None:
    """Ask until the store is well again; the same token is answered the same purchase ever after."""
    eventually("the token finds it out", lambda: outcomes.buy(caller, token).status == HTTPStatus.OK)
    outcomes.unknown.discard(token)
    bought = outcomes.bought[token]
    assert outcomes.buy(caller, token).result["instanceId"] == bought


# --- syncs that fail -------------------------------------------------------------------------------------------


@pytest.mark.crash
def test_what_is_called_undone_after_a_failed_sync_is_not_there_after_a_restart(place: WritingScenario) -> None:
    outcomes = place.outcomes
    for turn in range(ROUNDS):
        with place.caller() as caller:
            outcomes.buy(caller, f"before-{turn}")
            # The remains of the failed sync are written over before any caller is answered, so that the outcome is
            # sure.
            _undone(place, caller, f"once-{turn}")
            outcomes.buy(caller, f"between-{turn}")
            _undone(place, caller, f"last-{turn}")
        place.restart()


def _undone(place: WritingScenario, caller: FleetClient, token: str) -> None:
    """Have a purchase's sync fail, and see that it is called undone.

    A write that the server makes by itself may meet the failure first; then another purchase is tried.
    """
    for number in range(10):
        place.disk.fail("sync", LOG, EIO, 1)
        answer = place.outcomes.buy(caller, f"{token}-{number}")
        assert place.disk.failed
        if answer.status != HTTPStatus.OK:
            assert answer.code == "StoreUnavailable"
            return
    raise AssertionError("no purchase met the failure")


@pytest.mark.crash
def test_where_it_is_not_sure_the_answer_says_so_and_the_same_token_finds_it_out(place: WritingScenario) -> None:
    outcomes = place.outcomes
    for turn in range(ROUNDS):
        with place.caller() as caller:
            place.disk.fail("sync", LOG, EIO, FOR_EVER)
            answer = outcomes.buy(caller, f"unsure-{turn}")
            assert answer.code == "OutcomeUnknown"
            assert "same clientToken" in answer.body["message"]
            # No transaction begins on a store whose content is unknown.
            assert outcomes.buy(caller, f"after-{turn}").code == "StoreUnavailable"
            assert metric(place.server, 'leasebook_store_writes_failed_total{outcome="unknown"}') > 0
        if turn % 2:
            place.disk.mend()
        else:
            place.restart()
        with place.caller() as caller:
            _finds_out(caller, outcomes, f"unsure-{turn}")


@pytest.mark.crash
def test_a_call_without_a_token_is_answered_in_a_way_that_no_client_repeats_by_itself(place: WritingScenario) -> None:
    with place.caller() as caller:
        place.disk.fail("sync", LOG, EIO, FOR_EVER)
        answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid(TYPE))
        assert (answer.status, answer.code) == (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError")
        assert "may or may not have been done" in answer.body["message"]


@pytest.mark.crash
def test_a_file_that_may_have_lost_writes_is_not_trusted_and_the_next_start_copies_the_log_again(
    place: WritingScenario,
) -> None:
    outcomes, store = place.outcomes, store_of(place.folder)
    with place.caller() as caller:
        place.disk.fail("sync", STORE, EIO, FOR_EVER)
        tokens = (f"refused-{number}" for number in count())

        def refused() -> bool:
            with closing(sqlite3.connect(store)) as reader:
                # While a reader looks at an older state, only a part of the log is copied, and the file is not synced.
                # A copy is made every 50 ms at most, so it is not sure that one falls into this time.
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM units").fetchall()
                for token in islice(tokens, 10):
                    outcomes.buy(caller, token)
            return outcomes.buy(caller, next(tokens)).status != HTTPStatus.OK

        eventually("nothing more is written", refused)
        alive = page(place.server, "/healthz")
        assert alive.status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert "restart" in alive.body["status"]
        before = store.with_name(LOG).read_bytes()[:32]
        # Dropped pages are not there again because the disk is well again.
        place.disk.mend()
        assert outcomes.buy(caller, "well-again").code == "StoreUnavailable"
        place.server.stop()
        assert store.with_name(LOG).read_bytes()[:32] == before, "the log is left to the next start"
        place.server.start()
        place.server.wait()


# --- a disk that takes nothing, and a monitor that asks ---------------------------------------------------------


@pytest.mark.crash
@pytest.mark.parametrize(
    ("number", "words"), [(ENOSPC, "full"), (EIO, "I/O"), (EROFS, "I/O")], ids=["full", "an I/O error", "read-only"]
)
def test_a_monitor_sees_that_nothing_can_be_written_though_no_caller_is_active_and_that_it_can_again(
    place: WritingScenario, number: int, words: str
) -> None:
    said, failed = len(place.server.log()), metric(place.server, "leasebook_store_writes_failed_total")
    place.disk.fail("write", LOG, number, FOR_EVER)
    seen = eventually("a monitor sees it", lambda: (p := page(place.server, "/readyz")).status == 503 and p)
    assert words in seen.reasons
    assert "written" in seen.reasons
    assert page(place.server, "/healthz").status == HTTPStatus.OK
    with place.caller() as caller:
        for turn in range(20):
            assert place.outcomes.buy(caller, f"{words}-{number}-{turn}").code == "StoreUnavailable"
        # Who only reads notices nothing.
        assert caller.call_at(0, UNITS, "DescribeComputeUnits").status == HTTPStatus.OK
    assert metric(place.server, "leasebook_store_writes_failed_total") >= failed + 20
    assert metric(place.server, "leasebook_store_writes_failing_seconds") > 0
    lines = place.server.log_since(said)
    assert lines.count("the store cannot write") == 1, lines
    assert "Traceback" not in lines
    place.disk.mend()
    eventually("it is ready again", lambda: page(place.server, "/readyz").status == HTTPStatus.OK)
    assert place.server.log_since(said).count("the store can be written again") == 1
    assert metric(place.server, "leasebook_store_writes_failing_seconds") == 0


# --- a lock that another program holds --------------------------------------------------------------------------


@pytest.mark.crash
def test_a_lock_that_another_program_holds_keeps_writes_and_nothing_else(place: WritingScenario) -> None:
    outcomes = place.outcomes
    with place.caller() as caller, closing(sqlite3.connect(store_of(place.folder), isolation_level=None)) as other:
        outcomes.buy(caller, "before-the-lock")
        other.execute("BEGIN IMMEDIATE")
        answer = outcomes.buy(caller, "locked")
        assert answer.code == "StoreUnavailable"
        assert "another program" in answer.body["message"]
        # Who comes when it has been held for long already does not wait as long again.
        waits = []
        for number in range(5):
            caller.slowest_s = 0.0
            assert outcomes.buy(caller, f"locked-{number}").code == "StoreUnavailable"
            waits.append(caller.slowest_s)
        assert min(waits) < LOCK_WAIT_S
        # The lock is held until here: monitors and readers do not wait for it at all.
        assert page(place.server, "/healthz").status == HTTPStatus.OK
        assert "another program" in page(place.server, "/readyz").reasons
        assert caller.call_at(0, UNITS, "DescribeComputeUnits").status == HTTPStatus.OK
        other.execute("ROLLBACK")
        eventually("it is bought", lambda: outcomes.buy(caller, "locked").status == HTTPStatus.OK)


@pytest.mark.crash
def test_a_lock_that_is_let_go_in_time_is_waited_for(place: WritingScenario) -> None:
    with place.caller() as caller, closing(sqlite3.connect(store_of(place.folder), isolation_level=None)) as other:
        for turn in range(3):
            other.execute("BEGIN IMMEDIATE")
            assert page(place.server, "/healthz").status == HTTPStatus.OK
            other.execute("ROLLBACK")
            assert place.outcomes.buy(caller, f"in-time-{turn}").status == HTTPStatus.OK
