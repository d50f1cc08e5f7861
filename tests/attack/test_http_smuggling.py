"""Requests that could be read in two ways, and headers where they do not belong: refused, or without effect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from leasebook.contract.signing import sign
from tests.attack.http_place import GET, HOST, ask, connected, ends, is_well, read_answer, server_with
from tests.crash.fleet import Process, dice
from tests.harness import ROOT_KEY, ROOT_SECRET

PATH, QUERY = "/v2/clock", "Action=DescribeClock"
POST = f"POST {PATH}?{QUERY} HTTP/1.1\r\nHost: {HOST}\r\n".encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with server_with(tmp_path_factory.mktemp("forms"), {"http.head_seconds": 2}) as running:
        yield running
        assert "Traceback" not in running.log()
        assert '"level":"error"' not in running.log()


def signature() -> bytes:
    return sign(
        access_key=ROOT_KEY,
        secret_key=ROOT_SECRET,
        method="POST",
        path=PATH,
        query=QUERY,
        headers={"host": HOST},
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        expires_s=600,
        signed_headers=("host",),
    ).encode()


MALFORMED = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths that differ": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "lengths in a list": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length with a space in it": POST + b"Content-Length: 1 0\r\n\r\n0123456789",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "a length beyond any number": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a list of codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding with something before it": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a line that goes on": POST + b"X-One: a\r\n b\r\n\r\n",
    "a first header that goes on": POST[: POST.index(b"\r\n") + 2] + b" Host: a\r\n\r\n",
    "a bare LF between headers": POST + b"X-One: a\nX-Two: b\r\n\r\n",
    "a bare LF at the end": POST[:-2] + b"\n\n",
    "a bare CR in a value": POST + b"X-One: a\rb\r\n\r\n",
    "a bare CR before a header": POST + b"\rX-One: a\r\n\r\n",
    "a NUL": POST + b"X-One: a\0b\r\n\r\n",
    "a control character": POST + b"X-One: a\x01b\r\n\r\n",
    "no colon": POST + b"X-One\r\n\r\n",
    "no name": POST + b": a\r\n\r\n",
    "a name with a space": POST + b"X One: a\r\n\r\n",
    "a name that is no ASCII": POST + b"X-\xe9: a\r\n\r\n",
    "two hosts": POST + b"Host: other.test\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "no version": b"GET /healthz\r\nHost: a\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /healthz HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab": b"GET\t/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "an address that is no ASCII": "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "an address with a fragment": b"GET /healthz#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "an address that is none": b"GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "another host in the address": b"GET http://other.test/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "a method that is none": b"GE(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\n" * 20,
    "a chunk without a size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    "a chunk's size with a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size with a prefix": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk that ends with LF": POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
    "a chunk beyond any number": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n{}",
    "a CR in an extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;a\rb\r\n{}\r\n0\r\n\r\n",
    "a trailer that is none": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n",
    "chunks over HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(server: Process, raw: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(raw + GET * 2)
        kept = bytearray()
        got = read_answer(connection, kept=kept)
        assert got is not None
        assert (got.status, got.code) == (400, "InvalidHTTPRequest")
        assert got.headers["connection"] == "close"
        assert not kept
        assert ends(connection)


FORMS = {
    "an empty line before it": (b"\r\n" + GET, 200, True),
    "the whole address": (b"GET http://leasebook.test/healthz HTTP/1.1\r\nHost: leasebook.test\r\n\r\n", 200, True),
    "the whole address without a path": (b"GET http://a HTTP/1.1\r\nHost: A\r\n\r\n", 404, True),
    "a star": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404, True),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200, False),
    "HTTP/1.0 that would stay": (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, False),
    "a last request": (GET[:-2] + b"Connection: close\r\n\r\n", 200, False),
    "a last request among words": (GET[:-2] + b"Connection: a, CLOSE ,b\r\n\r\n", 200, False),
    "an upgrade to HTTP/2": (
        GET[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        200,
        True,
    ),
    "an upgrade to anything": (GET[:-2] + b"Connection: upgrade\r\nUpgrade: foo/2\r\n\r\n", 200, True),
    "an upgrade to a WebSocket": (
        GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        403,  # only services have any
        False,
    ),
    "a body with GET": (GET[:-2] + b"Content-Length: 3\r\n\r\nabc", 200, True),
    "a method of somebody's own": (b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 404, True),
    "values in latin-1": (GET[:-2] + b"X-One:\t \xe9 \t\r\n\r\n", 200, True),
    "chunks": (
        POST + b"Transfer-Encoding: Chunked\r\n\r\n1;a=b\r\n{\r\n1 ; c\r\n}\r\n00\r\nX-One: a\r\n\r\n",
        400,
        True,
    ),
}


@pytest.mark.parametrize(("raw", "status", "stays"), FORMS.values(), ids=FORMS)
def test_every_other_form_has_one_answer(server: Process, raw: bytes, status: int, stays: bool) -> None:  # noqa: FBT001
    with connected(server) as connection:
        connection.sendall(raw)
        kept = bytearray()
        got = read_answer(connection, kept=kept)
        assert got is not None
        assert got.status == status
        if not stays:
            assert ends(connection)
            return
        connection.sendall(GET)
        got = read_answer(connection, kept=kept)
        assert got is not None
        assert got.status == 200


def test_a_head_only_has_a_length_and_no_body(server: Process) -> None:
    with connected(server) as connection:
        connection.sendall(GET.replace(b"GET", b"HEAD") + GET)
        kept = bytearray()
        while kept.count(b"\r\n\r\n") < 2 or not kept.endswith(b"}"):
            kept += connection.recv(65536)
    head, _, rest = bytes(kept).partition(b"\r\n\r\n")
    assert b"content-length: 15" in head
    assert rest.startswith(b"HTTP/1.1 200 OK")


def test_a_caller_that_waits_for_word_gets_it(server: Process) -> None:
    asked = POST + b"Authorization: " + signature() + b"\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(asked)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        got = read_answer(connection)
    assert got is not None
    assert got.status == 200


def test_a_caller_that_is_refused_before_it_gets_word_keeps_no_connection(server: Process) -> None:
    """The server could not know whether the next bytes are the body."""
    with connected(server) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        got = read_answer(connection)
        assert got is not None
        assert (got.status, got.headers["connection"]) == (404, "close")
        connection.sendall(GET)
        assert ends(connection)


def test_a_body_that_is_too_large_is_refused_and_hardly_read(server: Process) -> None:
    with connected(server) as connection:
        # Whose body it is comes first: of a stranger none is read.
        connection.sendall(POST + b"Content-Length: 900000000\r\n\r\n" + b"x" * 1000)
        got = read_answer(connection)
        assert got is not None
        assert (got.status, got.code, got.headers["connection"]) == (400, "SignatureEmpty", "close")
        assert ends(connection)


# --- trailers --------------------------------------------------------------------------------------------


def test_a_trailer_is_no_header(server: Process) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    signed = b"Authorization: " + signature() + b"\r\n"
    with connected(server) as connection:
        kept = bytearray()
        for raw, status in (
            (POST + signed + chunked + b"\r\n", 200),
            (POST + chunked + signed + b"\r\n", 400),
            # Neither does it stand beside the header that is there: two would be refused.
            (POST + signed + chunked + signed + b"Host: other\r\nContent-Length: 7\r\n\r\n", 200),
            (GET, 200),
        ):
            connection.sendall(raw)
            got = read_answer(connection, kept=kept)
            assert got is not None
            assert got.status == status
            if status == 400:
                assert got.code == "SignatureEmpty"


# --- anything --------------------------------------------------------------------------------------------


def spoiled(random: Random) -> bytes:
    """Return a request with some of it changed, doubled or cut off, or nothing like one."""
    raw = bytearray(random.choice([*MALFORMED.values(), *(form[0] for form in FORMS.values()), GET, POST + b"\r\n"]))
    for _ in range(random.randrange(6)):
        place = random.randrange(len(raw) + 1)
        match random.randrange(5):
            case 0:
                raw[place : place + random.randrange(9)] = random.randbytes(random.randrange(9))
            case 1:
                raw[place:place] = raw[: random.randrange(40)]
            case 2:
                raw[place:place] = random.choice([b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\r\n\r\n", b"0\r\n\r\n"])
            case 3:
                raw = raw[:place] or bytearray(b"x")
            case 4:
                raw = bytearray(raw.swapcase())
    return bytes(raw)


def test_whatever_comes_nothing_breaks_and_the_next_is_served(server: Process) -> None:
    random = dice()
    for number in range(400):
        raw = spoiled(random)
        with connected(server) as connection:
            half = random.randrange(len(raw) + 1) if random.randrange(2) else len(raw)
            connection.sendall(raw[:half])
            try:
                connection.sendall(raw[half:])
            except OSError:
                continue
        if number % 40 == 0:
            is_well(server)
    is_well(server)
    log = server.log()
    assert "Traceback" not in log
    assert '"level":"error"' not in log
    assert ask(server, GET) is not None
