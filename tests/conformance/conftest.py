"""The official clients, built once, and a real server for them to call."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.programs import Program
from tests.conformance.server import ConformanceServer, running, stores
from tests.conformance.toolchains import GO, HERE, JAVA, NODE, PYTHON, Toolchain, ready
from tests.copies import ROUNDS

EVERYWHERE = "go"
"""The client that calls servers on every store; it starts in a fiftieth of the time of the others. No client knows what
a server keeps its books in: tests/api/test_published.py sends the same calls to both stores without a client."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the calls of other clients to the second store, unless all of them are asked for."""
    if ROUNDS > 1 or "LEASEBOOK_TEST_STORES" in os.environ:
        return
    left_out = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def _is_left_out(item: pytest.Item) -> bool:
    if HERE not in item.path.parents or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    parameters = item.callspec.params
    return "store" in parameters and parameters["store"] != stores()[0] and EVERYWHERE not in parameters.values()


# Session fixtures, since pytest remembers what one of them raised: a failed build is not tried again.


@pytest.fixture(scope="session")
def python_client() -> Toolchain:
    return ready(PYTHON)


@pytest.fixture(scope="session")
def node_client() -> Toolchain:
    return ready(NODE)


@pytest.fixture(scope="session")
def go_client() -> Toolchain:
    return ready(GO)


@pytest.fixture(scope="session")
def java_client() -> Toolchain:
    return ready(JAVA)


@pytest.fixture(scope="session")
def all_clients(
    python_client: Toolchain, node_client: Toolchain, go_client: Toolchain, java_client: Toolchain
) -> tuple[Toolchain, ...]:
    return python_client, node_client, go_client, java_client


@pytest.fixture(scope="session", params=stores())
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    """One server for a file of tests. Each test works on units of its own."""
    with running(store, tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def untouched_server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    """One for a single test, whose whole account is looked at."""
    with running(store, tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def python(python_client: Toolchain, server: ConformanceServer, tmp_path: Path) -> Program:
    return Program(python_client, server.base_url, tmp_path)


@pytest.fixture(params=["python", "node", "go", "java"])
def client(request: pytest.FixtureRequest, server: ConformanceServer, tmp_path: Path) -> Program:
    """Each official client in turn."""
    toolchain: Toolchain = request.getfixturevalue(f"{request.param}_client")
    return Program(toolchain, server.base_url, tmp_path)
