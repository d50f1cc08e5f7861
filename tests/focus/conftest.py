"""The store that the exports are made of, and the validator that reads them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.conformance.toolchains import Toolchain
from tests.focus.life import ExportScenario, live
from tests.focus.validator import ready_validator


@pytest.fixture(scope="module", autouse=True)
def _quiet_log() -> Iterator[None]:
    """Print only what matters of what the service says while it lives. Other folders' tests read what it says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> ExportScenario:
    """A store that lived; its tests only read it."""
    return live(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="session")
def validator() -> Toolchain:
    """The FinOps Foundation's validator."""
    return ready_validator()
