"""How calls that name their service in the body end early: a key that is gone, a caller that takes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.gateway.scene import SERVICE, GatewayHarness, an_office, answer, body_of, echo, served
from tests.gateway.test_bearer_tokens import token_of, user_of
from tests.gateway.test_chat import CHAT, FIRST, asked, in_shape

EVENT_STREAM = [(b"content-type", b"text/event-stream")]
DONE = b"data: [DONE]\n\n"
LIMIT_S = 10.0


async def own_key(office: GatewayHarness) -> tuple[str, Callable[[], Awaitable[Any]]]:
    """Make a service key; returns it, and a function that deletes it."""
    made = await office.do(SERVICE, "CreateServiceKey", {"name": "x"})
    return made["key"], lambda: office.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})


async def own_token(office: GatewayHarness) -> tuple[str, Callable[[], Awaitable[Any]]]:
    """Make a token; returns it, and a function that disables its access key."""
    _, operator = await user_of(office, "QianfanServiceOperateAccessPolicy")
    token = (await token_of(operator)).body["token"]
    return token, lambda: office.do("/v2/iam", "DisableAccessKey", {"accessKeyId": operator.access_key})


@asynccontextmanager
async def in_two_parts(office: GatewayHarness) -> AsyncIterator[asyncio.Event]:
    """Have replicas stream an event, and the rest when the event that is yielded is set."""
    may_end = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        if scope["path"] == "/v1/models":
            await answer(send, b"{}")
            return
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
        await send({"type": "http.response.body", "body": FIRST, "more_body": True})
        await may_end.wait()
        await send({"type": "http.response.body", "body": FIRST + DONE})

    async with served(app) as replica:
        office.replicas(replica)
        try:
            yield may_end
        finally:
            may_end.set()


@pytest.mark.parametrize("made", [own_key, own_token])
async def test_a_stream_that_is_cut_because_its_key_is_gone_ends_with_an_error_and_without_its_last_mark(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[GatewayHarness], Awaitable[tuple[str, Callable[[], Awaitable[Any]]]]],
) -> None:
    monkeypatch.setattr("leasebook.gateway.call.CHECK_S", 0.0)
    async with an_office(tmp_path) as office, in_two_parts(office) as may_end:
        key, end = await made(office)
        got, ended = b"", True
        body, headers = {"model": "echo", "stream": True}, {"Authorization": f"Bearer {key}"}
        async with office.http.post(f"http://{office.base}{CHAT}", json=body, headers=headers) as found:
            assert await found.content.readany() == FIRST
            await end()
            may_end.set()
            try:
                async for piece in found.content.iter_any():
                    got += piece
            except aiohttp.ClientPayloadError:
                ended = False
        said = json.loads(got.removeprefix(b"data: "))
        assert (in_shape(said), said["error"]["code"]) == (True, "InvalidServiceKey")
        assert b"[DONE]" not in got
        assert not ended
        assert (await office.counted(1))["failureCallTotal"] == 1


class StuckCaller:
    """A caller that takes the first messages of an answer, and then no more."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.sent: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.sent.append(message)
        if len(self.sent) > self._takes:
            await asyncio.Event().wait()

    async def call(self, office: GatewayHarness, path: str, key: str, method: str = "POST") -> None:
        """Call the service; returns when the service gives up."""
        body = [{"type": "http.request", "body": b'{"model":"echo","stream":true}', "more_body": False}]

        async def receive() -> Any:
            if body:
                return body.pop()
            return await asyncio.Event().wait()

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {key}".encode()), (b"content-length", b"30")],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "http_version": "1.1",
        }
        async with asyncio.timeout(LIMIT_S):
            await office.desk.service.app(scope, receive, self)


def hasty(office: GatewayHarness) -> None:
    """Have the gateway wait 0.2 s for a replica or a caller."""
    passing: Any = office.desk.service.app._passing
    passing._limits = msgspec.structs.replace(passing._limits, idle_s=0.2)
    passing._models._idle_s = 0.2


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Refuse every call."""
    await echo(scope, receive, send) if scope["path"] == "/v1/models" else await answer(send, b"{}", status=500)


@pytest.mark.parametrize("takes", [0, 1])
@pytest.mark.parametrize("path", [CHAT, "/v2/models", "/services/echo/", "a list", "a replica's error"])
async def test_a_caller_that_does_not_take_an_error_keeps_no_call_open(tmp_path: Path, path: str, takes: int) -> None:
    async with an_office(tmp_path) as office, served(failing) as replica:
        office.replicas(replica)
        hasty(office)
        caller = StuckCaller(takes)
        if path == "a list":
            await caller.call(office, "/v2/models", office.key, "GET")
        elif path == "a replica's error":
            await caller.call(office, CHAT, office.key)
        else:
            await caller.call(office, path, "none", "GET" if path == "/v2/models" else "POST")
        assert len(caller.sent) == takes + 1


@pytest.mark.parametrize(("takes", "is_cut"), [(0, False), (1, False), (2, False), (2, True)])
async def test_a_caller_that_does_not_take_the_rest_of_a_stream_keeps_no_call_open_and_gets_no_more_messages(
    tmp_path: Path, takes: int, *, is_cut: bool
) -> None:
    async with an_office(tmp_path) as office, in_two_parts(office) as may_end:
        hasty(office)
        if not is_cut:
            may_end.set()
        caller = StuckCaller(takes)
        await caller.call(office, CHAT, office.key)
        assert len(caller.sent) == takes + 1
        assert (b'"error"' in caller.sent[-1].get("body", b"")) is is_cut
        await office.counted(1)


LONG = b'{"model":"echo","x":"' + b"a" * (2**16 - 22)
NO_UTF8 = {
    "the value of model": (b'{"model":"\xff"}', 0xFF, 10),
    "another value": (b'{"model":"echo","x":"\xe4"}', 0xE4, 21),
    "a key": (b'{"\xfc":1}', 0xFC, 2),
    "the last byte": (b'{"model":"echo"}\xc3', 0xC3, 16),
    "UTF-16": ('{"model":"echo"}'.encode("utf-16"), 0xFF, 0),
    "between two pieces": (LONG + b'\xc3x"}', 0xC3, 2**16 - 1),
}


async def test_a_body_that_is_not_utf_8_is_refused_with_the_byte_and_its_place(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        for name, (body, byte, place) in NO_UTF8.items():
            status, said = await asked(office, body)
            assert (status, said["error"]["code"], in_shape(said)) == (400, "MalformedJSON", True), name
            assert f"0x{byte:02x} at position {place}," in said["message"], name
        for body in (LONG + 'ä"}'.encode(), '{"model":"echo","x":"😀"}'.encode()):
            assert (await asked(office, body))[0] == 200
        status, said = await asked(office, b'{"model":"\\ud800"}')
        assert (status, said["code"]) == (400, "MalformedJSON")
        assert "no string" not in said["message"]
