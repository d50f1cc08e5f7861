"""The pytest plugin: fixtures that give a test a service, and the stories of its instances where it fails.

- ``leasebook``: a fresh service for each test, at one address for all tests of the process.
- ``leasebook_shared``: one service for the whole session (of each process, with pytest-xdist).
- ``leasebook_account``: an account of its own for each test, on the shared service.

``@pytest.mark.leasebook(start=…, stock=…, balance=…, seed=…, settings=…)`` gives the parameters of
``leasebook.testing.Leasebook`` for a test of the fixture ``leasebook``; the options ``leasebook_start`` and
``leasebook_seed`` of the configuration file are the defaults of every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leasebook.testing.account import AccountInTest
    from leasebook.testing.kit import Leasebook

FIXTURES = ("leasebook", "leasebook_account")
SECTION = "leasebook: stories of the instances"
KITS: pytest.StashKey[dict[str, Leasebook]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the configuration file."""
    parser.addini("leasebook_start", "Where the virtual clock of the fixtures begins; left out: at the present time.")
    parser.addini("leasebook_seed", "The seed file of the fixtures, from the folder of the configuration file.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "leasebook(start, stock, balance, seed, settings): how the service of the test begins"
    )
    config.stash[KITS] = {}


def _defaults(config: pytest.Config) -> dict[str, Any]:
    start, seed = config.getini("leasebook_start"), config.getini("leasebook_seed")
    found: dict[str, Any] = {}
    if start:
        found["start"] = start
    if seed:
        found["seed"] = Path(config.rootpath, seed)
    return found


def _kit(config: pytest.Config, wanted: dict[str, Any]) -> tuple[Leasebook, bool]:
    """Return the service for these parameters, started, and whether a test had it before."""
    from leasebook.testing.kit import Leasebook

    kits = config.stash[KITS]
    name = repr(sorted(wanted.items()))
    is_used = name in kits
    if not is_used:
        # Each fixture sets the environment for its test, for there may be several services.
        kits[name] = Leasebook(**wanted, environment=False)
    return kits[name].start(), is_used


@pytest.fixture
def leasebook(request: pytest.FixtureRequest) -> Iterator[Leasebook]:
    """A fresh service for this test, with the clients' variables set to its account."""
    from leasebook.testing.environment import Environment

    marker = request.node.get_closest_marker("leasebook")
    wanted = {**_defaults(request.config), **({} if marker is None else marker.kwargs)}
    kit, is_used = _kit(request.config, wanted)
    if is_used:
        kit.reset()
    environment = Environment()
    environment.set(kit.account.environment())
    try:
        yield kit
    finally:
        environment.restore()


@pytest.fixture(scope="session")
def leasebook_shared(request: pytest.FixtureRequest) -> Iterator[Leasebook]:
    """One service for the session; ``leasebook_account`` gives each test an account of its own on it."""
    from leasebook.testing.kit import Leasebook

    with Leasebook(**_defaults(request.config), environment=False) as kit:
        yield kit


@pytest.fixture
def leasebook_account(leasebook_shared: Leasebook, request: pytest.FixtureRequest) -> Iterator[AccountInTest]:
    """An account of this test on the shared service, with the clients' variables set to it."""
    from leasebook.testing.environment import Environment

    account = leasebook_shared.new_account(request.node.name[:64])
    environment = Environment()
    environment.set(account.environment())
    try:
        yield account
    finally:
        environment.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add the stories to the report of a test that failed, while its service is still as the test left it."""
    report = yield
    if report.when == "call" and report.failed and isinstance(item, pytest.Function):
        for name in FIXTURES:
            found: Any = item.funcargs.get(name)
            if found is not None:
                account = found.account if name == "leasebook" else found
                report.sections.append((SECTION, account.stories() or "The account has bought nothing."))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the services."""
    for kit in config.stash.get(KITS, {}).values():
        kit.stop()
