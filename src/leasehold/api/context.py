"""What an operation works with, and one call of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from leasehold.agenda.worker import Agenda
from leasehold.api.fault import bad_field
from leasehold.api.identity import Identity
from leasehold.clock import Clock
from leasehold.commands.command import Command
from leasehold.domain.calendar import BadTime, Instant, parse_time, rfc3339
from leasehold.domain.rules import Rules
from leasehold.domain.token import Token
from leasehold.questions import IDENTITY_EPOCH, Questions, Reader
from leasehold.sequencer import Sequencer, StaleIdentity
from leasehold.wire.action import Action
from leasehold.wire.shapes import Request

R = TypeVar("R", bound=Request)
T = TypeVar("T")

EARLIEST: Final = Instant(0)
LATEST: Final = parse_time("9000-01-01T00:00:00Z", "UTC")
"""Beyond these some times cannot be written in the service's zone, nor those that are counted from them."""


class KeyMaker(msgspec.Struct, frozen=True):
    """Makes key pairs: ``make`` returns id and secret, ``seal`` what the store keeps of the secret."""

    make: Callable[[], tuple[str, str]]
    seal: Callable[[str, str], bytes]


class Context:
    """The parts of the service that operations use."""

    def __init__(
        self,
        *,
        reader: Reader,
        sequencer: Sequencer,
        agenda: Agenda,
        clock: Clock,
        rules: Rules,
        keys: KeyMaker,
    ) -> None:
        self.reader = reader
        self.sequencer = sequencer
        self.agenda = agenda
        self.clock = clock
        self.rules = rules
        self.keys = keys

    async def submit(self, call: Call[Any], command: Command) -> Any:
        """Have a command decided on the caller's behalf; raises StaleIdentity where that must be looked up anew."""
        return await self.sequencer.submit(command, call.caller.epoch)

    async def confirm(self, call: Call[Any]) -> None:
        """See that the caller is still who was looked up, where nothing else asks the store; raises StaleIdentity.

        Where one server has the store to itself, it knows.
        """
        if call.caller.epoch is not None:
            await self.read(call, lambda _ask: None)

    async def read(self, call: Call[Any], question: Callable[[Questions], T], *, long: bool = False) -> T:
        """Ask the store on the caller's behalf; raises StaleIdentity where that must be looked up anew.

        What may take ``long`` keeps nobody else waiting.
        """
        epoch, answer = await self.reader.read(lambda ask: (ask.fact(IDENTITY_EPOCH), question(ask)), long=long)
        if epoch != call.caller.epoch:
            raise StaleIdentity
        return answer

    def shown(self, at: Instant) -> str:
        """Write a time as callers see it (decision 1)."""
        return rfc3339(at, self.rules.time_zone)

    def time(self, text: str, field: str) -> Instant:
        """Read a time from a request; raises Fault naming the field."""
        try:
            at = parse_time(text, self.rules.time_zone)
        except BadTime as error:
            raise bad_field(field, f"{error}.") from None
        if not EARLIEST <= at <= LATEST:
            raise bad_field(field, f"{text[:64]!r} does not lie in the years from 1970 to 9000.")
        return at


class Call(Generic[R]):
    """One call: who asks for what."""

    __slots__ = ("action", "caller", "query_token", "request")

    def __init__(self, action: Action, caller: Identity, request: R, query_token: str | None) -> None:
        self.action = action
        self.caller = caller
        self.request = request
        self.query_token = query_token

    def token(self) -> Token | None:
        """Return the client token, from the query or the body, with a digest of everything else asked for."""
        value = self.query_token or self.request.client_token
        if not value:
            return None
        asked = msgspec.json.encode(msgspec.structs.replace(self.request, client_token=None))
        digest = hashlib.sha256(self.action.operation.encode() + b"\n" + asked).hexdigest()
        return Token(self.caller.account_id, value, digest)


class Streamed:
    """A result that is one list under one name, too long to be in memory at once."""

    def __init__(self, name: str, pieces: AsyncIterator[Sequence[Any]]) -> None:
        self.name = name
        self.pieces = pieces


Operation = Callable[[Context, Call[Any]], Awaitable[Any]]
