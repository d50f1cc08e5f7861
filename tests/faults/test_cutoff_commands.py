"""Commands that are killed at any moment: the store stays whole, and the same command does it the next time."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest

from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import STORE
from leasebook.store.verify.check import check_store
from tests.crash.fleet import ROUNDS, environment
from tests.crash.lone import leasebook
from tests.forked import Forked
from tests.postgres import shared_server

KILLS = 4 * ROUNDS


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
    done = leasebook(*words)
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
        done = leasebook(*words)
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
