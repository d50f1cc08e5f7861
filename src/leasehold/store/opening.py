"""Which store is meant by what is said on the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from leasehold.domain.book import Needed
from leasehold.questions import Questions
from leasehold.sequencer import Transaction
from leasehold.store.directory import prepare
from leasehold.store.errors import BadStore
from leasehold.store.revisions import latest
from leasehold.store.writer import LOCK_WAIT_S

T = TypeVar("T")


class Target(msgspec.Struct, frozen=True):
    """A store: the embedded one in ``directory``, or the database at ``url``.

    The directory also holds the master key and the first credentials, whatever the store.
    """

    directory: Path
    url: str | None = None

    @property
    def name(self) -> str:
        """What messages call it; never with a password."""
        if self.url is None:
            return str(self.directory)
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


def target(directory: Path, url: str | None) -> Target:
    """Read ``--data`` and ``--store``; raises BadStore for a kind of store that is not known."""
    if url is None:
        return Target(directory)
    if url.startswith("sqlite:///"):
        return Target(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        return Target(directory, url.replace("postgres://", "postgresql://", 1))
    scheme = url.partition("://")[0]
    raise BadStore(f"--store {scheme}://…: the stores are sqlite:///DIRECTORY and postgresql://HOST/DATABASE.")


class OpenStore(Protocol):
    """A store that is open: what the service needs of it."""

    async def begin(self, *, moves_clock: bool = False) -> Transaction:
        """Open the transaction of the next batch; one that moves the store's clock has the clock to itself."""
        ...

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows somebody else holds now."""
        ...

    async def read(self, question: Callable[[Questions], T], *, long: bool = False, party: str | None = None) -> T:
        """Ask a question off the event loop; one that may take ``long`` keeps no other waiting."""
        ...

    async def glance(self, question: Callable[[Questions], T]) -> T:
        """Ask a short question on behalf of monitors, who wait for nobody else's."""
        ...

    def ask(self, question: Callable[[Questions], T]) -> T:
        """Ask a question right here; for the start only."""
        ...

    async def close(self) -> None:
        """Close every connection."""


def open_store(where: Target, *, lock_wait_s: float | None = None) -> OpenStore:
    """Open a store, and bring its schema up to date; raises what its constructor raises.

    A batch of the embedded store waits for ``lock_wait_s`` for another program that has the write lock.
    """
    if where.url is None:
        from leasehold.store.sqlite import SqliteStore

        return SqliteStore(where.directory, LOCK_WAIT_S if lock_wait_s is None else lock_wait_s)
    from leasehold.store.postgres import PostgresStore

    prepare(where.directory)
    return PostgresStore(where.url)


def upgrade(where: Target) -> str:
    """Bring a store's schema up to date; returns the revision. Raises what opening the store raises."""
    if where.url is None:
        from leasehold.store import sqlite

        sqlite.upgrade(where.directory)
    else:
        from leasehold.store import postgres

        postgres.upgrade(where.url)
    return latest()
