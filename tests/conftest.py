"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from leasebook.store.opening import Target
from tests import postgres, workers
from tests.copies import STORES, empty
from tests.depth import IS_DEEP, ROUNDS, few, left_to_deep_runs
from tests.once import read_once

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made with mkdtemp
MEMORY_FREE_MIN = 2 << 30
"""Bytes. A whole run writes about 300 MB."""
EXAMPLES: Final = few(12, 60)
"""Examples of a property; more with LEASEBOOK_TEST_ROUNDS."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option that runs tests in several processes."""
    workers.pytest_addoption(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make the start of a service cheap, and what it writes."""
    read_once()
    write_to_memory()
    if not hasattr(config, "workerinput"):
        # The workers are started later, and find it in their environment.
        os.environ[postgres.RUN_FOLDER] = tempfile.mkdtemp(prefix="leasebook-run-")
    # The time of an example depends on the load of the machine. No property is about it.
    settings.register_profile(
        "leasebook", max_examples=EXAMPLES * ROUNDS, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("leasebook")
    workers.pytest_configure(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the processes of this run shared."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(postgres.RUN_FOLDER), ignore_errors=True)


def write_to_memory() -> None:
    """Have everything written to memory where there is some, unless TMPDIR says where: a sync costs nothing there.

    No test is about what a power failure leaves, and what a killed process wrote is there on either kind of disk.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    runs_programs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if runs_programs and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_MIN:
        # The processes that tests start find it there, too.
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def pytest_sessionstart() -> None:
    """Have nothing collected while ten thousand tests are made: none of them is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on the collector need not look again at what lives to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other stores where LEASEBOOK_TEST_STORE names one, and those for deep runs only."""
    wanted = os.environ.get("LEASEBOOK_TEST_STORE")
    if not wanted:
        left = left_to_deep_runs(items)
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = [item for item in items if item not in left]
        return
    if wanted not in STORES:
        raise pytest.UsageError(f"LEASEBOOK_TEST_STORE is {wanted}: it may be {' or '.join(STORES)}")
    others = set(STORES) - {wanted}
    left_out = [item for item in items if not others.isdisjoint(_parameters(item))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if others.isdisjoint(_parameters(item))]


def _parameters(item: pytest.Item) -> set[str]:
    """Return the words in the brackets behind a test's name, and those of its file's name."""
    return {*item.name.partition("[")[2].rstrip("]").split("-"), *Path(item.path).stem.split("_")}


def pytest_report_header() -> list[str]:
    """Say how deep the run goes, and which PostgreSQL the tests use."""
    ordinary = "ordinary: a few of many values, and some tests, are left to LEASEBOOK_TEST_ROUNDS=1"
    depth = f"depth: {f'deep, rounds: {ROUNDS}' if IS_DEEP else ordinary}"
    try:
        return [depth, f"postgres: {postgres.binaries()[1]}"]
    except postgres.NoPostgresError as error:
        return [depth, f"postgres: {error}"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio and on nothing else, as the service does."""
    return "asyncio"


@pytest.fixture(params=STORES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """An empty store of each kind."""
    with empty(request.param, tmp_path / "data") as where:
        yield where


@pytest.fixture(params=STORES)
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A store of each kind, with its tables in it: where many tests ask for one, that is much quicker."""
    with empty(request.param, tmp_path / "data", migrated=True) as where:
        yield where
