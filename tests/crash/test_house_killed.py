"""``leasebook apply`` as a process against a real server, killed between an answer and its next step."""

from __future__ import annotations

import http.client
import json
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.crash.fleet import ACCOUNT, IAM, FleetClient, environment
from tests.crash.lone import data_of, leasebook, lone_server, prove_books, root_of
from tests.forked import Forked
from tests.harness import ROOT_KEY, ROOT_SECRET

HOUSE = """\
house: killed
offerings: {bj/gpu-1: {pricePerMinute: 0.5, stock: 8}}
accounts:
  vision:
    openingBalance: 1,000
    limits: {units: {gpu-1: 4}}
    reminders: [1h]
    users:
      ci: {policies: [QianfanServiceOperateAccessPolicy], keys: 2}
subscriptions:
  - {webhook: "https://example.org/hook", types: [unit.released]}
"""
KILLED_AFTER = ("SetOffering", "CreateAccount", "TopUpAccount", "CreateUser", "AttachPolicy", "CreateAccessKey")


class KillingProxy:
    """Passes calls to a server. It kills the caller once the server has answered the action that is due."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.due: list[str] = []
        self.caller: Forked | None = None
        self.seen: Counter[str] = Counter()

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one call, or let it be the caller's last."""
        body = handler.rfile.read(int(handler.headers["content-length"]))
        (action,) = parse_qs(urlsplit(handler.path).query)["Action"]
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        connection.request("POST", handler.path, body, dict(handler.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.seen[action] += 1
        if self.due and self.due[0] == action:
            self.due.pop(0)
            assert self.caller is not None
            self.caller.kill()
        else:
            handler.send_response(answer.status)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)


@contextmanager
def between(port: int) -> Iterator[tuple[KillingProxy, str]]:
    """Run one in front of a server; yields its address as well."""
    made = KillingProxy(port)

    class PassingHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            made.forward(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), PassingHandler) as listener:
        listener.daemon_threads = True
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        yield made, f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()


def apply(at: KillingProxy, url: str, folder: Path, *options: str) -> tuple[int, str]:
    """Apply the house in a process of its own; returns how it ended, and its words."""
    words = folder / "words"
    keys = ("--access-key", ROOT_KEY, "--secret-key", ROOT_SECRET)
    arguments = ["apply", str(folder / "house.yaml"), *options, "--url", url, *keys]
    with words.open("wb") as opened:
        at.caller = Forked(arguments, env=environment(), stdout=opened.fileno(), stderr=opened.fileno())
        return at.caller.wait(60), words.read_text()


def secrets_of(folder: Path) -> list[dict[str, Any]]:
    path = folder / "house.yaml.keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if "secretOf" in line]


@pytest.mark.crash
@pytest.mark.slow
def test_a_run_that_is_killed_after_any_answer_is_finished_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text(HOUSE)
    with lone_server(tmp_path) as server, between(server.port or 0) as (at, url), root_of(server) as root:
        at.due = [*KILLED_AFTER, "CreateAccessKey", "CreateSubscription"]
        kills = 0
        while at.due:
            code, words = apply(at, url, tmp_path, "--yes")
            assert code != 0, f"{at.due} never came\n{words}"
            kills += 1
        assert kills == len(KILLED_AFTER) + 2
        code, words = apply(at, url, tmp_path, "--yes")
        assert code == 0, words
        assert apply(at, url, tmp_path, "--plan")[0] == 0
        prove_house(root, server.port or 0, secrets_of(tmp_path))
        assert all(one.get("secretAccessKey", "none") not in words for one in secrets_of(tmp_path))
        server.stop()
    prove_books(data_of(tmp_path))


def prove_house(root: FleetClient, port: int, secrets: list[dict[str, Any]]) -> None:
    """Everything is there once, and each key that there is can be used."""
    (account,) = root.call(IAM, "DescribeAccounts", {"name": "vision"}).result["accounts"]
    assert account["balance"] == "1000.00"
    users = root.call(IAM, "DescribeUsers", {"accountId": account["accountId"]}).result["users"]
    keys = {key["accessKeyId"] for user in users for key in user["accessKeys"]}
    found = {one["accessKeyId"]: one["secretAccessKey"] for one in secrets if "accessKeyId" in one}
    assert (len(users), len(keys)) == (2, 3)
    assert found.keys() == keys
    for key, secret in found.items():
        with FleetClient([port], key, secret) as caller:
            assert caller.call(ACCOUNT, "DescribeAccount").result["accountId"] == account["accountId"]
    (hook,) = root.call("/v2/notification", "DescribeSubscriptions").result["subscriptions"]
    assert hook["subscriptionId"] in {one.get("subscriptionId") for one in secrets}


def test_the_command_line_finds_the_commands() -> None:
    for command in ("apply", "export"):
        assert leasebook(command, "--help").returncode == 0
