"""The state of a store and of its surroundings, as ``leasebook doctor`` looks at it. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import CLOCK_SEEN
from leasebook.domain.record.clock_mark import read
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.clock import RealClock, boot_us
from leasebook.store import revisions
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.queries.snapshot import rows_of
from leasebook.store.sqlite.directory import INDEX, LOCK
from leasebook.store.verify.nouns.overdue import Overdue

LATE_SHOWN_MAX: Final = 3
DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
"""PostgreSQL's parameters without which a commit that was acknowledged may be lost, or a page be torn."""
_NOW_US: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_LOCKS: Final = Path("/proc/locks")
_LOCK_FIELDS: Final = 6
LockKind = Literal["FLOCK", "POSIX"]


class DueState(msgspec.Struct, frozen=True):
    """Due work: ``failed`` was due while a server ran, and was not done; ``waiting`` is due since no server runs.

    ``paused`` is why due work is paused; None: it is not.
    """

    failed: list[str]
    waiting: list[str]
    paused: str | None


def schema_of(where: Target) -> str | None:
    """Return a store's schema; None: it is empty. Raises NewerStore, and BadStore if it cannot be read."""
    tables = revisions.SQLITE_TABLES if where.url is None else revisions.POSTGRES_TABLES
    with rows_of(where) as fetch:
        return revisions.look(lambda text: fetch(text, ()), tables, where.name)


def due_state(where: Target, clock_jump_max_s: int) -> DueState:
    """Return what due work was not done, and whether the clock holds it. Raises BadStore."""
    began = boot_us()
    with rows_of(where) as fetch:
        overdue = Overdue.of(fetch, began)
        return DueState(
            list(overdue.findings(fetch, LATE_SHOWN_MAX)),
            list(overdue.remarks(fetch)),
            _pause_of(fetch, clock_jump_max_s, shared=where.url is not None),
        )


def _pause_of(fetch: Fetch, clock_jump_max_s: int, *, shared: bool) -> str | None:
    facts: dict[str, str] = dict(fetch("SELECT name, value FROM facts WHERE name IN (?, ?)", (CLOCK_MODE, CLOCK_SEEN)))
    if facts.get(CLOCK_MODE) == "virtual":
        return None
    mark = read(facts.get(CLOCK_SEEN))
    clock = RealClock(clock_jump_max_s * SECOND_US, shared=shared, mark=mark)
    if shared:
        ((reading,),) = fetch(_NOW_US, ())
        clock.at(reading)
    if (why := clock.pause_reason()) is not None:
        return why
    return "A server saw the clock jump, and holds due work." if mark is not None and mark.doubted else None


def not_durable(where: Target) -> Iterator[str]:
    """Yield the parameters of a database under which it may lose commits that it acknowledged. Raises BadStore."""
    if where.url is None:
        return
    with rows_of(where) as fetch:
        found: dict[str, str] = dict(fetch("SELECT name, setting FROM pg_settings WHERE name IN (?, ?, ?)", DURABLE))
    yield from (name for name in DURABLE if found.get(name) == "off")


def servers_on(directory: Path) -> set[int]:
    """Return the processes that have an embedded store open, by id: a server, or a program that reads it now."""
    return _holders(directory / LOCK, "FLOCK") | _holders(directory / INDEX, "POSIX")


def server_of(directory: Path) -> int | None:
    """Return the process that has the right to write to an embedded store; None: there is none."""
    return next(iter(_holders(directory / LOCK, "FLOCK")), None)


def _holders(path: Path, kind: LockKind) -> set[int]:
    """Return the processes with a lock on a file. A process of another container has no id here, and counts as 0."""
    try:
        found, locks = path.stat(), _LOCKS.read_text()
    except OSError:
        return set()
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    fields = [line.split() for line in locks.splitlines()]
    return {
        max(0, int(parts[4]))
        for parts in fields
        if len(parts) >= _LOCK_FIELDS and "->" not in parts and parts[1] == kind and parts[5] == name
    }
