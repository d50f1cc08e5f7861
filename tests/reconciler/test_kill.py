"""kill -9 of the control plane between any two steps of the life of real processes."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebook.domain.book.tables import OFFERINGS, REPLICAS
from leasebook.store.sqlite.store import SqliteStore
from tests.contract.batches import get
from tests.copies import put_tables
from tests.depth import some
from tests.harness import play

ROOT = Path(__file__).parents[2]
POINTS = [
    ("HoldLeases", 1),
    ("TakeLeases", 1),
    ("TakeLeases done", 1),
    ("BeginStart", 1),
    ("BeginStart done", 1),
    ("BeginStart done", 2),
    ("start", 1),
    ("start done", 1),
    ("start done", 2),
    ("WriteReplica", 1),
    ("WriteReplica done", 1),
    ("WriteReplica done", 2),
    ("Settled", 1),
    ("Settled done", 1),
    ("Release done", 1),
    ("WriteReplica", 3),
    ("WriteReplica done", 3),
    ("WriteReplica done", 4),
    ("stop", 1),
    ("stop done", 1),
    ("stop done", 2),
    ("WriteReplica done", 5),
    ("WriteReplica done", 6),
    ("Settled", 2),
    ("Settled done", 2),
]
"""The actions before or after which it dies, and at which time of each."""


class Parent:
    """The process that control planes come from."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._ask, self._answers = process.stdin, process.stdout

    def lived(self, directory: Path, point: str, nth: int) -> int:
        """Let a control plane live; returns how it ended."""
        self._ask.write(json.dumps([str(directory), point, nth]) + "\n")
        self._ask.flush()
        assert select.select([self._answers], [], [], 100)[0], "it lives for ever"
        return int(self._answers.readline())


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    command = [sys.executable, "-m", "tests.reconciler.lone"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Parent(process)


def processes_of(directory: Path) -> list[str]:
    """The processes of this machine with that directory in their environment or command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in text:
            found.append(process.name)
    return found


@pytest.mark.parametrize(("point", "nth"), some(POINTS, 9))
def test_whatever_it_was_about_to_do_or_had_just_done_the_next_one_finishes_it(
    parent: Parent, tmp_path: Path, point: str, nth: int
) -> None:
    directory = tmp_path / "data"
    put_tables(directory)
    assert parent.lived(directory, point, nth) == -signal.SIGKILL, "it never came to that point"
    assert parent.lived(directory, "", 0) == 0
    # The last keeper sees that its replica is gone, says so, and is about to end.
    give_up = time.monotonic() + 10
    while processes_of(directory) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert processes_of(directory) == []

    async def look() -> None:
        store = SqliteStore(directory)
        offering = await get(store, OFFERINGS, "bj", "gpu-1")
        assert offering.stock_free == offering.stock_total
        rows = [await get(store, REPLICAS, "unit-1", "svco-1", number) for number in (0, 1)]
        assert {row.state for row in rows if row is not None} <= {"Gone"}
        # A name is used for one try; a control plane that dies costs at most the tries that it had begun.
        assert all(row.generation <= 4 for row in rows if row is not None)
        await store.close()

    play(look)
