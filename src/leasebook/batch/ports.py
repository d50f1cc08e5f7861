"""The sequencer's interfaces to the store, to watchers and to metrics, and the errors that it raises."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import Needed
from leasebook.domain.commands.command import Decision
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import AuditPage, Head, Mark
from leasebook.domain.values.calendar import Instant


class Overloaded(Exception):
    """The queue is full; nothing was done."""


class Closed(Exception):
    """The service is stopping; nothing was done."""


class Unavailable(Exception):
    """The store cannot write now; nothing was done.

    The message says why, and is fit for every caller. ``detail`` is for the log: it may name hosts, users and files.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Outdated(Unavailable):
    """A newer version has upgraded the store, and this server must not write to it any more; nothing was done.

    ``is_news``: this is the first time that the server notices it.
    """

    def __init__(self, message: str, *, is_news: bool = False) -> None:
        super().__init__(message)
        self.is_news = is_news


class LockedOut(Unavailable):
    """Another session has kept rows locked that the command needs, for too long; nothing was done."""

    def __init__(self) -> None:
        super().__init__("another session of the database holds rows that this needs")


class NeedsRestart(Unavailable):
    """The store will not write again before this process has ended and another has begun; nothing was done."""


class OutcomeUnknown(Unavailable):
    """The store failed during the commit: it is unknown whether the batch was done, and it must not be tried again.

    A caller that gave a client token finds out by calling again with the same token. This is the one kind of
    Unavailable after which something may have been done.
    """


class Conflict(Exception):
    """Another server changed the same rows, or the connection was lost before the commit; nothing was done."""


class Blocked(Conflict):
    """Another session has locked a row for longer than the store waits. Nothing was done.

    ``learned``: it is known now which rows these are, so that the same batch can be tried without them.
    """

    learned = False


class Duplicate(Conflict):
    """A new row has the key of a row that the store has already. Nothing was done.

    Either another server has added the same row meanwhile, which the next try finds; or an id was drawn that is taken.
    """


class IdTaken(Unavailable):
    """A command draws an id that belongs to another row, so that it has to be made again with a new one.

    Nothing was done. Only the caller can draw: the same command would fail again.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("a new id was drawn that another row has", detail)


class StaleIdentity(Exception):
    """A key or a user has changed since the caller's identity was looked up; nothing was done."""


class Transaction(Protocol):
    """The open transaction of one batch."""

    identity_epoch: str | None
    has_concurrent_writers: bool
    """Whether another server wrote to the store since the last transaction of this server."""

    def now(self) -> Instant | None:
        """Return the store's own time where it keeps one for all its servers; None: the server's clock counts.

        The time is later after rows are loaded, because loading may have waited for locks.
        """
        ...

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Return work that is due by ``until``, in order, and lock its instances.

        Instances that another server has locked are skipped, or waited for with ``wait``.
        """
        ...

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Put the needed rows into the book, and lock them against changes by others."""

    def save_part(self, changes: Changes) -> None:
        """Begin to write what the batch changed since the last part, without waiting.

        Its errors, those of ``save`` among them, may be raised by any later call, ``commit`` included.
        """

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed since the last part.

        Raises Duplicate where a new row has the key of one that is there.
        """

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Delete at most ``limit`` idempotency records that are older than ``before``."""

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Delete at most ``limit`` rows of used nonces, and of refused calls, that are older than these moments."""

    async def audit_heads(self) -> list[Head]:
        """Return the end of each chain of the audit log."""
        ...

    async def audit_mark(self) -> Mark:
        """Return how far the log of identities goes."""
        ...

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log by ``seq``, and the hash that the first of them follows.

        Returns no page while another server is closing pages.
        """
        ...

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Write when access keys were last used. Rows that another session has locked are skipped."""

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Delete at most ``limit`` deliveries whose time is over, and as many empty delivery queues."""

    async def commit(self, *, is_idle: bool = False) -> None:
        """Make it durable; ``is_idle`` says that no other command waits meanwhile.

        Raises Conflict or Unavailable only where the batch is certainly not durable, and OutcomeUnknown where that is
        not certain. After an error of an earlier part nothing was done.
        """

    async def rollback(self) -> None:
        """Undo everything that the transaction did."""


class Store(Protocol):
    """A store that executes one batch at a time."""

    async def begin(self, *, moves_clock: bool = False) -> Transaction:
        """Open the transaction of the next batch; ``moves_clock``: and lock the store's virtual clock for it."""
        ...

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows another session has locked; ``wait``: queue for one of them for a moment."""
        ...


class Watcher(Protocol):
    """Learns what each committed batch changed, before its callers are answered."""

    def committed(self, changes: Changes) -> None:
        """Take note of the changes. Must not raise and must not wait."""


class BatchMetrics(Protocol):
    """Metrics of batches."""

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Count a batch of ``size`` commands, which took these seconds, and these of them to commit."""


class BatchLimits(msgspec.Struct, frozen=True):
    """Bounds of a batch: ``batch_max`` callers and ``due_max`` pieces of due work; ``queue_max`` callers may wait.

    A batch that moves the virtual clock takes ``moving_times`` as much due work, because all callers wait for the move.
    A batch of an idle server takes ``idle_times`` as much: a caller that comes then waits longer, and there are fewer
    commits to wait for.

    A backlog of callers is divided into ``backlog_parts`` batches: where the store is another process, it works on one
    part while the callers of the other are answered and call again. That store also gets the changes of each
    ``part_size`` commands of a batch, to write them while the next commands are decided; None: all changes together.

    While other parties wait, at most ``share_max`` callers of a batch are of one party. A command waits for rows that
    another session has locked for at most ``lock_wait_s`` seconds.

    When a batch has run for ``stall_s`` seconds, its callers and all others get an error instead of an answer, until it
    ends; None: the store bounds its waits itself.
    """

    batch_max: int = 512
    due_max: int = 256
    queue_max: int = 10_000
    moving_times: int = 4
    idle_times: int = 1
    backlog_parts: int = 1
    part_size: int | None = None
    share_max: int = 32
    lock_wait_s: float = 8.0
    stall_s: float | None = None


class DueRequest(msgspec.Struct, frozen=True):
    """Asks for work to be done that is due by ``until`` (None: by now), without the work in ``resting``.

    With ``moving`` the virtual clock moves to the first moment at which work is due, and the work of that moment is
    done.
    """

    until: Instant | None = None
    moving: bool = False
    resting: frozenset[Due] = frozenset()


class DueDone(msgspec.Struct, frozen=True):
    """The outcome of a piece of due work: a decision or an error. DUE_DEFERRED: other work comes before it."""

    due: Due
    outcome: Decision | None = None
    error: Exception | None = None
