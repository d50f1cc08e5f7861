"""Names and tags in a store: the index of tags follows the rows, and ``check`` names each difference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import ChargedTags
from leasebook.domain.book.tables import FORMER_TAGS, RESOURCE_TAGS
from leasebook.domain.costs.rows import FormerTags
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.store.opening import Target, open_store
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.tags import tag_findings
from tests.contract.batches import write
from tests.contract.rows import unit
from tests.simulation.test_histories import fetched

ENTRIES: Final = "SELECT kind, key, value FROM tagged ORDER BY kind, key"
HAS: Final = "the index of tags has"
WRONG: Final = {
    "DELETE FROM tagged WHERE key = 'team'": [
        f"{HAS} 'team' of unit-1 as None, and it is 'vision'",
    ],
    "UPDATE tagged SET value = 'speech' WHERE key = 'team'": [
        f"{HAS} 'team' of unit-1 as 'speech', and it is 'vision'"
    ],
    "UPDATE tagged SET seq = 77 WHERE key = 'leasebook:name'": [
        f"{HAS} 'leasebook:name' of unit-1 as None, and it is 'training'",
        f"{HAS} 2 entries of the kind unit, and things have 1",
    ],
    "INSERT INTO tagged (account_id, kind, key, seq, value) VALUES ('acc-1', 'unit', 'more', 1, '')": [
        f"{HAS} 3 entries of the kind unit, and things have 2"
    ],
    "INSERT INTO tagged (account_id, kind, key, seq, value) VALUES ('acc-1', 'x', 'more', 1, '')": [
        f"{HAS} 'more' of the kind 'x', which no thing has"
    ],
    "DELETE FROM tags": [f"{HAS} 2 entries of the kind unit, and things have 0"],
    "UPDATE tags SET tags = 'x'": ["tags of unit-1 cannot be read"],
    "UPDATE tags SET tags = '[]'": ["tags of unit-1 cannot be read"],
    "UPDATE tags SET name = NULL": [f"{HAS} 2 entries of the kind unit, and things have 1"],
    "DELETE FROM units": ["tags of unit-1 are account acc-1's, which has no such thing"],
    "UPDATE tags SET id = 'sub-1', kind = 'sub'": ["tags of sub-1 are account acc-1's, which has no such thing"],
    "UPDATE tags SET account_id = 'acc-2'": ["tags of unit-1 are account acc-2's, which has no such thing"],
    "UPDATE tags SET kind = 'svco'": ["tags of unit-1 are of another kind than its id"],
}


def _asked(connection: Connection, sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Ask within a transaction that is not committed."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    return [tuple(row) for row in connection.exec_driver_sql(sql.replace("?", mark), tuple(given))]


async def test_the_index_of_tags_follows_the_rows_and_check_names_each_difference(migrated: Target) -> None:
    url = f"sqlite:///{migrated.directory / FILE}" if migrated.url is None else postgres.sqlalchemy_url(migrated.url)
    engine = create_engine(url, poolclass=NullPool)
    store = open_store(migrated)
    try:
        await write(store, unit("unit-1"), unit("unit-2"))
        assert fetched(store, lambda fetch: fetch("SELECT count(*) FROM tags", ())) == [(0,)]
        await write(store, ResourceTags("unit-1", "acc-1", "unit", None, {"team": "speech", "stage": "test"}))
        await write(store, ResourceTags("unit-1", "acc-1", "unit", "training", {"team": "vision"}))
        assert fetched(store, lambda fetch: fetch(ENTRIES, ())) == [
            ("unit", "leasebook:name", "training"),
            ("unit", "team", "vision"),
        ]
        assert fetched(store, lambda fetch: [*tag_findings(fetch, 99)]) == []
        for damage, expected in WRONG.items():
            with engine.connect() as connection:
                connection.execute(text(damage))
                found = [*tag_findings(partial(_asked, connection), 99)]
                connection.rollback()
            assert [one for one in expected if one not in found] == [], damage
    finally:
        engine.dispose()
        await store.close()


async def test_charges_read_the_tags_of_now_those_since_a_moment_and_those_of_the_last_change(migrated: Target) -> None:
    store = open_store(migrated)
    try:
        await write(store, unit("unit-1"), unit("unit-2"), unit("unit-3"))
        for at in (10, 20, 30):
            await write(store, FormerTags("unit-1", Instant(at), {"n": f"{at}"}))
        await write(store, ResourceTags("unit-1", "acc-1", "unit", None, {"n": "now"}, Instant(30)))
        await write(store, FormerTags("unit-2", Instant(5), {"n": "5"}))
        await write(store, ResourceTags("unit-2", "acc-1", "unit", None, {}, Instant(5)))
        book, transaction = Book(), await store.begin()
        await transaction.load({ChargedTags(("unit-1", "unit-2", "unit-3"), Instant(20))}, book)
        await transaction.rollback()
        rows = book.rows[RESOURCE_TAGS]
        assert {key: row and row.tags for (key,), row in rows.items()} == {
            "unit-1": {"n": "now"},
            "unit-2": {},
            "unit-3": None,
        }
        assert sorted(book.rows[FORMER_TAGS]) == [("unit-1", 20), ("unit-1", 30), ("unit-2", 5)]
    finally:
        await store.close()
