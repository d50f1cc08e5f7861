"""A start on files that are missing, damaged or out of reach: one line says the fault and the remedy."""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401 - see below
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import leasebook.engines.registry

# Before anything is forked: another user may not be able to read these modules.
import leasebook.server.serve
import leasebook.store.sqlite.store
import leasebook.store.verify.check  # noqa: F401
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import MARK, STORE
from leasebook.store.sqlite.mark import Mark, pages_in
from tests.faults.kept import CANNOT_START, Places, refused, run
from tests.harness import a_service, play

ANOTHER_UID = 64_321
CLONE_NEWNS = 0x0002_0000
LOG_HEADER, FRAME = 32, 24 + 4096
LOG = f"{STORE}-wal"


def _as_somebody(data: Path) -> Callable[[], None]:
    """Give everything to another user, and be that user."""
    for path in (data, *data.rglob("*")):
        os.chown(path, ANOTHER_UID, ANOTHER_UID)

    def become() -> None:
        os.setgroups([])
        os.setgid(ANOTHER_UID)
        os.setuid(ANOTHER_UID)

    return become


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, or mount something")


# Missing files


def test_a_store_that_is_gone_is_not_founded_anew(data: Path) -> None:
    (data / STORE).unlink()
    line = refused(data)
    assert f"There is master.key, lock, {MARK}" in line
    assert f"{data / STORE}, is missing" in line
    assert "restore a backup" in line
    assert "leasebook serve --new" in line
    assert not (data / STORE).exists()


@pytest.mark.parametrize("left", ["master.key", "master.key.next", "credentials.env", "lock", MARK, LOG, "replicas"])
def test_each_thing_that_a_server_leaves_says_that_there_was_a_store(data: Path, left: str) -> None:
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    if left == "replicas":
        (data / left).mkdir(mode=0o700)
    else:
        (data / left).touch(0o600)
    assert f"There is {left} in {data}" in refused(data)
    assert [path.name for path in data.iterdir()] == [left]


def test_migrate_makes_no_store_where_one_is_gone(data: Path) -> None:
    (data / STORE).unlink()
    ended = run("migrate", "--data", data)
    assert ended.code == CANNOT_START
    assert "is missing" in ended.line


def test_an_emptied_file_is_not_founded_anew(data: Path) -> None:
    os.truncate(data / STORE, 0)
    line = refused(data)
    assert f"There is master.key and {MARK} in {data}" in line
    assert "is empty" in line


def test_new_is_refused_where_there_is_a_store(data: Path) -> None:
    assert f"{data / STORE} is one" in refused(data, "--new")


def test_new_keeps_the_log_of_the_store_that_is_gone(crashed: Path) -> None:
    (crashed / STORE).unlink()
    assert "move it elsewhere" in refused(crashed, "--new")
    assert (crashed / LOG).stat().st_size


def test_a_link_that_leads_nowhere_is_named(data: Path) -> None:
    (data / STORE).unlink()
    (data / STORE).symlink_to(data / "volume" / STORE)
    assert f"is a link to {data / 'volume' / STORE}, which is not there" in refused(data)


def test_a_store_without_its_master_key_is_not_given_another(data: Path) -> None:
    (data / "master.key").unlink()
    assert "there is no master key; put it there" in refused(data)
    assert not (data / "master.key").exists()


async def test_new_founds_a_store_where_one_is_gone_under_the_key_that_is_there(data: Path) -> None:
    key = (data / "master.key").read_bytes()
    (data / STORE).unlink()
    async with a_service(Target(data, new=True), clock="real") as desk:
        assert float((await desk.call("/v2/account", "DescribeAccount")).result["balance"]) == 0
    assert (data / "master.key").read_bytes() == key
    assert run("check", "--data", data).code == 0


async def test_a_founding_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / STORE).touch(0o600)
    (data / "lock").touch(0o600)
    async with a_service(data, clock="real") as desk:
        assert desk.service.root_access_key


# Damaged files


def _overwrite(path: Path, content: bytes, at: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def test_a_header_that_was_overwritten_is_named(data: Path) -> None:
    _overwrite(data / STORE, b"\xb5" * 64)
    line = refused(data)
    assert "is not a database: where its header belongs there is something else" in line
    assert "Restore a backup" in line


def test_a_first_page_of_zeros_is_named(data: Path) -> None:
    _overwrite(data / STORE, bytes(4096))
    assert "where its header belongs there is only zeros" in refused(data)


def test_a_file_that_was_cut_off_is_named(data: Path) -> None:
    size = (data / STORE).stat().st_size
    os.truncate(data / STORE, size // 2)
    assert f"was cut off: it has {size // 2} of {size} bytes" in refused(data)


def test_a_schema_of_rubbish_is_named(data: Path) -> None:
    _overwrite(data / STORE, b"\xb5" * 3000, 100)
    assert "is not a usable store, it is damaged" in refused(data)


def test_tables_of_rubbish_end_in_no_traceback(data: Path) -> None:
    size = (data / STORE).stat().st_size
    for page in range(2, size // 4096):
        _overwrite(data / STORE, os.urandom(2048), page * 4096 + 8)
    assert str(data / STORE) in refused(data)


def test_a_backup_is_not_put_together_with_the_log_of_another_file(crashed: Path) -> None:
    backup = crashed.parent / "backup.db"
    assert run("backup", "--data", crashed, "--to", backup).code == 0
    backup.replace(crashed / STORE)
    assert "Put the backup into an empty directory" in refused(crashed)


# Acknowledged writes that are not there


def _pages(data: Path) -> int:
    marked = Mark(data).read()
    assert marked is not None
    return marked.pages


def _without_log(data: Path) -> None:
    (data / LOG).unlink()
    (data / f"{STORE}-shm").unlink()


def test_a_store_whose_log_is_gone_is_refused_until_the_loss_is_accepted(crashed: Path) -> None:
    marked = _pages(crashed)
    assert marked > 3
    _without_log(crashed)
    line = refused(crashed)
    assert f"acknowledged up to page {marked} of its record" in line or "is not a usable store" in line
    ended = run("check", "--data", crashed)
    assert ended.code != 0


def test_a_store_that_was_cut_back_is_refused_until_the_loss_is_accepted(crashed: Path) -> None:
    marked = _pages(crashed)
    os.truncate(crashed / LOG, _last_commit(crashed / LOG))
    line = refused(crashed)
    assert f"acknowledged up to page {marked} of its record" in line
    assert "of acknowledged writes lost" in line
    assert f"leasebook accept-loss --data {crashed}" in line
    assert run("copy", "--from", f"sqlite:///{crashed}", "--to", f"sqlite:///{crashed.parent / 'to'}").code == 2
    ended = run("check", "--data", crashed)
    assert ended.code == 1
    assert "mark: " in ended.line
    assert f"acknowledged up to page {marked}" in ended.line
    accepted = run("accept-loss", "--data", crashed)
    assert accepted.code == 0
    assert f"Accepted: {crashed / MARK} says that the server acknowledged up to page {marked}" in accepted.line
    assert (crashed / f"{MARK}.lost").exists()
    _serves(crashed)
    # The server's own writes meanwhile may make up for the lost page.
    assert _pages(crashed) == pages_in(sqlite3.connect(crashed / STORE), crashed / STORE)
    assert run("check", "--data", crashed).code == 0
    assert f"There is no {MARK}" not in run("accept-loss", "--data", crashed).line


def _last_commit(log: Path) -> int:
    """Return where the last frame begins that is in use; a log is used again from its start, and never cut."""
    content = log.read_bytes()
    begins = range(LOG_HEADER, len(content), FRAME)
    return [at for at in begins if content[at + 8 : at + 16] == content[16:24]][-1]


def _serves(data: Path) -> None:
    async def scene() -> None:
        async with a_service(data, clock="real") as desk:
            assert (await desk.call("/v2/account", "DescribeAccount")).status == 200

    play(scene)


def test_a_damaged_log_is_noticed(crashed: Path) -> None:
    _overwrite(crashed / LOG, b"\xb5" * 64, _last_commit(crashed / LOG))
    assert "of acknowledged writes lost" in refused(crashed)


def test_a_killed_server_starts_again_as_it_was(crashed: Path) -> None:
    before = _pages(crashed)
    _serves(crashed)
    assert _pages(crashed) >= before
    assert run("check", "--data", crashed).code == 0


# Files out of reach

MODES = [
    (".", "may not read and write"),
    (STORE, "may not read and write"),
    ("lock", "may not read and write"),
    (MARK, "may not read and write"),
    ("master.key", "cannot be read: This process (user 64321) may not read"),
    ("replicas", "may not read and write"),
    ("replicas/new", "may not read and write"),
]


@needs_root
@pytest.mark.parametrize(("name", "says"), MODES, ids=[name for name, _ in MODES])
def test_what_has_mode_000_is_named(data: Path, name: str, says: str) -> None:
    (data / "replicas").mkdir(mode=0o700, exist_ok=True)
    for part in ("new", "replicas", "gone", "ended"):
        (data / "replicas" / part).mkdir(mode=0o700, exist_ok=True)
    become = _as_somebody(data)
    path = (data / name).resolve()
    path.chmod(0)
    line = refused(data, first=become)
    assert says in line
    assert str(path) in line
    assert f"chmod {'700' if path.is_dir() else '600'} {path}" in line


@needs_root
@pytest.mark.parametrize("name", [STORE, "lock", MARK])
def test_what_belongs_to_another_user_is_named(data: Path, name: str) -> None:
    become = _as_somebody(data)
    os.chown(data / name, 0, 0)
    line = refused(data, first=become)
    assert f"may not read and write {data / name}: it belongs to user root" in line
    assert f"chown {ANOTHER_UID} {data / name}" in line


@needs_root
def test_a_directory_that_may_only_be_read_is_named(data: Path) -> None:
    become = _as_somebody(data)
    data.chmod(0o500)
    assert f"may not read and write {data}" in refused(data, first=become)


@needs_root
def test_a_directory_that_cannot_be_made_is_named(places: Places) -> None:
    def become() -> None:
        os.setgroups([])
        os.setgid(ANOTHER_UID)
        os.setuid(ANOTHER_UID)

    assert "Permission denied" in refused(places.closed.parent / "none", first=become)


def _may_mount() -> bool:
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not _may_mount(), reason="no mount namespace can be made here")
def test_a_file_system_that_is_mounted_read_only_is_named(crashed: Path) -> None:
    def mount() -> None:
        assert ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0
        for arguments in (["--make-rprivate", "/"], ["--bind", crashed, crashed], ["-o", "remount,bind,ro", crashed]):
            subprocess.run(["mount", *arguments], check=True)

    line = refused(crashed, first=mount)
    assert f"{crashed} lies on a file system that is mounted read-only. Mount it writable" in line
