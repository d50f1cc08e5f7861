"""Calls from inside: the actions of the table, for a signed-in user instead of a signature.

Everything else is as in a signed call: turns of the account, limits of calls a second, policies, the reading of the
body, client tokens, the audit log and the metrics.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from leasebook.api.audit_record import CallRecord
from leasebook.api.auth.admission import Admission
from leasebook.api.auth.identity import Identities, SignedIn, not_permitted
from leasebook.api.auth.rate_limit import Throttle
from leasebook.api.body.decoding import read_body
from leasebook.api.context import Call, Context
from leasebook.api.fault import Fault
from leasebook.api.ids import uuid4_text
from leasebook.api.inside.operating import operate
from leasebook.api.responses import Meter, fault_of
from leasebook.batch import Overloaded, StaleIdentity
from leasebook.contract import errors as e
from leasebook.contract.action import Action
from leasebook.contract.actions import TABLE
from leasebook.domain.record.audit_log import OK
from leasebook.domain.values.refusal import Refusal
from leasebook.observability.logs.lines import request_id as current_request_id

TRIES: Final = 5
SUCCESS: Final = 200


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls from inside: the user, the address of the browser, and the address of this server in it."""

    user_id: str
    address: str
    origin: str


class UserGone(Exception):
    """The user of a session does not exist any more."""


class InsideCalls:
    """Performs actions for signed-in users."""

    def __init__(
        self, context: Context, identities: Identities, meter: Meter, admission: Admission, throttle: Throttle
    ) -> None:
        self._context = context
        self._identities = identities
        self._meter = meter
        self._admission = admission
        self._throttle = throttle

    async def identity(self, user_id: str) -> SignedIn:
        """Return what a user may do; raises UserGone."""
        caller = await self._identities.signed_in(user_id)
        if caller is None:
            raise UserGone
        return caller

    async def do(
        self,
        visitor: Visitor,
        path: str,
        name: str,
        body: Mapping[str, Any] | None = None,
        *,
        client_token: str | None = None,
        last_event_id: str | None = None,
    ) -> Any:
        """Perform an action; returns its result as the handler makes it.

        ``body`` has the keys of the API's JSON. Raises Fault, with what a caller of the API gets, and UserGone.
        """
        action = TABLE[path, name]
        request_id, began = uuid4_text(), time.perf_counter()
        within = current_request_id.set(request_id)
        record = CallRecord(request_id, visitor.address, path, name)
        status, code, message = SUCCESS, "", ""
        try:
            return await self._admitted(
                action, visitor, msgspec.json.encode(body or {}), record, client_token, last_event_id
            )
        except UserGone:
            raise
        except Exception as error:
            fault = fault_of(error, has_token=record.token)
            status, code, message = fault.error.status, fault.error.code, fault.message
            if isinstance(error, Refusal):
                self._meter.refused(code)
            raise fault from error
        finally:
            if record.is_proved and record.written_code != (code or OK) and code != e.OVERLOADED.code:
                self._context.sequencer.note(record.line(self._context.clock.now(), status, code or OK, message))
            self._meter.request_done(action.path, action.name, status, code, time.perf_counter() - began)
            current_request_id.reset(within)

    async def _admitted(
        self,
        action: Action,
        visitor: Visitor,
        body: bytes,
        record: CallRecord,
        client_token: str | None,
        last_event_id: str | None,
    ) -> Any:
        caller = await self.identity(visitor.user_id)
        turn = await self._admission.turn_of(caller.account_id, visitor.user_id, writes=action.writes)
        try:
            self._throttle.admit(caller)
            for _ in range(TRIES):
                # Rights may have been withdrawn while the call waited for its turn.
                caller = await self.identity(visitor.user_id)
                record.body = body
                record.found(caller)
                record.proved(caller)
                try:
                    return await self._perform(action, caller, visitor, body, record, client_token, last_event_id)
                except StaleIdentity:
                    self._identities.forget()
            raise Overloaded
        finally:
            turn.leave()

    async def _perform(
        self,
        action: Action,
        caller: SignedIn,
        visitor: Visitor,
        body: bytes,
        record: CallRecord,
        client_token: str | None,
        last_event_id: str | None,
    ) -> Any:
        if not caller.may(action):
            await self._identities.confirm(caller)
            # The audit log gets the instances that the call names, so that ExplainComputeUnit can show this refusal.
            with suppress(Fault):
                record.asks(read_body(action, body, record), client_token)
            raise Fault(e.ACCESS_DENIED, not_permitted(caller, action))
        request = read_body(action, body, record)
        record.asks(request, client_token)
        call = Call(
            action,
            caller,
            request,
            client_token,
            last_event_id,
            record,
            lambda: visitor.origin,
            None,
            self._context.rules.time_zone,
        )
        return await operate(self._context, call)
