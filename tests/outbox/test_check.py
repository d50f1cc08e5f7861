"""The check finds every row of the outbox that was changed behind the server's back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_directory
from tests.harness import a_service, play
from tests.outbox.receivers import FAILED, LOCAL, OK, PATH, a_receiver, buy, settled, subscribe
from tests.outbox.scenes import tried


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with deliveries that are done and one that waits, and a subscription that was deleted."""
    folder = tmp_path_factory.mktemp("kept")

    async def scene() -> None:
        async with a_receiver() as receiver, a_service(folder, demo=True, environment=LOCAL) as desk:
            receiver.answer = lambda got: FAILED if got.event["type"] == "unit.running" else OK
            await subscribe(desk, receiver.url)
            gone = await subscribe(desk, receiver.url, types=["unit.bought"])
            await buy(desk)
            await settled(desk, 2)
            await tried(desk, 1)
            await desk.call(PATH, "DeleteSubscription", {"subscriptionId": gone["subscriptionId"]})

    play(scene)
    return folder


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "data"))


def test_a_store_that_nobody_touched_is_right(data: Path) -> None:
    assert check_directory(data).findings == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE hooks SET status = 'Resting' WHERE status = 'Active'", "has the status Resting"),
        ("UPDATE hooks SET status = 'Pending' WHERE status = 'Active'", "that nobody was asked for"),
        ("INSERT INTO used_links VALUES ('unit-none', 1, 'keep', 1)", "there is no such instance"),
        ("UPDATE hooks SET page = page + 99 WHERE status = 'Active'", "its account has none so late"),
        ("UPDATE hooks SET page = 0 WHERE status = 'Active'", "did not come to yet"),
        ("UPDATE hooks SET account_id = 'somebody' WHERE status = 'Active'", "has no subscription"),
        ("DELETE FROM hooks WHERE status = 'Active'", "has no subscription"),
        ("UPDATE hooks SET status = 'Deleted' WHERE status = 'Active'", "has no subscription"),
        ("UPDATE deliveries SET state = 'Lost' WHERE state = 'Delivered'", "is Lost, which is no state"),
        ("UPDATE deliveries SET clear_at = NULL WHERE state = 'Delivered'", "whether it is over"),
        ("UPDATE deliveries SET done_at = 1 WHERE state = 'Waiting'", "whether it is over"),
        ("UPDATE deliveries SET page = 1 WHERE state = 'Waiting'", "has no event"),
        ("DELETE FROM event_pages", "has no event"),
        ("UPDATE deliveries SET state = 'Delivered', done_at = 1, clear_at = 1 WHERE state = 'Waiting'", "and 0 do"),
        ("UPDATE lanes SET waiting = 7 WHERE waiting = 1", "says that 7 deliveries wait, and 1 do"),
        ("DELETE FROM lanes", "is missing, and 1 deliveries wait in it"),
        ("UPDATE lanes SET next_at = NULL WHERE waiting = 1", "whether something waits"),
        ("UPDATE lanes SET holder = 'x', leased_until = NULL WHERE waiting = 1", "or who is at it"),
    ],
)
def test_a_row_that_was_changed_is_named(data: Path, change: str, named: str) -> None:
    with closing(sqlite3.connect(data / FILE)) as connection, connection:
        if "page = 1" in change:
            # A page of another account's events.
            connection.execute(
                "INSERT INTO event_pages (seq, account_id, first_at, last_at, types, events) "
                "VALUES (0, 'x', 1, 1, 1, '[]')"
            )
            change = change.replace("page = 1", "page = 0")
        assert connection.execute(change).rowcount >= 1
    assert any(named in line for line in check_directory(data).findings), check_directory(data).findings
