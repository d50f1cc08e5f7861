"""The audit trail of one run of a server: entries that wait for a batch, and the chain that their pages go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from leasebook.domain.book.book import Book
from leasebook.domain.record.audit_log import (
    NEVER,
    NOTHING,
    Audit,
    AuditPage,
    BrokenChainError,
    Entry,
    Head,
    Line,
    Mark,
    Prune,
    Sealed,
    closing_of,
    closure_message,
    day_before,
    head_message,
    pages_of,
)
from leasebook.domain.record.identity_log import seal_events
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal

log = structlog.get_logger()

WAITING_MAX: Final = 20_000
"""Entries that wait for a batch: about 20 MB. One more, and it goes to the log instead."""
TAKEN_MAX: Final = 2000
"""Entries that one batch writes besides those of its own commands."""
CLOSED_MAX: Final = 64
"""Pages that one batch closes."""


class AuditContext(Protocol):
    """A call on its way to a batch, whose entry is written in the transaction that decides it."""

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        """Return its entry, now that it is decided."""
        ...

    def written(self, entry: Entry) -> None:
        """Take note that it was committed."""


class Keys(Protocol):
    """The keys of the audit log, which the store does not hold."""

    @property
    def public_key(self) -> str:
        """What signatures are made for, in hexadecimal."""
        ...

    def seal(self, message: bytes) -> bytes:
        """Return what only the master key can make of it."""
        ...

    def seal_under(self, fingerprint: str | None, message: bytes) -> bytes:
        """Return what only the master key with that fingerprint can make of it; None: the only one there is."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return its signature, which anybody can check who has the public key."""
        ...


class Reads(Protocol):
    """What a batch's transaction reads of the record."""

    async def audit_heads(self) -> list[Head]:
        """Return the ends of all chains of the audit log."""
        ...

    async def audit_mark(self) -> Mark:
        """Return how far the log of identities goes."""
        ...

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log by ``seq``, and the hash that the first of them follows."""
        ...


class Lost(Protocol):
    """Where entries are counted that the store could not take."""

    def audit_lost(self, entries: int) -> None:
        """Count entries that went to the log instead."""


class AuditWriter:
    """The chain of this run. Nothing here is a fact before the batch that writes it is committed.

    ``new_chain`` draws an id. ``keep_us``: pages are closed when they are older; None: never.
    """

    def __init__(
        self,
        *,
        keys: Keys,
        new_chain: Callable[[], str],
        lost: Lost,
        keep_us: int | None,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._keys = keys
        self._new_chain = new_chain
        self._lost = lost
        self._keep_us = keep_us
        self._waiting_max = waiting_max
        self._waiting: deque[Line] = deque()
        self._end = Head(new_chain(), 0, NOTHING)
        self._closed_before: Instant | None = None

    @property
    def waits(self) -> bool:
        """Whether entries wait for a batch."""
        return bool(self._waiting)

    @property
    def is_new(self) -> bool:
        """Whether the next page is the first of its chain, and needs the ends of all others."""
        return self._end.number == 0

    def note(self, line: Line) -> None:
        """Let an entry wait for the next batch."""
        if len(self._waiting) >= self._waiting_max:
            self.spill([line])
        else:
            self._waiting.append(line)

    def take(self) -> list[Line]:
        """Take entries that wait, for a batch to write."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), TAKEN_MAX))]

    def put_back(self, lines: Sequence[Line]) -> None:
        """Let entries wait again that a batch could not write; what is too much goes to the log."""
        self._waiting.extendleft(reversed(lines))
        over = len(self._waiting) - self._waiting_max
        self.spill([self._waiting.pop() for _ in range(over)])

    def spill(self, lines: Sequence[Line]) -> None:
        """Write entries to the log, because the store does not take them; none is lost silently."""
        for account_id, entry in lines:
            log.error("an audit entry is here and not in the store", account_id=account_id, **_told(entry))
        if lines:
            self._lost.audit_lost(len(lines))

    def spill_all(self) -> None:
        """Write everything that waits to the log: there is no batch any more."""
        lines = list(self._waiting)
        self._waiting.clear()
        self.spill(lines)

    def seal_events(self, book: Book, now: Instant) -> Mark | None:
        """Number and seal the identity events of a batch; returns how far their log goes then, None: there are none."""
        return seal_events(book, self._keys.seal_under, now)

    async def record(
        self, reads: Reads, lines: Sequence[Line], mark: Mark | None, now: Instant, rows: bytes | None = None
    ) -> Audit | None:
        """Put entries, and digests of ``rows``, on the next pages of the log, and close the oldest that are old enough.

        How far the log of identities goes is written with whatever changes it, at the beginning of every chain, and
        wherever pages are closed that may have said so.
        """
        before = self.closes(now)
        oldest = None if before is None else await reads.audit_oldest(CLOSED_MAX)
        end = mark
        if end is None and (oldest is not None or ((lines or rows) and self.is_new)):
            end = await reads.audit_mark()
        closing = None
        if oldest is not None and before is not None:
            closing = self.closing(*oldest, before, now, end)
        if mark is not None or closing is not None or ((lines or rows) and self.is_new):
            audit = self.pages(lines, await reads.audit_heads() if self.is_new else (), end, now, rows)
        elif lines or rows:
            audit = self.pages(lines, (), None, now, rows)
        else:
            return None
        audit.closing = closing
        return audit

    def pages(
        self,
        lines: Sequence[Line],
        heads: Sequence[Head],
        mark: Mark | None = None,
        now: Instant = NEVER,
        rows: bytes | None = None,
    ) -> Audit:
        """Put entries on the next pages of the chain, and seal its end."""
        pages = pages_of(self._end, lines, heads, mark, now, rows)
        named = {(account_id, name) for account_id, entry in lines if account_id for name in entry.names}
        return Audit(pages, self._sealed(pages[-1]), sorted(named))

    def _sealed(self, last: AuditPage) -> Sealed:
        seal = self._keys.seal(head_message(last.chain, last.number, last.hash))
        return Sealed(last.chain, last.number, last.hash, last.last_at, seal)

    def closes(self, now: Instant) -> Instant | None:
        """Return before when pages are to be closed, where that was not done yet."""
        if self._keep_us is None:
            return None
        before = day_before(now, self._keep_us)
        return None if before == self._closed_before else before

    def closing(
        self,
        found: Sequence[tuple[int, AuditPage]],
        hash_before: bytes,
        before: Instant,
        now: Instant,
        mark: Mark | None = None,
    ) -> Prune | None:
        """Close the oldest pages of the store; None where none is old enough, until the next day."""
        try:
            closing = closing_of(found, hash_before, before, now, self._keys.public_key, mark)
        except BrokenChainError as error:
            log.error("old audit pages do not prove and stay; run leasebook check", error=str(error))  # noqa: TRY400
            closing = None
        if closing is None:
            self._closed_before = before
            return None
        signature = self._keys.sign(closure_message(closing.closure))
        return msgspec.structs.replace(closing, closure=msgspec.structs.replace(closing.closure, signature=signature))

    def committed(self, audit: Audit | None) -> None:
        """Go on from what is committed now."""
        if audit is not None and audit.head is not None:
            self._end = Head(audit.head.chain, audit.head.number, audit.head.hash)

    def restart(self) -> None:
        """Begin a chain of its own: nobody can tell where the last one ends, or somebody else wrote on it."""
        self._end = Head(self._new_chain(), 0, NOTHING)


def _told(entry: Entry) -> dict[str, object]:
    """Return an entry for the log, whose own names for request and time it must not take."""
    told = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "request_id"}
    return told | {"request": entry.request_id, "names": list(entry.names)}
