"""A small server that speaks the OpenAI API: ``python -m leasebook.examples.completion --port 8002``.

It has ``/v1/models``, ``/v1/chat/completions`` and ``/v1/completions``, with and without ``stream``, and says how many
tokens were used. The words come from a small table of successive words (``markov``): never wise, always the same for
the same ``seed``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from leasebook.examples.markov import ENDS, Markov, spaced, tokens
from leasebook.examples.serving import Handler, serve

NAME: Final = os.environ.get("COMPLETION_NAME", "markov-1")
MODEL: Final = Markov()
TOKENS_MAX: Final = 4096
TOKENS_USUAL: Final = 64
BEGAN: Final = int(time.time())


class BadRequest(Exception):
    """The request cannot be answered; the message says why."""


class Asked(NamedTuple):
    """The text to continue, and how."""

    prompt: str
    seed: int
    temperature: float
    tokens_max: int
    stop: tuple[str, ...]
    stream: bool
    with_usage: bool


class Piece(NamedTuple):
    """A piece of an answer; ``reason`` says why it is the last one: stop, or length."""

    text: str
    reason: str | None = None


def read(body: bytes, *, chat: bool) -> Asked:
    """Read a request; raises BadRequest."""
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest(f"The body is no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise BadRequest("The body is no object.")
    options = given.get("stream_options") or {}
    stop = given.get("stop") or ()
    try:
        return Asked(
            prompt=_messages(given.get("messages")) if chat else _prompt(given.get("prompt", "")),
            seed=int(given.get("seed") or 0),
            temperature=float(1.0 if given.get("temperature") is None else given["temperature"]),
            tokens_max=_bounded(given.get("max_completion_tokens") or given.get("max_tokens") or TOKENS_USUAL),
            stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
            stream=bool(given.get("stream")),
            with_usage=bool(options.get("include_usage")),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRequest(f"A value will not do: {error}.") from None


def _bounded(number: Any) -> int:
    if not 1 <= int(number) <= TOKENS_MAX:
        raise BadRequest(f"max_tokens lies between 1 and {TOKENS_MAX}.")
    return int(number)


def _prompt(given: Any) -> str:
    return given if isinstance(given, str) else " ".join(map(str, given))


def _messages(given: Any) -> str:
    if not isinstance(given, list) or not given:
        raise BadRequest("messages is a list of at least one message.")
    texts = []
    for message in given:
        content = message["content"] if isinstance(message, dict) and "content" in message else None
        if isinstance(content, list):
            content = " ".join(str(part.get("text", "")) for part in content)
        if not isinstance(content, str):
            raise BadRequest("Every message has content.")
        texts.append(content)
    return "\n".join(texts)


def write(asked: Asked) -> Iterator[Piece]:
    """Write on from what was asked, word by word: to the end of the sentence that reaches half of the limit."""
    text = ""
    words = MODEL.words(asked.prompt, seed=asked.seed, temperature=asked.temperature)
    for number, word in enumerate(words, start=1):
        piece = spaced(word, first=number == 1)
        cut = min((found for one in asked.stop if one and (found := (text + piece).find(one)) >= 0), default=None)
        if cut is not None:
            yield Piece((text + piece)[len(text) : cut], "stop")
            return
        text += piece
        reason = "stop" if word in ENDS and number * 2 >= asked.tokens_max else None
        if reason is None and number >= asked.tokens_max:
            reason = "length"
        yield Piece(piece, reason)
        if reason is not None:
            return


def usage(asked: Asked, count: int) -> dict[str, int]:
    """Say how many tokens were read and written."""
    read_in = len(tokens(asked.prompt))
    return {"prompt_tokens": read_in, "completion_tokens": count, "total_tokens": read_in + count}


class Completion(Handler):
    """Answers as the OpenAI API does."""

    def answer(self, body: bytes) -> None:
        """Read the request, and answer it."""
        path = self.path.partition("?")[0]
        if self.command == "GET" and path == "/v1/models":
            model = {"id": NAME, "object": "model", "created": BEGAN, "owned_by": "leasebook"}
            self.say(200, {"object": "list", "data": [model]})
        elif self.command == "POST" and path in ("/v1/chat/completions", "/v1/completions"):
            self._complete(body, chat=path == "/v1/chat/completions")
        else:
            self._refuse(404, f"There is no {self.command} {path[:100]} here. Ask /v1/models or /v1/chat/completions.")

    def _refuse(self, status: int, message: str) -> None:
        self.say(status, {"error": {"message": message, "type": "invalid_request_error", "code": status}})

    def _complete(self, body: bytes, *, chat: bool) -> None:
        try:
            asked = read(body, chat=chat)
        except BadRequest as error:
            self._refuse(400, str(error))
            return
        kind = "chat.completion" if chat else "text_completion"
        head = {"id": f"cmpl-{time.time_ns():x}", "object": kind, "created": int(time.time()), "model": NAME}
        if asked.stream:
            self.stream(_events(asked, head, chat=chat))
            return
        pieces = list(write(asked))
        text, reason = "".join(piece.text for piece in pieces), pieces[-1].reason
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        choice = {"index": 0, **said, "finish_reason": reason}
        self.say(200, {**head, "choices": [choice], "usage": usage(asked, len(pieces))})


def _events(asked: Asked, head: dict[str, Any], *, chat: bool) -> Iterator[str]:
    if chat:
        head = {**head, "object": "chat.completion.chunk"}
        yield json.dumps({**head, "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]})
    count = 0
    for piece in write(asked):
        count += 1
        said = {"delta": {"content": piece.text}} if chat else {"text": piece.text}
        yield json.dumps({**head, "choices": [{"index": 0, **said, "finish_reason": piece.reason}]})
    if asked.with_usage:
        yield json.dumps({**head, "choices": [], "usage": usage(asked, count)})
    yield "[DONE]"


if __name__ == "__main__":
    serve(Completion, "Speak the OpenAI API.")
