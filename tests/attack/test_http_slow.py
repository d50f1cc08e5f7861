"""Callers that are slow, silent or too many: each is given its time, and then its place goes to another caller."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.attack.http_place import (
    GET,
    RawAnswer,
    connected,
    ends,
    is_well,
    metric,
    read_answer,
    server_with,
    signed_post,
    until,
)
from tests.crash.fleet import Process

SETTINGS = {
    "http.head_seconds": 1,
    "http.body_seconds": 1,
    "http.body_bytes_per_second": 10_000,
    "http.idle_seconds": 2,
    "http.write_seconds": 2,
    "http.connections_max": 400,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with server_with(tmp_path_factory.mktemp("slow"), SETTINGS) as running:
        yield running
        assert "Traceback" not in running.log()


def drip(connection: socket.socket, piece: bytes, *, every_s: float) -> RawAnswer | None:
    """Send a piece again and again until there is an answer; returns that."""
    until_s = time.monotonic() + 8
    connection.settimeout(every_s)
    kept = bytearray()
    while time.monotonic() < until_s:
        try:
            connection.sendall(piece)
            return read_answer(connection, kept=kept)
        except TimeoutError:
            continue
        except OSError:
            return None
    raise AssertionError("nobody minded")


def test_a_caller_that_sends_too_slowly_gets_an_answer_that_says_so_and_is_cut_off(server: Process) -> None:
    with ExitStack() as opened:
        silent, half, half_body, after, idle = (opened.enter_context(connected(server)) for _ in range(5))
        half.sendall(GET[:-2])
        half_body.sendall(signed_post() + b"Content-Length: 10\r\n\r\n{}")
        after.sendall(GET)
        assert read_answer(after) is not None
        after.sendall(b"GET /")
        idle.sendall(GET)
        assert read_answer(idle) is not None
        began = time.monotonic()
        for one in (half, half_body, after):
            got = read_answer(one)
            assert got is not None
            assert (got.status, got.code) == (408, "RequestTimeout")
            assert ends(one)
        assert read_answer(silent) is None, "a connection that sends nothing is closed without a word"
        assert time.monotonic() - began < 4.5
        assert read_answer(idle) is None
        assert time.monotonic() - began < 6
    kinds = {
        kind: metric(server, f'leasebook_connection_timeouts_total{{kind="{kind}"}}')
        for kind in ("head", "body", "idle")
    }
    assert kinds["head"] >= 3
    assert kinds["body"] >= 1
    assert kinds["idle"] >= 1


def test_a_drip_buys_no_time(server: Process) -> None:
    with connected(server) as head, connected(server) as body:
        body.sendall(signed_post() + b"Content-Length: 1000000\r\n\r\n")
        got = drip(body, b"x" * 10, every_s=0.2)
        assert got is None or got.status == 408
        head.sendall(GET[:-2])
        got = drip(head, b"a: b\r\n", every_s=0.2)
        assert got is None or got.status == 408


def test_a_body_that_comes_fast_enough_may_take_long(server: Process) -> None:
    with connected(server) as connection:
        connection.sendall(signed_post() + b"Content-Length: 60000\r\n\r\n")
        for _ in range(15):
            connection.sendall(b" " * 4000)
            time.sleep(0.2)
        got = read_answer(connection)
    assert got is not None
    assert (got.status, got.code) == (400, "MalformedJSON")


def test_whoever_does_not_take_its_answers_is_cut_off(server: Process) -> None:
    with connected(server, room=4096) as connection:
        connection.settimeout(1)
        try:
            while True:
                connection.sendall(GET.replace(b"/healthz", b"/metrics") * 100)
        except OSError:
            pass
        until(
            lambda: metric(server, 'leasebook_connection_timeouts_total{kind="write"}') >= 1,
            "a connection whose answers nobody takes stays open",
        )


def test_a_thousand_half_requests_of_one_address_keep_no_other_out(server: Process) -> None:
    before = metric(server, 'leasebook_connections_refused_total{reason="address"}')
    with ExitStack() as opened:
        greedy = [opened.enter_context(connected(server, source="127.0.0.2")) for _ in range(1000)]
        for one in greedy:
            try:
                one.sendall(GET[:-2])
            except OSError:
                continue
        for _ in range(20):
            assert is_well(server) < 1.0
        got = read_answer(greedy[-1])
        assert got is not None
        assert (got.status, got.code, got.headers["retry-after"]) == (503, "Overloaded", "1")
        assert metric(server, 'leasebook_connections_refused_total{reason="address"}') - before >= 700
    said = [line for line in server.log().splitlines() if "connections are not let in" in line]
    assert 1 <= len(said) <= 3, "one line in ten seconds is enough"
    assert '"address":"127.0.0.2"' in said[0]
    assert "trusted_proxies" in said[0]
    until(lambda: metric(server, 'leasebook_connections_open{listener="callers"}') < 50, "they are not counted off")


def test_several_greedy_addresses_keep_no_other_out(server: Process) -> None:
    with ExitStack() as opened:
        for number in range(10, 15):
            for _ in range(150):
                opened.enter_context(connected(server, source=f"127.0.0.{number}"))
        assert is_well(server) < 1.0
    until(lambda: metric(server, 'leasebook_connections_open{listener="callers"}') < 50, "they are not counted off")
