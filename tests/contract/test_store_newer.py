"""A newer version brings a store that is open to its own schema: who does not know that writes no more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, insert, select
from sqlalchemy.pool import NullPool

from leasebook.batch import Outdated
from leasebook.store import migrate, revisions
from leasebook.store.newer import MIGRATION_LOCK, WRITABLE_FROM
from leasebook.store.opening import OpenStore, Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.postgres.store import PostgresStore
from leasebook.store.rows.schema import facts
from leasebook.store.sqlite.store import FILE
from tests.newer import NEXT, becoming, write_next


def write(target: Target, *statements: str) -> None:
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for text in statements:
            connection.exec_driver_sql(text)
    engine.dispose()


async def a_batch(store: OpenStore) -> None:
    transaction = await store.begin()
    await transaction.commit()


async def test_a_store_of_a_schema_that_is_not_known_is_written_no_more_and_that_is_news_once(migrated: Target) -> None:
    store = open_store(migrated)
    try:
        await a_batch(store)
        write(migrated, f"UPDATE alembic_version SET version_num = '{NEXT}'")
        with pytest.raises(Outdated, match=f"schema {NEXT}") as first:
            await store.begin()
        with pytest.raises(Outdated) as again:
            await store.begin()
        assert (first.value.is_news, again.value.is_news) == (True, False)
        assert store.schema.broken() is not None
        # Nothing is left open that keeps anybody from writing.
        write(migrated, f"UPDATE alembic_version SET version_num = '{revisions.latest()}'")
        with pytest.raises(Outdated):
            await store.begin()
    finally:
        await store.close()


@pytest.mark.parametrize(("oldest", "goes_on"), [(revisions.latest(), True), ("0001", True), (NEXT, False)])
async def test_a_schema_that_is_declared_compatible_is_written_on(
    migrated: Target, oldest: str, *, goes_on: bool
) -> None:
    store = open_store(migrated)
    try:
        await a_batch(store)
        fact = f"INSERT INTO facts (name, value) VALUES ('{WRITABLE_FROM}', '{oldest}')"
        write(migrated, f"UPDATE alembic_version SET version_num = '{NEXT}'", fact)
        if goes_on:
            await a_batch(store)
            assert store.schema.broken() is None
        else:
            with pytest.raises(Outdated):
                await store.begin()
    finally:
        await store.close()


async def test_what_somebody_else_writes_without_changing_the_schema_is_no_reason_to_stop(migrated: Target) -> None:
    store = open_store(migrated)
    try:
        for number in range(2):
            await a_batch(store)
            write(migrated, f"INSERT INTO facts (name, value) VALUES ('some-{number}', '')")
        await a_batch(store)
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("kept", "declared", "said"),
    [
        (None, None, None),
        (None, revisions.latest(), revisions.latest()),
        (None, "0001", revisions.latest()),
        ("0010", "0003", "0010"),
        ("0010", None, None),
    ],
)
def test_a_migration_says_who_may_go_on_writing_and_never_more_than_those_before_it(
    migrated: Target, tmp_path: Path, kept: str | None, declared: str | None, said: str | None
) -> None:
    if kept is not None:
        write(migrated, f"INSERT INTO facts (name, value) VALUES ('{WRITABLE_FROM}', '{kept}')")
    folder = write_next(tmp_path / "coming", writable_from=declared)
    with becoming(folder):
        assert upgrade(migrated) == NEXT
    url = f"sqlite:///{migrated.directory / FILE}" if migrated.url is None else postgres.sqlalchemy_url(migrated.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        found = connection.execute(select(facts.c.value).where(facts.c.name == WRITABLE_FROM)).scalar()
    engine.dispose()
    assert found == said


async def test_a_migration_waits_for_batches_and_those_that_begin_meanwhile_know_of_it(migrated: Target) -> None:
    if migrated.url is None:
        pytest.skip("the embedded store has one writer at a time by itself")
    store = PostgresStore(migrated.url or "")
    guard = await psycopg.AsyncConnection.connect(migrated.url or "")
    try:
        under_way = await store.begin()
        lock = asyncio.create_task(guard.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})".encode()))
        await asyncio.sleep(0.1)
        assert not lock.done()
        await under_way.commit()
        await lock
        late = asyncio.create_task(store.begin())
        await asyncio.sleep(0.1)
        assert not late.done()
        await guard.execute(f"UPDATE alembic_version SET version_num = '{NEXT}'".encode())
        await guard.commit()
        with pytest.raises(Outdated):
            await late
    finally:
        await guard.close()
        await store.close()


def test_the_schema_of_a_new_store_needs_no_word_about_older_servers(target: Target) -> None:
    upgrade(target)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        assert migrate.current(connection, "it") == revisions.latest()
        assert connection.execute(select(facts).where(facts.c.name == WRITABLE_FROM)).all() == []
        connection.execute(insert(facts).values(name="kept", value=""))
    engine.dispose()
