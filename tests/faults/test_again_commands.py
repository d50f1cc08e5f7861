"""Starts and commands on a store that is damaged, out of reach or behind the time: one line, and it is true."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import leasebook.server.composition
import leasebook.store.maintenance.archive
import leasebook.store.maintenance.copy
from leasebook.domain.commands.store.clock import CLOCK_SEEN
from leasebook.domain.record.clock_mark import ClockMark, written
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import boot_us
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.backup import back_up
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import STORE
from leasebook.store.verify.check import check_store
from leasebook.store.verify.files import integrity
from leasebook.store.verify.nouns import overdue
from tests.faults.kept import CANNOT_START, refused, run

ANOTHER_UID = 64_321
LOG = f"{STORE}-wal"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
HOUR_US = 3600 * SECOND_US


def execute(data: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(data / STORE)) as connection, connection:
        for text, params in statements:
            connection.execute(text, params)


# A start that meets damage


def test_a_table_that_is_gone_is_one_line_wherever_the_start_meets_that(data: Path) -> None:
    execute(data, ("DROP TABLE placements", ()))
    line = refused(data)
    assert f"{data / STORE} is not a usable store, it is damaged: no such table: placements" in line
    assert "leasebook check" in line


def test_a_row_that_cannot_be_read_is_one_line_wherever_the_start_meets_that(data: Path) -> None:
    execute(data, ("UPDATE units SET generation = 1, placements = '{'", ()))
    assert f"{data / STORE} is damaged: a row of it cannot be read" in refused(data)


def test_a_home_that_something_was_written_over_is_another_home(data: Path) -> None:
    (data / "replicas" / "home").write_bytes(b"\xff\xfe\x00")
    # Nothing runs there, so that nothing can be started twice: it is taken over.
    ended = run("serve", "--port", "0", "--data", data, first=lambda: _stops_when("_join"))
    assert ended.code == 0, ended


# A start that is asked to stop


def _stops_when(name: str, number: int = signal.SIGTERM) -> None:
    """Have this process sent a signal when its start comes to a function."""
    original = getattr(leasebook.server.composition, name)

    def stopped(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        return original(*arguments, **options)

    setattr(leasebook.server.composition, name, stopped)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["open_store", "found", "_join"])
def test_a_start_that_is_asked_to_stop_ends_well_and_says_nothing(data: Path, name: str, number: int) -> None:
    ended = run("serve", "--port", "0", "--data", data, first=lambda: _stops_when(name, number))
    assert (ended.code, ended.line) == (0, "")
    with closing(sqlite3.connect(data / STORE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Commands on stores out of reach

COMMANDS = {
    "check": ("check",),
    "backup": ("backup", "--to", "copied.db"),
    "archive": ("archive", "--before", "2020-01-01 00:00:00", "--to", "old.gz"),
    "focus": ("focus", "--month", "2020-01", "--out", "costs.csv"),
    "audit": ("audit", "--out", "log.csv"),
    "accept-loss": ("accept-loss",),
}


@needs_root
@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_that_is_somebody_elses_is_one_line(data: Path, command: str) -> None:
    def become() -> None:
        os.chdir("/tmp")  # noqa: S108 - anybody may be there
        os.setgroups([])
        os.setgid(ANOTHER_UID)
        os.setuid(ANOTHER_UID)

    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    ended = run(*COMMANDS[command], "--data", data, first=become)
    assert ended.code == CANNOT_START
    assert ended.line.startswith("leasebook: "), ended
    assert str(data) in ended.line
    assert "\n" not in ended.line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_in_the_place_of_the_store_keeps_nobody_waiting(data: Path, command: str) -> None:
    (data / STORE).unlink()
    os.mkfifo(data / STORE, 0o600)
    ended = run(*COMMANDS[command], "--data", data)
    assert ended.code == CANNOT_START
    assert f"{data / STORE} is not a regular file" in ended.line


# Backups


def test_a_store_that_lacks_what_was_acknowledged_is_not_backed_up(crashed: Path, tmp_path: Path) -> None:
    goal = tmp_path / "backup.db"
    back_up(crashed, goal)
    goal.unlink()
    (crashed / LOG).unlink()
    with pytest.raises(BadStore, match=f"of acknowledged writes lost|{STORE} cannot be copied to "):
        back_up(crashed, goal)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    os.truncate(data / STORE, 0)
    with pytest.raises(BadStore, match="is empty"):
        back_up(data, tmp_path / "backup.db")


# Work that fell due while no server ran


def _left_since(data: Path, *, seen_h: int, due_h: int) -> None:
    """Have had a server end ``seen_h`` hours ago, and work due ``due_h`` hours ago."""
    with closing(sqlite3.connect(data / STORE)) as connection, connection:
        ((now,),) = connection.execute("SELECT CAST(strftime('%s') AS INTEGER) * 1000000").fetchall()
        seen = now - seen_h * HOUR_US
        mark = written(ClockMark(reading=seen, floor=seen, boot_id="", boot_us=0))
        for text, params in (
            ("DELETE FROM facts WHERE name = ?", (CLOCK_SEEN,)),
            ("INSERT INTO facts (name, value) VALUES (?, ?)", (CLOCK_SEEN, mark)),
            ("UPDATE units SET charge_at = ?1, due_at = ?1 WHERE due_kind = 4", (now - due_h * HOUR_US,)),
        ):
            connection.execute(text, params)


def _late(data: Path) -> list[str]:
    return [line for line in check_store(Target(data)).findings if " was due at " in line]


def test_what_fell_due_since_the_last_server_ended_waits_for_the_next_and_is_not_wrong(data: Path) -> None:
    _left_since(data, seen_h=5, due_h=3)
    assert _late(data) == []
    (said,) = [line for line in check_store(Target(data)).remarks if "wait for a server" in line]
    assert said.startswith("1 pieces of due work wait for a server, the first since ")


def test_what_falls_due_while_the_file_is_checked_waits_for_no_server(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _left_since(data, seen_h=0, due_h=0)
    later_us, now_by = 240 * SECOND_US, overdue.store_now

    def slow(connection: sqlite3.Connection) -> Iterator[str]:
        # Servers have done the work that fell due in the minutes since the copy was made; it is due in the copy.
        monkeypatch.setattr(overdue, "store_now", lambda fetch: (Instant(now_by(fetch)[0] + later_us), 60 * SECOND_US))
        monkeypatch.setattr(overdue, "boot_us", lambda: boot_us() + later_us)
        return integrity(connection)

    monkeypatch.setattr("leasebook.store.verify.check.integrity", slow)
    report = check_store(Target(data))
    assert [line for line in report.remarks if "wait for a server" in line] == []
    assert [line for line in report.findings if " was due at " in line] == []


def test_what_a_server_failed_to_do_while_it_worked_is_wrong(data: Path) -> None:
    _left_since(data, seen_h=3, due_h=5)
    assert len(_late(data)) == 1
    _left_since(data, seen_h=0, due_h=5)
    assert len(_late(data)) == 1


# Copies and archives that are cut off


def test_a_copy_whose_check_is_cut_off_says_that_it_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **_more: Any) -> None:
        raise BadStore("The database cannot be read: server closed the connection")

    monkeypatch.setattr(leasebook.store.maintenance.copy, "check_store", gone)
    with pytest.raises(BadStore, match=r"everything was copied from .*Prove it with leasebook check"):
        copy(Target(data), Target(tmp_path / "goal"))
    with pytest.raises(BadStore, match="is not empty"):
        copy(Target(data), Target(tmp_path / "goal"))


def test_a_copy_that_is_cut_off_in_its_commit_does_not_say_that_nothing_was_copied(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import Connection
    from sqlalchemy.exc import OperationalError

    def lost(*_: Any) -> None:
        raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))

    original = leasebook.store.maintenance.copy._set_epoch

    def armed(new: Connection, goal: Target) -> None:
        original(new, goal)
        monkeypatch.setattr(new.dialect, "do_commit", lost)

    monkeypatch.setattr(leasebook.store.maintenance.copy, "_set_epoch", armed)
    with pytest.raises(BadStore, match="nobody can say whether anything was copied"):
        copy(Target(data), Target(tmp_path / "goal"))


def test_an_archive_that_the_disk_does_not_take_leaves_no_file(data: Path, tmp_path: Path) -> None:
    goal = tmp_path / "old.gz"

    def limited() -> None:
        """Let no file grow while the store is rolled up; the messages after it go into a file, too."""
        roll_up = leasebook.store.maintenance.archive._roll_up

        def with_a_full_disk(*arguments: Any) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            roll_up(*arguments)

        def opened(*arguments: Any) -> Any:
            try:
                return archive(*arguments)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        archive = leasebook.store.maintenance.archive.archive
        vars(leasebook.store.maintenance.archive).update(_roll_up=with_a_full_disk, archive=opened)

    ended = run(*COMMANDS["archive"][:-1], goal, "--data", data, first=limited)
    assert ended.code == CANNOT_START
    assert "File too large. Nothing was changed, and no file is left." in ended.line
    assert not goal.exists()
