"""The command line calls a server: addresses as people write them, and exit codes that tell what became of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from leasebook.cli.main import cli
from tests.crash.lone import lone_server
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port

KEYS = ("--access-key", ROOT_KEY, "--secret-key", ROOT_SECRET)
CLOCK = ("/v2/clock", "DescribeClock")


def call(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["call", *(arguments or CLOCK), "--url", url, *KEYS])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a server listens."""
    with lone_server(tmp_path_factory.mktemp("called")) as server:
        assert server.port is not None
        yield server.port


@pytest.mark.crash
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "http://127.0.0.1:{}/", "http://LocalHost:{}//"])
def test_an_address_is_signed_as_it_is_called(port: int, form: str) -> None:
    done = call(form.format(port))
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["result"]["mode"] == "real"


@pytest.mark.crash
def test_a_refusal_is_1_and_is_the_answer(port: int) -> None:
    done = call(f"http://127.0.0.1:{port}/", "/v2/computeunit", "DescribeComputeUnit", '{"instanceId": "unit-none"}')
    assert (done.exit_code, done.stderr) == (1, "")
    assert json.loads(done.stdout)["code"]


def test_nobody_there_is_3_and_nothing_was_sent() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = call(f"{url}/")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(f"leasebook: {url}/v2/clock?Action=DescribeClock does not answer: ")
    assert done.stderr.endswith(" Nothing was sent.\n")
    assert done.stderr.count("\n") == 1


def test_no_answer_is_3_and_may_have_been_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        done = call(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert (done.exit_code, done.stdout) == (3, "")
    assert "The call was sent, and may have been done" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://a", "http://a:0", "http://a:99999", "http://u:p@a", "http://a?b", "http://a#b"]
)
@pytest.mark.parametrize("command", ["call", "sign", "tour"])
def test_an_address_that_is_none_is_2(command: str, url: str) -> None:
    arguments = () if command == "tour" else CLOCK
    done = CliRunner().invoke(cli, [command, *arguments, "--url", url, *KEYS])
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{url!r} is no address of a service: " in done.stderr


def test_the_variable_is_named_where_the_address_comes_from_it() -> None:
    done = CliRunner().invoke(cli, ["call", *CLOCK, *KEYS], env={"QIANFAN_CONSOLE_API_BASE_URL": "http://a:0/"})
    assert done.exit_code == 2
    assert "QIANFAN_CONSOLE_API_BASE_URL" in done.stderr


@pytest.mark.parametrize("path", ["v2/clock", "", "/v2/clock?a=b", "/v2/clock#a", "/v2\n"])
def test_a_path_that_is_none_is_2(path: str) -> None:
    done = call("http://127.0.0.1:9", path, "DescribeClock")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is no path of an action" in done.stderr


def test_the_exit_codes_are_those_that_the_page_has() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating" / "exit-codes.md").read_text()
    assert [line[2] for line in page.splitlines() if line[:2] == "| " and line[2].isdigit()] == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
    ]
