"""Heads and chunked bodies: read alike by us and by llhttp, or refused; and however they are cut into pieces."""

from __future__ import annotations

import contextlib
from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.server.transport.body import Chunks
from leasebook.server.transport.head import BadRequest, check_partial, read_head

NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"X-One", b"x_two", b"A b"]
)
VALUES = st.one_of(
    st.sampled_from([b"2", b"+2", b"2,2", b"chunked", b"close", b"upgrade", b"websocket", b"100-continue", b"a.test"]),
    st.binary(max_size=12),
)
ENDS = st.sampled_from([b"\r\n"] * 30 + [b"\n", b"\r", b"\r\n "])
LINES = st.tuples(NAMES, st.sampled_from([b": ", b":", b":\t ", b" : "]), VALUES, ENDS).map(b"".join)
FIRST = st.one_of(
    st.sampled_from([b"GET / HTTP/1.1\r\n", b"POST /a?b=c HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n"]),
    st.tuples(st.binary(max_size=8), st.binary(max_size=8)).map(lambda two: b"%b /%b HTTP/1.1\r\n" % two),
)


class Seen:
    """The verdict of llhttp on a request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.heads = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.heads += 1


@settings(deadline=None)
@given(FIRST, st.lists(LINES, max_size=6))
def test_what_is_taken_is_read_by_another_reader_alike(first: bytes, lines: list[bytes]) -> None:
    raw = b"".join([first, b"Host: a\r\n", *lines])
    head = (raw + b"\r\n").partition(b"\r\n\r\n")[0]
    try:
        ours = read_head(head)
    except BadRequest:
        return
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    try:
        parser.feed_data(head + b"\r\n\r\n")
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserInvalidMethodError:
        return  # it knows some methods only
    assert seen.heads == 1
    assert seen.headers == ours.headers
    assert seen.url == ours.path + (b"?" + ours.query if b"?" in seen.url else b"")
    assert parser.get_http_version() == ours.version
    assert parser.get_method() == ours.method
    if ours.keep_alive:
        assert parser.should_keep_alive() or ours.websocket


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(BadRequest):
        read_head(raw)
    with contextlib.suppress(BadRequest):
        check_partial(raw)


def test_what_is_wrong_is_said() -> None:
    def said(*lines: bytes) -> str:
        with pytest.raises(BadRequest) as caught:
            read_head(b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines]))
        return caught.value.message

    assert "more than one header content-length" in said(b"Content-Length: 1", b"content-LENGTH: 1")
    assert "both Content-Length and Transfer-Encoding" in said(b"Content-Length: 1", b"Transfer-Encoding: chunked")
    # As many of one as of the other, and not in pairs.
    assert "end with CR LF" in said(b"X: a\rb\nY: c")
    assert "second line" in said(b"X: a", b"\tb")
    assert "'No header' is no header" in said(b"No header")
    assert "control character" in said(b"X: \x00")
    assert "has 9003 bytes" in said(b"X: " + b"a" * 9000)


CHUNKED = b"5;a=b\r\nhello\r\n1\r\n \r\n0A\r\n0123456789\r\n0\r\nX: y\r\n\r\n"


@settings(deadline=None)
@given(st.lists(st.integers(1, len(CHUNKED)), max_size=8))
def test_chunks_are_read_alike_however_they_are_cut(cuts: list[int]) -> None:
    chunks, got, rest, begin = Chunks(), b"", b"", 0
    for end in [*sorted(cuts), len(CHUNKED)]:
        piece, rest = chunks.feed(CHUNKED[begin:end])
        got += piece
        begin = end
    assert chunks.done
    assert (got, rest) == (b"hello 0123456789", b"")


def test_what_comes_after_chunks_is_left() -> None:
    chunks = Chunks()
    assert chunks.feed(CHUNKED + b"GET") == (b"hello 0123456789", b"GET")


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from([b"1\r\na\r\n", b"0\r\n", b"\r\n", b";", b"f"]), st.binary(max_size=6)), max_size=9
    )
)
def test_chunks_of_any_bytes_are_read_or_refused_and_nothing_is_kept_of_them(pieces: list[bytes]) -> None:
    chunks: Any = Chunks()
    for piece in pieces:
        try:
            chunks.feed(piece)
        except BadRequest:
            return
        if chunks.done:
            return
        assert len(chunks._rest) < 2000
