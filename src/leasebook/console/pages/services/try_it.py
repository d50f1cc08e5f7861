"""The form in which a reader asks a service something: the answer is written as it comes, or shown as a whole."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.pages.services.asking import TOKENS_USUAL, Tried, ask, pieces_of, summed
from leasebook.console.pages.services.service import page_of
from leasebook.console.routes import SESSION_COOKIE
from leasebook.contract.action import SERVICE
from leasebook.gateway.chat.inside import InsideAnswer

LINES_TYPE: Final = "application/x-ndjson"
CHECK_S: Final = 2.0
"""How often the session is looked at while an answer comes, in seconds."""


async def try_it(desk: Desk) -> Response:
    """Answer the form of the box: lines of JSON for the script, else the page with the whole answer."""
    service_id = desk.request.path_params["service"]
    service = await desk.do(SERVICE, "DescribeService", {"serviceId": service_id})
    tried = Tried(question=desk.field("say"), tokens_max=desk.field("tokens") or str(TOKENS_USUAL))
    if desk.is_fragment:
        answer = await ask(desk, service, tried)
        return StreamingResponse(_lines(desk, answer, tried), status_code=answer.status, media_type=LINES_TYPE)
    try:
        answer = await ask(desk, service, tried)
    except Fault as fault:
        tried.error = fault.message
        return await page_of(desk, service_id, tried=tried, status=fault.error.status)
    try:
        async for _ in pieces_of(answer, tried):
            pass
    finally:
        await answer.close()
    return await page_of(desk, service_id, tried=tried, status=answer.status)


async def _lines(desk: Desk, answer: InsideAnswer, tried: Tried) -> AsyncIterator[bytes]:
    look_at = time.monotonic() + CHECK_S
    try:
        async for text in pieces_of(answer, tried):
            yield _line("text", text)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + CHECK_S
                # An answer outlives the call that began it, and must not outlive its session.
                if await desk.parts.sessions.find(desk.request.cookies.get(SESSION_COOKIE, "")) is None:
                    tried.error = desk.gettext("The session has ended.")
                    break
        if tried.error:
            yield _line("error", tried.error)
        yield _line("done", summed(desk, tried))
    finally:
        await answer.close()


def _line(kind: str, value: str) -> bytes:
    return msgspec.json.encode({kind: value}) + b"\n"
