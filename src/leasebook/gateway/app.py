"""Calls of services: found, let in, passed on to a replica, streamed both ways, and counted."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from leasebook.batch import Sequencer
from leasebook.batch.shared_state import SharedState
from leasebook.contract import errors as e
from leasebook.domain.book.changes import Changes
from leasebook.domain.model.service_key import Key
from leasebook.domain.replicas.engine_route import Routes as EngineRoutes
from leasebook.gateway import headers as h
from leasebook.gateway.balance import Balance, Rates
from leasebook.gateway.call import Call
from leasebook.gateway.caller import Message, Receive, Send
from leasebook.gateway.chat.call import ChatCall
from leasebook.gateway.chat.inside import InsideAnswer, InsideRequest
from leasebook.gateway.chat.listing import ModelLists
from leasebook.gateway.chat.names import Names
from leasebook.gateway.chat.paths import CALLS, own_path
from leasebook.gateway.chat.served_names import ServedNames
from leasebook.gateway.fault import Fault
from leasebook.gateway.key_check import KeyCheck
from leasebook.gateway.keys import Keys
from leasebook.gateway.ports import Limits, Meter, Rooms, Target, Targets, Throttle, Tokens, Turns, Users
from leasebook.gateway.refused_keys import Refusals
from leasebook.gateway.routes import Route, Routes
from leasebook.gateway.upstream import Upstream
from leasebook.gateway.usage_counter import Counts
from leasebook.gateway.websocket.call import SocketCall, Sockets
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Reader

SERVICES: Final = b"/services/"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}[a-z0-9]", re.ASCII)


class Gateway:
    """Answers ``/services/NAME/...``, where NAME is the suffix or the id of a service of the key's account."""

    def __init__(
        self,
        *,
        reader: Reader,
        facts: SharedState,
        sequencer: Sequencer,
        clock: Clock,
        targets: Targets,
        meter: Meter,
        limits: Limits,
        tokens: Tokens,
        users: Users,
        rooms: Rooms,
        turns: Turns,
        throttle: Throttle,
        alone: bool,
        engines: EngineRoutes = (),
        path_prefix: str = "",
        address_of: Callable[[str, h.Pairs], str] = lambda peer, _: peer,
    ) -> None:
        self.keys = KeyCheck(
            Keys(reader, facts, tokens, users, alone=alone), Refusals(sequencer, clock), meter, limits, address_of
        )
        self.names = Names(reader, alone=alone)
        self.rooms = rooms
        self._models = ModelLists(reader, self.keys, self.names, throttle, turns, idle_s=limits.idle_s)
        self._routes = Routes(reader, targets, alone=alone, engines=engines)
        self._balance = Balance(limits.concurrency_max)
        self._rates = Rates()
        self._counts = Counts(sequencer, clock)
        self._upstream = Upstream(
            connect_s=limits.connect_s, headers_max=limits.headers_max, connections_max=limits.connections_max
        )
        self.served_names = ServedNames(self._upstream)
        self._meter = meter
        self._limits = limits
        self._sockets = Sockets(limits)
        self._prefix = path_prefix.rstrip("/").encode()

    def committed(self, changes: Changes) -> None:
        """Forget what a batch changed, before its callers are answered."""
        self.keys.committed(changes)
        self._routes.committed(changes)
        self.names.committed(changes)
        self._sockets.committed(changes)

    def start(self) -> None:
        """Begin to record calls."""
        self._counts.start()
        self.keys.start()

    async def stop(self) -> None:
        """Write down the rest, and close the connections to replicas."""
        await self._counts.stop()
        await self.keys.stop()
        await self._upstream.close()

    def takes(self, path: bytes) -> bool:
        """Whether a path is one of a service or of models, with the prefix or where a proxy took that off."""
        return path.startswith((SERVICES, self._prefix + SERVICES)) or own_path(path, self._prefix) is not None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Speak ASGI. Where an answer that has begun cannot be finished it returns, and the server hangs up."""
        given = (h.value_of(scope["headers"], b"x-request-id") or b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        own = own_path(scope["raw_path"], self._prefix) if scope["type"] == "http" else None
        if own is not None and own not in CALLS:
            await self._models.answer(scope, send, request_id, own)
            return
        if own is not None:
            call: Call = ChatCall(self, scope, send, request_id, own)
        else:
            call = (SocketCall if scope["type"] == "websocket" else Call)(self, scope, send, request_id)
        self._meter.gateway_in_flight(1)
        try:
            await call.run(receive)
        finally:
            self._meter.gateway_in_flight(-1)
            self._meter.gateway_called(call.outcome)
            if call.key is not None and call.service_id is not None:
                self._counts.add(
                    call.key.account_id,
                    call.service_id,
                    call.key.name,
                    call.tokens,
                    succeeded=call.outcome == "succeeded",
                )

    async def ask(self, request: InsideRequest) -> InsideAnswer:
        """Call a service for a user who is signed in to the console; returns the answer once it has begun.

        The call is let in by the user's rights, bounded and counted as any other. Close the answer.
        """
        answer = InsideAnswer(self, request)
        try:
            await answer.begin()
        except BaseException:
            await answer.close()
            raise
        return answer

    def address_of_service(self, service_id: str) -> str:
        """Return the path of a service, with the prefix."""
        return f"{self._prefix.decode()}/services/{service_id}"

    def split(self, path: bytes) -> tuple[str, str, str]:
        """Return the prefix with the service in it, the service's name, and the path that its replicas get.

        Raises Fault where no service can be called so.
        """
        before = self._prefix if path.startswith(self._prefix + SERVICES) else b""
        # A WebSocket is asked for under the paths of models, too, and none is there.
        is_one = path.startswith(before + SERVICES)
        name, _, rest = path[len(before) + len(SERVICES) :].partition(b"/")
        text = unquote((name if is_one else path).decode("latin-1"))
        if not is_one or not _NAME.fullmatch(text):
            raise Fault(e.SERVICE_NOT_FOUND, f"No service has the address {text[:64]!r}. It is /services/NAME/...")
        return f"{self._prefix.decode()}/services/{text}", text, "/" + rest.decode("latin-1")

    async def find(self, key: Key, name: str) -> Route:
        """Return where a name leads; raises Fault where the key does not open it."""
        route = await self._routes.find(key.account_id, name)
        if route is None or not key.sees(route.service.project_id):
            raise Fault(e.SERVICE_NOT_FOUND, f"There is no service {name!r} here. DescribeServices lists yours.")
        if not key.opens(route.service.id):
            raise Fault(e.ACCESS_DENIED, f"This key opens {key.service_id} only.")
        return route

    def let_in(self, route: Route) -> None:
        """Raise Fault where the service takes no call now."""
        if not route.open:
            raise Fault(e.NO_CAPACITY, route.why_closed())
        qps = route.service.qps
        if qps is not None:
            rate = qps * len(route.open)
            wait_s = self._rates.wait_s(route.service.id, rate, time.monotonic())
            if wait_s:
                raise Fault(
                    e.TOO_MANY_CALLS,
                    f"{route.service.id} takes {rate:g} calls a second ({qps:g} a replica). Try again in {wait_s} s.",
                    retry_after_s=wait_s,
                )

    def take(self, route: Route, tried: set[str]) -> Target:
        """Choose a replica; raises Fault where none can have the call."""
        target = self._balance.take(route.open, tried)
        if target is not None:
            return target
        if tried:
            raise Fault(e.NO_CAPACITY, f"No replica of {route.service.id} takes connections. Try again in a moment.")
        raise Fault(
            e.OVERLOADED,
            f"Each replica of {route.service.id} has {self._limits.concurrency_max} calls already. Nothing was done; "
            "try again in a moment.",
            retry_after_s=1,
        )

    def give_back(self, target: Target) -> None:
        """Note that a replica has a call less."""
        self._balance.give_back(target)

    @property
    def upstream(self) -> Upstream:
        """The connections to replicas."""
        return self._upstream

    @property
    def sockets(self) -> Sockets:
        """The WebSockets that are open."""
        return self._sockets

    @property
    def limits(self) -> Limits:
        """The bounds of a call."""
        return self._limits

    @property
    def meter(self) -> Meter:
        """Where calls are counted."""
        return self._meter
