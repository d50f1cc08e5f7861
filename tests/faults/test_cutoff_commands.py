"""Commands that are killed at any moment: the store stays whole, and the same command does it the next time."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

import leasebook.store.maintenance.archive
from leasebook.store.maintenance.archive_file import new_file
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import STORE
from leasebook.store.verify.check import check_store
from tests.crash.fleet import ACCOUNT, CATALOG, CLOCK, ROUNDS, UNITS, environment, postpaid
from tests.crash.lone import leasebook as the_command
from tests.depth import few
from tests.faults.kept import CANNOT_START, Ended, run
from tests.forked import Forked
from tests.harness import a_service, play
from tests.postgres import shared_server

KILLS = few(2, 4) * ROUNDS


def killed(seconds: float, *words: str) -> bool:
    """Run a command and kill it after a time; returns whether it had not ended by itself."""
    with tempfile.TemporaryFile() as said:
        command = Forked([*words], env=environment(), stdout=said.fileno(), stderr=said.fileno())
        time.sleep(seconds)
        was_running = command.poll() is None
        if was_running:
            command.kill()
        command.wait()
        return was_running


def took_s(*words: str) -> float:
    """Run a command to its end; returns the seconds that it took."""
    began = time.monotonic()
    done = the_command(*words)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def test_a_backup_that_is_killed_anywhere_is_made_by_the_next_and_leaves_no_part(data: Path, tmp_path: Path) -> None:
    whole_s = took_s("backup", "--data", str(data), "--to", str(tmp_path / "first.db"))
    cut = 0
    for number in range(KILLS):
        goal = tmp_path / f"{number}.db"
        words = ("backup", "--data", str(data), "--to", str(goal))
        cut += killed(whole_s * number / KILLS, *words)
        if not goal.exists():
            took_s(*words)
        assert [path.name for path in tmp_path.glob(f"{number}.db*")] == [goal.name]
    assert cut > 0
    # The last one: it took the place of what the longest wait had left.
    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    goal.rename(restored / STORE)
    assert check_store(Target(restored)).findings == []
    assert check_store(Target(data)).findings == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_copy_that_is_killed_anywhere_is_whole_or_is_made_by_the_next(data: Path, tmp_path: Path, kind: str) -> None:
    source = f"sqlite:///{data}"

    def cut_off(goal: Target, seconds: float) -> bool:
        words = ("copy", "--from", source, "--to", goal.url or f"sqlite:///{goal.directory}")
        was_running = killed(seconds, *words)
        done = the_command(*words)
        assert done.returncode == 0 or "is not empty" in done.stderr, done.stderr
        assert check_store(goal).findings == []
        return was_running

    with tempfile.TemporaryDirectory() as first:
        whole_s = took_s("copy", "--from", source, "--to", f"sqlite:///{first}/goal")
    cut = 0
    for number in range(KILLS):
        folder = tmp_path / f"goal-{number}"
        if kind == "sqlite":
            cut += cut_off(Target(folder), whole_s * number / KILLS)
            continue
        with shared_server().database() as url:
            cut += cut_off(Target(folder, url), 1.5 * whole_s * number / KILLS)
    assert cut > 0
    assert check_store(Target(data)).findings == []


# Archives that are killed


@pytest.fixture(scope="module")
def charged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with six instances, each charged for eleven hours of a month that is over."""
    folder = tmp_path_factory.mktemp("charged") / "data"

    async def scene() -> None:
        async with a_service(folder) as desk:
            offering = {"region": "bj", "type": "cu-1", "pricePerMinute": "1", "stockTotal": 99}
            await desk.call(CATALOG, "SetOffering", offering)
            await desk.call(ACCOUNT, "TopUpAccount", {"amount": "100000"})
            await desk.call(CLOCK, "AdvanceClock", {"to": "2030-01-31T12:00:00+08:00"})
            for _ in range(6):
                assert (await desk.call(UNITS, "PurchaseComputeUnit", postpaid("cu-1"))).status == HTTPStatus.OK
            await desk.call(CLOCK, "AdvanceClock", {"to": "2030-02-01T08:00:00+08:00"})

    play(scene)
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(charged: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    """That store, of either kind."""
    copied = tmp_path / "data"
    shutil.copytree(charged, copied)
    if request.param == "sqlite":
        yield Target(copied)
        return
    with shared_server().database() as url:
        copy(Target(copied), Target(copied, url))
        yield Target(copied, url)


def archived(where: Target, goal: Path, killed_at: str | None = None) -> Ended:
    """Archive the month; the process kills itself when it comes to a function of the archive."""
    module = leasebook.store.maintenance.archive

    def armed() -> None:
        if killed_at is not None:
            setattr(module, killed_at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    store = ("--data", where.directory) if where.url is None else ("--store", where.url)
    return run("archive", *store, "--before", "2030-01-31 16:00:00", "--to", goal, first=armed)


def test_an_archive_that_was_killed_before_the_books_changed_is_made_by_the_next(
    ledger: Target, tmp_path: Path
) -> None:
    goal = tmp_path / "charges.jsonl.gz"
    assert archived(ledger, goal, killed_at="_replace").code == -signal.SIGKILL
    assert goal.stat().st_size > 0
    ended = archived(ledger, goal)
    assert ended.code == 0, ended.line
    assert "66 postings are in" in ended.line
    assert len(gzip.decompress(goal.read_bytes()).splitlines()) == 66
    assert check_store(ledger).findings == []


def test_an_archive_that_was_killed_when_the_books_had_changed_is_named_and_kept(
    ledger: Target, tmp_path: Path
) -> None:
    goal, other = tmp_path / "charges.jsonl.gz", tmp_path / "rest.jsonl.gz"
    # After the first transaction, which rolls up four instances.
    assert archived(ledger, goal, killed_at="_pause").code == -signal.SIGKILL
    left = goal.read_bytes()
    ended = archived(ledger, goal)
    assert ended.code == CANNOT_START
    assert "40 of its 44 postings are rolled up, and are only there" in ended.line
    assert goal.read_bytes() == left
    ended = archived(ledger, other)
    assert "22 postings are in" in ended.line
    # All that the kernel had when the process was killed can be read, to the last line.
    shown = subprocess.run(["zcat", goal], check=False, capture_output=True)
    assert len(shown.stdout.splitlines()) == 44
    assert check_store(ledger).findings == []


def test_an_archive_never_writes_over_a_file_of_a_run_that_goes_on_nor_over_anything_else(
    charged: Path, tmp_path: Path
) -> None:
    goal = tmp_path / "charges.jsonl.gz"
    with new_file(goal):
        assert "is being written by another archive run" in archived(Target(charged), goal).line
    for content in (b"mine", gzip.compress(b"mine"), gzip.compress(os.urandom(9999))[:5000], gzip.compress(b"")):
        goal.write_bytes(content)
        assert "exists already; an archive never writes over another" in archived(Target(charged), goal).line
        assert goal.read_bytes() == content


def test_an_archive_whose_file_another_run_deletes_before_it_is_locked_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal, flock = tmp_path / "hours.gz", fcntl.flock

    def late(file: Any, operation: int) -> None:
        goal.unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(FileExistsError), new_file(goal):
        pass
