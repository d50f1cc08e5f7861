"""1,500 streams of events of one reader: refused beyond a cap, and what was refused costs nothing that stays."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from leasebook.api.fault import Fault
from leasebook.api.streams.events import StreamBounds, Streams
from leasebook.contract.signing import sign
from tests.harness import CLIENT, Client, a_service

EVENTS: Final = "/v2/events"
IAM: Final = "/v2/iam"
SMALL: Final = {
    "LEASEBOOK_EVENTS_STREAMS_MAX": "7",
    "LEASEBOOK_EVENTS_STREAMS_PER_ACCOUNT_MAX": "5",
    "LEASEBOOK_EVENTS_STREAMS_PER_KEY_MAX": "3",
}


class EventFollower:
    """A caller who follows events until the test ends it."""

    def __init__(self, desk: Client) -> None:
        self._desk = desk
        self._gone = asyncio.Event()
        self._begun = asyncio.Event()
        self._sent: list[Any] = []
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        query = "Action=FollowEvents"
        signed = sign(
            access_key=self._desk.access_key,
            secret_key=self._desk.secret_key,
            method="POST",
            path=EVENTS,
            query=query,
            headers={"host": "leasebook.test"},
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            signed_headers=("host",),
        )
        scope = {
            "type": "http",
            "method": "POST",
            "path": EVENTS,
            "raw_path": EVENTS.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"leasebook.test"), (b"authorization", signed.encode())],
            "client": CLIENT,
        }
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if requests:
                return requests.pop()
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self._sent.append(message)
            self._begun.set()

        await self._desk.service.app(scope, receive, send)
        self._begun.set()

    async def status(self) -> int:
        """Return what it was answered."""
        await self._begun.wait()
        return int(self._sent[0]["status"])

    async def said(self) -> Any:
        """Return the body of a refusal."""
        await self._task
        return json.loads(self._sent[1]["body"])

    async def go(self) -> None:
        """Hang up."""
        self._gone.set()
        await self._task


@asynccontextmanager
async def many(desk: Client, count: int) -> AsyncIterator[list[EventFollower]]:
    followers = [EventFollower(desk) for _ in range(count)]
    try:
        yield followers
    finally:
        for one in followers:
            await one.go()


async def statuses(followers: list[EventFollower]) -> list[int]:
    return sorted([await one.status() for one in followers])


async def test_one_reader_gets_so_many_streams_and_others_theirs(tmp_path: Path) -> None:
    async with a_service(tmp_path, environment=SMALL) as desk:
        user = {"userId": (await desk.call(IAM, "CreateUser", {"name": "reader"})).result["userId"]}
        key = (await desk.call(IAM, "CreateAccessKey", user)).result
        await desk.call(IAM, "AttachPolicy", {**user, "policyName": "QianfanReadAccessPolicy"})
        colleague = desk.as_user(key["accessKeyId"], key["secretAccessKey"])
        opened = (await desk.call(IAM, "CreateAccount", {"name": "other"})).result
        stranger = desk.as_user(opened["accessKeyId"], opened["secretAccessKey"])
        async with AsyncExitStack() as stack:
            mine = await stack.enter_async_context(many(desk, 1500))
            assert await statuses(mine) == [200] * 3 + [429] * 1497
            theirs = await stack.enter_async_context(many(colleague, 10))
            assert await statuses(theirs) == [200] * 2 + [429] * 8
            others = await stack.enter_async_context(many(stranger, 10))
            assert await statuses(others) == [200] * 2 + [429] * 8
            for followers, setting in (
                (mine, "events.streams_per_key_max"),
                (theirs, "events.streams_per_account_max"),
                (others, "events.streams_max"),
            ):
                refused, *_ = [one for one in followers if await one.status() == 429]
                body = await refused.said()
                assert body["code"] == "TooManyStreams"
                assert setting in body["message"]
            page = await desk.service.health.page("/metrics")
            assert page is not None
            assert "leasebook_event_streams 7.0" in page.body.decode()
            assert "leasebook_event_streams_refused_total 1513.0" in page.body.decode()
            # Who goes makes room.
            for one in mine:
                if await one.status() == 200:
                    await one.go()
                    break
            async with many(desk, 2) as again:
                assert await statuses(again) == [200, 429]


class StreamMeter:
    """A meter that counts."""

    def __init__(self) -> None:
        self.open = 0

    def streams_open(self, change: int) -> None:
        self.open += change

    def stream_refused(self) -> None:
        """Not read by these tests."""


async def _pieces() -> AsyncIterator[bytes]:
    yield b"x"


async def test_a_stream_that_nobody_began_to_read_counts_no_longer_than_it_lives() -> None:
    meter = StreamMeter()
    streams = Streams(StreamBounds(in_all=1, per_account=1, per_key=1), meter)
    stream = streams.opened("acc-1", "AK1", _pieces())
    with pytest.raises(Fault):
        streams.opened("acc-1", "AK1", _pieces())
    del stream
    gc.collect()
    again = streams.opened("acc-1", "AK1", _pieces())
    assert [piece async for piece in again] == [b"x"]
    await again.aclose()  # type: ignore[attr-defined]
    await again.aclose()  # type: ignore[attr-defined]
    assert meter.open == 0
