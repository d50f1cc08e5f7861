"""Copying a whole store into an empty one, of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Table, create_engine, delete, func, insert, select, text, tuple_
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from leasebook.domain.commands.store.bootstrap import FOUNDED
from leasebook.ports.progress import Progress, unseen
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH
from leasebook.store import migrate
from leasebook.store.errors import BadStore
from leasebook.store.opening import Target
from leasebook.store.postgres import store as postgres
from leasebook.store.rows.schema import facts, metadata
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.directory import locked
from leasebook.store.sqlite.mark import Mark, pages_in
from leasebook.store.sqlite.missing import check_log
from leasebook.store.sqlite.there import store_in
from leasebook.store.verify.check import check_store

ROWS: Final = 2000
"""Rows in memory at once."""


class Copied(msgspec.Struct, frozen=True):
    """The rows copied, by table, and the summary of the check of the copy."""

    rows: dict[str, int]
    summary: str


def copy(source: Target, goal: Target, progress: Progress = unseen) -> Copied:
    """Copy every row, from one consistent snapshot of the source, and check the copy.

    An embedded source must not be served meanwhile; a database source is read in one snapshot. Raises BadStore if the
    goal is not empty or the copy fails its check, StoreInUse and NewerStore.
    """
    _require(source)
    stage = _Stage(progress)
    try:
        rows = _copy(source, goal, stage)
    except DBAPIError as error:
        reason = " ".join(str(error.orig or error).split())
        what = (
            "in the act of committing, and nobody can say whether anything was copied. If it was, the same command "
            f"refuses {goal.name}, since it is not empty"
            if stage.commits
            else "and nothing was copied"
        )
        raise BadStore(f"copying {source.name} to {goal.name} stopped, {what}: {reason}") from None
    return Copied(rows, _checked(source, goal, progress))


class _Stage(msgspec.Struct):
    """The progress of a copy. ``total`` is the number of rows; None: they are not counted."""

    progress: Progress
    commits: bool = False
    copied: int = 0
    total: int | None = None


def _checked(source: Target, goal: Target, progress: Progress) -> str:
    """Check the copy; returns the summary. Raises BadStore; the copy stays even then."""
    try:
        report = check_store(goal, progress=progress)
    except BadStore as error:
        raise BadStore(
            f"everything was copied from {source.name} to {goal.name}, and the check of it did not come to its end: "
            f"{error}. Prove it with leasebook check before it is served"
        ) from None
    if report.findings:
        raise BadStore(
            f"the copy does not check: {report.findings[0]} (and {len(report.findings) - 1} more). See with leasebook "
            f"check whether {source.name} has the same; what was copied stays in {goal.name}, for you to remove"
        )
    return report.summary


def _copy(source: Target, goal: Target, stage: _Stage) -> dict[str, int]:
    if goal.url is None:
        # A mark left by a former store says nothing about this one.
        _require_empty(goal)
        Mark(goal.directory).set_aside()
    with _engine(source) as reading, _engine(goal) as writing:
        migrate.upgrade(reading, source.name)
        migrate.upgrade(writing, goal.name)
        with reading.connect() as old, writing.begin() as new:
            if goal.url is not None:
                new.execute(text("LOCK TABLE facts IN EXCLUSIVE MODE"))
            if new.execute(select(facts.c.value).where(facts.c.name == FOUNDED)).first() is not None:
                raise BadStore(f"{goal.name} is not empty; give a new database or directory.")
            if source.url is not None:
                old.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            # The migrations have written metadata for an empty store, which does not fit the copied rows.
            new.execute(delete(facts))
            if stage.progress is not unseen:
                counts = [old.execute(select(func.count()).select_from(table)) for table in metadata.sorted_tables]
                stage.total = sum(int(count.scalar_one()) for count in counts)
            rows = {table.name: _copy_table(old, new, table, stage) for table in metadata.sorted_tables}
            _set_epoch(new, goal)
            stage.commits = True
    return rows


def _set_epoch(new: Connection, goal: Target) -> None:
    """Set the identity epoch, which only a store for several servers has: they learn from it of changed rights."""
    new.execute(delete(facts).where(facts.c.name == IDENTITY_EPOCH))
    if goal.url is not None:
        new.execute(insert(facts).values(name=IDENTITY_EPOCH, value="1"))


def _require_empty(goal: Target) -> None:
    path = goal.directory / sqlite.FILE
    if path.exists() and path.stat().st_size and Mark(goal.directory).path.exists():
        raise BadStore(f"{goal.name} is not empty; give a new database or directory.")


def _require(source: Target) -> None:
    if source.url is not None:
        return
    path = store_in(source.directory, writing=True)
    if (marked := Mark(source.directory).read()) is not None:
        marked.check(pages_in(sqlite.connect(path, read_only=True), path))


@contextmanager
def _engine(where: Target) -> Iterator[Engine]:
    """Open a store for copying; an embedded store stays locked against servers meanwhile."""
    if where.url is not None:
        postgres.connect(where.url).close()
        engine = postgres.engine_of(where.url)
        try:
            yield engine
        finally:
            engine.dispose()
        return
    check_log(where.directory)
    with locked(where.directory):
        path = where.directory / sqlite.FILE
        engine = create_engine("sqlite://", creator=lambda: sqlite.connect(path), poolclass=NullPool)
        # The driver begins no transaction for what makes tables: a copy that was killed would leave some of them.
        listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            yield engine
        finally:
            engine.dispose()


def _copy_table(old: Connection, new: Connection, table: Table, stage: _Stage) -> int:
    """Copy one table in the order of its key, a few thousand rows at a time."""
    key = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    copied = 0
    while True:
        page = select(table).order_by(*key).limit(ROWS)
        if last is not None:
            page = page.where(tuple_(*key) > tuple_(*last))
        rows = [dict(row) for row in old.execute(page).mappings()]
        if not rows:
            break
        new.execute(insert(table), rows)
        copied += len(rows)
        stage.copied += len(rows)
        stage.progress("copied", stage.copied, stage.total)
        last = tuple(rows[-1][column.name] for column in key)
    if copied and "seq" in table.c and new.dialect.name == "postgresql":
        # New rows are numbered after the copied ones.
        top = select(func.max(table.c.seq)).scalar_subquery()
        new.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "seq"), top)))
    return copied
