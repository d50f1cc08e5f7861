"""A store from before the project was renamed is opened, gets the names of today, and that is said once."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from leasebook.cli.stores import audit_keys
from leasebook.domain.commands.store.former_name import NAME
from leasebook.domain.values.former_name import FORMER_NAME, FORMER_OPERATOR
from leasebook.server import bootstrap as founding
from leasebook.store.errors import BadStore, StoreInUse
from leasebook.store.opening import Target, upgrade
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.sqlite import former_files
from leasebook.store.sqlite.directory import MARK, STORE
from leasebook.store.sqlite.there import store_in
from leasebook.store.verify.check import check_store
from tests.copies import STORES, empty
from tests.harness import Client, a_service


class KilledError(Exception):
    """The process was killed here."""


CATALOG, IAM = "/v2/catalog", "/v2/iam"
FILES = [f"{FORMER_NAME}.db-wal", f"{FORMER_NAME}.db-shm", f"{FORMER_NAME}.mark", f"{FORMER_NAME}.db"]


async def operates(desk: Client) -> None:
    """Do what only an operator may."""
    offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 10}
    assert (await desk.call(CATALOG, "SetOffering", offering)).status == 200


def as_before(where: Target, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a store as an older version did; of an embedded one ``before`` is what a killed server leaves."""

    async def scene() -> None:
        async with a_service(where) as desk:
            user = (await desk.call(IAM, "CreateUser", {"name": "second"})).result["userId"]
            await desk.call(IAM, "AttachPolicy", {"userId": user, "policyName": "QianfanReadAccessPolicy"})
            if where.url is None:
                shutil.copytree(where.directory, before)

    with monkeypatch.context() as patch:
        patch.setattr(founding, "OPERATOR", FORMER_OPERATOR)
        asyncio.run(scene())


def forget_name(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM facts WHERE name = ?", (NAME,))
    connection.close()


@pytest.fixture
def former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that a killed server of an older version left, with a log that is not in the file yet."""
    before = tmp_path / "before"
    with empty("sqlite", tmp_path / "data", migrated=True) as where:
        as_before(where, before, monkeypatch)
    # The fact goes by a connection that leaves the log where it is.
    keeps = sqlite3.connect(before / STORE)
    keeps.execute("SELECT count(*) FROM facts").fetchall()
    forget_name(before / STORE)
    shutil.copytree(before, tmp_path / "former")
    keeps.close()
    old = tmp_path / "former"
    for end in ("", "-wal", "-shm"):
        if (old / f"{STORE}{end}").exists():
            (old / f"{STORE}{end}").rename(old / f"{FORMER_NAME}.db{end}")
    (old / MARK).rename(old / f"{FORMER_NAME}.mark")
    assert (old / f"{FORMER_NAME}.db-wal").stat().st_size > 0
    return old


def serves(where: Target) -> list[str]:
    """Serve a store, and see that its operator is one; returns what the log said of names."""

    async def scene() -> None:
        async with a_service(where) as desk:
            await operates(desk)

    with capture_logs() as logs:
        asyncio.run(scene())
    keys = audit_keys(where)
    assert keys is not None
    assert check_store(where, keys).findings == []
    return [entry["event"] for entry in logs if "renamed" in entry["event"]]


def test_its_files_and_its_policy_are_renamed_and_that_is_said_once(former: Path) -> None:
    said = serves(Target(former))
    assert [line.split(",")[0] for line in said] == [
        "the store's files were renamed",
        "the operator's policy was renamed",
    ]
    assert not [path.name for path in former.iterdir() if path.name.startswith(FORMER_NAME)]
    with snapshot(Target(former)) as ask:
        assert ask.holders(FORMER_OPERATOR) == []
    assert serves(Target(former)) == []


@pytest.mark.parametrize("done", range(len(FILES)))
def test_wherever_the_renaming_is_cut_off_the_next_start_goes_on(
    former: Path, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = count()
    rename = Path.rename

    def cut(path: Path, goal: Path) -> Path:
        if next(renamed) == done:
            raise KilledError
        return rename(path, goal)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        with suppress(KilledError):
            former_files.rename(former)
    upgrade(Target(former))
    assert not [path.name for path in former.iterdir() if path.name.startswith(FORMER_NAME)]
    serves(Target(former))
    with snapshot(Target(former)) as ask:
        # They were in the log only.
        assert len(ask.holders("QianfanReadAccessPolicy")) == 1


def test_commands_that_read_say_how_it_gets_its_name(former: Path) -> None:
    with pytest.raises(BadStore, match="Serve or migrate the store once"):
        store_in(former)


def test_it_is_left_alone_while_its_server_works(former: Path) -> None:
    from leasebook.store.sqlite.directory import locked

    with locked(former), pytest.raises(StoreInUse):
        former_files.rename(former)
    assert former_files.is_former(former)


@pytest.mark.parametrize("kind", STORES)
def test_a_store_of_today_has_its_name_from_the_beginning(kind: str, tmp_path: Path) -> None:
    with empty(kind, tmp_path / "data", migrated=True) as where:
        assert serves(where) == []
        with snapshot(where) as ask:
            assert ask.fact(NAME) is not None
