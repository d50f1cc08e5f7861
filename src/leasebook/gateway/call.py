"""One call of a service: from its headers to the last byte of its answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from leasebook.batch import Closed, Overloaded, Unavailable
from leasebook.contract import errors as e
from leasebook.domain.model.service_key import Key
from leasebook.gateway import headers as h
from leasebook.gateway.caller import CallerGone, CallerSlow, Inbound, Message, Receive, Send
from leasebook.gateway.fault import UNEXPECTED, Fault, fault_of, send_fault
from leasebook.gateway.ports import CHECK_S, Outcome, Target
from leasebook.gateway.response_check import BadAnswer, sent_back
from leasebook.gateway.routes import Route
from leasebook.gateway.token_usage import Tokens, reader_of
from leasebook.gateway.upstream import IDEMPOTENT, SAFE, Body, Lost, NotConnected

if TYPE_CHECKING:
    from leasebook.gateway.app import Gateway

log = structlog.get_logger()

ERROR_MIN: Final = 400
"""A lower status is no error."""


class KeyGone(Exception):
    """The key stopped to open the service while the answer passed."""


class Call:
    """One call, from its headers to the last byte of its answer."""

    def __init__(self, gateway: Gateway, scope: Message, send: Send, request_id: str) -> None:
        self._gateway = gateway
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._begun = False
        self._is_passed_on = False
        """Whether a replica may have got something of the call."""
        self._deadline: asyncio.Timeout | None = None
        self._cut: Exception | None = None
        """Why the answer broke off: the replica's error, KeyGone, or CallerSlow; None if it did not."""
        self._is_giving = False
        """Whether the caller has to take something of the answer before it goes on."""
        self.outcome: Outcome = "refused"
        self.key: Key | None = None
        self.service_id: str | None = None
        self.tokens = Tokens()

    async def run(self, receive: Receive) -> None:
        """Answer, one way or the other."""
        try:
            self.key = await self._gateway.keys.admit(self._scope, self._request_id)
            await self._serve(self.key, receive)
        except Fault as fault:
            await self._refuse(fault)
        except Exception as error:
            known = fault_of(error, is_passed_on=self._is_passed_on)
            if known is None:
                log.exception("call failed", request_id=self._request_id)
            else:
                log.info("call refused", reason=str(error), request_id=self._request_id)
            await self._refuse(known or Fault(e.INTERNAL_ERROR, UNEXPECTED))

    async def _serve(self, key: Key, receive: Receive) -> None:
        """Find the service, and have a replica answer. Raises Fault."""
        prefix, name, path = self._gateway.split(self._scope["raw_path"])
        route = await self._gateway.find(key, name)
        self.service_id = route.service.id
        self._gateway.let_in(route)
        await self._pass_on(route, prefix, path, receive)

    async def _refuse(self, fault: Fault) -> None:
        if self._begun:
            return
        self._begun = True
        is_head = self._scope["method"] == "HEAD"
        await send_fault(self._send, fault, self._request_id, head=is_head, within_s=self._gateway.limits.idle_s)

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
            # The result of each was used, or does not matter any more.
            _ = [one.cancelled() or one.exception() for one in (exchange, gone)]

    def _postpone(self) -> None:
        """Start the time limit of the replica again: a piece of the body has moved."""
        if self._deadline is not None and not self._begun and not self._deadline.expired():
            loop = asyncio.get_running_loop()
            self._deadline.reschedule(loop.time() + self._gateway.limits.first_byte_s)

    async def _exchange(self, route: Route, prefix: str, path: str, inbound: Inbound) -> None:
        tried: set[str] = set()
        method = "" if h.has_body(self._scope["headers"]) else self._scope["method"]
        again = method in IDEMPOTENT
        body = Body(inbound.body()) if h.has_body(self._scope["headers"]) else None
        while True:
            target = self._gateway.take(route, tried)
            try:
                answer = await self._ask(target, prefix, path, body)
                await self._answer(answer)
            except NotConnected as error:
                # Not a byte of the request has gone anywhere, so any other replica may have it.
                tried.add(target.name)
                log.info("replica takes no connection", replica=target.name, reason=str(error))
            except BadAnswer as error:
                self.outcome = "failed"
                raise Fault(
                    e.REPLICA_FAILED,
                    f"The replica answered what cannot be passed on: {error}. It may have done what was asked.",
                ) from None
            except Lost as error:
                if inbound.error is not None:
                    raise inbound.error from None
                if not again or not (method in SAFE or error.met_closing):
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

    def _asked(self, caller: h.Caller) -> list[tuple[str, str]]:
        """Return the headers that the replica gets."""
        return h.sent_on(self._scope["headers"], caller)

    async def _ask(self, target: Target, prefix: str, path: str, body: Body | None) -> aiohttp.ClientResponse:
        """Send the request; returns the answer once its headers are there. Raises Fault where that takes too long."""
        scope = self._scope
        given: h.Pairs = scope["headers"]
        caller = h.Caller(
            address=(scope.get("client") or ("unknown",))[0],
            host=(h.value_of(given, b"host") or b"").decode("latin-1"),
            scheme="https" if scope.get("scheme") in ("https", "wss") else "http",
            prefix=prefix,
            request_id=self._request_id,
        )
        query: bytes = scope["query_string"]
        began = time.perf_counter()
        self._is_passed_on = True
        try:
            async with asyncio.timeout(self._gateway.limits.first_byte_s) as self._deadline:
                answer = await self._gateway.upstream.ask(
                    scope["method"],
                    target.address,
                    path + (f"?{query.decode('latin-1')}" if query else ""),
                    self._asked(caller),
                    body,
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

    async def _look(self) -> None:
        """Raise KeyGone where the key that let the call in opens nothing any more.

        Where the store cannot be asked, the answer goes on and the key is looked at again, as for WebSockets.
        """
        if self.key is None:
            return
        try:
            holds = await self._gateway.keys.holds(self.key)
        except (Closed, Overloaded, Unavailable) as error:
            log.info("a key cannot be checked", request_id=self._request_id, reason=str(error)[:200])
            return
        if not holds:
            self.outcome = "aborted"
            raise KeyGone("its key opens nothing any more")

    def _broke_off(self, error: Exception) -> None:
        """Note why an answer that has begun does not end."""
        if isinstance(error, TimeoutError) and self._is_giving:
            self.outcome, error = "aborted", CallerSlow("it does not take its answer")
        self._cut = error
        log.info("answer broke off", reason=f"{type(error).__name__}: {error}"[:200], request_id=self._request_id)

    async def _answer(self, answer: aiohttp.ClientResponse) -> None:
        """Pass the answer on as it comes: the next piece is read when the caller has taken the last.

        Raises BadAnswer, before anything has gone to the caller, for one that cannot be passed on.
        """
        self.outcome = "failed"
        try:
            back = sent_back(
                answer.status, answer.raw_headers, self._request_id, size_max=self._gateway.limits.headers_max
            )
        except BadAnswer:
            answer.close()
            raise
        usage = reader_of(answer.headers.get("Content-Type", ""), answer.headers.get("Content-Encoding", ""))
        idle_s, loop = self._gateway.limits.idle_s, asyncio.get_running_loop()
        self._is_giving = True
        try:
            async with asyncio.timeout(idle_s) as limit:
                self._begun = True
                await self._send({"type": "http.response.start", "status": answer.status, "headers": back})
                look_at = loop.time() + CHECK_S
                self._is_giving = False
                async for piece in answer.content.iter_any():
                    if loop.time() >= look_at:
                        await self._look()
                        look_at = loop.time() + CHECK_S
                    usage.feed(piece)
                    limit.reschedule(loop.time() + idle_s)
                    self._is_giving = True
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                    self._is_giving = False
                    limit.reschedule(loop.time() + idle_s)
                self._is_giving = True
                await self._send({"type": "http.response.body", "body": b""})
        except (aiohttp.ClientError, TimeoutError, KeyGone) as error:
            # Returning without an end makes the server hang up, so that no caller takes a part for all of the answer.
            self._broke_off(error)
        else:
            if answer.status < ERROR_MIN:
                self.outcome = "succeeded"
        finally:
            self.tokens = usage.tokens()
            answer.close()
