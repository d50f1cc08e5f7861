"""Which store is meant by what is said on the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from leasebook.addressing.host_port import port_of, unescaped
from leasebook.batch import Transaction
from leasebook.domain.book.loads import Needed
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

    The directory also holds the master key and the first credentials, whatever the store. ``new``: found an embedded
    store also where one was and is gone.
    """

    directory: Path
    url: str | None = None
    new: bool = False

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


def check_address(where: Target, named: str) -> None:
    """Raise BadStore where no database can have that address; ``named`` is where it is written. It is not shown."""
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
        # What the library says shows parts of the address, and a password may be in it.
        return "PostgreSQL's library makes nothing" if "@" in url else " ".join(f"PostgreSQL says {error}".split())
    except ValueError as error:
        return f"this is wrong: {error}"
    return ""


class OpenStore(Protocol):
    """A store that is open: what the service needs of it."""

    @property
    def schema(self) -> Schema:
        """What was seen of its schema since it was opened."""
        ...

    async def begin(self, *, moves_clock: bool = False) -> Transaction:
        """Open the transaction of the next batch; one that moves the store's clock has the clock to itself."""
        ...

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows somebody else holds now."""
        ...

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Ask a question off the event loop; one that may take ``long`` keeps no other waiting."""
        ...

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Ask a short question on behalf of monitors, who wait for nobody else's."""
        ...

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Ask a question right here; for the start only."""
        ...

    async def close(self) -> None:
        """Close every connection."""


Use = Literal["writing", "reading"]


@runtime_checkable
class MayBeAway(Protocol):
    """A store that another machine keeps."""

    def away(self) -> Mapping[Use, Callable[[], float]]:
        """Return what tells for how many seconds it cannot be had for each use; 0: it can."""
        ...


@runtime_checkable
class OnFiles(Protocol):
    """A store on files that may be exchanged, and may lack what was acknowledged: the embedded one."""

    files: FileWatch

    def prove_mark(self, seals: Seals) -> None:
        """See that nothing acknowledged is missing, by the mark beside the store; raises BadStore."""


def open_store(where: Target, patience: Patience | None = None) -> OpenStore:
    """Open a store, and bring its schema up to date; raises what its constructor raises.

    ``patience``: how long a shared one is waited for, and another program that has the embedded one's write lock.
    """
    if where.url is None:
        from leasebook.store.sqlite.store import SqliteStore

        return SqliteStore(where.directory, (patience or Patience()).lock_wait_s, new=where.new)
    from leasebook.store.postgres.store import PostgresStore

    prepare(where.directory)
    return PostgresStore(where.url, patience)


def upgrade(where: Target) -> str:
    """Bring a store's schema up to date; returns the revision. Raises what opening the store raises."""
    if where.url is None:
        from leasebook.store.sqlite import store as sqlite

        sqlite.upgrade(where.directory)
    else:
        from leasebook.store.postgres import store as postgres

        postgres.upgrade(where.url)
    return latest()
