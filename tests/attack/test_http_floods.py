"""More than is answered, and heads without end: what a connection holds in memory is bounded, and others are served."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.attack.http_place import (
    GET,
    HOST,
    ask,
    connected,
    is_well,
    memory_of,
    metric,
    read_answer,
    server_with,
)
from tests.crash.fleet import Process

MIB = 1 << 20
POURED = 4 * MIB
"""Bytes of one connection: many times what the server keeps of it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with server_with(tmp_path_factory.mktemp("floods"), {"log.level": "info"}) as running:
        yield running
        assert "Traceback" not in running.log()


def pour(connection: socket.socket, piece: bytes, size: int) -> int:
    """Send a piece again and again, up to a number of bytes, or until no more are taken; returns the bytes sent."""
    sent = 0
    connection.settimeout(0.7)
    try:
        while sent < size:
            sent += connection.send(piece)
    except OSError:
        pass
    return sent


def poured(server: Process, piece: bytes, *, size: int, connections: int) -> tuple[int, float]:
    """Pour on several connections at once; returns by how much the server grew, and how long others waited at most."""
    is_well(server)
    before, slowest = memory_of(server), 0.0
    opened = [connected(server, room=4096) for _ in range(connections)]
    threads = [threading.Thread(target=pour, args=(one, piece, size)) for one in opened]
    peak = before
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        slowest = max(slowest, is_well(server))
        peak = max(peak, memory_of(server))
        time.sleep(0.02)
    for one in opened:
        one.close()
    return peak - before, slowest


def test_requests_that_nobody_waits_for_are_not_taken(server: Process) -> None:
    grown, slowest = poured(server, GET * 1000, size=POURED, connections=5)
    assert grown < 64 * MIB
    assert slowest < 1.0


def test_bodies_in_one_piece_with_the_next_request_are_not_taken_either(server: Process) -> None:
    asked = f"POST /v2/nothing HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 1000
    grown, slowest = poured(server, asked * 60, size=POURED, connections=10)
    assert grown < 64 * MIB
    assert slowest < 1.0


@pytest.mark.parametrize(
    ("begin", "piece", "status"),
    [
        (b"", b"a" * 4096, 414),
        (b"GET /" + b"a" * 9000, b"a" * 4096, 414),
        (GET[:-2], b"x-filling: " + b"a" * 4000 + b"\r\n", 431),
        (GET[:-2], b"a: b\r\n" * 60, 431),
        (GET[:-2] + b"x-endless: ", b"a" * 4096, 431),
    ],
    ids=["no line", "long address", "long headers", "many headers", "one header"],
)
def test_a_head_without_end_is_cut_off(server: Process, begin: bytes, piece: bytes, status: int) -> None:
    before = memory_of(server)
    opened = [connected(server) for _ in range(5)]
    for one in opened:
        one.sendall(begin)
        pour(one, piece, 3 * MIB)
    answers = [read_answer(one) for one in opened]
    for one in opened:
        one.close()
    assert memory_of(server) - before < 32 * MIB
    for got in answers:
        assert got is not None
        assert got.status == status
        assert got.code == {414: "UriTooLong", 431: "HeadTooLarge"}[status]
        assert got.headers["connection"] == "close"
    assert metric(server, f'leasebook_requests_unread_total{{status="{status}"}}') >= 5


def test_heads_up_to_the_bounds_are_taken_and_beyond_them_are_not(server: Process) -> None:
    def with_headers(*lines: bytes) -> bytes:
        return GET[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"

    def status(raw: bytes) -> int:
        got = ask(server, raw)
        assert got is not None
        return got.status

    assert status(with_headers(*[b"a: b"] * 99)) == 200
    assert status(with_headers(*[b"a: b"] * 100)) == 431
    assert status(with_headers(b"a: " + b"b" * (8192 - 3))) == 200
    assert status(with_headers(b"a: " + b"b" * (8192 - 2))) == 431
    assert status(with_headers(*[b"a: " + b"b" * 8000] * 8)) == 200
    assert status(with_headers(*[b"a: " + b"b" * 8180] * 9)) == 431
    path = b"/healthz?" + b"a" * (8192 - len(b"GET /healthz? HTTP/1.1"))
    assert status(GET.replace(b"/healthz", path)) == 200
    assert status(GET.replace(b"/healthz", path + b"a")) == 414


def test_many_requests_in_one_piece_are_answered_in_order(server: Process) -> None:
    with connected(server) as connection:
        pieces = [GET, GET.replace(b"/healthz", b"/nowhere")] * 150
        connection.sendall(b"".join(pieces))
        kept = bytearray()
        statuses = [got.status for _ in pieces if (got := read_answer(connection, kept=kept)) is not None]
    assert statuses == [200, 404] * 150


def test_chunks_whose_extensions_or_trailers_have_no_end_are_cut_off(server: Process) -> None:
    begin = (
        f"POST /v2/clock?Action=DescribeClock HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    for piece in (b"1;" + b"e" * 1000 + b"\r\nx\r\n", b"1;" + b"e" * 4000):
        got = ask(server, begin + piece * 200)
        assert got is not None
        assert (got.status, got.code) == (431, "HeadTooLarge")
    for piece in (b"a: b\r\n", b"a: " + b"b" * 4000):
        got = ask(server, begin + b"0\r\n" + piece * 200)
        assert got is not None
        assert (got.status, got.code) == (431, "HeadTooLarge")
