"""What the sequencer asks of others, and what it tells them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from leasebook.domain.book.book import Book, Changes, Needed
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

    The message says why, and anybody may read it. ``detail`` is for the log: it may name hosts, users and files.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Outdated(Unavailable):
    """The store is another version's now, and this server must not write to it any more; nothing was done.

    ``is_news`` says that it was not known before.
    """

    def __init__(self, message: str, *, is_news: bool = False) -> None:
        super().__init__(message)
        self.is_news = is_news


class LockedOut(Unavailable):
    """Somebody else holds rows that the command needs, and did not let go in time; nothing was done."""

    def __init__(self) -> None:
        super().__init__("another session of the database holds rows that this needs")


class NeedsRestart(Unavailable):
    """The store will not write again before this process has ended and another has begun; nothing was done."""


class OutcomeUnknown(Unavailable):
    """The store failed in the act of committing: nobody can say whether it was done, and it must not be tried again.

    Whoever asked with a client token finds it out by asking again with the same one. It is the one kind of Unavailable
    after which something may have been done.
    """


class Conflict(Exception):
    """Somebody else was quicker, or the connection was lost before the commit: nothing was done, try again."""


class Blocked(Conflict):
    """A row was waited for in vain: somebody else holds it. Nothing was done.

    ``learned``: it is known now which rows these are, so that the same batch without them is worth a try.
    """

    learned = False


class StaleIdentity(Exception):
    """A key or a user was changed since the caller was looked up; nothing was done."""


class Transaction(Protocol):
    """One open transaction of a store that takes a batch at a time."""

    identity_epoch: str | None
    has_concurrent_writers: bool
    """Whether another server wrote to the store since the last transaction of this server."""

    def now(self) -> Instant | None:
        """Return the store's own time where it keeps one for all its servers; None: the server's clock counts.

        It is later once rows are loaded: they may have been waited for.
        """
        ...

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Return work that is due by then, in order, and keep its instances from everybody else.

        Instances that another server works on are left out, or waited for.
        """
        ...

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Put the needed rows into the book and keep everybody else from changing them."""

    def save_part(self, changes: Changes) -> None:
        """Begin to write what the batch changed so far, and wait for nothing; ``save`` follows with the rest.

        What goes wrong may be raised by whichever call comes next.
        """

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed since the last part."""

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Forget at most so many client tokens that are older."""

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Forget at most so many used nonces of hours before one, and rows of refused calls of minutes before one."""

    async def audit_heads(self) -> list[Head]:
        """Return the ends of all chains of the audit log."""
        ...

    async def audit_mark(self) -> Mark:
        """Return how far the log of identities goes."""
        ...

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log by ``seq``, and the hash that the first of them follows.

        There are none where another server is closing pages at this moment.
        """
        ...

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Write when access keys were last used, but for those that somebody else has locked."""

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Forget at most so many deliveries that may be forgotten by now, and as many lanes in which nothing waits."""

    async def commit(self, *, is_idle: bool = False) -> None:
        """Make it durable; ``is_idle`` says that no other command waits meanwhile.

        Returns only once it is; raises Conflict or Unavailable only where it is not, and OutcomeUnknown where
        nobody can tell.
        """

    async def rollback(self) -> None:
        """Forget it."""


class Store(Protocol):
    """What the sequencer asks of a store."""

    async def begin(self, *, moves_clock: bool = False) -> Transaction:
        """Open the transaction of the next batch; one that moves the store's clock has the clock to itself."""
        ...

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows somebody else holds now; ``wait``: queue for one of them for a moment."""
        ...


class Watcher(Protocol):
    """Somebody who is told what a committed batch changed, before its callers are answered."""

    def committed(self, changes: Changes) -> None:
        """Take note. Must not fail and must not wait."""


class Meter(Protocol):
    """Where batches are counted."""

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Count a batch."""


class Limits(msgspec.Struct, frozen=True):
    """How much is taken at once: commands a batch, due work in it, and callers that may wait.

    While the virtual clock is moved, ``moving_times`` as much due work is taken at once: everybody waits for the move.
    While nobody calls it is ``idle_times`` as much: who comes then waits longer, and fewer commits are waited for.
    A crowd of callers is taken in ``backlog_parts`` batches: where the store is another process, it is at work for one
    part while the others are answered and ask again. It is also given what ``part_size`` commands of a batch changed,
    to write it while the next are decided; None: everything together.
    While others wait, at most ``share_max`` of a batch are one party's. A command waits for rows that somebody else
    holds for ``lock_wait_s`` at most.
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


class DueRequest(msgspec.Struct, frozen=True):
    """Ask for work that is due by ``until`` (None: by now) to be done, but for what rests.

    With ``moving`` the virtual clock goes to the first moment at which something is due, and what is due at
    that moment is done.
    """

    until: Instant | None = None
    moving: bool = False
    resting: frozenset[Due] = frozenset()


class DueDone(msgspec.Struct, frozen=True):
    """What became of a piece of due work: an outcome, or what went wrong. DEFERRED: it must wait its turn."""

    due: Due
    outcome: Decision | None = None
    error: Exception | None = None
