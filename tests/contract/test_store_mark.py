"""The high-water mark beside the embedded store: how far it has acknowledged, and what a start makes of it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from leasebook.config.load import load_settings
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.vault import load_master_key
from leasebook.server import rotate_master_key as rotating
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.accept_loss import accept_loss
from leasebook.store.maintenance.backup import back_up
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import MARK
from leasebook.store.sqlite.mark import Mark
from leasebook.store.sqlite.store import FILE, SqliteStore
from leasebook.store.verify.check import check_store
from tests.copies import put_tables
from tests.harness import ENVIRONMENT, a_service, play

KEYS = AuditKeys(bytes(32))


def _marked(data: Path) -> int:
    found = Mark(data).read()
    assert found is not None
    return found.pages


def _live(data: Path, accounts: int, **options: Any) -> None:
    """Serve a store for a while: each account that is made is on a page of the record."""

    async def scene() -> None:
        async with a_service(data, **options) as desk:
            for number in range(accounts):
                before = _marked(data)
                answer = await desk.call("/v2/account", "TopUpAccount", {"amount": str(number + 1)})
                assert answer.status == 200, answer.body
                assert _marked(data) > before, "an answer left before the mark was moved"

    play(scene)


def _keys(data: Path) -> AuditKeys:
    return AuditKeys(load_master_key(data / "master.key", None, create=False))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lived") / "data"
    put_tables(data)
    _live(data, 2)
    shutil.copyfile(data / FILE, data.parent / "older.db")
    _live(data, 3)
    return data


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "data"
    shutil.copytree(lived, copied)
    return copied


def _opens(data: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(data)
        try:
            store.prove_mark(_keys(data))
        finally:
            await store.close()

    asyncio.run(scene())


def test_a_store_goes_on_where_it_ended(data: Path) -> None:
    before = _marked(data)
    _opens(data)
    assert _marked(data) == before
    _live(data, 1)
    assert _marked(data) > before
    assert not check_store(Target(data), _keys(data)).findings


def test_an_older_file_in_the_place_of_the_store_is_refused_and_left_alone(data: Path, lived: Path) -> None:
    shutil.copyfile(lived.parent / "older.db", data / FILE)
    before = (data / FILE).read_bytes()
    with pytest.raises(BadStore, match=r"acknowledged up to page \d+ of its record, and .* has \d+: \d+ pages of"):
        _opens(data)
    assert (data / FILE).read_bytes() == before
    (finding,) = (line for line in check_store(Target(data)).findings if line.startswith("mark: "))
    assert "of acknowledged writes lost" in finding
    with pytest.raises(BadStore, match="acknowledged up to page"):
        copy(Target(data), Target(data.parent / "copy"))


def test_a_loss_that_is_accepted_is_served_and_marked_anew(data: Path, lived: Path) -> None:
    marked = _marked(data)
    shutil.copyfile(lived.parent / "older.db", data / FILE)
    said = accept_loss(data, _keys(data))
    assert f"acknowledged up to page {marked}" in said
    assert str(marked).encode() in (data / f"{MARK}.lost").read_bytes()
    _opens(data)
    assert _marked(data) < marked
    with pytest.raises(BadStore, match="Nothing acknowledged is missing"):
        accept_loss(data, _keys(data))


def test_a_mark_that_was_set_back_is_refused(data: Path) -> None:
    pages = _marked(data)
    content = (data / MARK).read_bytes()
    (data / MARK).write_bytes(content.replace(b"%020d" % pages, b"%020d" % 1))
    with pytest.raises(BadStore, match="does not have the seal of the store's master key"):
        _opens(data)
    assert any("does not have the seal" in line for line in check_store(Target(data), _keys(data)).findings)
    assert "does not have the seal" in accept_loss(data, _keys(data))
    _opens(data)


@pytest.mark.parametrize("content", [b"", b"leasebook mark 1\n", b"\0" * 114, b"\xff" * 5000])
def test_a_damaged_mark_is_refused(data: Path, content: bytes) -> None:
    (data / MARK).write_bytes(content)
    with pytest.raises(BadStore, match=r"leasebook.mark is damaged. So nobody can tell"):
        _opens(data)
    assert any("is damaged" in line for line in check_store(Target(data)).findings)
    assert "is damaged" in accept_loss(data, _keys(data))
    _opens(data)


def test_the_mark_of_another_store_is_refused(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Mark(other).prove(KEYS, 1)
    shutil.copyfile(other / MARK, data / MARK)
    with pytest.raises(BadStore, match="does not have the seal"):
        _opens(data)


def test_a_store_of_before_the_mark_gets_one(data: Path) -> None:
    before = _marked(data)
    (data / MARK).unlink()
    assert not check_store(Target(data), _keys(data)).findings
    _opens(data)
    assert _marked(data) == before
    assert (data / MARK).stat().st_mode & 0o777 == 0o600


def test_a_mark_that_a_power_cut_set_back_is_no_alarm(data: Path, lived: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(lived, older)
    content = (data / MARK).read_bytes()
    _live(data, 2)
    (data / MARK).write_bytes(content)
    _opens(data)
    assert not check_store(Target(data), _keys(data)).findings


def test_a_restored_backup_has_a_mark_of_its_own(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup.db")
    _live(data, 2)
    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    shutil.copyfile(tmp_path / "backup.db", restored / FILE)
    (restored / FILE).chmod(0o600)
    shutil.copy2(data / "master.key", restored / "master.key")
    assert not check_store(Target(restored), _keys(restored)).findings
    _opens(restored)
    assert _marked(restored) < _marked(data)


async def test_a_backup_and_a_check_beside_a_server_see_no_loss(data: Path, tmp_path: Path) -> None:
    async with a_service(data) as desk:
        for number in range(3):
            await desk.call("/v2/account", "TopUpAccount", {"amount": "1"})
            await asyncio.to_thread(back_up, data, tmp_path / f"backup-{number}.db")
            report = await asyncio.to_thread(check_store, Target(data), _keys(data))
            assert not report.findings


def test_a_copy_has_no_mark_of_what_was_there_before(data: Path, tmp_path: Path) -> None:
    goal = tmp_path / "goal"
    goal.mkdir(mode=0o700)
    shutil.copy2(data / "master.key", goal / "master.key")
    (goal / MARK).write_bytes((data / MARK).read_bytes().replace(b"pages 0", b"pages 9"))
    (goal / MARK).chmod(0o600)
    copy(Target(data), Target(goal))
    _opens(goal)
    assert _marked(goal) == _marked(data)


@pytest.mark.parametrize("served", [True, False])
def test_a_new_master_key_seals_the_mark(data: Path, served: bool) -> None:  # noqa: FBT001
    settings = load_settings(None, ENVIRONMENT)

    async def scene() -> None:
        if not served:
            await rotating.rotate_master_key(settings, Target(data), wait_s=30, say=str)
            return
        async with a_service(data) as desk:
            turning = asyncio.create_task(rotating.rotate_master_key(settings, Target(data), wait_s=30, say=str))
            while not turning.done():
                await desk.call("/v2/account", "TopUpAccount", {"amount": "1"})
                await asyncio.sleep(0.05)
            await turning

    play(scene)
    before = Mark(data).read()
    assert before is not None
    # Also where the server died before it sealed the new mark.
    _live(data, 1)
    after = Mark(data).read()
    assert after is not None
    assert after.unproved(_keys(data)) is None


def test_a_mark_under_the_key_before_is_believed_and_sealed_anew(data: Path) -> None:
    older = (data / MARK).read_bytes()
    asyncio.run(rotating.rotate_master_key(load_settings(None, ENVIRONMENT), Target(data), wait_s=30, say=str))
    (data / MARK).write_bytes(older)
    _live(data, 1)
    found = Mark(data).read()
    assert found is not None
    assert found.unproved(_keys(data)) is None


def test_a_mark_that_cannot_be_moved_keeps_nobody_from_an_answer(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with a_service(data) as desk:

            def full(*_: object) -> int:
                raise OSError(28, "No space left on device")

            before = _marked(data)
            monkeypatch.setattr("leasebook.store.sqlite.mark.os.pwrite", full)
            assert (await desk.call("/v2/account", "TopUpAccount", {"amount": "1"})).status == 200
            assert _marked(data) == before
            monkeypatch.undo()

    play(scene)
    _opens(data)
