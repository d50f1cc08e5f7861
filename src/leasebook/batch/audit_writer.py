"""The audit log of one server process: entries that wait for a batch, and the chain of pages that they go on."""

from __future__ import annotations

import asyncio
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
"""Upper bound on entries that wait for a batch, about 20 MB. Further entries go to the server's log instead."""
TAKEN_MAX: Final = 2000
"""Upper bound on waiting entries that one batch writes beside those of its own commands."""
CLOSED_MAX: Final = 64
"""Upper bound on pages that one batch closes."""
WAIT_MAX_S = 1.0
"""Upper bound on how long an entry waits for a batch of callers, before it gets a batch without any."""


class AuditContext(Protocol):
    """The call behind a command. Its audit entry is written in the transaction that decides the command."""

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        """Return the call's entry, now that its command is decided."""
        ...

    def written(self, entry: Entry) -> None:
        """Take note that the entry is committed."""


class Keys(Protocol):
    """The keys of the audit log. The store does not hold them."""

    @property
    def public_key(self) -> str:
        """The key that checks signatures, in hexadecimal."""
        ...

    def seal(self, message: bytes) -> bytes:
        """Return a seal, which only the holder of the master key can make or check."""
        ...

    def seal_under(self, fingerprint: str | None, message: bytes) -> bytes:
        """Return a seal under the master key of that fingerprint; None: under the only key there is."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return a signature, which the public key is enough to check."""
        ...


class Reads(Protocol):
    """The reads of the audit log that a batch's transaction provides."""

    async def audit_heads(self) -> list[Head]:
        """Return the end of each chain of the audit log."""
        ...

    async def audit_mark(self) -> Mark:
        """Return how far the log of identities goes."""
        ...

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log by ``seq``, and the hash that the first of them follows."""
        ...


class Lost(Protocol):
    """Counts entries that the store could not take."""

    def audit_lost(self, entries: int) -> None:
        """Count entries that went to the server's log instead."""


class AuditWriter:
    """The chain of this process. Its end moves only when the batch that writes the pages is committed.

    ``new_chain`` draws a chain's id. Pages older than ``keep_us`` microseconds are closed; None: pages are kept.
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
        """Whether the next page is the first of its chain. The first page names the ends of all other chains."""
        return self._end.number == 0

    def note(self, line: Line) -> None:
        """Let an entry wait for the next batch; one too many goes to the server's log."""
        if len(self._waiting) >= self._waiting_max:
            self.log_fallback([line])
        else:
            self._waiting.append(line)

    def take(self) -> list[Line]:
        """Take waiting entries, the oldest first, for a batch to write."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), TAKEN_MAX))]

    def requeue(self, lines: Sequence[Line]) -> None:
        """Let entries wait again that a batch could not write; the newest go to the log where there are too many."""
        self._waiting.extendleft(reversed(lines))
        over = len(self._waiting) - self._waiting_max
        self.log_fallback([self._waiting.pop() for _ in range(over)])

    def log_fallback(self, lines: Sequence[Line]) -> None:
        """Write entries to the server's log, because the store does not take them, and count them."""
        for account_id, entry in lines:
            log.error("an audit entry is here and not in the store", account_id=account_id, **_fields(entry))
        if lines:
            self._lost.audit_lost(len(lines))

    def log_all(self) -> None:
        """Write all waiting entries to the server's log, because there are no more batches."""
        lines = list(self._waiting)
        self._waiting.clear()
        self.log_fallback(lines)

    def seal_events(self, book: Book, now: Instant) -> Mark | None:
        """Number and seal the identity events of a batch; returns the new end of their log, None: there are none."""
        return seal_events(book, self._keys.seal_under, now)

    async def record(
        self, reads: Reads, lines: Sequence[Line], mark: Mark | None, now: Instant, rows: bytes | None = None
    ) -> Audit | None:
        """Put entries, and digests of ``rows``, on the next pages of the log, and close pages that are old enough.

        The end of the log of identities is written with every change of it, on the first page of each chain, and
        whenever pages are closed, because these may have held it.
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
        """Put entries on the next pages of the chain, and seal the new end."""
        pages = pages_of(self._end, lines, heads, mark, now, rows)
        named = {(account_id, name) for account_id, entry in lines if account_id for name in entry.names}
        return Audit(pages, self._sealed(pages[-1]), sorted(named))

    def _sealed(self, last: AuditPage) -> Sealed:
        seal = self._keys.seal(head_message(last.chain, last.number, last.hash))
        return Sealed(last.chain, last.number, last.hash, last.last_at, seal)

    def closes(self, now: Instant) -> Instant | None:
        """Return the moment before which pages are to be closed; None: that was done already, or pages are kept."""
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
        """Close the oldest pages of the store; None: none is old enough, and the next day is soon enough to look."""
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
        """Continue the chain from pages that are committed now."""
        if audit is not None and audit.head is not None:
            self._end = Head(audit.head.chain, audit.head.number, audit.head.hash)

    def restart(self) -> None:
        """Begin a new chain, because it is not certain where the present one ends."""
        self._end = Head(self._new_chain(), 0, NOTHING)


class AuditQueue:
    """Has waiting entries written: with the next batch of callers, or within a second with a batch without any.

    Where a server writes no audit log (``writer`` None), it does nothing.
    """

    def __init__(self, writer: AuditWriter | None, wake: Callable[[], None]) -> None:
        """``wake`` makes the sequencer take a batch."""
        self._writer = writer
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        """Whether waiting entries are to be written even if no caller waits."""
        self._flushes: list[asyncio.Future[None]] = []

    def note(self, line: Line, *, is_working: bool) -> None:
        """Let an entry wait for a batch; where the sequencer takes none any more, write it to the server's log."""
        if self._writer is None:
            return
        if not is_working:
            self._writer.log_fallback([line])
            return
        self._writer.note(line)
        self._write_soon()

    async def flush(self) -> None:
        """Have all waiting entries written; returns also if the store cannot be written now."""
        if self._writer is None or not self._writer.waits:
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushes.append(written)
        self._write_now()
        await written

    def take(self, *, has_batch: bool) -> list[Line]:
        """Take the entries that the next batch writes: some if it is taken anyway, or if entries waited long enough."""
        if self._writer is None or not (has_batch or self._is_due):
            return []
        lines = self._writer.take()
        self._is_due = self._writer.waits
        return lines

    def batch_ended(self) -> None:
        """Let callers of ``flush`` go on where nothing waits any more."""
        if self._flushes and self._writer is not None and not self._writer.waits:
            self._answer_flushes()

    def batch_failed(self, lines: Sequence[Line], *, may_requeue: bool) -> None:
        """Let the entries of a batch that failed wait again; where they ``may`` not, write them to the server's log.

        They may not where the batch may have written them, and where no other batch will follow.
        """
        if self._writer is None:
            return
        # The pages of the failed batch must not keep the next batch from being written.
        self._writer.restart()
        self._is_due = False
        if may_requeue:
            self._writer.requeue(lines)
            self._write_soon()
        else:
            self._writer.log_fallback(lines)
        self._answer_flushes()

    def end(self) -> None:
        """Take note that the sequencer takes no more batches: no ``flush`` waits for one."""
        self._answer_flushes()

    def close(self) -> None:
        """Stop the timer, and write all waiting entries to the server's log."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            self._writer.log_all()

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WAIT_MAX_S, self._write_now)

    def _write_now(self) -> None:
        self._timer = None
        self._is_due = True
        self._wake()

    def _answer_flushes(self) -> None:
        for flush in self._flushes:
            if not flush.done():
                flush.set_result(None)
        self._flushes.clear()


def _fields(entry: Entry) -> dict[str, object]:
    """Return an entry as fields of a log line, without the names that the log uses for request and time."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "request_id"}
    return fields | {"request": entry.request_id, "names": list(entry.names)}
