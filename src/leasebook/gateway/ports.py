"""The interfaces that the gateway needs from the rest of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from leasebook.domain.model.service_key import TokenKey, TokenWhy, UserKey
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ReadRepository

Outcome = Literal["succeeded", "failed", "refused", "aborted"]
"""Failed: by the replica. Refused: it reached none. Aborted: the caller went away."""

SocketEnd = Literal[
    "closed", "caller_gone", "replica_gone", "idle", "too_big", "protocol", "revoked", "withdrawn", "stopping"
]
"""Why a WebSocket ended. Closed: by one of its two ends, with a close."""
CHECK_S: Final = 2.0
"""How often a longer answer or WebSocket is checked for whether its key is still valid."""
SWITCH: Final = "leasebook.switch"
"""The ASGI extension under which a server offers a ``Switch``."""
USER: Final = "leasebook.user"
"""In the scope of a call from inside this process: the id of the signed-in user who calls, in place of a key."""


class Target(NamedTuple):
    """A healthy replica that takes requests at ``address`` (as in ``Seen``); ``draining``: no new ones any more."""

    name: str
    address: str
    draining: bool = False


class Targets(Protocol):
    """Where the replicas of services are found."""

    def of(self, ask: ReadRepository, service_id: str) -> Sequence[Target]:
        """Return the healthy replicas of a service, as the store has them now."""
        ...


class Tokens(Protocol):
    """Verifies short-lived tokens of access keys."""

    def is_one(self, text: str) -> bool:
        """Whether a text has the form of a token."""
        ...

    async def find(self, text: str) -> tuple[TokenKey | None, TokenWhy, str, str]:
        """Return the token if it is valid, else the reason; and the ids of access key and account, "" if unknown."""
        ...

    async def holds(self, key: TokenKey) -> bool:
        """Whether the access key still is active and its user still may call services, as the store has it now."""
        ...


class Users(Protocol):
    """Says whether users who are signed in to the console may call services."""

    async def find(self, user_id: str) -> UserKey | None:
        """Return what takes the place of the user's key, as the store has it now; None: the user may call none."""
        ...


class Room(Protocol):
    """Memory for a body."""

    def leave(self) -> None:
        """Give it back."""


class Rooms(Protocol):
    """Shares the memory for bodies that are read whole."""

    async def room(self, party: str, size: int) -> Room:
        """Wait until an account may have ``size`` bytes, and take them. Raises Overloaded if there is no room."""
        ...


class Turn(Protocol):
    """Permission to read from the store."""

    def leave(self) -> None:
        """Give it back."""


class Turns(Protocol):
    """Bounds how many calls of an account read from the store at once."""

    async def turn_of(self, account_id: str, key_id: str) -> Turn:
        """Wait for a turn of the account, whose keys take turns. Raises Overloaded if too many calls wait."""
        ...


class Throttle(Protocol):
    """Bounds how many calls a second a key and an account may make of the service itself."""

    def refusal(self, key_id: str, account_id: str) -> tuple[str, int] | None:
        """Count a call; returns the message and after how many seconds to come again where it came too fast."""
        ...


class Meter(Protocol):
    """Where calls are counted."""

    def gateway_called(self, outcome: Outcome) -> None:
        """Count a call."""

    def gateway_first_byte(self, seconds: float) -> None:
        """Note how long a replica took until it began to answer."""

    def gateway_key_refused(self, why: str) -> None:
        """Count a key that opened nothing, and why: one of ``keys.Why``."""

    def gateway_in_flight(self, change: int) -> None:
        """Note that a call began, or ended."""

    def gateway_sockets(self, change: int) -> None:
        """Note that a WebSocket was opened, or ended."""

    def gateway_socket_ended(self, why: SocketEnd) -> None:
        """Count a WebSocket that ended."""

    def gateway_socket_bytes(self, sent: int, received: int) -> None:
        """Count what passed: bytes that callers sent, and that replicas sent."""


class Switch(Protocol):
    """The caller's connection while it asks for a WebSocket."""

    transport: asyncio.Transport

    def begin(self, headers: Sequence[tuple[bytes, bytes]], protocol: Hearing) -> None:
        """Answer 101, and hand all that comes from now on to ``protocol``."""


class Hearing(Protocol):
    """The receiver of a connection that has become a WebSocket; as ``asyncio.Protocol``."""

    def data_received(self, data: bytes) -> None:
        """Take what has come."""

    def pause_writing(self) -> None:
        """Note that much waits to be sent."""

    def resume_writing(self) -> None:
        """Note that little waits to be sent."""

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Note that it is gone."""

    def stop(self) -> None:
        """End, because the server stops."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a call: times in seconds, sizes in bytes, and how many calls a replica has at once.

    Also the largest number of WebSockets open at once for a key and for an account, and the largest message in bytes.
    """

    connect_s: float = 5.0
    first_byte_s: float = 300.0
    idle_s: float = 300.0
    headers_max: int = 32 * 1024
    connections_max: int | None = None
    """Connections to replicas, with those that wait for the next call; None: any number."""
    concurrency_max: int = 256
    chat_body_max: int = 16 << 20
    socket_idle_s: float = 300.0
    socket_message_max: int = 16 << 20
    sockets_key_max: int = 256
    sockets_account_max: int = 1024


class Counted(NamedTuple):
    """The key that calls are summed up by: the minute in which they ended, the caller, and the service."""

    account_id: str
    service_id: str
    app_id: str
    minute: Instant
