"""The choice of a store from the command line, and the interface of an open store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from leasebook.addressing.host_port import port_of, unescaped
from leasebook.batch import Transaction
from leasebook.domain.book.loads import Needed
from leasebook.ports.progress import Progress, unseen
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.errors import BadStore
from leasebook.store.newer import Schema
from leasebook.store.postgres.timeouts import Patience
from leasebook.store.revisions import latest
from leasebook.store.sqlite.directory import prepare
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.mark import Seals

T = TypeVar("T")


class Target(msgspec.Struct, frozen=True):
    """A store: the embedded one in ``directory``, or the database at ``url``.

    The directory also has the master key and the first credentials, for either kind. ``new``: create an embedded store
    even if one was there and is gone.
    """

    directory: Path
    url: str | None = None
    new: bool = False

    @property
    def name(self) -> str:
        """Its name in messages; never with a password."""
        if self.url is None:
            return str(self.directory)
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


def target(directory: Path, url: str | None) -> Target:
    """Parse ``--data`` and ``--store``; raises BadStore for an unknown kind of store."""
    if url is None:
        return Target(directory)
    if url.startswith("sqlite:///"):
        return Target(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        return Target(directory, url.replace("postgres://", "postgresql://", 1))
    scheme = url.partition("://")[0]
    raise BadStore(f"--store {scheme}://…: the stores are sqlite:///DIRECTORY and postgresql://HOST/DATABASE.")


def check_address(where: Target, named: str) -> None:
    """Raise BadStore for an invalid address, without showing it; ``named`` is the setting or option that has it."""
    if where.url is not None and (fault := _fault_of(where.url)):
        raise BadStore(f"{named}: found an address (not shown) of which {fault}; write postgresql://HOST/DATABASE.")


def _fault_of(url: str) -> str:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        unescaped(url)
        given = conninfo_to_dict(url)
        for port in filter(None, str(given.get("port") or "").split(",")):
            port_of(port)
    except psycopg.Error as error:
        # The library's message shows parts of the address, and a password may be in it.
        return "PostgreSQL's library makes nothing" if "@" in url else " ".join(f"PostgreSQL says {error}".split())
    except ValueError as error:
        return f"this is wrong: {error}"
    return ""


class OpenStore(Protocol):
    """An open store, as the service uses it."""

    @property
    def schema(self) -> Schema:
        """The state of its schema since it was opened."""
        ...

    async def begin(self, *, moves_clock: bool = False) -> Transaction:
        """Open the transaction of the next batch; one that moves the store's clock excludes all others."""
        ...

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return the needs that another session has locked."""
        ...

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer a query off the event loop; ``long`` queries do not delay others."""
        ...

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a short query of a monitor, without waiting for other queries."""
        ...

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a query on the event loop; only for the start."""
        ...

    async def close(self) -> None:
        """Close every connection."""


Use = Literal["writing", "reading"]


@runtime_checkable
class MayBeAway(Protocol):
    """A store on another machine."""

    def away(self) -> Mapping[Use, Callable[[], float]]:
        """Return, for each use, a function that returns how many seconds the store has been away; 0: it is there."""
        ...


@runtime_checkable
class OnFiles(Protocol):
    """A store on files that can be replaced and can lack acknowledged pages: the embedded one."""

    files: FileWatch

    def prove_mark(self, seals: Seals) -> None:
        """Check by the mark that no acknowledged page is missing; raises BadStore."""


def open_store(where: Target, patience: Patience | None = None) -> OpenStore:
    """Open a store, and migrate its schema; raises the errors of its constructor.

    ``patience``: the bounds of waiting for a shared store, and for another program's write lock on the embedded one.
    """
    if where.url is None:
        from leasebook.store.sqlite.store import SqliteStore

        bounds = patience or Patience()
        return SqliteStore(where.directory, bounds.lock_wait_s, read_wait_s=bounds.silent_s, new=where.new)
    from leasebook.store.postgres.store import PostgresStore

    prepare(where.directory)
    return PostgresStore(where.url, patience)


def upgrade(where: Target, progress: Progress = unseen) -> str:
    """Migrate a store's schema; returns the revision. Raises the errors of opening the store."""
    if where.url is None:
        from leasebook.store.sqlite import store as sqlite

        sqlite.upgrade(where.directory, progress)
    else:
        from leasebook.store.postgres import store as postgres

        postgres.upgrade(where.url, progress)
    return latest()
