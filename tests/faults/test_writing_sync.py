"""Syncs that fail: what was acknowledged is there after a restart, and what was called undone is not."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from tests.crash.fleet import ROUNDS, UNITS, Caller, eventually, postpaid
from tests.crash.lone import data_of, every_page, prove_books
from tests.faults.writing_scene import EIO, FOR_EVER, LOG, Told, page, served, shimmed


@pytest.mark.crash
def test_what_is_called_undone_after_a_failed_sync_is_not_there_after_a_restart(tmp_path: Path) -> None:
    disk, told = shimmed(tmp_path), Told({}, set(), set())
    with served(tmp_path, disk.before) as (server, account):
        for turn in range(ROUNDS):
            assert server.port is not None
            with account.caller([server.port]) as caller:
                told.buy(caller, f"before-{turn}")
                # One sync fails: what it left is written over before anybody is answered.
                disk.fail("sync", LOG, EIO, 1)
                answer = told.buy(caller, f"once-{turn}")
                assert answer.code == "StoreUnavailable", "it is sure, so it says so"
                told.buy(caller, f"between-{turn}")
                disk.fail("sync", LOG, EIO, 1)
                told.buy(caller, f"last-{turn}")
                assert disk.failed
            # Nothing that comes later may have cleaned up.
            server.kill()
            disk.mend()
            server.start()
            server.wait()
        assert server.port is not None
        with account.caller([server.port]) as caller:
            _is_as_told(caller, told)
        assert len(told.nothing) == 2 * ROUNDS
        server.stop()
    prove_books(data_of(tmp_path))


@pytest.mark.crash
def test_where_it_is_not_sure_the_answer_says_so_and_the_same_token_finds_it_out(tmp_path: Path) -> None:
    disk, told = shimmed(tmp_path), Told({}, set(), set())
    with served(tmp_path, disk.before) as (server, account):
        for turn in range(ROUNDS):
            assert server.port is not None
            with account.caller([server.port]) as caller:
                told.buy(caller, f"before-{turn}")
                disk.fail("sync", LOG, EIO, FOR_EVER)
                answer = told.buy(caller, f"unsure-{turn}")
                assert answer.code == "OutcomeUnknown"
                assert "same clientToken" in answer.body["message"]
                # Nothing is begun on a store of which nobody knows what it holds.
                assert told.buy(caller, f"unsure-{turn}").code in ("StoreUnavailable", "OutcomeUnknown")
                assert told.buy(caller, f"after-{turn}").code == "StoreUnavailable"
                assert "written" in page(server, "/readyz").reasons
                if turn % 2:
                    disk.mend()
                    _finds_out(caller, told, f"unsure-{turn}")
                    told.unknown.clear()
            server.kill()
            disk.mend()
            server.start()
            server.wait()
            with account.caller([server.port]) as caller:
                for token in list(told.unknown):
                    _finds_out(caller, told, token)
        told.unknown.clear()
        told.nothing.difference_update(told.bought)
        with account.caller([server.port]) as caller:
            _is_as_told(caller, told)
        server.stop()
    prove_books(data_of(tmp_path))


@pytest.mark.crash
def test_a_call_without_a_token_is_told_so_in_a_way_that_no_client_repeats_by_itself(tmp_path: Path) -> None:
    disk = shimmed(tmp_path)
    with served(tmp_path, disk.before) as (server, account):
        assert server.port is not None
        with account.caller([server.port]) as caller:
            disk.fail("sync", LOG, EIO, FOR_EVER)
            answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("fault"))
            assert (answer.status, answer.code) == (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError")
            assert "may or may not have been done" in answer.body["message"]


def _finds_out(caller: Caller, told: Told, token: str) -> None:
    """Ask until the store is well again; the same token is answered the same purchase ever after."""
    eventually("the token finds it out", lambda: told.buy(caller, token).status == HTTPStatus.OK, within_s=10)
    again = told.bought[token]
    assert told.buy(caller, token).result["instanceId"] == again


def _is_as_told(caller: Caller, told: Told) -> None:
    found = {
        unit["instanceId"] for unit in every_page(caller, UNITS, "DescribeComputeUnits", "computeUnitInstanceList")
    }
    assert set(told.bought.values()) - found == set(), "acknowledged and lost"
    assert found - set(told.bought.values()) == set(), "called undone, and there"
    assert not told.unknown
