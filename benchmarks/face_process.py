"""A variant of the server for comparison: HTTP in processes of their own, beside the one that decides and writes.

python -m benchmarks.faces

A face lets connections in, reads requests, verifies signatures, decodes purchases up to the command, and writes their
answers. The commands go to the core in batches through a socket pair: one write for all that wait. The core puts them
into the queue of its sequencer, and sends the ids back in the same way. All other requests are passed on whole.

It is made for a measurement. Each face has a cache of callers, turns and limits of its own, as they were when it was
forked, and metrics that nothing reads. A call that the sequencer turns away as stale is not tried again.
"""

# ruff: noqa: SLF001 - a variant reaches into the parts that it replaces

from __future__ import annotations

import asyncio
import copyreg
import os
import pickle
import socket
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, Final

import msgspec
import uvloop

from leasebook.api.app import App
from leasebook.api.audit_record import CallRecord
from leasebook.api.body.redaction import shown_text
from leasebook.api.fault import refused
from leasebook.batch import StaleIdentity
from leasebook.batch.waiting import WaitingCall
from leasebook.cli.main import main
from leasebook.domain.commands.instance.purchase import BuyUnits, Purchased
from leasebook.domain.record.audit_log import MESSAGE_MAX, OK, Entry, Line
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.server import serve
from leasebook.server.transport.listener import Server

PURCHASE: Final = b"Action=PurchaseComputeUnit"
CALLER: Final = os.environ.get("LEASEBOOK_ROOT_ACCESS_KEY", "")
"""Who buys. The server takes it out of its environment."""
LENGTH: Final = 4
STOP_S: Final = 10.0

Headers = list[tuple[bytes, bytes]]


class Order(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command on its way to the core, and its entry for the audit log without the verdict."""

    number: int
    command: BuyUnits
    epoch: str | None
    party: str | None
    line: Line


class Whole(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request that the core answers."""

    number: int
    method: str
    path: bytes
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
    body: bytes


class Up(msgspec.Struct, array_like=True):
    """One write of a face."""

    orders: list[Order] = []
    requests: list[Whole] = []
    lines: list[Line] = []


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The core's answer to a whole request."""

    number: int
    status: int
    headers: Headers
    body: bytes


class Down(msgspec.Struct, array_like=True):
    """One write of the core. Failures are pickled: both ends are the same program."""

    bought: list[tuple[int, str, str]] = []
    failed: list[tuple[int, bytes]] = []
    answers: list[Answer] = []


encode = msgspec.msgpack.Encoder().encode
decode_up = msgspec.msgpack.Decoder(Up).decode
decode_down = msgspec.msgpack.Decoder(Down).decode


class Pipe(asyncio.Protocol):
    """One end of the socket pair. All that is put in one turn of the loop leaves in one write."""

    def __init__(self, new: Callable[[], Any], take: Callable[[bytes], None]) -> None:
        self._new = new
        self._take = take
        self._begun = b""
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self.waiting: Any = None
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are whole."""
        if self._begun:
            data = self._begun + data
        at = 0
        while len(data) - at >= LENGTH:
            end = at + LENGTH + int.from_bytes(data[at : at + LENGTH], "big")
            if len(data) < end:
                break
            self._take(data[at + LENGTH : end])
            at = end
        self._begun = data[at:]

    def out(self) -> Any:
        """Return what leaves next, to be added to."""
        if self.waiting is None:
            self.waiting = self._new()
            self._loop.call_soon(self._flush)
        return self.waiting

    def _flush(self) -> None:
        frame, self.waiting = encode(self.waiting), None
        if not self._transport.is_closing():
            self._transport.write(len(frame).to_bytes(LENGTH, "big") + frame)

    def end(self) -> None:
        """Send no more; the other end then ends as well."""
        self._transport.write_eof()


def _up() -> Up:
    return Up([], [], [])


def _down() -> Down:
    return Down([], [], [])


def _refusal(reason: str, message: str, field: str | None, again_us: int | None) -> Refusal:
    return Refusal(reason, message, field=field, again_us=again_us)


# By itself an exception is made again from its message alone.
copyreg.pickle(Refusal, lambda one: (_refusal, (one.reason, one.message, one.field, one.again_us)))


async def pipe_of(end: socket.socket, new: Callable[[], Any], take: Callable[[bytes], None]) -> Pipe:
    """Return the pipe over one end of a socket pair."""
    loop = asyncio.get_running_loop()
    _, pipe = await loop.create_connection(lambda: Pipe(new, take), sock=end)
    return pipe


class AuditCall:
    """The call behind a command, as the core knows it."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        """Return its entry with the verdict."""
        account_id, entry = self._line
        if refusal is None:
            return account_id, msgspec.structs.replace(entry, at=at)
        fault = refused(refusal)
        message = shown_text(fault.message[:MESSAGE_MAX])
        entry = msgspec.structs.replace(entry, at=at, status=fault.error.status, code=fault.error.code, message=message)
        return account_id, entry

    def written(self, entry: Entry) -> None:
        """Do nothing: the face takes the answer for that."""


class Core:
    """The end of a pipe in the process that decides and writes."""

    def __init__(self, app: App) -> None:
        self._app: Any = app
        self._sequencer = self._app._context.sequencer
        self._clock = self._app._context.clock
        self._identities = self._app._identities
        self._epoch = self._identities._epoch
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.pipe: Pipe

    def take(self, frame: bytes) -> None:
        """Take commands and requests."""
        up = decode_up(frame)
        now = self._clock.now()
        for order in up.orders:
            future: asyncio.Future[Any] = self._loop.create_future()
            future.add_done_callback(partial(self._decided, order.number))
            if self._identities._epoch != self._epoch:
                future.set_exception(StaleIdentity())
                continue
            self._identities._uses.used(order.line[1].access_key or "", now)
            try:
                self._sequencer._queue.put(
                    WaitingCall(order.command, order.epoch, future, AuditCall(order.line), order.party)
                )
            except Exception as error:  # noqa: BLE001 - the caller gets it
                future.set_exception(error)
        for whole in up.requests:
            task = self._loop.create_task(self._answer(whole))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for line in up.lines:
            self._sequencer.note(line)

    def _decided(self, number: int, future: asyncio.Future[Any]) -> None:
        try:
            bought: Purchased = future.result().result()
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.pipe.out().failed.append((number, pickle.dumps(error)))
        else:
            self.pipe.out().bought.append((number, bought.unit_id, bought.order_id))

    async def _answer(self, whole: Whole) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "client": whole.client,
            "scheme": "http",
            "root_path": "",
            "headers": whole.headers,
            "state": {},
            "method": whole.method,
            "path": whole.path.decode("latin-1"),
            "raw_path": whole.path,
            "query_string": whole.query,
        }
        status, headers, pieces = 500, [], []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": whole.body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, send)
        self.pipe.out().answers.append(Answer(whole.number, status, headers, b"".join(pieces)))


class Remote:
    """The sequencer, as a face sees it; and the face's application."""

    def __init__(self, app: Any, *, framing: bool) -> None:
        """``framing``: pass purchases on whole as well."""
        self._app = app
        self._framing = framing
        self._numbers = count()
        self._waiting: dict[int, tuple[asyncio.Future[Any], CallRecord | None]] = {}
        self._loop = asyncio.get_running_loop()
        self.pipe: Pipe
        app._context = msgspec.structs.replace(app._context, sequencer=self)

    async def submit(
        self, command: BuyUnits, epoch: str | None = None, note: CallRecord | None = None, *, party: str | None = None
    ) -> Any:
        """Have a command decided by the core."""
        assert note is not None
        number, future = next(self._numbers), self._loop.create_future()
        self._waiting[number] = future, note
        self.pipe.out().orders.append(Order(number, command, epoch, party, note.line(Instant(0), 200, OK, "")))
        return await future

    def note(self, line: Line) -> None:
        """Have an entry written."""
        self.pipe.out().lines.append(line)

    def take(self, frame: bytes) -> None:
        """Take the core's answers."""
        down, waiting = decode_down(frame), self._waiting
        for number, unit_id, order_id in down.bought:
            future, note = waiting.pop(number)
            if note is not None:
                note.written_code = OK
            if not future.done():
                future.set_result(Purchased(unit_id, order_id))
        for number, pickled in down.failed:
            error, (future, note) = pickle.loads(pickled), waiting.pop(number)
            if note is not None and isinstance(error, Refusal):
                note.written_code = refused(error).error.code
            if not future.done():
                future.set_exception(error)
        for answer in down.answers:
            future, _ = waiting.pop(answer.number)
            if not future.done():
                future.set_result(answer)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Speak ASGI."""
        if PURCHASE in scope["query_string"] and not self._framing:
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        number, future = next(self._numbers), self._loop.create_future()
        self._waiting[number] = future, None
        whole = Whole(
            number,
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            scope["client"],
            body,
        )
        self.pipe.out().requests.append(whole)
        answer: Answer = await future
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


class WithFaces(Server):
    """Serves callers by faces."""

    faces = 1
    framing = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Fork the faces, and do their work until the server is to stop."""
        app: Any = self.config.app
        # A face cannot ask the store, so it inherits the cache with the caller in it.
        await app._identities.find(CALLER)
        pipes: dict[int, Pipe] = {}
        for _ in range(self.faces):
            ours, theirs = socket.socketpair()
            face = os.fork()
            if not face:
                self._be_a_face(theirs, sockets or [])
            theirs.close()
            ours.setblocking(False)
            core = Core(app)
            core.pipe = await pipe_of(ours, _down, core.take)
            pipes[face] = core.pipe
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn's own flag
            await asyncio.sleep(0.1)
        for pipe in pipes.values():
            pipe.end()
        async with asyncio.timeout(STOP_S):
            for face, pipe in pipes.items():
                await pipe.ended.wait()
                os.waitpid(face, 0)  # noqa: ASYNC222 - it closed the pipe because it ends

    def _be_a_face(self, end: socket.socket, sockets: list[socket.socket]) -> None:
        """Serve until the core ends the pipe; never returns."""
        code = 1
        try:
            end.setblocking(False)
            uvloop.new_event_loop().run_until_complete(self._face(end, sockets))
            code = 0
        finally:
            os._exit(code)

    async def _face(self, end: socket.socket, sockets: list[socket.socket]) -> None:
        remote = Remote(self.config.app, framing=self.framing)
        remote.pipe = await pipe_of(end, _up, remote.take)
        self.config.app, self.config.loaded = remote, False
        serving = asyncio.ensure_future(super().serve(sockets))
        await remote.pipe.ended.wait()
        self.should_exit = True
        await serving


def _option(name: str) -> bool:
    if name in sys.argv:
        sys.argv.remove(name)
        return True
    return False


if __name__ == "__main__":
    WithFaces.framing = _option("--framing")
    WithFaces.faces = 2 if _option("--two") else 1
    serve.Server = WithFaces  # type: ignore[attr-defined]
    main()
