"""The embedded store looks at its files around each batch: what may be lost is not acknowledged."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from leasebook.batch import OutcomeUnknown, Unavailable
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.checkpointer import CHECKPOINT_EVERY_S, Checkpointer
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.log_bound import LogBound
from leasebook.store.sqlite.store import FILE, SqliteStore
from tests.copies import put_tables

LOG = f"{FILE}-wal"


def _removed(data: Path) -> None:
    (data / FILE).unlink()


def _replaced(data: Path) -> None:
    shutil.copyfile(data / FILE, data / "copy")
    (data / "copy").replace(data / FILE)


def _log_removed(data: Path) -> None:
    (data / LOG).unlink()


def _log_replaced(data: Path) -> None:
    shutil.copyfile(data / LOG, data / "copy")
    (data / "copy").replace(data / LOG)


def _index_removed(data: Path) -> None:
    (data / f"{FILE}-shm").unlink()


def _directory_moved(data: Path) -> None:
    data.rename(data.parent / "moved")


def _directory_replaced(data: Path) -> None:
    data.rename(data.parent / "moved")
    shutil.copytree(data.parent / "moved", data)


def _cut(data: Path) -> None:
    with (data / FILE).open("r+b") as file:
        file.truncate(4096)


WAYS: list[Callable[[Path], None]] = [
    _removed,
    _replaced,
    _log_removed,
    _log_replaced,
    _index_removed,
    _directory_moved,
    _directory_replaced,
    _cut,
]


async def _store(data: Path) -> SqliteStore:
    put_tables(data)
    store = SqliteStore(data)
    await _write(store, "first")
    return store


async def _write(store: SqliteStore, name: str, between: Callable[[], None] = lambda: None) -> None:
    transaction = await store.begin()
    store._writer.connection.execute("INSERT INTO facts (name, value) VALUES (?, '')", (name,))
    try:
        between()
        await transaction.commit(is_idle=True)
    except BaseException:
        await transaction.rollback()
        raise


@pytest.mark.parametrize("take_away", WAYS)
async def test_a_batch_is_not_begun_on_files_that_are_gone(tmp_path: Path, take_away: Callable[[Path], None]) -> None:
    store = await _store(tmp_path / "data")
    take_away(tmp_path / "data")
    with pytest.raises(Unavailable, match="removed or replaced"):
        await store.begin()
    assert "while the store is served" in (store.files.broken() or "")
    with pytest.raises(Unavailable):
        await store.read(lambda ask: ask.fact("first"))
    await store.close()


@pytest.mark.parametrize("take_away", WAYS)
async def test_a_batch_that_was_under_way_is_not_acknowledged(
    tmp_path: Path, take_away: Callable[[Path], None]
) -> None:
    store = await _store(tmp_path / "data")
    with pytest.raises(OutcomeUnknown):
        await _write(store, "second", lambda: take_away(tmp_path / "data"))
    # A file that comes back need not be the lost one: the store stays closed until a restart.
    with pytest.raises(Unavailable):
        await store.begin()
    await store.close()


async def test_the_files_are_looked_at_without_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leasebook.store.sqlite.file_watch.LOOK_EVERY_S", 0.01)
    store = await _store(tmp_path / "data")
    (tmp_path / "data" / "lock").unlink()
    until = time.monotonic() + 10
    while store.files.broken() is None and time.monotonic() < until:  # noqa: ASYNC110 - a thread looks
        await asyncio.sleep(0.01)
    assert "lock was removed" in (store.files.broken() or "")
    await store.close()


async def test_nothing_is_wrong_with_a_store_that_grows_is_read_and_written_into_its_file(tmp_path: Path) -> None:
    store = await _store(tmp_path / "data")
    for number in range(30):
        await _write(store, f"fact {number}" + "x" * 5000)
        with closing(sqlite3.connect(tmp_path / "data" / FILE)) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert store.files.look() is None
    await store.close()
    assert store.files.broken() is None


async def test_a_first_copy_of_the_log_that_runs_while_the_store_closes_is_no_fault_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leasebook.store.sqlite.checkpointer.CHECKPOINT_EVERY_S", 0.0)
    put_tables(tmp_path / "data")
    store = SqliteStore(tmp_path / "data")
    copies, goes_on = store._checkpointer._thread, threading.Event()
    copies.submit(goes_on.wait)
    await _write(store, "first")
    finish = copies.shutdown

    def late() -> None:
        """Let the copy begin when the store waits for it, as on a machine that is busy with other work."""
        goes_on.set()
        finish()

    monkeypatch.setattr(copies, "shutdown", late)
    await store.close()
    assert store.files.broken() is None


def test_a_checkpoint_is_not_made_into_files_that_are_gone(tmp_path: Path) -> None:
    put_tables(tmp_path / "data")
    path = tmp_path / "data" / FILE
    with closing(sqlite.connect(path)) as writer:
        writer.execute("INSERT INTO facts (name, value) VALUES ('more', '')")
        files = FileWatch(path, path)
        checkpointer = Checkpointer(LogBound(sqlite.connect(path), path), files)
        moved = path.with_name("moved")
        path.rename(moved)
        before = moved.stat().st_mtime_ns
        checkpointer.soon()
        time.sleep(CHECKPOINT_EVERY_S + 0.01)
        checkpointer.soon()
        checkpointer.close()
        assert files.broken() is not None
        assert moved.stat().st_mtime_ns == before


async def test_a_file_that_a_copy_made_longer_and_that_is_written_over_before_a_batch_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leasebook.store.sqlite.file_watch.LOOK_EVERY_S", 3600.0)
    monkeypatch.setattr("leasebook.store.sqlite.checkpointer.CHECKPOINT_EVERY_S", 0.0)
    data = tmp_path / "data"
    store = await _store(data)
    await _until(lambda: not store._checkpointer._is_running)
    shutil.copyfile(data / FILE, tmp_path / "old")
    await _write(store, "x" * 50_000)
    await _until(lambda: not store._checkpointer._is_running)
    assert (data / FILE).stat().st_size > (tmp_path / "old").stat().st_size
    shutil.copyfile(tmp_path / "old", data / FILE)
    with pytest.raises(Unavailable):
        await store.begin()
    assert "was cut from" in (store.files.broken() or "")
    await store.close()


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - a thread works
            await asyncio.sleep(0.001)


async def test_a_link_to_the_file_is_followed_to_its_log(tmp_path: Path) -> None:
    volume, data = tmp_path / "volume", tmp_path / "data"
    put_tables(volume)
    data.mkdir(mode=0o700)
    (data / FILE).symlink_to(volume / FILE)
    store = SqliteStore(data)
    await _write(store, "first")
    (volume / LOG).unlink()
    with pytest.raises(Unavailable):
        await store.begin()
    await store.close()


def test_looking_takes_microseconds(tmp_path: Path) -> None:
    put_tables(tmp_path / "data")
    path = tmp_path / "data" / FILE
    files = FileWatch(path, path)
    quickest = min(_timed(files.before_batch) for _ in range(200))
    assert quickest < 0.001, "a batch takes about a millisecond"


def _timed(look: Callable[[], None]) -> float:
    began = time.perf_counter()
    look()
    return time.perf_counter() - began
