"""Receivers of webhooks: real HTTP servers in the test, which behave as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tests.harness import Client
from tests.raw_connections import raw_server
from tests.rests import Rests

PATH = "/v2/notification"
LOCAL = {"LEASEBOOK_WEBHOOK_ALLOW_HTTP": "yes", "LEASEBOOK_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}
WITHIN_S = 60.0


class ReceivedDelivery(NamedTuple):
    """A request that arrived."""

    head: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        """The event."""
        return json.loads(self.body)


Answering = Callable[[ReceivedDelivery], Awaitable[bytes] | bytes]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


def status(code: int, *headers: str) -> bytes:
    """An answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {code} So", "content-length: 0", *headers, "", ""]).encode()


class Receiver:
    """Keeps what arrives. ``answer`` gives the answers; ``under_way`` is how many wait for that now."""

    def __init__(self) -> None:
        self.got: list[ReceivedDelivery] = []
        self.answer: Answering = lambda _got: OK
        self.under_way = 0
        self.most_under_way = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        got = ReceivedDelivery(head, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
        self.got.append(got)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = self.answer(got)
            writer.write(answer if isinstance(answer, bytes) else await answer)
            await writer.drain()
        finally:
            self.under_way -= 1

    @property
    def events(self) -> list[tuple[str, str | None]]:
        """Types and instances, in the order in which they arrived."""
        return [(got.event["type"], got.event.get("subject")) for got in self.got]


@asynccontextmanager
async def a_receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """Serve one; afterwards connections to it are refused."""
    receiver = Receiver()
    async with raw_server(receiver.serve, port=port) as taken:
        receiver.url = f"http://127.0.0.1:{taken}/hook"
        yield receiver


async def until(what: str, is_so: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
    """Look until it is so, and return what was seen."""
    loop = asyncio.get_running_loop()
    end, rests = loop.time() + within_s, Rests(0.01)
    while True:
        seen = is_so()
        seen = await seen if isinstance(seen, Awaitable) else seen
        if seen:
            return seen
        assert loop.time() < end, f"{what}: not within {within_s} s"
        await asyncio.sleep(rests.next_s())


async def subscribe(desk: Client, url: str, **more: Any) -> Any:
    """Make a webhook."""
    return (await desk.call(PATH, "CreateSubscription", {"kind": "Webhook", "url": url, **more})).result


async def deliveries(desk: Client, **wanted: Any) -> list[Any]:
    """List deliveries, newest first."""
    found: list[Any] = (await desk.call(PATH, "DescribeDeliveries", wanted)).result["deliveries"]
    return found


async def settled(desk: Client, count: int, state: str = "Delivered") -> list[Any]:
    """Wait until ``count`` deliveries are in a state."""

    async def look() -> list[Any]:
        found = await deliveries(desk, state=state)
        return found if len(found) >= count else []

    found: list[Any] = await until(f"{count} deliveries are {state}", look)
    return found


async def buy(desk: Client, **more: Any) -> str:
    """Buy an instance by the minute; returns its id."""
    body = {
        "billing": {"paymentTiming": "Postpaid", **more},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
    return str((await desk.call("/v2/computeunit", "PurchaseComputeUnit", body)).result["instanceId"])


async def release(desk: Client, unit_id: str) -> None:
    """Release an instance."""
    _ = (await desk.call("/v2/computeunit", "ReleaseComputeUnit", {"instanceId": unit_id})).result


async def now(desk: Client) -> str:
    """The time of the service's clock."""
    return str((await desk.call("/v2/clock", "DescribeClock", {})).result["now"])
