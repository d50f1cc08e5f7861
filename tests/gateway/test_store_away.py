"""While the database is away, calls of services are refused as calls of actions are, and answers that pass go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leasebook.batch import Closed, LockedOut, Overloaded, Unavailable
from leasebook.gateway import call
from leasebook.gateway.fault import fault_of
from leasebook.store.opening import Target
from tests.crash.proxy import Proxy, proxy
from tests.gateway.scene import GatewayHarness, an_office, served
from tests.harness import play
from tests.postgres import shared_server


class Replica:
    """Sends a first piece at once, and the rest once ``goes_on`` is set."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        """Speak ASGI."""
        self.calls += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await self.goes_on.wait()
        for piece in (b"then ", b"last"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _behind(between: Proxy, folder: Path) -> AsyncIterator[tuple[GatewayHarness, Replica]]:
    replica = Replica()
    async with (
        served(replica) as address,
        an_office(Target(folder / "data", between.url), away_s="0") as office,
    ):
        office.replicas(address)
        yield office, replica


async def _refusal(office: GatewayHarness, method: str, path: str, **more: Any) -> tuple[int, str, str | None, str]:
    headers = {"Authorization": f"Bearer {office.key}"}
    async with office.http.request(method, f"http://{office.base}{path}", headers=headers, **more) as answer:
        body = await answer.json()
        assert body["error"]["code"] == body["code"] == answer.headers["x-bce-error-code"]
        return answer.status, body["code"], answer.headers.get("retry-after"), body["message"]


async def _refused_handshake(office: GatewayHarness) -> tuple[int, str | None]:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await office.http.ws_connect(office.url("/socket"), headers={"Authorization": f"Bearer {office.key}"})
    headers = refused.value.headers
    assert headers is not None
    return refused.value.status, headers.get("x-bce-error-code")


def test_calls_are_refused_with_503_until_the_database_is_back_and_answers_that_pass_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The key of an answer is looked at with each of its pieces.
    monkeypatch.setattr(call, "CHECK_S", 0.0)

    async def scene() -> None:
        async with _behind(between, tmp_path) as (office, replica):
            async with office.call() as passing:
                assert await passing.content.readexactly(6) == b"first "
                between.is_closed = True
                between.cut_all()
                asked = {"model": "echo", "messages": []}
                refusals = [
                    await _refusal(office, "GET", "/services/echo/"),
                    await _refusal(office, "POST", "/services/echo/v1/do", json={}),
                    await _refusal(office, "POST", "/v2/chat/completions", json=asked),
                    await _refusal(office, "GET", "/v2/models"),
                    await _refusal(office, "GET", "/v2/models/echo"),
                ]
                for status, code, after_s, message in refusals:
                    assert (status, code, after_s) == (503, "StoreUnavailable", "1"), refusals
                    assert message.startswith("Nothing was done: ")
                    assert str(between.port) not in message
                assert await _refused_handshake(office) == (503, "StoreUnavailable")
                assert replica.calls == 1
                replica.goes_on.set()
                assert await passing.read() == b"then last"
            between.is_closed = False
            async with office.call() as back:
                assert (back.status, await back.read()) == (200, b"first then last")

    with shared_server().database(migrated=True) as url, proxy(url) as between:
        play(scene)


@pytest.mark.parametrize(
    ("error", "code", "after_s"),
    [
        (Unavailable("the database is away"), "StoreUnavailable", 1),
        (LockedOut(), "RowsLocked", 5),
        (Overloaded(), "Overloaded", 1),
        (Closed(), "Overloaded", 1),
    ],
)
def test_a_refusal_says_that_nothing_was_done_only_where_no_replica_has_the_call(
    error: Exception, code: str, after_s: int
) -> None:
    before, after = fault_of(error), fault_of(error, is_passed_on=True)
    assert before is not None
    assert after is not None
    assert (before.error.code, before.retry_after_s) == (after.error.code, after.retry_after_s) == (code, after_s)
    assert "Nothing was done" in before.message
    assert "Nothing was done" not in after.message
    assert "may have done" in after.message


def test_any_other_error_is_a_fault_of_the_server() -> None:
    assert fault_of(RuntimeError("a mistake")) is None
