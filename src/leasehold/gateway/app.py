"""Calls of services: found, let in, passed on to a replica, streamed both ways, and counted."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import aiohttp
import structlog

from leasehold.clock import Clock
from leasehold.domain.book import Changes
from leasehold.domain.service_key import ServiceKey
from leasehold.facts import Facts
from leasehold.gateway import headers as h
from leasehold.gateway.balance import Balance, Rates
from leasehold.gateway.counting import Counts
from leasehold.gateway.fault import Fault, send_fault
from leasehold.gateway.inbound import CallerGone, CallerSlow, Inbound, Message, Receive, Send
from leasehold.gateway.keys import Keys, Sought
from leasehold.gateway.ports import Limits, Meter, Outcome, Target, Targets
from leasehold.gateway.refusals import Refusals
from leasehold.gateway.routes import Route, Routes
from leasehold.gateway.upstream import SAFE, Lost, NotConnected, Upstream
from leasehold.gateway.usage import Tokens, reader_of
from leasehold.questions import Reader
from leasehold.sequencer import Sequencer
from leasehold.wire import errors as e

log = structlog.get_logger()

SERVICES: Final = b"/services/"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}[a-z0-9]", re.ASCII)

UNOPENED: Final = (
    "Send a key that opens services as Authorization: Bearer lsk-... CreateServiceKey makes one; those that were "
    "deleted open nothing."
)
ORPHANED: Final = (
    "Whoever made this key is deleted or may not make service keys any more, so it opens nothing. Have somebody who "
    "may make another (CreateServiceKey)."
)


class Gateway:
    """Answers ``/services/NAME/...``, where NAME is the suffix or the id of a service of the key's account."""

    def __init__(
        self,
        *,
        reader: Reader,
        facts: Facts,
        sequencer: Sequencer,
        clock: Clock,
        targets: Targets,
        meter: Meter,
        limits: Limits,
        alone: bool,
        path_prefix: str = "",
        address_of: Callable[[str, h.Pairs], str] = lambda peer, _: peer,
    ) -> None:
        self._keys = Keys(reader, facts, alone=alone)
        self._routes = Routes(reader, targets, alone=alone)
        self._balance = Balance(limits.concurrency_max)
        self._rates = Rates()
        self._counts = Counts(sequencer, clock)
        self._refusals = Refusals(sequencer, clock)
        self._address_of = address_of
        self._upstream = Upstream(connect_s=limits.connect_s, headers_max=limits.headers_max)
        self._meter = meter
        self._limits = limits
        self._prefix = path_prefix.rstrip("/").encode()

    def committed(self, changes: Changes) -> None:
        """Forget what a batch changed, before its callers are answered."""
        self._keys.committed(changes)
        self._routes.committed(changes)

    def start(self) -> None:
        """Begin to write down what is called."""
        self._counts.start()
        self._refusals.start()

    async def stop(self) -> None:
        """Write down the rest, and close the connections to replicas."""
        await self._counts.stop()
        await self._refusals.stop()
        await self._upstream.close()

    def takes(self, path: bytes) -> bool:
        """Whether a path is one of a service, with the prefix or where a proxy took that off."""
        return path.startswith((SERVICES, self._prefix + SERVICES))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Speak ASGI. Where an answer that has begun cannot be finished it returns, and the server hangs up."""
        given = (h.value_of(scope["headers"], b"x-request-id") or b"").decode("latin-1")
        call = _Call(self, scope, send, given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4()))
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

    def split(self, path: bytes) -> tuple[str, str, str]:
        """Return the prefix with the service in it, the service's name, and the path that its replicas get.

        Raises Fault where no service can be called so.
        """
        before = self._prefix if path.startswith(self._prefix + SERVICES) else b""
        name, _, rest = path[len(before) + len(SERVICES) :].partition(b"/")
        text = unquote(name.decode("latin-1"))
        if not _NAME.fullmatch(text):
            raise Fault(e.SERVICE_NOT_FOUND, f"No service has the address {text[:64]!r}. It is /services/NAME/...")
        return f"{self._prefix.decode()}/services/{text}", text, "/" + rest.decode("latin-1")

    async def admit(self, scope: Message, request_id: str) -> ServiceKey:
        """Return the key that the call carries; raises Fault."""
        given: h.Pairs = scope["headers"]
        size = h.size_of(given)
        if size > self._limits.headers_max:
            raise Fault(
                e.HEADERS_TOO_LARGE, f"The headers have {size} bytes; at most {self._limits.headers_max} are taken."
            )
        if (h.value_of(given, b"upgrade") or b"").lower() == b"websocket":
            raise Fault(
                e.UPGRADE_NOT_SUPPORTED, "WebSockets are not passed on here. Ask for a stream of server-sent events."
            )
        scheme, _, text = (h.value_of(given, b"authorization") or b"").decode("latin-1").partition(" ")
        sought = await self._keys.find(text.strip()) if scheme.lower() == "bearer" else Sought(None, "none")
        if sought.key is None:
            self._meter.gateway_key_refused(sought.why)
            peer = (scope.get("client") or ("unknown",))[0]
            self._refusals.add(sought, self._address_of(peer, given), request_id)
            raise Fault(e.INVALID_SERVICE_KEY, ORPHANED if sought.why == "orphaned" else UNOPENED)
        return sought.key

    async def find(self, key: ServiceKey, name: str) -> Route:
        """Return where a name leads; raises Fault where the key does not open it."""
        route = await self._routes.find(key.account_id, name)
        if route is None:
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
    def limits(self) -> Limits:
        """The bounds of a call."""
        return self._limits

    @property
    def meter(self) -> Meter:
        """Where calls are counted."""
        return self._meter


class _Call:
    """One call, from its headers to the last byte of its answer."""

    def __init__(self, gateway: Gateway, scope: Message, send: Send, request_id: str) -> None:
        self._gateway = gateway
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._begun = False
        self._deadline: asyncio.Timeout | None = None
        self.outcome: Outcome = "refused"
        self.key: ServiceKey | None = None
        self.service_id: str | None = None
        self.tokens = Tokens()

    async def run(self, receive: Receive) -> None:
        """Answer, one way or the other."""
        try:
            self.key = await self._gateway.admit(self._scope, self._request_id)
            prefix, name, path = self._gateway.split(self._scope["raw_path"])
            route = await self._gateway.find(self.key, name)
            self.service_id = route.service.id
            self._gateway.let_in(route)
            await self._pass_on(route, prefix, path, receive)
        except Fault as fault:
            await self._refuse(fault)
        except Exception:
            log.exception("call failed", request_id=self._request_id)
            await self._refuse(Fault(e.INTERNAL_ERROR, "Something went wrong here. The requestId finds it in the log."))

    async def _refuse(self, fault: Fault) -> None:
        if self._begun:
            return
        self._begun = True
        await send_fault(self._send, fault, self._request_id, head=self._scope["method"] == "HEAD")

    async def _pass_on(self, route: Route, prefix: str, path: str, receive: Receive) -> None:
        """Exchange request and answer with a replica, unless the caller hangs up meanwhile."""
        inbound = Inbound(
            receive,
            has_body=h.has_body(self._scope["headers"]),
            idle_s=self._gateway.limits.idle_s,
            moved=self._postpone,
        )
        exchange = asyncio.ensure_future(self._exchange(route, prefix, path, inbound))
        gone = asyncio.ensure_future(inbound.hang_up())
        try:
            await asyncio.wait({exchange, gone}, return_when=asyncio.FIRST_COMPLETED)
            if exchange.done():
                exchange.result()
            else:
                self.outcome = "aborted"
        except CallerGone:
            self.outcome = "aborted"
        except CallerSlow:
            self.outcome = "aborted"
            raise Fault(e.INVALID_HTTP_REQUEST, "The body stopped coming before it ended.") from None
        finally:
            gone.cancel()
            if not exchange.done():
                exchange.cancel()
            await asyncio.wait({exchange, gone})
            # What either ended with was looked at, or does not matter any more.
            _ = [one.cancelled() or one.exception() for one in (exchange, gone)]

    def _postpone(self) -> None:
        """Give the replica its time anew: a piece of the body has moved."""
        if self._deadline is not None and not self._begun and not self._deadline.expired():
            loop = asyncio.get_running_loop()
            self._deadline.reschedule(loop.time() + self._gateway.limits.first_byte_s)

    async def _exchange(self, route: Route, prefix: str, path: str, inbound: Inbound) -> None:
        tried: set[str] = set()
        again = self._scope["method"] in SAFE and not h.has_body(self._scope["headers"])
        while True:
            target = self._gateway.take(route, tried)
            try:
                answer = await self._ask(target, prefix, path, inbound)
                await self._answer(answer)
            except NotConnected as error:
                # Not a byte of the request has gone anywhere, so any other replica may have it.
                tried.add(target.name)
                log.info("replica takes no connection", replica=target.name, reason=str(error))
            except Lost as error:
                if inbound.error is not None:
                    raise inbound.error from None
                if not again:
                    self.outcome = "failed"
                    raise Fault(
                        e.REPLICA_FAILED,
                        f"The replica broke off before it answered ({error}). It may have done what was asked.",
                    ) from None
                again = False
            else:
                return
            finally:
                self._gateway.give_back(target)

    async def _ask(self, target: Target, prefix: str, path: str, inbound: Inbound) -> aiohttp.ClientResponse:
        """Send the request; returns the answer once its headers are there. Raises Fault where that takes too long."""
        scope = self._scope
        given: h.Pairs = scope["headers"]
        caller = h.Caller(
            address=(scope.get("client") or ("unknown",))[0],
            host=(h.value_of(given, b"host") or b"").decode("latin-1"),
            scheme=scope.get("scheme", "http"),
            prefix=prefix,
            request_id=self._request_id,
        )
        query: bytes = scope["query_string"]
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._gateway.limits.first_byte_s) as self._deadline:
                answer = await self._gateway.upstream.ask(
                    scope["method"],
                    target.address,
                    path + (f"?{query.decode('latin-1')}" if query else ""),
                    h.sent_on(given, caller),
                    inbound.body() if h.has_body(given) else None,
                )
        except TimeoutError:
            self.outcome = "failed"
            raise Fault(
                e.REPLICA_TIMEOUT,
                f"The replica did not begin to answer within {self._gateway.limits.first_byte_s:g} s. It may have done "
                "what was asked.",
            ) from None
        self._gateway.meter.gateway_first_byte(time.perf_counter() - began)
        return answer

    async def _answer(self, answer: aiohttp.ClientResponse) -> None:
        """Pass the answer on as it comes: the next piece is read when the caller has taken the last."""
        self.outcome = "failed"
        usage = reader_of(answer.headers.get("Content-Type", ""), answer.headers.get("Content-Encoding", ""))
        idle_s, loop = self._gateway.limits.idle_s, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(idle_s) as limit:
                back = h.sent_back(answer.raw_headers, self._request_id)
                self._begun = True
                await self._send({"type": "http.response.start", "status": answer.status, "headers": back})
                async for piece in answer.content.iter_any():
                    usage.feed(piece)
                    limit.reschedule(loop.time() + idle_s)
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                    limit.reschedule(loop.time() + idle_s)
            await self._send({"type": "http.response.body", "body": b""})
        except (aiohttp.ClientError, TimeoutError) as error:
            # Returning without an end makes the server hang up, so that nobody takes a part for the whole.
            log.info("answer broke off", reason=f"{type(error).__name__}: {error}"[:200], request_id=self._request_id)
        else:
            if answer.status < 400:  # noqa: PLR2004 - what is below is no error
                self.outcome = "succeeded"
        finally:
            self.tokens = usage.tokens()
            answer.close()
