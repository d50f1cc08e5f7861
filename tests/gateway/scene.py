"""A whole service on a real socket, with replicas that are real servers, well-behaved ones and others."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from leasebook.gateway.ports import Target
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.server.transport.websocket_scope import SocketProtocol
from leasebook.store.opening import Target as Store
from tests.harness import Client, a_service
from tests.raw_connections import Serve, ended, raw_server

BOUND_S = 20.0
SERVICE, MODEL, UNITS = "/v2/service", "/v2/model", "/v2/computeunit"
App = Callable[[Any, Any, Any], Awaitable[None]]


class ReplicaTable:
    """Replicas as the test says; the services are found by the first part of their names."""

    def __init__(self) -> None:
        self.found: dict[str, list[Target]] = {}

    def of(self, ask: ReadRepository, service_id: str) -> Sequence[Target]:  # noqa: ARG002 - they are in no store
        """Return the healthy replicas."""
        return self.found.get(service_id, [])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound() -> socket.socket:
    """Take a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def address_of(listener: socket.socket) -> str:
    """Write the address of a listener."""
    return "{}:{}".format(*listener.getsockname())


@contextlib.asynccontextmanager
async def served(app: App, *, ws: Any = "none") -> AsyncIterator[str]:
    """Serve an ASGI application; yields its address. With our own protocol for WebSockets it is as our servers are."""
    listener = bound()
    config = uvicorn.Config(
        app,
        http="httptools",
        ws=ws,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        await task
        # It leaves those open that had an answer under way for longer than it waits.
        await ended(connection.transport for connection in tuple(server.server_state.connections))
        listener.close()


@contextlib.asynccontextmanager
async def raw(handle: Serve) -> AsyncIterator[str]:
    """Serve bytes: a replica that need not keep to any rule; yields its address."""
    async with raw_server(handle) as port:
        yield f"127.0.0.1:{port}"


async def until(true: Callable[[], Any]) -> None:
    """Wait for a condition, and not for ever."""
    async with asyncio.timeout(BOUND_S):
        while not true():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.005)


async def body_of(receive: Any) -> bytes:
    """Read the whole body of an ASGI request."""
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


async def answer(send: Any, body: bytes, *, status: int = 200, kind: bytes = b"application/json") -> None:
    """Answer an ASGI request."""
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Say what arrived."""
    body = await body_of(receive)
    said = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    await answer(send, json.dumps(said).encode())


class GatewayHarness:
    """The service, its gateway's address, and a caller."""

    def __init__(self, desk: Client, base: str, http: aiohttp.ClientSession | None, targets: ReplicaTable) -> None:
        self.desk = desk
        self.base = base
        self._http = http
        self.targets = targets
        self.service = ""
        self.unit = ""
        self.key = ""

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session that calls."""
        assert self._http is not None, "nothing is called while a store is made"
        return self._http

    async def do(self, path: str, action: str, body: Any = None, *, desk: Client | None = None) -> Any:
        """Call an action that succeeds."""
        return (await (desk or self.desk).call(path, action, body)).result

    async def open(self, *, qps: float | None = None, replicas: int = 2) -> None:
        """Buy an instance and place a service of a known model on it, with a key."""
        await self.do("/v2/account", "TopUpAccount", {"amount": "1000"})
        prices = {"pricePerMinute": "0.01", "pricePerMonth": "10", "stockTotal": 100}
        await self.do("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", **prices})
        bought = {
            "billing": {"paymentTiming": "Postpaid"},
            "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
            "computeUnitCount": replicas,
        }
        self.unit = (await self.do(UNITS, "PurchaseComputeUnit", bought))["instanceId"]
        made = await self.do(MODEL, "CreateCustomModelSet", {"modelSetName": "echo"})
        model = await self.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["echo"]}})
        placed = [{"instanceId": self.unit, "deploymentReplicasCount": replicas}]
        body = {
            "modelSetId": made["modelSetId"],
            "modelId": model["modelId"],
            "name": "echo",
            "urlSuffix": "echo",
            "deploymentConfig": {"deploymentComputeUnitList": placed, **({} if qps is None else {"qps": qps})},
        }
        self.service = (await self.do(SERVICE, "CreateService", body))["serviceId"]
        self.key = (await self.do(SERVICE, "CreateServiceKey", {"name": "shop"}))["key"]

    def replicas(self, *addresses: str) -> None:
        """Say where the replicas are, before the first call."""
        self.targets.found[self.service] = [Target(f"r{number}", one) for number, one in enumerate(addresses)]

    async def moved(self, *addresses: str) -> None:
        """Say where the replicas are now, and have them looked up again, as a commit about the service does."""
        self.replicas(*addresses)
        await self.do(SERVICE, "DeactivateService", {"serviceId": self.service})
        await self.do(SERVICE, "ActivateService", {"serviceId": self.service})

    def url(self, rest: str = "/", name: str = "echo") -> str:
        """Write the address of a service."""
        return f"http://{self.base}/services/{name}{rest}"

    def call(self, method: str = "GET", rest: str = "/", **more: Any) -> Any:
        """Call the service with its key."""
        headers = {"Authorization": f"Bearer {more.pop('key', self.key)}", **more.pop("headers", {})}
        return self.http.request(method, self.url(rest, more.pop("name", "echo")), headers=headers, **more)

    async def said(self, method: str = "GET", rest: str = "/", **more: Any) -> tuple[int, Any]:
        """Call the service; returns the status and the JSON."""
        async with self.call(method, rest, **more) as found:
            return found.status, json.loads(await found.read())

    async def counted(self, calls: int) -> dict[str, Any]:
        """Wait until ``count`` calls are counted; returns the sums of all apps."""
        times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
        async with asyncio.timeout(BOUND_S):
            while True:
                found = (await self.do(SERVICE, "DescribeServiceMetric", times))["serviceList"]
                metrics = [app["metric"] for app in found[0]["appList"]] if found else []
                if sum(metric["callTotal"] for metric in metrics) >= calls:
                    return {name: sum(metric[name] for metric in metrics) for name in metrics[0]}
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def an_office(
    where: Path | Store,
    *,
    qps: float | None = None,
    opened: bool = True,
    prefix: str = "",
    away_s: str | None = None,
    engine: str = "instant",
    **settings: str,
) -> AsyncIterator[GatewayHarness]:
    """Run a service on a socket, with something to call in it. ``away_s``: how long it waits for its database.

    Calls go to the targets of the test. A process for each replica would take most of the time of a test.
    """
    environment: Mapping[str, str] = {f"LEASEBOOK_GATEWAY_{name.upper()}": value for name, value in settings.items()}
    environment = {"LEASEBOOK_ENGINES": f"*={engine}", **environment, "LEASEBOOK_PATH_PREFIX": prefix}
    if away_s is not None:
        environment = {**environment, "LEASEBOOK_STORE_AWAY_SECONDS": away_s}
    targets = ReplicaTable()
    is_usual = opened and qps is None and engine == "instant"
    found = await _copied(where) if is_usual and isinstance(where, Path) and _is_new(where) else None
    async with (
        a_service(where, environment=environment, targets=targets) as desk,
        served(desk.service.app, ws=SocketProtocol) as base,
        aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(BOUND_S)
        ) as http,
    ):
        office = GatewayHarness(desk, base, http, targets)
        if found is not None:
            office.unit, office.service, office.key = found
        elif opened:
            await office.open(qps=qps)
        yield office


def _is_new(where: Path) -> bool:
    return not (where.exists() and any(where.iterdir()))


_opened: list[tuple[Path, tuple[str, str, str]]] = []
"""A store in which an office was opened, with its unit, its service and its key. It is made once in a process."""


async def _copied(where: Path) -> tuple[str, str, str]:
    """Put a copy of a store there in which an office was opened: that takes longer than most tests."""
    if not _opened:
        parent = tempfile.TemporaryDirectory(prefix="leasebook-office-")
        atexit.register(parent.cleanup)
        folder = Path(parent.name) / "data"
        async with a_service(folder, environment={"LEASEBOOK_ENGINES": "*=instant"}) as desk:
            office = GatewayHarness(desk, "", None, ReplicaTable())
            await office.open()
        _opened.append((folder, (office.unit, office.service, office.key)))
    folder, names = _opened[0]
    shutil.copytree(folder, where, dirs_exist_ok=True)
    return names
