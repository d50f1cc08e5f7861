"""Asking a service something through the gateway, and reading the text of its answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from leasebook.api.fault import Fault, bad_field
from leasebook.console.desk import Desk
from leasebook.contract import errors as e
from leasebook.gateway.chat.inside import InsideAnswer, InsideRequest

PATHS: Final = {"chat": "/v2/chat/completions", "completions": "/v2/completions"}
"""By type of service: where a service of it is asked."""
TOKENS_USUAL: Final = 256
TOKENS_MAX: Final = 100_000
TEXT_MAX: Final = 32_000
"""Characters of a question."""
PENDING_MAX: Final = 1 << 20
"""Bytes of an event that is not complete yet; a longer one is an answer that no page can show."""
STREAM: Final = b"data:"


class Tried(msgspec.Struct, kw_only=True):
    """A question, the answer to it, the tokens of both, and the error that came in its place or in the middle of it."""

    question: str
    tokens_max: str
    answer: str = ""
    read: int | None = None
    written: int | None = None
    error: str = ""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None
    message: _Delta | None = None

    @property
    def said(self) -> str:
        """The text, wherever it is: in a piece or in a whole answer, of chat or of completions."""
        parts = (one.content for one in (self.delta, self.message) if one is not None)
        return self.text or next((part for part in parts if part), "")


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Error(msgspec.Struct):
    message: str = ""
    code: str | int | None = None


class _Piece(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | str | None = None


_piece: Final = msgspec.json.Decoder(_Piece).decode


def may_try(desk: Desk, service: Any) -> bool:
    """Whether the page of a service has the box: it is one for texts, and the user may call services."""
    return service.service_type in PATHS and not service.counted and desk.identity.may_call_services


async def ask(desk: Desk, service: Any, tried: Tried) -> InsideAnswer:
    """Ask a service through the gateway, which lets the user in, and counts and bounds the call as any other."""
    if not 0 < len(tried.question) <= TEXT_MAX:
        raise bad_field(
            "say", desk.gettext("Write something to ask, up to %(count)s characters.") % {"count": TEXT_MAX}
        )
    tokens = tried.tokens_max
    is_number = tokens.isascii() and tokens.isdigit() and len(tokens) <= len(str(TOKENS_MAX))
    if not (is_number and 0 < int(tokens) <= TOKENS_MAX):
        raise bad_field(
            "tokens", desk.gettext("The answer may have from 1 to %(count)s tokens.") % {"count": TOKENS_MAX}
        )
    if service.service_type not in PATHS:
        raise Fault(e.OPERATION_NOT_SUPPORTED, desk.gettext("Only services for chat and completions are tried here."))
    given = (
        {"messages": [{"role": "user", "content": tried.question}]}
        if service.service_type == "chat"
        else {"prompt": tried.question}
    )
    more = {"max_tokens": int(tokens), "stream": True, "stream_options": {"include_usage": True}}
    request, visitor = desk.request, desk.visitor(desk.session.user.id)
    return await desk.parts.services.ask(
        InsideRequest(
            user_id=visitor.user_id,
            address=visitor.address,
            host=request.headers.get("host", "localhost"),
            is_https=request.url.scheme == "https",
            path=desk.parts.path_prefix + PATHS[service.service_type],
            body=msgspec.json.encode({"model": service.service_id, **given, **more}),
        )
    )


async def pieces_of(answer: InsideAnswer, tried: Tried) -> AsyncIterator[str]:
    """Yield the answer's text as it comes, and note in ``tried`` what else it says. The caller closes the answer."""
    rest = b""
    is_stream = answer.media_type == "text/event-stream"
    async for came in answer.pieces():
        rest += came
        if len(rest) > PENDING_MAX:
            tried.error = f"The replica answered with more than {PENDING_MAX} bytes at once, which no page shows."
            return
        if is_stream:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                text = _text(line.strip(), tried)
                tried.answer += text
                if text:
                    yield text
    if not is_stream:
        tried.answer = _read(rest, tried)
        if tried.answer:
            yield tried.answer
    if not answer.is_whole and not tried.error:
        tried.error = "The replica broke off in the middle of its answer. What came before is only a part of it."


def _text(line: bytes, tried: Tried) -> str:
    data = line[len(STREAM) :].strip() if line.startswith(STREAM) else b""
    return "" if not data or data == b"[DONE]" else _read(data, tried)


def _read(data: bytes, tried: Tried) -> str:
    try:
        piece = _piece(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tried.error = "The replica answered with something else than the OpenAI API has."
        return ""
    if piece.usage is not None:
        tried.read, tried.written = piece.usage.prompt_tokens, piece.usage.completion_tokens
    if piece.error is not None:
        tried.error = piece.error if isinstance(piece.error, str) else piece.error.message
    return "".join(one.said for one in piece.choices)


def summed(desk: Desk, tried: Tried) -> str:
    """Say how many tokens a call took; "" where the replica did not say it."""
    if tried.read is None:
        return ""
    return desk.gettext("%(read)s tokens in, %(written)s out.") % {"read": tried.read, "written": tried.written}
