"""The services that handlers use (Context), and one call of an action (Call)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from leasebook.addressing.webhook import Allowed
from leasebook.api.auth.identity import Identities, Identity
from leasebook.api.auth.nonce import CallNonce
from leasebook.api.auth.refused_calls import Refusals
from leasebook.api.auth.scoped_reads import scoped
from leasebook.api.body.canonical import meant
from leasebook.api.fault import Fault, bad_field
from leasebook.api.faults.registry import Faults
from leasebook.api.hub import Hub
from leasebook.api.links.tokens import Links
from leasebook.api.server_work import ServerWork
from leasebook.batch import AuditContext, Sequencer, StaleIdentity
from leasebook.batch.shared_state import SharedState, Standing
from leasebook.contract.action import Action
from leasebook.contract.shapes import Request
from leasebook.domain.commands.command import Command
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.model.replica import Replica
from leasebook.domain.values.calendar import BadTime, Instant, parse_time, rfc3339
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock
from leasebook.ports.cost_files import CostFiles
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository
from leasebook.scheduler.worker import Scheduler

R = TypeVar("R", bound=Request)
T = TypeVar("T")

EARLIEST: Final = Instant(0)
LATEST: Final = parse_time("9000-01-01T00:00:00Z", "UTC")
"""Beyond these some times cannot be written in the service's zone, nor those that are counted from them."""


ReplicaLogs = Callable[[Replica, int], Awaitable[tuple[list[str], str | None]]]
"""Returns the last lines of a replica, at most that many, and None; or no lines, and why this server has none."""


LogStoreProbe = Callable[[], Awaitable[str | None]]
"""Asks the log store to take a request without lines; returns None if it did, else why it did not."""


class KeyMaker(msgspec.Struct, frozen=True):
    """Makes key pairs: ``make`` returns id and secret, ``seal`` what the store keeps of the secret.

    ``open`` gives that back, under the same id; ``derived`` returns what each master key gives for one purpose, the one
    that seals now first.
    """

    make: Callable[[], tuple[str, str]]
    seal: Callable[[str, str], bytes]
    open: Callable[[str, bytes], str]
    derived: Callable[[str], list[bytes]]


class HookMaker(msgspec.Struct, frozen=True):
    """The rules for new subscriptions: the targets that webhooks may have, and whether this server sends e-mail."""

    allowed: Allowed
    mails: bool


class Context(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The parts of the service that operations use. It is complete when it is made, and none of it changes."""

    reader: Reader
    facts: SharedState
    sequencer: Sequencer
    scheduler: Scheduler
    clock: Clock
    rules: Rules
    keys: KeyMaker
    hub: Hub
    audit_key: Callable[[], str]
    """Returns the public key, in hexadecimal, that closures of the audit log are signed for."""
    links: Links
    hooks: HookMaker
    identities: Identities
    refusals: Refusals
    replica_logs: ReplicaLogs
    cost_exports: CostFiles
    log_store: LogStoreProbe | None
    """None: this server has no log store."""
    without_log_parts: frozenset[str]
    """Engines of this server whose replicas cannot be sent to a log store."""
    faults: Faults | None
    """None: this server makes no faults, and has none of their actions."""
    work: ServerWork
    """This server's part in due work."""
    public_base: str | None
    """Where callers reach this server, with the prefix; None: where the caller at hand does."""

    async def submit(self, call: Call[Any], command: Command) -> Any:
        """Submit a command for the caller; raises StaleIdentity if the caller must be looked up again."""
        caller, once = call.caller, call.once
        if once is None or once.is_spent:
            command = msgspec.structs.replace(command, by=caller.user_id, within=call.within)
            return await self.sequencer.submit(command, caller.epoch, call.record, party=caller.account_id)
        command = msgspec.structs.replace(command, by=caller.user_id, within=call.within, nonce=once.nonce)
        try:
            answer = await self.sequencer.submit(command, caller.epoch, call.record, party=caller.account_id)
        except Refusal as refusal:
            once.refused(refusal)
            raise
        once.is_spent = True
        return answer

    async def submit_checked(self, call: Call[Any], command: Command, check: Callable[[], Awaitable[None]]) -> Any:
        """Submit a command after ``check``, which asks a party outside of the books and raises Fault if that refuses.

        A client token that was answered before gets that answer, and nothing is checked: a log store that is away now,
        or a setting that has changed, does not undo what the first call did. Raises what ``check`` raises.
        """
        if not await self.is_answered(call, command.token):
            try:
                await check()
            except Fault:
                # The first call may have been under way, and its check have gone well.
                if not await self.is_answered(call, command.token):
                    raise
        return await self.submit(call, command)

    async def is_answered(self, call: Call[Any], token: IdempotencyKey | None) -> bool:
        """Whether a client token has an answer already, which its call then gets."""
        if token is None:
            return False
        return await self.read(call, lambda ask: ask.is_answered(token.account_id, token.value))

    async def confirm(self, call: Call[Any]) -> None:
        """Check that the caller's rights are current, for an action that does not ask the store; raises StaleIdentity.

        A server that has the store to itself need not ask.
        """
        if call.caller.epoch is not None:
            await self.standing(call)

    async def standing(self, call: Call[Any]) -> Standing:
        """Return the shared state of the store; raises StaleIdentity if the caller must be looked up again."""
        standing = await self.facts.now()
        if standing.identity_epoch != call.caller.epoch:
            raise StaleIdentity
        return standing

    async def read(self, call: Call[Any], question: Callable[[ReadRepository], T], *, long: bool = False) -> T:
        """Run a query for the caller; raises StaleIdentity if the caller must be looked up again.

        A ``long`` query runs where it does not delay others.
        """
        # The epoch is read last: PostgreSQL answers each statement as of its own time, and a right that was withdrawn
        # before the rows were read must show.
        answer, epoch = await self.reader.read(
            lambda ask: (question(scoped(ask, call.caller.account_id, call.within)), ask.fact(IDENTITY_EPOCH)),
            long=long,
            party=call.caller.account_id,
        )
        if epoch != call.caller.epoch:
            raise StaleIdentity
        return answer

    async def still(self, call: Call[Any]) -> bool:
        """Whether the caller of a long call still has permission; looks the caller up again if need be."""
        if self.identities.knows(call.caller):
            return True
        caller = await self.identities.again(call.caller)
        if caller is None or caller.user_id != call.caller.user_id or not caller.may(call.action):
            return False
        call.caller_is(caller)
        return True

    def shown(self, at: Instant) -> str:
        """Write a time as callers see it (decision 1)."""
        return rfc3339(at, self.rules.written_zone)

    def service_url(self, call: Call[Any], name: str) -> str:
        """Write where a service is called: at the service's public address, or the one that the caller used."""
        return f"{self.public_base or call.origin()}/services/{name}"

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

    __slots__ = (
        *("action", "caller", "last_event_id", "once", "origin", "query_token", "record", "request", "within"),
        "zone",
    )

    def __init__(
        self,
        action: Action,
        caller: Identity,
        request: R,
        query_token: str | None,
        last_event_id: str | None = None,
        record: AuditContext | None = None,
        origin: Callable[[], str] = str,
        once: CallNonce | None = None,
        zone: str = "UTC",
    ) -> None:
        self.action = action
        self.once = once
        """The nonce of the call's signature; None where it has none."""
        self.request = request
        self.caller_is(caller)
        self.query_token = query_token
        self.last_event_id = last_event_id
        self.record = record
        self.zone = zone
        """In which times are read that name none."""
        self.origin = origin
        """Returns the address that the caller used, up to the prefix."""

    def caller_is(self, caller: Identity) -> None:
        """Note who calls, with the rights of now."""
        self.caller = caller
        self.within = caller.within(self.action, getattr(self.request, "account_id", None))
        """The projects that the call is confined to, by their public ids; None: it is not."""

    def token(self) -> IdempotencyKey | None:
        """Return the client token, from the query or the body, with a digest of everything else asked for."""
        return self._token(self.action.operation)

    def personal_token(self) -> IdempotencyKey | None:
        """Return the same for an answer that shows a secret: only to the user who asked first (decision 38)."""
        return self._token(f"{self.action.operation} {self.caller.user_id}")

    def project(self, given: str | None) -> str | None:
        """Return the project in which something is bought or made; None: the default one, if no project is given.

        A caller with a policy for one project means that one. Raises Fault where it is for several.
        """
        if given is not None or self.within is None:
            return given
        if len(self.within) > 1:
            raise bad_field(
                "projectId",
                f"Your policies are for the projects {', '.join(sorted(self.within))}. Say in which of them.",
            )
        return next(iter(self.within))

    def _token(self, what: str) -> IdempotencyKey | None:
        value = self.query_token or self.request.client_token
        if not value:
            return None
        if self.within is not None:
            # Whether users of other projects have used the token must not show.
            value = f"{self.caller.user_id} {value}"
        asked = msgspec.json.encode(meant(msgspec.structs.replace(self.request, client_token=None), self.zone))
        return IdempotencyKey(self.caller.account_id, value, hashlib.sha256(what.encode() + b"\n" + asked).hexdigest())


class Followed:
    """A result that does not end: server-sent events."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self.pieces = pieces


class Download:
    """A result that is a file: the body of the answer, without an envelope.

    ``pieces`` are its bytes. Where they fail on the way, the connection ends before the file does.
    """

    def __init__(self, media_type: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        self.media_type = media_type
        self.name = name
        self.pieces = pieces


class Streamed:
    """A result that is one list under one name, too long to be in memory at once."""

    def __init__(self, name: str, pieces: AsyncIterator[Sequence[Any]]) -> None:
        self.name = name
        self.pieces = pieces


class CutShort(NamedTuple):
    """A result, or the body of its answer, that is sent by half; then the connection ends."""

    whole: Any


Operation = Callable[[Context, Call[Any]], Awaitable[Any]]
