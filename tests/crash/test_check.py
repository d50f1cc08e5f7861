"""The check finds every row that was changed behind the server's back, and nothing else, at any moment."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from leasebook.cli.main import cli
from leasebook.store.rows.postings import OF_UNIT
from leasebook.store.sqlite.store import FILE
from tests.crash.fleet import UNITS, FleetClient, environment, moment, offer, open_account, postpaid, prepaid
from tests.crash.lone import data_of, leasebook, lone_server, root_of
from tests.depth import few

WRONG, NO_STORE = 1, 2
TYPE = "checked"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an instance of each kind: subscribed, leased with a release time, released, and of a service."""
    folder = tmp_path_factory.mktemp("kept")
    with lone_server(folder) as server:
        assert server.port is not None
        with root_of(server) as root:
            offer(root, TYPE, stock=100)
            account = open_account(root, "customer", 1000)
        with account.caller([server.port]) as caller:
            _buy_each(caller)
        server.stop()
    return data_of(folder)


def _buy_each(caller: FleetClient) -> None:
    bodies = (prepaid(TYPE), postpaid(TYPE, moment(3600)), postpaid(TYPE))
    units = [caller.call(UNITS, "PurchaseComputeUnit", body).result["instanceId"] for body in bodies]
    assert caller.call(UNITS, "ReleaseComputeUnit", {"instanceId": units[-1]}).result is True
    reservation = {"reservationTimeUnit": "Month", "reservationLength": 1, "autoRenew": True}
    service = {
        "counted": True,
        "modelSetId": "am-1",
        "modelId": "amv-1",
        "name": "served",
        "urlSuffix": "served",
        "resourceConfig": {"type": f"{TYPE}-1", "replicasCount": 2},
        "billing": {"paymentTiming": "Prepaid", "reservation": reservation},
    }
    assert caller.call("/v2/service", "CreateService", service).result["instanceId"]


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be spoiled."""
    copy = tmp_path / "data"
    shutil.copytree(kept, copy)
    return copy


def test_a_store_that_nobody_touched_is_right(data: Path) -> None:
    done = leasebook("check", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = done.stdout.splitlines()
    assert said.startswith("The books are right: 2 accounts, ")


ONE_UNIT = "FROM units WHERE payment_timing = '{}' AND status = 'Running'"
PAID_IN = "FROM postings WHERE kind = 'TopUp'"
LEASED, SUBSCRIBED = ONE_UNIT.format("Postpaid"), ONE_UNIT.format("Prepaid")


@pytest.mark.parametrize(
    ("row", "change", "named"),
    [
        ("id FROM accounts WHERE balance > 0", "UPDATE accounts SET balance = balance + 1 WHERE id = ?", "account {}"),
        (f"seq {PAID_IN}", "UPDATE posting_rows SET amount = amount - 1 WHERE seq = ?", "account "),
        ("seq FROM postings WHERE kind = 'Usage'", "UPDATE posting_rows SET amount = 0 WHERE seq = ?", "posting {}"),
        ("unit_id FROM postings WHERE kind = 'Purchase'", f"DELETE FROM posting_rows WHERE {OF_UNIT}", "unit {}"),
        ("account_id FROM account_numbers", "DELETE FROM account_numbers WHERE account_id = ?", "account {}"),
        ("seq FROM order_rows", "UPDATE order_rows SET created_by = 'nobody' WHERE seq = ?", "order "),
        (f"type FROM offerings WHERE type = '{TYPE}'", "UPDATE offerings SET stock_free = 99 WHERE type = ?", "bj {}"),
        (
            f"type FROM offerings WHERE type = '{TYPE}'",
            "UPDATE offerings SET price_number = 2 WHERE type = ?",
            "{} in bj",
        ),
        (
            f"type FROM offerings WHERE type = '{TYPE}'",
            "UPDATE offerings SET per_minute = 7 WHERE type = ?",
            "{} in bj",
        ),
        (f"id {LEASED}", "UPDATE units SET quoted_price = 7 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET account = account + 1 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET status = 'Released' WHERE id = ?", "unit {}"),
        (f"id {SUBSCRIBED}", "UPDATE units SET status = 'Stopped' WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET release_at = release_at + 1 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET release_at = 1 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_at = NULL, due_kind = NULL WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_at = NULL WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_kind = NULL WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_kind = 9 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_at = due_at - 1 WHERE id = ?", "unit {}"),
        (f"id {LEASED}", "UPDATE units SET due_at = 4102444800000000, due_kind = 2 WHERE id = ?", "unit {}"),
        # The second of its due work instead of the first.
        (f"id {LEASED}", "UPDATE units SET due_at = release_at, due_kind = 1 WHERE id = ?", "unit {}"),
        ("id FROM units WHERE due_kind = 0", "UPDATE units SET due_at = due_at + 1 WHERE id = ?", "unit {}"),
        ("id FROM accounts WHERE balance > 0", "UPDATE accounts SET arrears_since = 1 WHERE id = ?", "account {}"),
        ("seq FROM postings WHERE kind = 'Usage'", "UPDATE posting_rows SET minutes = 99 WHERE seq = ?", "posting {}"),
        (f"id {LEASED}", "UPDATE units SET target_count = 99 WHERE id = ?", "offering bj"),
        ("id FROM units WHERE placements <> ''", "UPDATE units SET placements = '' WHERE id = ?", "unit {}"),
        ("unit_id FROM placements", "DELETE FROM placements WHERE unit_id = ?", "unit {}"),
        ("id FROM services", "UPDATE services SET replicas = replicas + 1 WHERE id = ?", "service {}"),
        ("id FROM services", "UPDATE services SET prepaid_units = 0 WHERE id = ?", "service {}"),
        (f"seq {LEASED}", "DELETE FROM order_rows WHERE unit = ?", "unit "),
        (f"seq {LEASED}", "UPDATE order_rows SET unit = unit + 1000000 WHERE unit = ?", "order number "),
        (f"id {SUBSCRIBED}", "DELETE FROM units WHERE id = ?", "unit {}"),
    ],
    ids=lambda value: value if str(value).startswith(("UPDATE", "DELETE", "INSERT")) else "",
)
def test_a_row_that_was_changed_is_named(data: Path, row: str, change: str, named: str) -> None:
    with closing(sqlite3.connect(data / FILE)) as connection, connection:
        ((key,),) = connection.execute(f"SELECT {row} LIMIT 1").fetchall()
        assert connection.execute(change, (key,)).rowcount == 1
    # The same command line, without the second that a process of its own takes to start.
    done = CliRunner().invoke(cli, ["check", "--data", str(data)], env=environment())
    assert done.exit_code == WRONG, done.output
    assert named.format(key) in done.stdout
    (line,) = done.stderr.splitlines()
    assert "wrong" in line


def test_a_page_that_was_damaged_is_found(data: Path) -> None:
    with (data / FILE).open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xb5" * 2048)
    done = leasebook("check", "--data", data)
    assert done.returncode in (WRONG, NO_STORE)
    assert "Traceback" not in done.stderr


def test_a_directory_without_a_store_is_named(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        done = leasebook("check", "--data", place)
        assert (done.returncode, done.stdout) == (NO_STORE, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"leasebook: There is no store in {place}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.crash
def test_the_books_are_right_at_any_moment_while_a_server_works_on_them(tmp_path: Path) -> None:
    stop = threading.Event()
    with lone_server(tmp_path) as server:
        assert server.port is not None
        with root_of(server) as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", 10_000_000)

        def shop(caller: FleetClient) -> int:
            bought = 0
            with caller:
                while not stop.wait(few(0.01, 0.0)):
                    body = postpaid(TYPE, moment(0.5)) if bought % 2 else prepaid(TYPE)
                    bought += caller.call(UNITS, "PurchaseComputeUnit", body, token=uuid.uuid4().hex).status == 200
            return bought

        with ThreadPoolExecutor(8) as threads:
            running = [threads.submit(shop, account.caller([server.port])) for _ in range(8)]
            try:
                for _ in range(3):
                    done = leasebook("check", "--data", data_of(tmp_path))
                    assert done.returncode == 0, done.stdout + done.stderr
            finally:
                stop.set()
            assert sum(run.result() for run in running) > 100
        server.stop()
