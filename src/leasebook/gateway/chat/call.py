"""One call that names its service in the body."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from leasebook.contract import errors as e
from leasebook.domain.model.service_key import Key
from leasebook.gateway.call import ERROR_MIN, Call, KeyGone
from leasebook.gateway.caller import CallerGone, CallerSlow, Message, Receive, Send, sent_within
from leasebook.gateway.chat.body import asked_of, given_again, read_whole, room_for, with_body
from leasebook.gateway.chat.errors import READ_MAX, broken_off, conforming
from leasebook.gateway.chat.paths import at_replica
from leasebook.gateway.fault import JSON, Fault
from leasebook.gateway.ports import Room
from leasebook.gateway.response_check import BadAnswer, sent_back

if TYPE_CHECKING:
    from leasebook.gateway.app import Gateway

log = structlog.get_logger()

STREAM: Final = "text/event-stream"
DONE: Final = re.compile(rb"[\r\n]data: ?\[DONE\]")
"""The last event of a stream. Comments may follow it."""
TAIL: Final = 64
REDIRECT_MIN: Final = 300
BROKE_OFF: Final = "The replica broke off in the middle of its answer. What came before is only a part of it."
KEY_GONE: Final = (
    "The key of this call was deleted or disabled, or its user may not call services any more. What came before is "
    "only a part of the answer."
)


class ChatCall(Call):
    """As a call of ``/services/NAME/v1/...``, but its body is read first, and its answer is one that clients read."""

    def __init__(self, gateway: Gateway, scope: Message, send: Send, request_id: str, own: bytes) -> None:
        self._caller_send = send
        self._own = own
        self._tail: bytes | None = None
        """The end of what was sent of a stream; None if the answer is none."""
        self._is_open_ended = False
        self._is_done = False
        self._room: Room | None = None
        super().__init__(gateway, scope, self._sent, request_id)

    async def _serve(self, key: Key, receive: Receive) -> None:
        gateway, limits = self._gateway, self._gateway.limits
        if self._scope["method"] != "POST":
            raise Fault(e.INVALID_HTTP_REQUEST, f"{self._own.decode('latin-1')} is called with POST.")
        try:
            self._room = await room_for(self._scope["headers"], gateway.rooms, key.account_id, limits.chat_body_max)
            text = await read_whole(receive, limits.chat_body_max, limits.idle_s)
            # The body may have taken long, and the key may be deleted or the token's time over since.
            key = await gateway.keys.admit(self._scope, self._request_id)
            asked = asked_of(text)
            service_id = await gateway.names.find(key, asked.model)
            route = await gateway.find(key, service_id)
            self.service_id = route.service.id
            gateway.let_in(route)
            text = asked.with_model(await gateway.served_names.name_for(route, asked.model))
            self._scope = with_body(self._scope, text)
            again = given_again(text, receive, self._give_room_back)
            # From here on only that has the body, and drops it as it is sent.
            del text, asked
            await self._pass_on(route, gateway.address_of_service(service_id), at_replica(self._own), again)
        except CallerGone:
            self.outcome = "aborted"
        except CallerSlow:
            self.outcome = "aborted"
            raise Fault(e.INVALID_HTTP_REQUEST, "The body stopped coming before it ended.") from None
        finally:
            self._give_room_back()

    def _give_room_back(self) -> None:
        if self._room is not None:
            self._room.leave()
            self._room = None

    async def _answer(self, answer: aiohttp.ClientResponse) -> None:
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if answer.status >= ERROR_MIN:
            await self._answer_error(answer, kind)
            return
        if answer.status >= REDIRECT_MIN or not (kind in (STREAM, "application/json") or kind.endswith("+json")):
            self.outcome = "failed"
            answer.close()
            what = kind[:60] or "of no content type"
            raise BadAnswer(f"its status is {answer.status} and it is {what}, where JSON or a stream of events is due")
        if kind == STREAM:
            # As if after the end of an event.
            self._tail = b"\n\n"
            # Otherwise its end is the end of the connection, which looks the same if the replica was killed.
            is_chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
            self._is_open_ended = "Content-Length" not in answer.headers and not is_chunked
        await super()._answer(answer)
        if self._tail is not None and self._cut is not None and not isinstance(self._cut, CallerSlow):
            await self._break_off(self._tail, is_key_gone=isinstance(self._cut, KeyGone))

    async def _sent(self, message: Message) -> None:
        if self._tail is not None and message["type"] == "http.response.start":
            # The Java client looks the name up in this spelling only, and otherwise takes a stream for none.
            headers = [
                (b"Content-Type" if name == b"content-type" else name, value) for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        if self._tail is not None and message["type"] == "http.response.body":
            seen = self._tail + message["body"]
            self._is_done = self._is_done or DONE.search(seen) is not None
            self._tail = seen[-TAIL:]
            if self._is_open_ended and not message.get("more_body") and not self._is_done:
                raise aiohttp.ClientPayloadError("the stream ended without [DONE]")
        await self._caller_send(message)

    async def _break_off(self, tail: bytes, *, is_key_gone: bool) -> None:
        """Tell the caller of a stream that it has only a part. Some clients take a lost connection for the end."""
        gap = b"" if tail.endswith((b"\n\n", b"\r\n\r\n")) else b"\n\n"
        error, message = (e.INVALID_SERVICE_KEY, KEY_GONE) if is_key_gone else (e.REPLICA_FAILED, BROKE_OFF)
        last = gap + broken_off(error, message, self._request_id)
        await self._tell({"type": "http.response.body", "body": last, "more_body": True})

    async def _tell(self, *messages: Message) -> None:
        """Send what the gateway itself says; the connection ends if the caller does not take it."""
        if not await sent_within(self._gateway.limits.idle_s, self._caller_send, *messages):
            self.outcome = "aborted"

    async def _answer_error(self, answer: aiohttp.ClientResponse, kind: str) -> None:
        """Pass a replica's error on in the shape that clients read. Raises BadAnswer."""
        self.outcome = "failed"
        limits = self._gateway.limits
        content = b""
        try:
            back = sent_back(answer.status, answer.raw_headers, self._request_id, size_max=limits.headers_max)
            # All of it has to come within that time, so that one byte now and then keeps no call open.
            async with asyncio.timeout(limits.idle_s):
                while len(content) <= READ_MAX and (piece := await answer.content.read(READ_MAX)):
                    content += piece
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("error broke off", reason=f"{type(error).__name__}: {error}"[:200], request_id=self._request_id)
        finally:
            answer.close()
        given = content if len(content) <= READ_MAX else b""
        body = conforming(answer.status, kind, given, self._request_id)
        dropped = (b"content-type", b"content-length", b"content-encoding")
        headers = [(name, value) for name, value in back if name not in dropped]
        headers += [(b"content-type", JSON), (b"content-length", str(len(body)).encode())]
        self._begun = True
        await self._tell(
            {"type": "http.response.start", "status": answer.status, "headers": headers},
            {"type": "http.response.body", "body": body},
        )
