"""Calls that ask for a WebSocket: as any other call, until a replica has agreed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import structlog

from leasebook.contract import errors as e
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import ACCESS_KEYS, SERVICE_KEYS, USERS
from leasebook.domain.model.service_key import Key
from leasebook.gateway import headers as h
from leasebook.gateway.call import Call
from leasebook.gateway.caller import Message, Receive, Send
from leasebook.gateway.fault import Fault
from leasebook.gateway.ports import SWITCH, Limits, Switch
from leasebook.gateway.response_check import BadAnswer
from leasebook.gateway.routes import Route, touched
from leasebook.gateway.upstream import SWITCHING
from leasebook.gateway.websocket.handshake import OWN, BadHandshake, Offer, offer_of
from leasebook.gateway.websocket.tunnel import REVOKED, WITHDRAWN, Ending, Tunnel

if TYPE_CHECKING:
    from leasebook.gateway.app import Gateway

log = structlog.get_logger()

RETRY_AFTER_S: Final = 10


class Sockets:
    """The open ones: how many a key and an account have, and which have to be looked at again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._keys: Counter[str] = Counter()
        self._accounts: Counter[str] = Counter()
        self._open: dict[Tunnel, str] = {}

    @contextmanager
    def place(self, key: Key) -> Iterator[None]:
        """Count one more, as long as it lasts; raises Fault where the key or its account has as many as it may."""
        for counts, name, most, whose in (
            (self._keys, key.id, self._limits.sockets_key_max, "This key"),
            (self._accounts, key.account_id, self._limits.sockets_account_max, "The account of this key"),
        ):
            if counts[name] >= most:
                raise Fault(
                    e.TOO_MANY_SOCKETS,
                    f"{whose} has {most} WebSockets open already, through this server. Close some first.",
                    retry_after_s=RETRY_AFTER_S,
                )
        self._keys[key.id] += 1
        self._accounts[key.account_id] += 1
        try:
            yield
        finally:
            for counts, name in ((self._keys, key.id), (self._accounts, key.account_id)):
                counts[name] -= 1
                if not counts[name]:
                    del counts[name]

    @contextmanager
    def follow(self, tunnel: Tunnel, service_id: str) -> Iterator[None]:
        """Look at a tunnel again whenever something of its service, or any key, changes here."""
        self._open[tunnel] = service_id
        try:
            yield
        finally:
            del self._open[tunnel]

    def committed(self, changes: Changes) -> None:
        """Have the sockets checked that a batch may have ended."""
        if not self._open:
            return
        every = any(changes.updated.get(table) for table in (SERVICE_KEYS, ACCESS_KEYS, USERS))
        services = set(touched(changes))
        for tunnel, service_id in self._open.items():
            if every or service_id in services:
                tunnel.check()


class SocketCall(Call):
    """One call that asks for a WebSocket. If the two ends do not agree, it is answered as any other call."""

    def __init__(self, gateway: Gateway, scope: Message, send: Send, request_id: str) -> None:
        # ASGI gives no method, but not every server passes on only GET requests.
        super().__init__(gateway, {"method": "GET", **scope}, _denying(send), request_id)
        self._offer: Offer | None = None

    async def _pass_on(self, route: Route, prefix: str, path: str, receive: Receive) -> None:
        assert self.key is not None  # noqa: S101 - it was let in
        if SWITCH not in self._scope["extensions"]:
            raise Fault(e.UPGRADE_NOT_SUPPORTED, "This server passes no WebSockets on.")
        if self._scope["method"] != "GET":
            raise Fault(e.BAD_HANDSHAKE, f"A WebSocket is asked for with GET, not {self._scope['method'][:16]}.")
        try:
            self._offer = offer_of(self._scope["headers"])
        except BadHandshake as error:
            raise Fault(e.BAD_HANDSHAKE, str(error)) from None
        with self._gateway.sockets.place(self.key):
            await super()._pass_on(route, prefix, path, receive)

    def _asked(self, caller: h.Caller) -> list[tuple[str, str]]:
        assert self._offer is not None  # noqa: S101 - it was read before anything is asked
        given = [(name, value) for name, value in self._scope["headers"] if not name.startswith(OWN)]
        return [*h.sent_on(given, caller), *self._offer.headers()]

    async def _answer(self, answer: aiohttp.ClientResponse) -> None:
        if answer.status != SWITCHING:
            await super()._answer(answer)
            return
        assert self._offer is not None  # noqa: S101 - it was read before anything is asked
        self.outcome = "failed"
        limits = self._gateway.limits
        try:
            accepted = self._offer.accepted(answer.raw_headers, self._request_id, size_max=limits.headers_max)
            connection = answer.connection
            if connection is None or connection.transport is None or connection.transport.is_closing():
                raise BadAnswer("it hung up")
            switch: Switch = self._scope["extensions"][SWITCH]
            tunnel = Tunnel(
                switch.transport,
                connection.transport,
                message_max=limits.socket_message_max,
                idle_s=limits.socket_idle_s,
                deflated=accepted.deflated,
            )
            # From here to the end of the block nothing is waited for, so that not a byte goes astray.
            early = _Early()
            assert connection.protocol is not None  # noqa: S101 - its transport is there
            connection.protocol.set_parser(early, early)
            connection.transport.set_protocol(tunnel.replica)
            connection.transport.resume_reading()
            self._begun = True
            switch.begin(accepted.headers, tunnel.caller)
            if early.text:
                tunnel.replica.data_received(bytes(early.text))
            await self._run(tunnel)
        finally:
            answer.close()

    async def _run(self, tunnel: Tunnel) -> None:
        assert self.service_id is not None  # noqa: S101 - it was found
        meter = self._gateway.meter
        meter.gateway_sockets(1)
        try:
            with self._gateway.sockets.follow(tunnel, self.service_id):
                await tunnel.run(self._still)
        finally:
            meter.gateway_sockets(-1)
            meter.gateway_socket_bytes(tunnel.sent, tunnel.received)
            if tunnel.ended_by is not None:
                self.outcome = tunnel.ended_by.outcome
                meter.gateway_socket_ended(tunnel.ended_by.why)

    async def _still(self) -> Ending | None:
        """Return why the socket has to end; None while the key opens the service, and that takes calls."""
        assert self.key is not None  # noqa: S101 - it was let in
        assert self.service_id is not None  # noqa: S101 - it was found
        try:
            if not await self._gateway.keys.holds(self.key):
                return REVOKED
            route = await self._gateway.find(self.key, self.service_id)
        except Fault:
            return WITHDRAWN
        except Exception as error:  # noqa: BLE001 - where the store cannot be asked, it is asked again
            log.warning("a socket cannot be checked", request_id=self._request_id, reason=str(error)[:200])
            return None
        return None if route.takes else WITHDRAWN


class _Early:
    """Takes what a replica sent right behind its 101; what the client calls a parser."""

    def __init__(self) -> None:
        self.text = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep a piece."""
        self.text += data
        return False, b""

    def feed_eof(self) -> None:
        """Keep nothing: the end shows on the connection itself."""

    def is_eof(self) -> bool:
        """Whether there is no more to come."""
        return True


def _denying(send: Send) -> Send:
    """Send an HTTP answer in place of a WebSocket."""

    async def sent(message: Any) -> None:
        await send({**message, "type": message["type"].replace("http.", "websocket.http.", 1)})

    return sent
