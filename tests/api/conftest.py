"""Services for the tests: one for a whole module, or one that no other test has touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import ServiceHarness, a_scene
from tests.copies import STORES, copy_of, empty
from tests.depth import ROUNDS, few
from tests.log_stores import plain_log, with_log_store

PROVED_EVERY = {"sqlite": few(8, 1), "postgres": few(8, 8 if ROUNDS == 1 else 1)}
"""The books are proved after one of this number of tests on a store: it takes as long as a test."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each test of ``either`` run on PostgreSQL with the first of its values only, unless all are asked for.

    The values are for the rules, which are the same code on each store; all of them run on the embedded one.
    """
    if ROUNDS > 1 or os.environ.get("LEASEBOOK_TEST_STORE"):
        return
    seen: set[tuple[Path, str]] = set()
    left_out = []
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            name = item.path, item.originalname
            if item.callspec.params.get("either") == "postgres":
                if name in seen:
                    left_out.append(item)
                seen.add(name)
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


@pytest.fixture(scope="module", autouse=True)
def _plain_log() -> Iterator[None]:
    with plain_log():
        yield


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service for a module, with something to sell. Its tests open accounts of their own."""
    with a_scene(tmp_path_factory.mktemp("shared"), environment=with_log_store()) as scene:
        for unit_type in ("cpu", "gpu-1", "gpu-2"):
            scene.sell("bj", unit_type, stock=1_000_000)
        scene.sell_quota(stock=1_000_000)
        yield scene


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a service that was opened on 15 January 2030, and sells ten gpu-1 in bj."""
    directory = tmp_path_factory.mktemp("opened")
    with a_scene(directory) as scene:
        open_up(scene)
    return directory


def open_up(scene: ServiceHarness) -> None:
    """Let it be 15 January 2030, eight in the morning in Shanghai, and sell ten gpu-1 in bj."""
    scene.advance("2030-01-15T08:00:00+08:00")
    scene.sell()


@pytest.fixture
def fresh(opened: Path, tmp_path: Path) -> Iterator[ServiceHarness]:
    """A service of a test's own. It is 15 January 2030, eight in the morning in Shanghai; ten gpu-1 are for sale."""
    directory = tmp_path / "data"
    shutil.copytree(opened, directory)
    with a_scene(directory) as scene:
        yield scene


@pytest.fixture(scope="session")
def opened_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The same on PostgreSQL."""
    with empty("postgres", tmp_path_factory.mktemp("opened") / "data", migrated=True) as where:
        with a_scene(where) as scene:
            open_up(scene)
        yield where


@contextmanager
def a_copy(
    request: pytest.FixtureRequest, directory: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[ServiceHarness]:
    """Run a service like ``fresh`` on the kind of store that is asked for; its books are proved in the end."""
    original = (
        Target(request.getfixturevalue("opened"))
        if request.param == "sqlite"
        else request.getfixturevalue("opened_database")
    )
    with copy_of(original, directory) as where, a_scene(where, environment=environment) as scene:
        yield scene
        if is_proved(request):
            assert check_store(where).findings == []


def is_proved(request: pytest.FixtureRequest) -> bool:
    """Whether the books are proved in the end: in a deep run those of the embedded store after each test."""
    return crc32(request.node.nodeid.encode()) % PROVED_EVERY[request.param] == 0


@pytest.fixture(params=STORES)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceHarness]:
    """A service like ``fresh`` on either store, whose books are proved in the end."""
    with a_copy(request, tmp_path / "data") as scene:
        yield scene


@pytest.fixture(scope="module", params=STORES)
def either_shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service like ``either`` for the tests of a module that only look, or open accounts of their own."""
    with a_copy(request, tmp_path_factory.mktemp("either") / "data", environment=with_log_store()) as scene:
        yield scene
