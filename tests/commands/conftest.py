"""A service with a virtual clock for the commands, and ways to run them: in this process, and in a real terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import CliRunner, Result

from leasebook.cli.main import cli
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer, running

Run = Callable[..., Result]
Spawn = Callable[..., pexpect.spawn]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    with running("sqlite", Path(tmp_path_factory.mktemp("commands")), "--clock", "virtual") as found:
        yield found


@pytest.fixture
def variables(server: ConformanceServer, tmp_path: Path) -> dict[str, str]:
    return {
        "LEASEBOOK_CLIENT_URL": server.base_url,
        "LEASEBOOK_CLIENT_ACCESS_KEY": ACCESS_KEY,
        "LEASEBOOK_CLIENT_SECRET_KEY": SECRET_KEY,
        "LEASEBOOK_CLIENT_PROFILE": "",
        "LEASEBOOK_LANG": "en",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


@pytest.fixture
def run(variables: dict[str, str]) -> Run:
    """Run a command as in a pipe: nothing is a terminal."""

    def ran(*arguments: str, code: int = 0, given: str = "", **more: str) -> Result:
        found = CliRunner(env={**variables, **more}).invoke(cli, list(arguments), input=given, prog_name="leasebook")
        assert found.exit_code == code, (found.exception, found.output)
        return found

    return ran


@pytest.fixture
def asked(run: Run) -> Callable[..., Any]:
    """Run a command, and return its answer."""

    def found(*arguments: str, **settings: Any) -> Any:
        return json.loads(run(*arguments, **settings).stdout)

    return found


@pytest.fixture
def spawn(variables: dict[str, str]) -> Iterator[Spawn]:
    """Run a command in a terminal of some columns."""
    started: list[pexpect.spawn] = []

    def begun(*arguments: str, columns: int = 80, **more: str) -> pexpect.spawn:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}},
            **variables,
            "TERM": "xterm-256color",
            **more,
        }
        child = pexpect.spawn(
            sys.executable,
            ["-m", "leasebook", *arguments],
            env=environment,
            dimensions=(50, columns),
            encoding="utf-8",
            timeout=60,
        )
        started.append(child)
        return child

    yield begun
    for child in started:
        child.close(force=True)
