"""Which calls are let in: those that replicas can take, with headers within bounds and a key that opens services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leasebook.contract import errors as e
from leasebook.domain.book.changes import Changes
from leasebook.domain.model.service_key import Key
from leasebook.gateway import headers as h
from leasebook.gateway.caller import Message
from leasebook.gateway.fault import Fault
from leasebook.gateway.keys import Keys, Sought
from leasebook.gateway.ports import USER, Limits, Meter
from leasebook.gateway.refused_keys import Refusals
from leasebook.gateway.response_check import has_control, shown

NO_CALLS: Final = frozenset({"CONNECT", "TRACE"})
"""One asks for a tunnel, the other for the headers that a replica got."""

UNOPENED: Final = (
    "Send a key that opens services as Authorization: Bearer lsk-... CreateServiceKey makes one; those that were "
    "deleted open nothing. A token of GET /v1/BCE-BEARER/token opens them, too, until its expireTime, while its access "
    "key is active."
)
ORPHANED: Final = (
    "The user who made this key is deleted or may not make service keys any more, so it opens nothing. Ask a user who "
    "may to make another (CreateServiceKey)."
)
MAY_NOT: Final = (
    "This user may make no service keys, and so may not call services. A manager of the account can attach a policy "
    "that permits it (AttachPolicy, /v2/iam)."
)


class KeyCheck:
    """Finds the keys of calls, and notes the calls that no key lets in.

    ``address_of`` returns the address that a call came from, given that of its connection, and its headers.
    """

    def __init__(
        self,
        keys: Keys,
        refusals: Refusals,
        meter: Meter,
        limits: Limits,
        address_of: Callable[[str, h.Pairs], str],
    ) -> None:
        self._keys: Final = keys
        self._refusals: Final = refusals
        self._meter: Final = meter
        self._limits: Final = limits
        self._address_of: Final = address_of

    def committed(self, changes: Changes) -> None:
        """Forget the keys that a batch changed."""
        self._keys.committed(changes)

    def start(self) -> None:
        """Begin to record refusals."""
        self._refusals.start()

    async def stop(self) -> None:
        """Write down the rest of the refusals."""
        await self._refusals.stop()

    async def admit(self, scope: Message, request_id: str) -> Key:
        """Return the key that the call carries, or what takes its place for a signed-in user; raises Fault."""
        given: h.Pairs = scope["headers"]
        size = h.size_of(given)
        if size > self._limits.headers_max:
            raise Fault(
                e.HEADERS_TOO_LARGE, f"The headers have {size} bytes; at most {self._limits.headers_max} are taken."
            )
        for name, value in given:
            if has_control(value):
                raise Fault(e.INVALID_HTTP_REQUEST, f"The header {shown(name)} holds a control character.")
        if scope["type"] == "http":
            self._check_kind(scope)
        if USER in scope:
            user = await self._keys.of_user(scope[USER])
            if user is None:
                raise Fault(e.ACCESS_DENIED, MAY_NOT)
            return user
        scheme, _, text = (h.value_of(given, b"authorization") or b"").decode("latin-1").partition(" ")
        sought = await self._keys.find(text.strip()) if scheme.lower() == "bearer" else Sought(None, "none")
        if sought.key is None:
            self._meter.gateway_key_refused(sought.why)
            peer = (scope.get("client") or ("unknown",))[0]
            self._refusals.add(sought, self._address_of(peer, given), request_id)
            raise Fault(e.INVALID_SERVICE_KEY, ORPHANED if sought.why == "orphaned" else UNOPENED)
        return sought.key

    def _check_kind(self, scope: Message) -> None:
        """Raise Fault for what no HTTP call of a replica is."""
        if scope["method"] in NO_CALLS:
            raise Fault(e.INVALID_HTTP_REQUEST, f"{scope['method']} is not passed on to replicas.")
        if (h.value_of(scope["headers"], b"upgrade") or b"").strip().lower() == b"websocket":
            raise Fault(
                e.UPGRADE_NOT_SUPPORTED,
                "A WebSocket is asked for with GET, HTTP/1.1, Upgrade: websocket and Connection: Upgrade. A proxy in "
                "front has to pass both headers on.",
            )

    async def holds(self, key: Key) -> bool:
        """Whether a key that let a call in still does."""
        return await self._keys.holds(key)
