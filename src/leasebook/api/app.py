"""The HTTP face: one small ASGI application that finds the action, the caller and the answer."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import unquote

import structlog

from leasebook import __version__
from leasebook.api.asgi import Receive, Scope, Send
from leasebook.api.audit_record import PATHS, Addresses, CallRecord
from leasebook.api.auth.admission import Admission, Turn, claimed_key
from leasebook.api.auth.bearer_tokens import BearerTokens
from leasebook.api.auth.callers import Admitted, Callers
from leasebook.api.auth.identity import Identities, not_permitted
from leasebook.api.auth.rate_limit import Throttle
from leasebook.api.body.decoding import IGNORED, PARAMETERS, read_body
from leasebook.api.context import Call, Context
from leasebook.api.fault import Fault
from leasebook.api.faults.injection import Injection
from leasebook.api.health import Health
from leasebook.api.ids import uuid4_text
from leasebook.api.inside.operating import operate
from leasebook.api.links.site import LinkSite
from leasebook.api.links.tokens import PATH
from leasebook.api.responses import (
    JSON,
    Bare,
    Body,
    Meter,
    answer,
    body_of,
    error_headers,
    failure,
    fault_of,
    send_body,
)
from leasebook.batch import OutcomeUnknown, Overloaded, StaleIdentity, Unavailable
from leasebook.contract import errors as e
from leasebook.contract import openapi
from leasebook.contract.action import CLOCK, FAULTS, Action
from leasebook.contract.actions import TABLE
from leasebook.contract.nearest import no_such, wrong_method
from leasebook.contract.routes.bearer import CREATE_TOKEN
from leasebook.contract.shapes import Empty
from leasebook.domain.record.audit_log import OK
from leasebook.domain.values.refusal import Refusal
from leasebook.observability.logs.lines import request_id as current_request_id

log = structlog.get_logger()

CLIENT_TOKEN: Final = re.compile(r"[!-~]{1,64}")
IDENTITY_TRIES: Final = 5
LINKS: Final = PATH.encode()
DOCUMENT: Final = "/openapi.json"
"""Where the reference is, for programs as for people."""
QUERY_REMEMBERED: Final = 512
ACTION_MAX: Final = 64


class Query(NamedTuple):
    """The parts of a query string that the service uses."""

    action: str
    client_token: str | None
    authorization: str | None
    unknown: tuple[str, ...] = ()
    """The names of parameters that no action has."""


class Passing(Protocol):
    """Passes calls of services on to what answers them."""

    def takes(self, path: bytes) -> bool:
        """Whether a path is one of a service."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""


class Pages(Protocol):
    """Answers browsers, beside the API."""

    def takes(self, path: bytes, scope: Scope) -> bool:
        """Whether a path without the service's prefix is one of its pages."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""


class App:
    """Answers requests. Never with a redirect: no client would sign the other address."""

    def __init__(
        self,
        context: Context,
        identities: Identities,
        callers: Callers,
        health: Health,
        meter: Meter,
        *,
        path_prefix: str = "",
        trusted_proxies: Sequence[str] = (),
        links: LinkSite | None = None,
        passing: Passing | None = None,
        console: Pages | None = None,
        admission: Admission,
        throttle: Throttle,
        tokens: BearerTokens,
        injection: Injection | None = None,
    ) -> None:
        """``injection`` makes faults; None: this server has no actions for them either."""
        self._injection = injection
        self._tokens = tokens
        self._admission = admission
        self._throttle = throttle
        self._links = links
        self._passing = passing
        self._console = console
        self._context = context
        self._identities = identities
        self._callers = callers
        self._health = health
        self._meter = meter
        self._prefix = path_prefix.rstrip("/").encode()
        self._addresses = Addresses(trusted_proxies)
        # A logger of a module looks up how to write at every line, which takes 2 us, also where it writes nothing.
        self._log = log.bind()
        self._stopping = False

    def stop(self) -> None:
        """Be about to stop: not ready any more, and done with each connection after its next answer."""
        self._stopping = True
        self._health.stopping = True
        self._context.hub.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._passing is not None and self._passing.takes(scope["raw_path"]):
                await self._passing(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1003})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        path: bytes = scope["raw_path"]
        elsewhere = self._elsewhere(path, scope)
        if elsewhere is not None:
            await elsewhere(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD") and await self._monitored(scope, path, send):
            return
        if self._links is not None and (link := self._own(path)).startswith(LINKS):
            await self._links(link[len(LINKS) :].decode("latin-1"), scope, receive, send, closes=self._stopping)
            return
        request_id = uuid4_text()
        token = current_request_id.set(request_id)
        action: Action | None = None
        record = self._record(scope, path, request_id)
        code = message = ""
        body: Body
        more: tuple[tuple[bytes, bytes], ...] = ((b"x-bce-request-id", request_id.encode()),)
        try:
            action, query = self._find(scope, path)
            result = await self._answer(action, query, scope, receive, record)
            status = 200
            body = body_of(request_id, result)
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            fault = fault_of(error, has_token=record is not None and record.token)
            status, code, message = fault.error.status, fault.error.code, fault.message
            if isinstance(error, Refusal):
                self._meter.refused(code)
            body = failure(request_id, fault, scope["headers"])
            more += error_headers(fault)
        if record is not None and record.written_code != (code or OK):
            self._note(record, status, code, message)
        more += self._besides(record)
        name = action.name if action is not None else "unknown"
        seconds = time.perf_counter() - began
        self._meter.request_done(action.path if action is not None else "unknown", name, status, code, seconds)
        took = round(seconds * 1000, 2)
        self._log.debug("request answered", action=name, status=status, code=code, milliseconds=took)
        current_request_id.reset(token)
        await send_body(send, receive, request_id, status, body, more)

    def _elsewhere(self, path: bytes, scope: Scope) -> Passing | Pages | None:
        """Return what answers a call that is none of an action: the gateway or the console."""
        if self._passing is not None and self._passing.takes(path):
            return self._passing
        if self._console is not None and self._console.takes(self._own(path), scope):
            return self._console
        return None

    def _besides(self, record: CallRecord | None) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that only some answers have: what was passed over, and that the connection ends."""
        ignored = ((IGNORED, record.ignored),) if record is not None and record.ignored else ()
        return (*ignored, (b"connection", b"close")) if self._stopping else ignored

    def _note(self, record: CallRecord, status: int, code: str, message: str) -> None:
        """Record a call for the audit log if it reached no batch, or if its outcome changed after its batch."""
        if record.is_proved and code != e.OVERLOADED.code:
            self._context.sequencer.note(record.line(self._context.clock.now(), status, code or OK, message))
        else:
            self._context.refusals.count(record.address, record.access_key or "", record.account_id, code)

    async def _monitored(self, scope: Scope, path: bytes, send: Send) -> bool:
        """Answer a health check, or a request for the OpenAPI document. Returns whether the path was one of these."""
        if self._own(path) == DOCUMENT.encode():
            await answer(send, 200, openapi.served(__version__), JSON, (), head=scope["method"] == "HEAD")
            return True
        page = await self._health.public_page(path.decode("latin-1"))
        if page is not None:
            await answer(send, page.status, page.body, page.content_type, (), head=scope["method"] == "HEAD")
        return page is not None

    def _record(self, scope: Scope, path: bytes, request_id: str) -> CallRecord | None:
        """Begin what the audit log gets of a call; none of what goes to no path of ours."""
        shown = self._own(path).decode("latin-1")
        is_token = shown == CREATE_TOKEN.path
        if shown not in PATHS and not is_token:
            return None
        peer = scope.get("client")
        address = self._addresses.of(peer[0] if peer else "", scope["headers"])
        action = CREATE_TOKEN.name if is_token else _query(scope["query_string"]).action[:ACTION_MAX]
        return CallRecord(request_id, address, shown, action)

    def _find(self, scope: Scope, path: bytes) -> tuple[Action, Query]:
        """Look the action up in the table; raises Fault."""
        path = self._own(path)
        query = _query(scope["query_string"])
        if path.decode("latin-1") == CREATE_TOKEN.path:
            if scope["method"] != "GET":
                raise Fault(e.INVALID_HTTP_REQUEST, f"{CREATE_TOKEN.path} is called with GET.")
            return CREATE_TOKEN, query
        action = TABLE.get((path.decode("latin-1"), query.action))
        if action is None or (action.path == FAULTS and self._injection is None):
            what = no_such(path.decode("latin-1"), query.action, query.unknown)
            raise Fault(e.RESOURCE_NOT_FOUND, f"{what} {self._reference(scope)}")
        if scope["method"] != "POST" and not (action.follows and scope["method"] == "GET"):
            what = wrong_method(action, scope["method"])
            raise Fault(e.INVALID_HTTP_REQUEST, f"{what} {self._reference(scope)}")
        return action, query

    def _own(self, path: bytes) -> bytes:
        """Return a path without the prefix, which a proxy may have taken off already."""
        return path[len(self._prefix) :] if self._prefix and path.startswith(self._prefix + b"/") else path

    async def _answer(
        self, action: Action, query: Query, scope: Scope, receive: Receive, record: CallRecord | None
    ) -> Any:
        assert record is not None  # noqa: S101 - every action is at one of our paths
        key = claimed_key(scope["headers"], query.authorization)
        try:
            turn = await self._admission.enter(record.address, key, writes=action.writes)
        except Overloaded:
            # The signature was not checked yet. The call counts for the account that last proved this key from there.
            record.claimed(key)
            record.account_id = self._admission.known(record.address, key)
            raise
        try:
            return await self._called(action, query, scope, receive, record, turn)
        finally:
            turn.leave()

    async def _called(
        self, action: Action, query: Query, scope: Scope, receive: Receive, record: CallRecord, turn: Turn
    ) -> Any:
        body: bytes | None = None
        admitted: Admitted | None = None
        for tries in range(IDENTITY_TRIES):
            try:
                skew_us = 0
                if self._injection is not None and tries == 0:
                    key = claimed_key(scope["headers"], query.authorization)
                    skew_us = await self._injection.skew_us(action, key)
                admitted = await self._callers.admit(action, query.authorization, scope, record, admitted, skew_us)
                await turn.proved(admitted.caller.account_id)
                if tries == 0:
                    self._throttle.admit(admitted.caller)
                    if self._injection is not None:
                        self._injection.throttle(action, admitted.caller)
                if body is None:
                    # The body is read only after admission; the server discards the unread bodies of refused calls.
                    account_id = admitted.caller.account_id
                    body = await self._callers.body_of(scope["headers"], receive, turn, account_id)
                    if not self._identities.knows(admitted.caller):
                        # While the body came, the key may have been disabled.
                        continue
                record.body = body
                record.proved(admitted.caller)
                self._identities.used(admitted.caller, self._context.clock.now())
                return await self._do(action, query, admitted, body, scope, record)
            except StaleIdentity:
                self._identities.forget()
        raise Overloaded

    async def _do(
        self, action: Action, query: Query, admitted: Admitted, body: bytes, scope: Scope, record: CallRecord
    ) -> Any:
        """Perform the action, and use up the signature's nonce whether or not the action succeeds.

        Raises OutcomeUnknown only if the action may have changed something.
        """
        once = admitted.once
        if once is None:
            return await self._perform(action, query, admitted, body, scope, record)
        sequencer, party = self._context.sequencer, admitted.caller.account_id
        if not action.writes or action.path in (CLOCK, FAULTS):
            # Nothing that it submits could take the nonce with it.
            await _without_effect(once.spend(sequencer, party))
        try:
            result = await self._perform(action, query, admitted, body, scope, record)
        except (Fault, Refusal):
            # A refused call may be permitted later; without this a replay of it could succeed then.
            await _without_effect(once.spend(sequencer, party))
            raise
        if not once.is_spent:
            await once.spend(sequencer, party)
        return result

    async def _perform(
        self, action: Action, query: Query, admitted: Admitted, body: bytes, scope: Scope, record: CallRecord
    ) -> Any:
        caller = admitted.caller
        if not caller.may(action):
            await self._identities.confirm(caller)
            # The audit log gets the instances that the call names, so that ExplainComputeUnit can show this refusal.
            with suppress(Fault):
                record.asks(Empty() if action is CREATE_TOKEN else read_body(action, body, record), query.client_token)
            raise Fault(e.ACCESS_DENIED, not_permitted(caller, action))
        if action is CREATE_TOKEN:
            # Clients send a body, or none, and it says nothing.
            record.asks(Empty(), None)
            return Bare(self._tokens.make(caller, scope["query_string"]))
        request = read_body(action, body, record, query.unknown)
        record.asks(request, query.client_token)
        if query.client_token is not None and not CLIENT_TOKEN.fullmatch(query.client_token):
            raise Fault(e.INAPPROPRIATE_JSON, "A client token is up to 64 visible ASCII characters.", "clientToken")
        last = _last_event_id(scope) if action.follows else None
        origin, zone = partial(self._origin, scope), self._context.rules.time_zone
        call = Call(action, caller, request, query.client_token, last, record, origin, admitted.once, zone)
        if self._injection is None:
            return await operate(self._context, call)
        is_answered = partial(self._context.is_answered, call, call.token() if action.writes else None)
        return await self._injection.around(call, partial(operate, self._context, call), is_answered)

    def _reference(self, scope: Scope) -> str:
        """Say where every action is described."""
        return f"All actions: {self._context.public_base or self._origin(scope)}{DOCUMENT}"

    def _origin(self, scope: Scope) -> str:
        """Return the address that the caller used, up to the prefix."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
        return f"{scope.get('scheme', 'http')}://{host}{self._prefix.decode()}"


async def _without_effect(spent: Awaitable[None]) -> None:
    """Wait until the nonce of a call without effect is used up; raises Unavailable where that is unknown."""
    try:
        await spent
    except OutcomeUnknown as error:
        raise Unavailable(
            "the store failed in the act of using up the nonce of the signature. Sign the call again with a new nonce",
            error.detail,
        ) from error


def _query(text: bytes) -> Query:
    """Read a query string. Long ones are not cached, so that a stranger cannot fill the memory with them."""
    return _short_query(text) if len(text) <= QUERY_REMEMBERED else _read_query(text)


def _read_query(text: bytes) -> Query:
    """Read a query string. Whether it is written the one way that is signed is the signature's to judge."""
    found: dict[str, str] = {}
    for pair in text.decode("latin-1").split("&"):
        key, _, value = pair.partition("=")
        found.setdefault(unquote(key), unquote(value))
    authorization = next((value for key, value in found.items() if key.lower() == "authorization"), None)
    unknown = tuple(key for key in found if key and key not in PARAMETERS and key.lower() != "authorization")
    return Query(found.get("Action", ""), found.get("clientToken") or None, authorization, unknown)


_short_query = lru_cache(maxsize=1024)(_read_query)


def _last_event_id(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"last-event-id"), None)
