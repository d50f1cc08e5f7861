"""A whole service inside the test: real store, real signatures, no socket. Time moves when the test says so."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leasebook.api.auth.callers import STRICT as STRICT_OPERATIONS
from leasebook.config.load import load_settings
from leasebook.contract.actions import ACTIONS
from leasebook.contract.signing import sign
from leasebook.server.composition import Service, running
from leasebook.store.opening import Target
from tests.copies import give_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from leasebook.engines.contract import ReplicaEngine
    from leasebook.gateway.ports import Targets
    from leasebook.ports.clock import Mode
    from leasebook.reconciler.ports import Timing

ROOT_KEY, ROOT_SECRET = "AKROOT", "root-secret-for-tests"
CLIENT = ("192.0.2.1", 4711)
"""Where calls come from."""
STRICT = [action.name for action in ACTIONS if action.operation in STRICT_OPERATIONS]
"""Actions that take no signature without a signed body and a nonce."""
ENVIRONMENT = {
    "LEASEBOOK_ROOT_ACCESS_KEY": ROOT_KEY,
    "LEASEBOOK_ROOT_SECRET_KEY": ROOT_SECRET,
    # So that every action of the table is there; no fault is set.
    "LEASEBOOK_FAULTS": "yes",
}


class Answer(NamedTuple):
    """The answer to a call."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def result(self) -> Any:
        """The result of a success; of a stream, the events that came; of a file, its text or bytes."""
        assert self.status == 200, self.body
        return self.body if isinstance(self.body, list | str | bytes) else self.body["result"]

    @property
    def code(self) -> str:
        """The code of an error."""
        assert self.status != 200, self.body
        return str(self.body["code"])


class Client:
    """Calls a service as one user does."""

    def __init__(self, service: Service, access_key: str = ROOT_KEY, secret_key: str = ROOT_SECRET) -> None:
        self.service = service
        self.access_key = access_key
        self.secret_key = secret_key

    def as_user(self, access_key: str, secret_key: str) -> Client:
        """Call the same service as another user."""
        return Client(self.service, access_key, secret_key)

    async def call(self, path: str, action: str, body: Any = None, *, query: str = "") -> Answer:
        """Call an action with a JSON body."""
        content = b"" if body is None else json.dumps(body).encode()
        return await self.send(path, f"Action={action}{query}", content)

    async def send(
        self,
        path: str,
        query: str,
        content: bytes,
        *,
        method: str = "POST",
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> Answer:
        """Send a signed request, byte for byte."""
        if headers is None:
            headers = self.signed(path, query, content, method=method)
        return await _ask(self.service.app, method, path, query, headers, content)

    def signed(
        self, path: str, query: str, content: bytes, *, method: str = "POST", strong: bool = False, **more: Any
    ) -> list[tuple[bytes, bytes]]:
        """Return the headers of a signed request; a ``strong`` signature covers the body and a nonce.

        Where an action takes no other, it is strong in any case. ``more`` is for the signature.
        """
        covered = {"host": "leasebook.test"}
        if strong or any(f"Action={name}" in query for name in STRICT):
            covered["x-bce-content-sha256"] = hashlib.sha256(content).hexdigest()
            covered["x-bce-nonce"] = secrets.token_hex(16)
        facts: dict[str, Any] = {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "headers": covered,
            "signed_headers": tuple(covered),
        }
        authorization = sign(method=method, path=path, query=query, **{**facts, **more})
        return [
            *((name.encode(), value.encode()) for name, value in covered.items()),
            (b"authorization", authorization.encode()),
        ]

    async def advance(self, to: str) -> None:
        """Move the virtual clock."""
        _ = (await self.call("/v2/clock", "AdvanceClock", {"to": to})).result


async def _ask(
    app: Callable[..., Awaitable[None]],
    method: str,
    path: str,
    query: str,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
) -> Answer:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*headers, (b"content-length", str(len(content)).encode())],
        "client": CLIENT,
    }
    sent: list[Any] = []
    requests = [{"type": "http.request", "body": content, "more_body": False}]
    enough = asyncio.Event()

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        # A caller that only looks whether a stream is there leaves when it begins.
        if message["type"] == "http.response.body" and _is_stream(sent[0]):
            enough.set()

    await app(scope, receive, send)
    start, *bodies = sent
    text = b"".join(message["body"] for message in bodies)
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    if found["content-type"].startswith("application/json"):
        return Answer(start["status"], found, json.loads(text))
    if found["content-type"].startswith("text/event-stream"):
        return Answer(start["status"], found, events_of(text.decode()))
    is_text = found["content-type"].startswith("text/")
    return Answer(start["status"], found, text.decode() if is_text else text)


def _is_stream(start: Any) -> bool:
    return (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]


def events_of(stream: str) -> list[Any]:
    """Read the events of a stream of server-sent events."""
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


@asynccontextmanager
async def a_service(
    where: Path | Target,
    *,
    clock: Mode = "virtual",
    demo: bool = False,
    environment: Mapping[str, str] | None = None,
    targets: Targets | None = None,
    engines: Mapping[str, ReplicaEngine] | None = None,
    timing: Timing | None = None,
) -> AsyncIterator[Client]:
    """Run a service on that store; stops cleanly at the end. ``engines`` stand in for those that the settings name."""
    if isinstance(where, Path):
        give_tables(where)
        where = Target(where)
    settings = load_settings(None, ENVIRONMENT | dict(environment or {}))
    async with running(
        settings, where, clock_mode=clock, demo=demo, targets=targets, engines=engines, timing=timing
    ) as service:
        yield Client(service)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run an async scene from a test."""

    async def whole() -> None:
        await scene()

    asyncio.run(whole())
