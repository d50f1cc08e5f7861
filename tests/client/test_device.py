"""Signing a machine in against a real server: the code is confirmed at the console, and the key works."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

from leasebook.client import Client
from leasebook.client.device import SLOWER_S, DeviceCode, DeviceRefused, log_in
from leasebook.client.errors import NoAnswer, UnexpectedAnswer
from leasebook.console.device.pages import INTERVAL_S, POLLS_MAX
from tests import forked
from tests.conformance.server import ConformanceServer, _environment, running

TOKEN: Final = re.compile(r'name="form_token" value="([^"]+)"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    with running("sqlite", Path(tmp_path_factory.mktemp("device"))) as found:
        yield found


@pytest.fixture(scope="module")
def browser(server: ConformanceServer) -> Iterator[httpx2.Client]:
    """A browser of the first root, who signed in by a link that ``leasebook console`` printed."""
    printed = forked.run(["console", *server.store, "--url", server.base_url], env=_environment(), timeout=60)
    link = printed.stdout.strip()
    with httpx2.Client(trust_env=False, follow_redirects=True, timeout=30) as person:
        press(person, link, {})
        yield person


def press(browser: httpx2.Client, address: str, fields: dict[str, str]) -> str:
    page = browser.get(address)
    assert page.status_code == 200, page.text
    # The forms of the frame have the same token.
    found = TOKEN.search(page.text)
    assert found is not None
    answer = browser.post(address.partition("?")[0], data={"form_token": html.unescape(found[1]), **fields})
    assert answer.status_code == 200, answer.text
    return answer.text


def decide(browser: httpx2.Client, code: DeviceCode, word: str) -> None:
    press(browser, code.whole, {"code": code.user_code, "answer": word})


def test_a_person_confirms_the_code_and_the_machine_calls_with_its_key(
    server: ConformanceServer, browser: httpx2.Client
) -> None:
    seen: list[DeviceCode] = []
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            decide(browser, seen[0], "approve")

    keys = log_in(server.base_url, seen.append, machine="build-7", sleep=wait)
    assert pauses == [INTERVAL_S, INTERVAL_S]
    with Client(keys.url, keys.access_key, keys.secret_key) as client:
        users = client.describe_users().users
    names = {key.access_key_id: key.name for user in users for key in user.access_keys}
    assert names[keys.access_key] == "build-7"
    assert keys.secret_key not in repr(keys)


def test_a_machine_that_is_refused_says_so(server: ConformanceServer, browser: httpx2.Client) -> None:
    seen: list[DeviceCode] = []
    with pytest.raises(DeviceRefused, match="The person refused"):
        log_in(server.base_url, seen.append, sleep=lambda _: decide(browser, seen[0], "refuse"))


def test_a_machine_that_asks_too_often_asks_less_often(server: ConformanceServer) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if seconds > INTERVAL_S:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        log_in(server.base_url, lambda _: None, sleep=wait)
    assert pauses == [INTERVAL_S] * (POLLS_MAX + 1) + [INTERVAL_S + SLOWER_S]


def test_a_service_without_these_codes_and_one_that_is_away_are_two_errors(server: ConformanceServer) -> None:
    with pytest.raises(UnexpectedAnswer, match="no codes for machines"):
        log_in(f"{server.base_url}/healthz", print)
    with pytest.raises(NoAnswer):
        log_in("http://127.0.0.1:9", print)
