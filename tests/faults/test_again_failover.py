"""A primary that was replaced comes back and takes writes, beside the one that took its place."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest

from leasebook.store.postgres.hosts import Hosts, Replaced
from leasebook.store.postgres.timeouts import Patience
from tests.crash.fleet import UNITS, FleetClient, Process, books, check, eventually, offer, open_account, postpaid
from tests.faults.databases import Standby, follows, pair, patient, run_on, several
from tests.faults.test_failover_standby import FUNDS
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import MIGRATED, PostgresServer

DATABASE = "books"


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[PostgresServer, Standby]]:
    replaced, promoted = pair()
    run_on(replaced, f"CREATE DATABASE {DATABASE} TEMPLATE {MIGRATED}")
    yield replaced, promoted
    for one in (replaced, promoted):
        one.remove()


def test_nothing_is_written_to_a_primary_that_was_replaced(
    hosts: tuple[PostgresServer, Standby], tmp_path: Path
) -> None:
    replaced, promoted = hosts
    url = several(replaced, promoted, database=DATABASE)
    server = Process("server", tmp_path, ("serve", "--store", url), free_port(), variables=patient(answer=3))
    try:
        server.start()
        server.wait()
        with FleetClient([server.port or 0], ROOT_KEY, ROOT_SECRET, timeout_s=60) as root:
            offer(root, "kept", stock=1000)
            account = open_account(root, "kept", FUNDS)
        caller = account.caller([server.port or 0], timeout_s=60)
        follows(promoted, replaced)
        replaced.stop("immediate")
        promoted.promote()
        bought = [caller.call(UNITS, "PurchaseComputeUnit", postpaid("kept"), token="1").result["orderId"]]
        replaced.start()
        # Only the replaced one takes writes now, and no caller may get the answer that something was done.
        promoted.stop()
        answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("kept"))
        assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
        assert answer.body["message"].startswith("Nothing was done: ")
        eventually("the log says why", lambda: "it was replaced: it writes on timeline 1" in server.log())
        promoted.start()
        bought.append(caller.call(UNITS, "PurchaseComputeUnit", postpaid("kept"), token="2").result["orderId"])
        caller.close()
        with books(promoted.url(DATABASE)) as seen:
            assert sorted(one for (one,) in seen.rows("SELECT id FROM orders")) == sorted(bought)
        with books(replaced.url(DATABASE)) as seen:
            assert seen.value("SELECT count(*) FROM orders") == 0
        check(promoted.url(DATABASE))
    finally:
        server.remove()


async def test_of_two_that_take_writes_the_newer_is_found_and_the_older_refused(
    hosts: tuple[PostgresServer, Standby],
) -> None:
    replaced, promoted = hosts
    for pair_ in ((replaced, promoted), (promoted, replaced)):
        found = Hosts(several(*pair_, database=DATABASE), Patience())
        for _ in range(5):
            connection = await found.connect(writing=True)
            assert connection.info.port == promoted.port
            await connection.close()
    alone = Hosts(replaced.url(DATABASE), Patience())
    await (await alone.connect(writing=True)).close()
    alone._newest = found._newest
    with pytest.raises(Replaced, match="it writes on timeline 1, and this server has worked on timeline 2"):
        await alone.connect(writing=True)
    # A database of another cluster may be a restored one.
    assert found._newest is not None
    alone._newest = found._newest._replace(cluster="another")
    await (await alone.connect(writing=True)).close()


async def test_a_role_that_may_not_see_the_timeline_is_let_in(hosts: tuple[PostgresServer, Standby]) -> None:
    _, promoted = hosts
    run_on(
        promoted,
        "CREATE ROLE humble LOGIN",
        "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC",
    )
    with psycopg.connect(promoted.url(DATABASE)) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")

    async def scene() -> None:
        humble = Hosts(promoted.url(DATABASE).replace("leasebook@", "humble@"), Patience())
        connection = await humble.connect(writing=True)
        await connection.close()
        assert humble._newest is None

    await scene()
