"""A store that was closed well, what a killed server leaves of one, and the command line run on a copy of it."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - see below
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

import leasebook.engines.registry

# Before anything is forked: another user may not be able to read these modules.
import leasebook.server.serve
import leasebook.store.sqlite.store
import leasebook.store.verify.check  # noqa: F401
from leasebook.cli.main import cli
from leasebook.store.sqlite.directory import STORE
from tests.harness import ENVIRONMENT, Client, a_service, play

CANNOT_START = 2
ALARM_S = 15


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    line: str


async def _live(desk: Client) -> None:
    await desk.call(
        "/v2/catalog", "SetOffering", {"region": "bj", "type": "cu-1", "pricePerMinute": "1", "stockTotal": 99}
    )
    await desk.call("/v2/account", "TopUpAccount", {"amount": "1000"})
    bought = await desk.call(
        "/v2/computeunit",
        "PurchaseComputeUnit",
        {
            "billing": {"paymentTiming": "Postpaid"},
            "computeUnitConfig": {"region": "bj", "type": "cu-1"},
            "computeUnitCount": 1,
        },
    )
    assert bought.status == 200, bought.body


class Places(NamedTuple):
    """A store that was closed well, and what a killed server leaves of it."""

    closed: Path
    killed: Path


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    # Everybody may get there: what keeps another user out is the test's own doing.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    data, killed = folder / "closed", folder / "killed"

    async def scene() -> None:
        async with a_service(data, clock="real") as desk:
            with closing(sqlite3.connect(data / STORE, isolation_level=None)) as reader:
                # While it reads, nothing that follows gets from the log into the file.
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM facts").fetchall()
                await _live(desk)
                # Nothing is written meanwhile: that is what lies there when the server is killed now.
                shutil.copytree(data, killed)

    play(scene)
    yield Places(data, killed)
    shutil.rmtree(folder)


def _copied(original: Path) -> Path:
    copy = Path(tempfile.mkdtemp(dir=original.parent)) / "data"
    shutil.copytree(original, copy)
    copy.parent.chmod(0o755)
    return copy


@pytest.fixture
def data(places: Places) -> Path:
    return _copied(places.closed)


@pytest.fixture
def crashed(places: Places) -> Path:
    return _copied(places.killed)


def run(*arguments: str | Path, first: Callable[[], None] = lambda: None) -> Ended:
    """Run the command line in a child of this process, after it did something ``first``; returns its one line."""
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
                signal.alarm(ALARM_S)
                os.environ.update(ENVIRONMENT)
                first()
                cli([str(argument) for argument in arguments])
            except SystemExit as ended:
                code = int(ended.code or 0)
            except BaseException:  # noqa: BLE001 - the parent sees it
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        said.seek(0)
        text = said.read().decode()
    lines = [line for line in text.splitlines() if not line.startswith('{"timestamp"')]
    assert "Traceback" not in text, text
    return Ended(os.waitstatus_to_exitcode(status), "\n".join(lines))


def refused(data: Path, *arguments: str, first: Callable[[], None] = lambda: None) -> str:
    """Fail unless the server refuses in one line; returns it."""
    ended = run("serve", "--port", "0", "--data", data, *arguments, first=first)
    assert ended.code == CANNOT_START, ended
    assert ended.line.startswith("leasebook: "), ended
    assert "\n" not in ended.line
    return ended.line
