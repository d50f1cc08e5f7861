"""The lines that a replica writes: the last ones as a page, and those that come as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.responses import Response, StreamingResponse

from leasebook.api.fault import Fault
from leasebook.api.inside.calls import UserGone
from leasebook.api.inside.replica_lines import LINES_MAX, Lines, ReplicaPlace, follow_lines
from leasebook.console.desk import Desk
from leasebook.console.routes import SESSION_COOKIE
from leasebook.contract.action import SERVICE

CHECK_S: Final = 15.0
"""How often the right to see the lines is proved again, by a call that is in the audit log; in seconds."""
DIGITS_MAX: Final = 6


async def logs(desk: Desk) -> Response:
    """Show the last lines of a replica. The script follows them."""
    asked = _asked(desk)
    found = await desk.do(SERVICE, "DescribeReplicaLogs", asked)
    return desk.page(
        "services/logs.html",
        found=found,
        service_id=asked["serviceId"],
        unit=asked["instanceId"],
        replica=asked["replica"],
        lines=LINES_MAX,
    )


async def live(desk: Desk) -> Response:
    """Send the lines of a replica as they come, until the session, the right to see them, or the server ends."""
    asked = _asked(desk)
    await desk.do(SERVICE, "DescribeReplicaLogs", asked | {"linesMax": 1})
    account_id = desk.session.account.id
    place = ReplicaPlace(account_id, asked["serviceId"], asked["instanceId"], asked["replica"])
    follow = follow_lines(desk.parts.context, place, _Watch(desk, asked).may_go_on)
    pieces = desk.parts.context.hub.streams.opened(account_id, desk.identity.access_key_id, written(follow))
    return StreamingResponse(_closed(pieces), media_type="text/event-stream")


class _Watch:
    """Sees that a stream does not outlive its session, or the right to see it."""

    def __init__(self, desk: Desk, asked: dict[str, Any]) -> None:
        self._desk = desk
        self._asked = asked
        self._proved_at = time.monotonic()

    async def may_go_on(self) -> bool:
        desk = self._desk
        if await desk.parts.sessions.find(desk.request.cookies.get(SESSION_COOKIE, "")) is None:
            return False
        if time.monotonic() - self._proved_at < CHECK_S:
            return True
        self._proved_at = time.monotonic()
        try:
            await desk.do(SERVICE, "DescribeReplicaLogs", self._asked | {"linesMax": 1})
        except (Fault, UserGone):
            return False
        return True


async def written(follow: AsyncIterator[Lines]) -> AsyncIterator[bytes]:
    """Yield pieces as server-sent events: ``restart``, ``lines`` (a list), ``why`` (a sentence), ``ended``."""
    async for piece in follow:
        events = b"event: restart\ndata: 1\n\n" if piece.is_restart else b""
        if piece.lines:
            events += b"event: lines\ndata: " + msgspec.json.encode(list(piece.lines)) + b"\n\n"
        if piece.why is not None:
            events += b"event: why\ndata: " + msgspec.json.encode(piece.why) + b"\n\n"
        yield events or b": still here\n\n"
    yield b"event: ended\ndata: 1\n\n"


async def _closed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a stream, which counts until it is closed."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


def _asked(desk: Desk) -> dict[str, Any]:
    number = desk.asked("replica")
    is_number = number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX
    return {
        "serviceId": desk.request.path_params["service"],
        "instanceId": desk.asked("unit"),
        "replica": int(number) if is_number else 0,
        "linesMax": LINES_MAX,
    }
