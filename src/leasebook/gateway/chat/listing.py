"""Calls for lists of models. No replica is asked, so that nothing is counted."""

from __future__ import annotations

from typing import Final

import structlog

from leasebook.batch import Overloaded
from leasebook.contract import errors as e
from leasebook.gateway.caller import Message, Send, sent_within
from leasebook.gateway.chat.models import answer_of
from leasebook.gateway.chat.names import Names
from leasebook.gateway.fault import JSON, UNEXPECTED, Fault, fault_of, send_fault
from leasebook.gateway.key_check import KeyCheck
from leasebook.gateway.ports import Throttle, Turns
from leasebook.ports.queries.read_repository import Reader

log = structlog.get_logger()


class ModelLists:
    """Answers calls for the models of a key. Callers take an answer within ``idle_s`` seconds."""

    def __init__(
        self, reader: Reader, keys: KeyCheck, names: Names, throttle: Throttle, turns: Turns, *, idle_s: float
    ) -> None:
        self._reader: Final = reader
        self._keys: Final = keys
        self._names: Final = names
        self._throttle: Final = throttle
        self._turns: Final = turns
        self._idle_s: Final = idle_s

    async def answer(self, scope: Message, send: Send, request_id: str, own: bytes) -> None:
        """Answer with models. No replica is asked, so that nothing is counted."""
        is_head, idle_s = scope["method"] == "HEAD", self._idle_s
        try:
            body = await self._listed(scope, request_id, own)
        except Fault as fault:
            await send_fault(send, fault, request_id, head=is_head, within_s=idle_s)
            return
        except Exception as error:
            known = fault_of(error)
            if known is None:
                log.exception("models cannot be listed", request_id=request_id)
            else:
                log.info("models cannot be listed", reason=str(error), request_id=request_id)
            await send_fault(
                send, known or Fault(e.INTERNAL_ERROR, UNEXPECTED), request_id, head=is_head, within_s=idle_s
            )
            return
        headers = [
            (b"content-type", JSON),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
        ]
        await sent_within(
            idle_s,
            send,
            {"type": "http.response.start", "status": 200, "headers": headers},
            {"type": "http.response.body", "body": b"" if is_head else body},
        )

    async def _listed(self, scope: Message, request_id: str, own: bytes) -> bytes:
        """Return models as JSON. Raises Fault.

        This reads from the store, as an action does, so the same limits count: calls a second, and calls at once.
        """
        key = await self._keys.admit(scope, request_id)
        refused = self._throttle.refusal(key.id, key.account_id)
        if refused is not None:
            raise Fault(e.TOO_MANY_REQUESTS, refused[0], retry_after_s=refused[1])
        try:
            turn = await self._turns.turn_of(key.account_id, key.id)
            try:
                return await answer_of(self._reader, self._names, key, scope["method"], own)
            finally:
                turn.leave()
        except Overloaded:
            raise Fault(
                e.OVERLOADED,
                "Too many calls of this account wait already. Nothing was done; try again in a moment.",
                retry_after_s=1,
            ) from None
