"""The log of the embedded store beside those who read: it stays short, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from leasebook.batch import Unavailable
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.store.errors import BadStore
from leasebook.store.maintenance import backup
from leasebook.store.maintenance.backup import back_up
from leasebook.store.maintenance.still_copy import still
from leasebook.store.opening import Target
from leasebook.store.queries.snapshot import glimpse, snapshot
from leasebook.store.sqlite import checkpointer, log_bound
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.store import SqliteStore, upgrade
from leasebook.store.verify.check import check_store
from tests.contract.batches import write

PAGES_MAX = 200
MOVED = 12 * PAGES_MAX
"""Pages that are written while a reader is open."""
LENGTH_MAX = 3 * PAGES_MAX
"""Twice that, and what comes while a copy ends that is under way."""
PAGE = 4096


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is long sooner, so that less has to be written."""
    monkeypatch.setattr(log_bound, "LOG_PAGES_MAX", PAGES_MAX)
    monkeypatch.setattr(checkpointer, "CHECKPOINT_EVERY_S", 0.0)
    limit = f"PRAGMA journal_size_limit = {log_bound.bytes_kept()}"
    texts = (limit if "journal_size_limit" in text else text for text in sqlite.WRITER_PRAGMAS)
    monkeypatch.setattr(sqlite, "WRITER_PRAGMAS", tuple(texts))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("writing") / "data"
    upgrade(directory)
    return directory


@pytest.fixture
def directory(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty, tmp_path / "data"))


def pages_of_log_while(directory: Path, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Write many pages, with something done in between; return how long the log has become, in pages."""

    async def scene() -> int:
        store = SqliteStore(directory)
        # No power fails meanwhile.
        store._writer.connection.execute("PRAGMA synchronous = OFF")
        try:
            for turn in range(MOVED // 10):
                await write(store, *(StoreMetadata(f"f{number}", f"{turn:08}" * 440) for number in range(10)))
                meanwhile()
            return store.path.with_name(f"{store.path.name}-wal").stat().st_size // PAGE
        finally:
            await store.close()

    return asyncio.run(scene())


def test_a_log_stays_short_where_nobody_reads(directory: Path) -> None:
    assert pages_of_log_while(directory) < LENGTH_MAX


def test_a_log_stays_short_however_long_a_check_or_an_export_reads(directory: Path) -> None:
    with snapshot(Target(directory)) as ask, closing(still(directory / sqlite.FILE)) as checked:
        assert pages_of_log_while(directory) < LENGTH_MAX
        # Both see the store as it was, and nothing of what came since.
        assert ask.fact("f0") is None
        assert checked.execute("SELECT count(*) FROM facts WHERE name = 'f0'").fetchall() == [(0,)]
    with glimpse(Target(directory)) as ask:
        assert ask.fact("f0") is not None


def test_a_log_stays_short_where_there_is_always_somebody_who_reads(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_bound, "PATIENCE_S", 0.1)
    monkeypatch.setattr(log_bound, "REST", 1)
    with readers_in_turn(directory / sqlite.FILE):
        assert pages_of_log_while(directory) < LENGTH_MAX


@contextmanager
def readers_in_turn(path: Path) -> Iterator[None]:
    """Keep a reader open at all times: each begins before the one before has ended."""
    ended = threading.Event()

    def read() -> None:
        connections = [sqlite3.connect(path, isolation_level=None, check_same_thread=False) for _ in range(2)]
        turn = 0
        while not ended.wait(0.02):
            connections[turn % 2].execute("BEGIN")
            connections[turn % 2].execute("SELECT count(*) FROM facts").fetchall()
            turn += 1
            if connections[turn % 2].in_transaction:
                connections[turn % 2].execute("ROLLBACK")
        for connection in connections:
            connection.close()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_log_that_a_reader_has_made_long_is_cut_when_the_reader_has_gone(directory: Path) -> None:
    with closing(sqlite3.connect(directory / sqlite.FILE, isolation_level=None)) as reader:
        grown: list[int] = []
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM facts").fetchall()

        def leave() -> None:
            size = (directory / f"{sqlite.FILE}-wal").stat().st_size // PAGE
            if size > MOVED // 2 and reader.in_transaction:
                grown.append(size)
                reader.execute("ROLLBACK")

        assert pages_of_log_while(directory, leave) < LENGTH_MAX
        assert grown, "the reader has made it long"


# --- copies that are left half done ----------------------------------------------------------------------------


def test_a_backup_that_fails_leaves_nothing_and_one_that_was_killed_is_cleared_by_the_next(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal = tmp_path / "backup.db"
    leftovers = [goal.with_name(f"backup.db.part{ending}") for ending in ("", "-journal", "-wal", "-shm")]
    for path in leftovers:
        path.write_bytes(b"half")
    with monkeypatch.context() as patch:
        patch.setattr(backup, "copy_whole", _full)
        with pytest.raises(BadStore, match="No space left"):
            back_up(directory, goal)
    assert not [path for path in leftovers if path.exists()]
    for path in leftovers:
        path.write_bytes(b"half")
    assert back_up(directory, goal) > 0
    assert not [path for path in leftovers if path.exists()]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _full)
        with pytest.raises(BadStore, match="No space left"):
            back_up(directory, tmp_path / "other.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "data"]
    (tmp_path / "restored").mkdir(mode=0o700)
    goal.rename(tmp_path / "restored" / sqlite.FILE)
    assert check_store(Target(tmp_path / "restored")).findings == []


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


# --- a lock that another program holds -------------------------------------------------------------------------


async def test_the_loop_goes_on_while_a_batch_waits_for_a_lock_and_nobody_waits_longer_than_the_setting(
    directory: Path,
) -> None:
    store = SqliteStore(directory, lock_wait_s=0.3)
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    ticking = asyncio.create_task(tick())
    loop = asyncio.get_running_loop()
    try:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = loop.time()
            with pytest.raises(Unavailable, match="another program has held the write lock"):
                await store.begin()
            assert loop.time() - began >= 0.3
            assert turns > 100
            # It is known by now. A busy machine may take its time once, but not each time.
            waits = []
            for _ in range(5):
                began = loop.time()
                with pytest.raises(Unavailable):
                    await store.begin()
                waits.append(loop.time() - began)
            assert min(waits) < 0.3
        transaction = await store.begin()
        await transaction.rollback()
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        await store.close()
