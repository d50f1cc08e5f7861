"""A secret is shown once, to its owner, and is kept nowhere else in the clear."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from leasebook.config.load import load_settings
from leasebook.observability.logs.lines import configure_logging
from leasebook.server.composition import running
from leasebook.store.opening import Target
from tests.api.scene import ACCOUNT, CLOCK, IAM, UNITS, ServiceHarness, a_scene, order
from tests.harness import ROOT_SECRET, Answer, Client

FULL = "QianfanFullControlAccessPolicy"


@pytest.fixture
def logged() -> Iterator[None]:
    """Log everything, as a server that is looked into does."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging("json", "debug")
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class Listener:
    """Keeps every answer but those that may hold a secret, and the secrets."""

    def __init__(self, scene: ServiceHarness) -> None:
        self.scene = scene
        self.secrets = [ROOT_SECRET]
        self.heard: list[str] = []

    def create(self, action: str, body: Any) -> Any:
        made = self.scene.operator.do(IAM, action, body)
        self.secrets.append(made.pop("secretAccessKey"))
        self.heard.append(repr(made))
        return made

    def hear(self, answer: Answer) -> None:
        self.heard.append(repr((answer.headers, answer.body)))


def use(scene: ServiceHarness) -> Listener:
    """Make keys, use them well and badly, and look at everything that can be asked."""
    listener = Listener(scene)
    account = listener.create("CreateAccount", {"name": "customer"})
    user = scene.operator.do(IAM, "CreateUser", {"accountId": account["accountId"], "name": "user"})
    scene.operator.do(IAM, "AttachPolicy", {**user, "policyName": FULL})
    key = listener.create("CreateAccessKey", user)
    caller = scene.caller({**key, "secretAccessKey": listener.secrets[-1]})
    for path, action, body in (
        (UNITS, "PurchaseComputeUnit", order()),
        (UNITS, "DescribeComputeUnits", {}),
        (ACCOUNT, "DescribeAccount", {}),
        (IAM, "DescribeUsers", {}),
        (CLOCK, "DescribeClock", {}),
        (IAM, "CreateUser", {"name": "another"}),
    ):
        listener.hear(caller.ask(path, action, body, query="&clientToken=t-1"))
    wrong = scene.caller({**key, "secretAccessKey": "no-secret-at-all"})
    listener.hear(wrong.ask(CLOCK, "DescribeClock"))
    unknown = scene.caller({"accessKeyId": "AKNOBODY", "secretAccessKey": listener.secrets[-1]})
    listener.hear(unknown.ask(CLOCK, "DescribeClock"))
    listener.hear(scene.operator.ask(IAM, "DescribeUsers", account | {"unknown": 1}))
    listener.hear(scene.operator.ask(IAM, "DisableAccessKey", {**key, "accountId": account["accountId"]}))
    listener.hear(caller.ask(CLOCK, "DescribeClock"))
    listener.heard.append(repr(scene.running))
    return listener


def bytes_of(directory: Path) -> bytes:
    """Everything that the store has on the disk, its log included."""
    files = [path for path in directory.iterdir() if path.name.startswith("leasebook.db")]
    return b"".join(path.read_bytes() for path in files)


def test_a_secret_is_in_its_creation_answer_and_nowhere_else(
    tmp_path: Path, logged: None, capfd: pytest.CaptureFixture[str]
) -> None:
    del logged
    with a_scene(tmp_path) as scene:
        scene.sell()
        listener = use(scene)
        while_open = bytes_of(tmp_path)
    assert len(set(listener.secrets)) == 3
    written = capfd.readouterr()
    assert "request answered" in written.err
    places = {
        "an answer": "\n".join(listener.heard),
        "standard error": written.err,
        "standard output": written.out,
        "the open store": while_open.decode("latin-1"),
        "the closed store": bytes_of(tmp_path).decode("latin-1"),
    }
    for name, text in places.items():
        assert len(text) > 0 or name == "standard output"
        for secret in listener.secrets:
            assert secret not in text, f"a secret is in {name}"
            assert secret.encode().hex() not in text, f"a secret is in {name}"


def test_a_failure_of_ours_is_logged_with_its_trace_and_without_secrets(
    tmp_path: Path, logged: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del logged

    def broken(*_: Any) -> Any:
        raise RuntimeError("it broke")

    with a_scene(tmp_path) as scene:
        listener = Listener(scene)
        account = listener.create("CreateAccount", {"name": "customer"})
        caller = scene.caller({**account, "secretAccessKey": listener.secrets[-1]})
        assert caller.balance() == "0.00"
        monkeypatch.setattr("leasebook.api.handlers.account.accounts._overviews", broken)
        answer = caller.ask(ACCOUNT, "DescribeAccount")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert "it broke" not in answer.body["message"]
    text = capfd.readouterr().err
    assert "RuntimeError: it broke" in text
    assert answer.body["requestId"] in text
    assert not [secret for secret in listener.secrets if secret in text]


def test_the_secret_of_a_key_opens_only_under_the_master_key(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        made = scene.operator.do(IAM, "CreateAccount", {})
    (tmp_path / "master.key").write_text("0" * 64)
    with (
        pytest.raises(Exception, match="not the master key of this store"),
        a_scene(tmp_path),
    ):
        pass
    assert made["secretAccessKey"]


async def test_the_first_secret_of_a_new_store_is_written_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.env"
    async with running(load_settings(None, {}), Target(tmp_path), clock_mode="virtual") as service:
        assert credentials.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
        values = dict(line.split("=", 1) for line in credentials.read_text().splitlines())
        key, secret = values["QIANFAN_ACCESS_KEY"], values["QIANFAN_SECRET_KEY"]
        answer = await Client(service, key, secret).call(ACCOUNT, "DescribeAccount")
        assert answer.result["name"] == "root"
        assert service.root_access_key == key
    assert secret.encode() not in bytes_of(tmp_path)
