"""A process that is killed while it makes the schema leaves a store that the next one can finish."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import alembic.op
import pytest

from leasebook.store.sqlite.store import FILE, SqliteStore
from tests.crash.fleet import ACCOUNT, ROUNDS, Process, eventually
from tests.crash.lone import data_of, lone_server, prove_books, root_of
from tests.depth import few
from tests.ports import free_port

KILLS = few(1, 3)
CUT_EVERY = few(15, 3)
"""Steps. Those between are of the same kinds, and every migration has more than three."""
RECOVERED_EVERY = few(45, 3 if ROUNDS > 1 else 15)
"""Steps. Where no table is left, the next start has the same to do wherever it was cut off."""
STEPS = ("create_table", "create_index")


class _Cut(BaseException):
    """Raised in place of the end of the process."""


def _tables(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / FILE)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]


def _open_and_close(directory: Path) -> None:
    async def scene() -> None:
        await SqliteStore(directory).close()

    asyncio.run(scene())


def _cut_off_after(steps: int, directory: Path, patch: pytest.MonkeyPatch) -> bool:
    """Make the schema, but end after ``steps`` of its steps; returns whether it has more."""
    done = 0

    def counted(step: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            if done == steps:
                raise _Cut
            done += 1
            return step(*args, **kwargs)

        return run

    with patch.context() as cut:
        for name in STEPS:
            cut.setattr(alembic.op, name, counted(getattr(alembic.op, name)))
        try:
            _open_and_close(directory)
        except _Cut:
            return True
    return False


def test_a_schema_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    while _cut_off_after(steps, directory := tmp_path / str(steps), monkeypatch):
        assert _tables(directory) == []
        if steps % RECOVERED_EVERY == 0:
            _open_and_close(directory)
            assert "units" in _tables(directory)
        steps += CUT_EVERY
    assert steps > 10


@pytest.mark.crash
def test_a_server_that_is_killed_before_it_ever_served_can_be_started(tmp_path: Path) -> None:
    seed = uuid.uuid4().hex[:8]
    print(f"seed {seed}")
    random = Random(seed)  # noqa: S311 - nothing is kept secret with it
    data = data_of(tmp_path)
    for _ in range(KILLS):
        server = Process(data.name, tmp_path, ("serve",), free_port())
        server.start()
        eventually("it begins", (data / FILE).exists, every_s=0.001)
        eventually("the moment has come", lambda: random.random() < 0.1, every_s=0.01)
        server.kill()
    with lone_server(tmp_path) as server:
        with root_of(server) as root:
            assert root.call(ACCOUNT, "DescribeAccount").result["balance"] == "0.00"
        server.stop()
    prove_books(data)
