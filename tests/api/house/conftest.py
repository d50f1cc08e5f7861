"""The commands ``apply`` and ``export`` on a whole service inside the test, on either store."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from leasebook.cli.commands.calling.caller import OperationCaller
from leasebook.cli.house import server
from leasebook.cli.main import cli
from leasebook.client.caller import ActionOf, result_of
from tests.api.conftest import a_copy
from tests.api.scene import IAM, Caller, ServiceHarness
from tests.copies import STORES
from tests.harness import ROOT_KEY, ROOT_SECRET, Client

URL = "http://leasebook.test"
_NUMBERS = itertools.count()


class Cut(BaseException):
    """The process ends at this point."""


def calling(post: Callable[..., tuple[int, str]]) -> type[OperationCaller]:
    """Return the commands' client, with a function in place of the network: all but that is the client's own."""

    class Inside(OperationCaller):
        def _send(self, operation: ActionOf[Any], body: bytes) -> Any:
            keys = self.connection.keys
            status, text = post(
                keys.url, operation.path, operation.action, body.decode(), keys.access_key, keys.secret_key
            )
            return result_of(operation, status, {}, text.encode())

    return Inside


class Applying:
    """Runs the commands against a service. ``cut_at`` is the call before or after which the run is cut off."""

    def __init__(self, scene: ServiceHarness, folder: Path) -> None:
        self.scene = scene
        self.folder = folder
        self.keys = (ROOT_KEY, ROOT_SECRET)
        self.calls: list[str] = []
        self.cut_at: tuple[int, bool] | None = None
        self.before: dict[str, Any] = {}
        """Functions to call before the first call of an action."""

    def post(self, _url: str, path: str, action: str, body: str, *keys: Any) -> tuple[int, str]:
        """Answer a call of the command."""
        happens = self.before.pop(action, None)
        if happens is not None:
            happens()
        number = len(self.calls)
        self.calls.append(action)
        if self.cut_at == (number, False):
            raise Cut
        answer = self.scene.runner.run(Client(self.scene.desk.service, *keys[:2]).call(path, action, json.loads(body)))
        if self.cut_at == (number, True):
            raise Cut
        return answer.status, json.dumps(answer.body)

    def run(self, command: str, *arguments: str, given: str | None = None, **variables: str) -> Result:
        """Run a command."""
        self.calls.clear()
        keys = ("--access-key", self.keys[0], "--secret-key", self.keys[1])
        line = [command, *arguments, "--url", URL, *keys]
        return CliRunner().invoke(cli, line, input=given, env=variables)

    def apply(self, text: str, *options: str, **more: str) -> Result:
        """Apply a file, with ``--yes``."""
        return self.run("apply", str(self.write(text)), "--yes", *options, **more)

    def plan(self, text: str, *options: str, **more: str) -> Result:
        """Show the plan of a file."""
        return self.run("apply", str(self.write(text)), "--plan", *options, **more)

    def write(self, text: str) -> Path:
        """Write the file; its secrets come beside it."""
        path = self.folder / "house.yaml"
        path.write_text(text)
        return path

    def secrets(self) -> list[Mapping[str, Any]]:
        """Return the secrets of the file."""
        path = self.folder / "house.yaml.keys"
        lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
        return [line for line in lines if "secretOf" in line]

    def by(self, caller: Caller) -> None:
        """Apply with another key from now on."""
        self.keys = (caller.desk.access_key, caller.desk.secret_key)

    def account(self, name: str) -> Any:
        """Return the only open account of a name."""
        (found,) = self.accounts(name)
        return found

    def accounts(self, name: str) -> list[Any]:
        """Return the open accounts of a name."""
        rows = self.scene.operator.do(IAM, "DescribeAccounts", {"name": name})["accounts"]
        return [row for row in rows if row["status"] != "Closed"]

    def users(self, name: str) -> list[Any]:
        """Return the users of the only account of a name, without its root."""
        asked = {"accountId": self.account(name)["accountId"]}
        return [row for row in self.scene.operator.do(IAM, "DescribeUsers", asked)["users"] if not row["isRoot"]]


@pytest.fixture(scope="package", params=STORES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service for all tests of this folder: each names its accounts for itself."""
    # The commands print their plans to the standard output, where the log would be between the lines.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with a_copy(request, tmp_path_factory.mktemp("house") / "data") as scene:
        yield scene


@pytest.fixture
def house(service: ServiceHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Applying:
    """The commands, and a service that other tests use too."""
    return applying(service, tmp_path, monkeypatch)


@pytest.fixture
def lone_house(either_shared: ServiceHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Applying:
    """The commands, and a service with little in it."""
    return applying(either_shared, tmp_path, monkeypatch)


def applying(scene: ServiceHarness, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Applying:
    """Have the commands call a service inside the test, without a pause."""
    made = Applying(scene, folder)
    monkeypatch.setattr(server, "OperationCaller", calling(made.post))
    monkeypatch.setattr(server, "PAUSES_S", ())
    return made


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"team-{next(_NUMBERS)}"
