"""Answers of services at the console: read as they come, from whatever a replica sends, until the reader goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from leasebook.api.inside.replica_lines import LINES_MAX, new_lines
from leasebook.console.pages.services.asking import Tried, pieces_of
from leasebook.gateway.chat.inside import InsideAnswer, InsideRequest

REQUEST = InsideRequest(
    user_id="u", address="192.0.2.1", host="here", is_https=False, path="/v2/chat/completions", body=b"{}"
)
STREAM, JSON = b"text/event-stream; charset=utf-8", b"application/json"
STRANGE = "The replica answered with something else than the OpenAI API has."
BROKE_OFF = "The replica broke off in the middle of its answer. What came before is only a part of it."


def delta(text: str) -> bytes:
    return b"data: " + msgspec.json.encode({"choices": [{"delta": {"content": text}}]}) + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"


def replica(kind: bytes, *pieces: bytes, ends: bool = True) -> Any:
    """Answer with pieces, and with an end."""

    async def ask(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"{}"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", kind)]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if ends:
            await send({"type": "http.response.body", "body": b""})

    return ask


@pytest.mark.parametrize(
    ("ask", "texts", "read", "error"),
    [
        (replica(STREAM, delta("a") + delta("b"), USAGE + DONE), ["a", "b"], 3, ""),
        # An event that comes in parts, and lines that end as on another system.
        (
            replica(STREAM, delta("\u4f60")[:31], delta("\u4f60")[31:].replace(b"\n", b"\r\n"), DONE),
            ["\u4f60"],
            None,
            "",
        ),
        (replica(STREAM, b": nothing yet\n\n", delta(""), delta("x"), DONE), ["x"], None, ""),
        (replica(STREAM, delta("half"), ends=False), ["half"], None, BROKE_OFF),
        (replica(STREAM, delta("x"), b'data: {"error": {"message": "no memory"}}\n\n'), ["x"], None, "no memory"),
        (replica(STREAM, delta("x"), b'data: {"error": "no memory"}\n\n'), ["x"], None, "no memory"),
        (
            replica(STREAM, b"data: [1]\n\n"),
            [],
            None,
            STRANGE,
        ),
        (replica(STREAM, b'data: {"choices": [{"text": "on"}]}\n\n', DONE), ["on"], None, ""),
        (
            replica(JSON, b'{"choices": [{"message": {"content": "wh', b'ole"}}], "usage": {"prompt_tokens": 3}}'),
            *(["whole"], 3, ""),
        ),
        (replica(JSON, b'{"error": {"message": "too long", "code": 400}}'), [], None, "too long"),
        (replica(JSON, b"<html>"), [], None, STRANGE),
    ],
)
async def test_the_text_of_an_answer_is_read_from_whatever_comes(
    ask: Any, texts: list[str], read: int | None, error: str
) -> None:
    answer, tried = InsideAnswer(ask, REQUEST), Tried(question="?", tokens_max="9")
    await answer.begin()
    found = [text async for text in pieces_of(answer, tried)]
    await answer.close()
    assert (found, tried.answer, tried.read, tried.error) == (texts, "".join(texts), read, error)


async def test_a_reader_who_goes_ends_the_call_also_where_more_waits_than_fits() -> None:
    ended = asyncio.Event()

    async def ask(_scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def flood() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

        flooding = asyncio.create_task(flood())
        assert (await receive())["type"] == "http.disconnect"
        flooding.cancel()
        await asyncio.wait({flooding})
        ended.set()

    answer = InsideAnswer(ask, REQUEST)
    await answer.begin()
    assert await anext(answer.pieces()) == b"x"
    await answer.close()
    assert ended.is_set()


async def test_a_call_that_fails_before_it_is_answered_raises_its_error() -> None:
    async def ask(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    answer = InsideAnswer(ask, REQUEST)
    with pytest.raises(ZeroDivisionError):
        await answer.begin()
    await answer.close()


FULL = [str(number) for number in range(LINES_MAX)]


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a"], ["a"]),
        (["a"], ["a", "a", "b"], ["a", "b"]),
        (["a", "b"], ["a", "b"], []),
        # A log that was cleared.
        (["a", "b"], ["c"], ["c"]),
        # The first lines are left out where there are too many.
        (FULL, [*FULL[2:], "x", "y"], ["x", "y"]),
        (FULL, FULL, []),
        (FULL, ["a"] * LINES_MAX, ["a"] * LINES_MAX),
    ],
)
def test_lines_are_new_once(before: Sequence[str], now: Sequence[str], new: Sequence[str]) -> None:
    assert list(new_lines(before, now)) == new
