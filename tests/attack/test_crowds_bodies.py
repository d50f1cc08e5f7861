"""Bodies by the thousand: a body is read only of a caller who has signed, and all of them together have a bound."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from leasebook.console.routes import FORM_MAX
from tests.attack.http_place import (
    HOST,
    connected,
    is_well,
    memory_of,
    metric,
    port_of,
    read_answer,
    server_with,
    signed_post,
    until,
)
from tests.crash.fleet import Process
from tests.crash.lone import data_of, leasebook, root_of

MIB = 1 << 20
CROWD = 150
SPACES = memoryview(b" " * 65536)
NOT_TAKEN_S = 0.3
"""Seconds without progress after which no more bytes will be taken: the buffers in between are full."""
UNSIGNED = f"POST /v2/clock?Action=DescribeClock HTTP/1.1\r\nHost: {HOST}\r\n".encode()
LENGTH = f"Content-Length: {MIB}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its data."""
    return tmp_path_factory.mktemp("bodies")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Process]:
    settings = {"http.bodies_max_bytes": 8 * MIB, "http.body_seconds": 3, "http.write_seconds": 30}
    with server_with(folder, settings) as running:
        yield running
        assert "Traceback" not in running.log()


def poured(opened: ExitStack, server: Process, head: bytes, size: int = MIB) -> list[socket.socket]:
    """Open many connections, and send nearly the whole body on each, as far as it is taken."""
    crowd = [opened.enter_context(connected(server)) for _ in range(CROWD)]
    with selectors.DefaultSelector() as left:
        for one in crowd:
            one.sendall(head)
            one.setblocking(False)
            left.register(one, selectors.EVENT_WRITE, size - 1)
        give_up = time.monotonic() + 2
        while left.get_map() and time.monotonic() < give_up and (ready := left.select(NOT_TAKEN_S)):
            for key, _ in ready:
                rest = _sent(key.fileobj, key.data)  # type: ignore[arg-type]
                left.modify(key.fd, selectors.EVENT_WRITE, rest) if rest else left.unregister(key.fd)
    for one in crowd:
        one.settimeout(30)
    return crowd


def _sent(one: socket.socket, rest: int) -> int:
    """Send a piece of the rest; returns the bytes left to send, and none where they cannot be sent any more."""
    try:
        return rest - one.send(SPACES[:rest])
    except BlockingIOError:
        return rest
    except OSError:
        return 0


def test_bodies_that_nobody_signed_take_no_memory_and_are_refused_at_once(server: Process) -> None:
    is_well(server)
    before = memory_of(server)
    for head in (
        UNSIGNED + LENGTH,
        signed_post().replace(b"/v2/clock?", b"/v2/clock?a=b&") + LENGTH,
        f"POST /links/abc HTTP/1.1\r\nHost: {HOST}\r\n".encode() + LENGTH,
        f"POST /services/some/v1 HTTP/1.1\r\nHost: {HOST}\r\n".encode() + LENGTH,
    ):
        with ExitStack() as opened:
            crowd = poured(opened, server, head)
            assert memory_of(server) - before < 40 * MIB
            assert is_well(server) < 2.0
            answered = 0
            for one in crowd:
                with suppress(OSError):
                    got = read_answer(one)
                    assert got is None or (400 <= got.status < 500 and got.headers["connection"] == "close"), got
                    answered += got is not None
            assert answered > CROWD / 2, "some may have lost the answer, since they sent on"


@pytest.mark.parametrize("path", ["sign-in", "look", "in/abc", "device/code", "device/token"])
def test_forms_of_nobody_who_is_signed_in_are_refused_before_they_fill_the_memory(server: Process, path: str) -> None:
    size = 128 << 10
    with connected(server) as one:
        one.sendall(f"POST /console/{path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n".encode())
        with suppress(OSError):
            one.sendall(SPACES[: size // 2])
            one.sendall(SPACES[: size // 2 - 1])
        # The form has not ended, and is too long for them already.
        got = read_answer(one)
        assert got is not None
        assert got.status in (400, 413)
    # A form that is cut off is no fault of the server's: the fixture finds no traceback in the log.
    with connected(server) as one:
        one.sendall(f"POST /console/{path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100\r\n\r\nhalf".encode())


def test_bodies_of_callers_have_a_bound_together_and_small_ones_need_not_wait(server: Process) -> None:
    with ExitStack() as opened:
        root = opened.enter_context(root_of(server))
        root.call("/v2/clock", "DescribeClock")
        before = memory_of(server)
        crowd = poured(opened, server, signed_post() + LENGTH)
        assert memory_of(server) - before < 40 * MIB
        assert metric(server, 'leasebook_calls_waiting{for="room"}') > 0
        assert root.call("/v2/clock", "DescribeClock").status == 200, "a small body needs no room"
        # Those that have room lose it where they are too slow, and those that wait for long are to come again.
        answers = []
        for one in crowd:
            with suppress(OSError):
                answers.append(read_answer(one))
        codes = {got.code for got in answers if got is not None}
        assert codes == {"RequestTimeout", "Overloaded"}
        assert {got.headers.get("retry-after") for got in answers if got and got.code == "Overloaded"} == {"1"}
    until(lambda: metric(server, 'leasebook_calls_waiting{for="room"}') == 0, "nobody waits any more")
    # And now there is room again.
    with connected(server) as one:
        one.sendall(signed_post() + LENGTH + b"{" + b" " * (MIB - 2) + b"}")
        got = read_answer(one)
        assert got is not None
        assert got.status == 200


def test_forms_of_a_session_have_a_bound_with_the_bodies_of_callers(server: Process, folder: Path) -> None:
    cookie = session_of(server, folder)
    head = f"POST /console/admin/limits HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nContent-Length: ".encode()
    with ExitStack() as opened:
        is_well(server)
        before = memory_of(server)
        crowd = poured(opened, server, head + f"{FORM_MAX}\r\n\r\n".encode(), FORM_MAX)
        until(lambda: metric(server, 'leasebook_calls_waiting{for="room"}') > 0, "most wait for room")
        assert memory_of(server) - before < 24 * MIB
        statuses = set()
        for one in crowd:
            with suppress(OSError):
                got = read_answer(one)
                statuses.add(None if got is None else got.status)
        assert 503 in statuses, "those that wait for long are to come again"
        assert statuses <= {None, 403, 408, 503}
    until(lambda: metric(server, 'leasebook_calls_waiting{for="room"}') == 0, "nobody waits any more")
    # One that says that it is longer is refused before it is read.
    with connected(server) as one:
        one.sendall(head + f"{FORM_MAX + 1}\r\n\r\n".encode())
        got = read_answer(one)
        assert got is not None
        assert got.status == 413


def session_of(server: Process, folder: Path) -> str:
    """Sign in by a link of the command line; returns the cookie of the session."""
    printed = leasebook("console", "--data", data_of(folder), "--url", f"http://127.0.0.1:{port_of(server)}")
    link = urlsplit(printed.stdout.split()[-1]).path
    connection = HTTPConnection("127.0.0.1", port_of(server), timeout=8)
    with closing(connection):
        connection.request("GET", link)
        page = connection.getresponse()
        browser = page.headers["set-cookie"].partition(";")[0]
        token = re.search('name="form_token" value="([^"]+)"', page.read().decode())
        assert token is not None
        connection.request("POST", link, f"form_token={token[1]}", {"cookie": browser})
        return str(connection.getresponse().headers["set-cookie"]).partition(";")[0]


def test_word_that_a_body_may_be_sent_is_given_to_callers_only(server: Process) -> None:
    for head, begins in ((UNSIGNED, b"HTTP/1.1 4"), (signed_post(), b"HTTP/1.1 100 Continue")):
        with connected(server) as one:
            one.sendall(head + b"Expect: 100-continue\r\n" + LENGTH)
            assert one.recv(65536).startswith(begins)
