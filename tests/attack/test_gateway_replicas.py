"""Hostile replicas and callers at the gateway: a real server, a real process behind it, and bare sockets."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.attack import hostile
from tests.crash.fleet import CATALOG, UNITS, Process, eventually
from tests.crash.lone import lone_server, root_of
from tests.raw_connections import raw_connection

SERVICE, MODEL = "/v2/service", "/v2/model"
TYPE = "gw"
BOUND_S = 60.0
GROWTH_MAX = 32 << 20
"""So much more memory the server may have at most, whatever is sent to it."""

pytestmark = pytest.mark.crash


class HostileService(NamedTuple):
    """A server with a hostile service in it, and a key."""

    server: Process
    key: str
    service: str

    @property
    def address(self) -> str:
        """The host and the port of the server."""
        return f"127.0.0.1:{self.server.port}"

    @property
    def base(self) -> str:
        """Where the service is."""
        return f"http://{self.address}/services/hostile"

    @property
    def auth(self) -> dict[str, str]:
        """The key, as a header."""
        return {"Authorization": f"Bearer {self.key}"}

    def memory(self) -> int:
        """Return how much memory the server has, in bytes."""
        pages = Path(f"/proc/{self.server.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def do(self, path: str, action: str, body: Any) -> Any:
        """Call an action that succeeds."""
        with root_of(self.server) as root:
            return root.call(path, action, body).result


def deploy(server: Process) -> HostileService:
    """Buy an instance and run the hostile replica on it, as a tenant may."""
    with root_of(server) as root:
        prices = {"pricePerMinute": "0", "pricePerMonth": "0", "stockTotal": 5}
        _ = root.call(CATALOG, "SetOffering", {"region": "bj", "type": TYPE, **prices}).result
        _ = root.call("/v2/account", "TopUpAccount", {"amount": "1000"}).result
        made = root.call(MODEL, "CreateCustomModelSet", {"modelSetName": "hostile"}).result
        run = {"command": [sys.executable, "-c", Path(hostile.__file__).read_text(), "{port}"], "port": 0}
        model = root.call(MODEL, "CreateCustomModel", {**made, "run": run}).result
        bought = {
            "billing": {"paymentTiming": "Postpaid"},
            "computeUnitConfig": {"region": "bj", "type": TYPE},
            "computeUnitCount": 1,
        }
        unit = root.call(UNITS, "PurchaseComputeUnit", bought).result["instanceId"]
        placed = [{"instanceId": unit, "deploymentReplicasCount": 1}]
        body = {
            "modelSetId": made["modelSetId"],
            "modelId": model["modelId"],
            "name": "hostile",
            "urlSuffix": "hostile",
            "deploymentConfig": {"deploymentComputeUnitList": placed},
        }
        service = root.call(SERVICE, "CreateService", body).result["serviceId"]
        key = root.call(SERVICE, "CreateServiceKey", {"name": "app"}).result["key"]
    return HostileService(server, key, service)


def answers(scene: HostileService) -> bool:
    """Whether the replica answers."""
    return asyncio.run(ask(scene, "/"))[0] == 200


async def ask(scene: HostileService, path: str) -> tuple[int, Any]:
    """Call the service; returns the status and the JSON, where it is that."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(BOUND_S)) as http,
        http.get(scene.base + path, headers=scene.auth) as found,
    ):
        text = await found.text()
        return found.status, json.loads(text) if text.startswith("{") else text


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileService]:
    """Serve, for all of the attacks."""
    with lone_server(tmp_path_factory.mktemp("gateway")) as server:
        made = deploy(server)
        eventually("the hostile replica answers", lambda: answers(made), within_s=60)
        yield made


def raw(scene: HostileService, path: str, *more: str) -> bytes:
    """Write a request for a bare socket."""
    lines = (f"GET /services/hostile{path} HTTP/1.1", "Host: h", f"Authorization: Bearer {scene.key}", *more)
    return "\r\n".join((*lines, "", "")).encode()


async def head_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer with a length: its head and its body."""
    async with asyncio.timeout(BOUND_S):
        head = await reader.readuntil(b"\r\n\r\n")
        line = next(one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length"))
        return head, await reader.readexactly(int(line.split(b":")[1]))


@pytest.mark.parametrize(
    "asking", ["", "Connection: Upgrade\r\nUpgrade: websocket", "Connection: Upgrade\r\nUpgrade: h2c"]
)
async def test_a_101_that_a_replica_makes_up_opens_no_tunnel(scene: HostileService, asking: str) -> None:
    async with raw_connection(scene.address) as (reader, writer):
        writer.write(raw(scene, "/101", *(asking.split("\r\n") if asking else ())))
        head, body = await head_of(reader)
        assert b" 101 " not in head.split(b"\r\n")[0]
        assert json.loads(body)["code"] in ("ReplicaFailed", "InvalidHandshake", "UpgradeNotSupported")
        if not asking:
            # The next answer on the connection is still HTTP, and answered by the server itself.
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await head_of(reader))[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/999", "/split", "/nul", "/headers"])
async def test_an_answer_that_is_none_is_502_and_nothing_of_it_comes_through(scene: HostileService, path: str) -> None:
    before = scene.memory()
    status, said = await ask(scene, path)
    assert (status, said["code"]) == (502, "ReplicaFailed")
    assert "127.0.0.1" not in said["message"]
    assert "evil" not in str(said)
    assert scene.memory() - before < GROWTH_MAX
    assert "Traceback" not in scene.server.log()


@pytest.mark.parametrize("path", list(hostile.ENDLESS))
async def test_what_never_comes_to_an_answer_is_cut_short_and_holds_nobody_up(
    scene: HostileService, path: bytes
) -> None:
    before = scene.memory()
    began = time.monotonic()
    for status, said in await asyncio.gather(*(ask(scene, path.decode()) for _ in range(20))):
        assert (status, said["code"]) == (502, "ReplicaFailed")
    assert time.monotonic() - began < BOUND_S
    assert scene.memory() - before < GROWTH_MAX


async def test_an_answer_sent_ahead_is_not_given_to_whoever_asks_next(scene: HostileService) -> None:
    for path in ("/ahead", "/") * 10:
        assert await ask(scene, path) == (200, "hi")


def test_an_answer_that_drips_passes_as_it_comes_and_ends_with_its_caller(scene: HostileService) -> None:
    async def attack() -> None:
        async with raw_connection(scene.address) as (reader, writer), asyncio.timeout(BOUND_S):
            writer.write(raw(scene, "/drip"))
            await reader.readuntil(b"1\r\nx\r\n1\r\nx\r\n")

    asyncio.run(attack())
    eventually("the call is over", lambda: in_flight(scene) == 0, within_s=60)


def in_flight(scene: HostileService) -> float:
    """Return how many calls pass now."""

    async def asked() -> str:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{scene.server.port}/metrics") as found:
            return await found.text()

    lines = asyncio.run(asked()).splitlines()
    return float(next(line for line in lines if line.startswith("leasebook_gateway_calls_in_flight ")).split()[-1])


@pytest.mark.parametrize("path", ["/pour", "/deaf"])
def test_an_end_of_a_socket_that_does_not_read_costs_the_server_no_memory(scene: HostileService, path: str) -> None:
    async def one() -> None:
        key = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
        asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
        frame = b"\x82\xfe\xff\xff" + bytes(4) + bytes(65_535)
        async with raw_connection(scene.address) as (reader, writer):
            writer.write(raw(scene, path, *asked))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            writer.transport.set_write_buffer_limits(1 << 16)
            try:
                async with asyncio.timeout(2):
                    while path == "/deaf":
                        writer.write(frame)
                        await writer.drain()
                    await asyncio.sleep(60)
            except TimeoutError:
                pass
            held.append(scene.memory())

    held: list[int] = []

    async def attack() -> None:
        await asyncio.gather(*(one() for _ in range(10)))

    before = scene.memory()
    asyncio.run(attack())
    assert max(held) - before < GROWTH_MAX
    if path == "/pour":
        # That a caller went who is not read shows only when the replica reads, or after gateway.socket_idle_seconds.
        eventually("the sockets are over", lambda: in_flight(scene) == 0, within_s=60)


async def test_tiny_frames_in_a_flood_hold_nobody_up(scene: HostileService) -> None:
    async def attack() -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(scene.base + "/deaf", headers=scene.auth) as socket,
        ):
            flood = asyncio.create_task(pour(socket))
            slowest = 0.0
            for _ in range(20):
                began = time.monotonic()
                assert await ask(scene, "/") == (200, "hi")
                slowest = max(slowest, time.monotonic() - began)
            flood.cancel()
            socket._writer.transport.abort()
        assert slowest < 2

    async def pour(socket: Any) -> None:
        while True:
            socket._writer.transport.write(b"\x89\x80\0\0\0\0" * 10_000)
            await asyncio.sleep(0.01)

    await attack()


async def test_a_server_that_stops_closes_the_sockets_and_does_not_wait_for_them(scene: HostileService) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(scene.base + "/say", headers=scene.auth, autoclose=False) as one,
        http.ws_connect(scene.base + "/pour", headers=scene.auth) as other,
    ):
        await one.send_str("hello")
        assert (await one.receive()).data == "hello"
        assert len((await other.receive()).data) == 65_535
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(scene.server.stop))
        closed = await one.receive()
        assert closed.type is aiohttp.WSMsgType.CLOSE
        assert (closed.data, closed.extra) == (1012, "this server stops; connect again")
        await one.close()
        async with asyncio.timeout(BOUND_S):
            while (await other.receive()).type is aiohttp.WSMsgType.BINARY:
                pass
        assert other.close_code == 1012
        await stopping
        assert time.monotonic() - began < BOUND_S
    assert "Traceback" not in scene.server.log()
