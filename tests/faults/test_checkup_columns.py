"""Whatever value of whatever column is another one than it was: check finds it, or says why it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import Boolean, Column, Integer, Table

from leasebook.cli.stores import audit_keys
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import _checked, check_database, check_directory
from leasebook.store.verify.files import embedded
from leasebook.store.verify.looking import Looking
from leasebook.store.verify.unproved import UNPROVED
from tests.copies import ROUNDS, empty
from tests.depth import few, some
from tests.lived import live

TABLES: Final = [table.name for table in metadata.sorted_tables]
FORGOTTEN: Final = {"audit_closures", "deliveries", "lanes", "nonces", "notice_rates"}
"""Tables in which the store may have no row."""
SAMPLE: Final = some(("tokens", "order_rows", "posting_rows", "units", "hooks"), 2)
"""The tables that are tried on PostgreSQL, too. The rules are the same; only the dialect is another one."""
ROWS: Final = 1 if ROUNDS == 1 else 2
"""Rows of a table that are tried, a column of each at a time; and as many other values."""
COLUMNS_EVERY: Final = few(5, 1)
"""An ordinary run tries every fifth column of a table."""
TURNED: Final = (
    "CREATE OPERATOR CLASS turned FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, "
    "OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 up(int4, int4)"
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A store in which everything happened once."""
    where = Target(tmp_path_factory.mktemp("lived") / "data")
    live(where)
    return where


@pytest.fixture(scope="module")
def keys(lived: Target) -> AuditKeys:
    """The keys of its audit log."""
    found = audit_keys(lived)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def shared(lived: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The same store on PostgreSQL."""
    with empty("postgres", tmp_path_factory.mktemp("shared") / "data") as where:
        copy(lived, where)
        yield where


class OneIsFoundError(Exception):
    """The check has found something."""


class LookingForOne(Looking):
    """Ends the check with the part that finds something: a damage that is seen need not be seen by all parts."""

    def part(self, what: str, lines: Iterable[str]) -> None:
        """Collect the first finding of a part, as long as there was none; raises OneIsFoundError when there is."""
        super().part(what, islice(lines, 1))
        if self.findings:
            raise OneIsFoundError


def finds_one(looking: LookingForOne, keys: AuditKeys) -> bool:
    """Whether a check finds anything."""
    try:
        return bool(_checked(looking, keys, "").findings)
    except OneIsFoundError:
        return True


def others(value: Any, column: Column[Any], values: Sequence[Any]) -> Iterator[Any]:
    """Return what a column could be instead: something next to it, something of another row, and nothing."""
    if isinstance(value, bytes | memoryview):
        yield bytes(value)[:-1] + bytes([bytes(value)[-1] ^ 1]) if value else b"x"
    elif isinstance(column.type, Boolean):
        yield (not value) if isinstance(value, bool) else 1 - value
    elif value is None:
        yield 1_900_000_000_000_000 if isinstance(column.type, Integer) else "x"
    elif isinstance(value, str):
        yield value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    else:
        yield value + 1
    if value is not None:
        yield from [one for one in values if one not in (value, None)][:1]


def damages(fetch: Fetch, table: Table) -> Iterator[tuple[Column[Any], str, tuple[Any, ...]]]:
    """Return ways to damage a table: the column, a statement, and its parameters."""
    names = [column.name for column in table.columns]
    key = [column.name for column in table.primary_key.columns]
    rows = fetch(f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {', '.join(key)}", ())
    for place, column in islice(enumerate(table.columns), len(table.name) % COLUMNS_EVERY, None, COLUMNS_EVERY):
        values = [row[place] for row in rows]
        # Rows of different values, one with nothing and one with something among them.
        found = sorted(zip(values, rows, strict=True), key=lambda pair: pair[0] is None, reverse=True)
        chosen = dict(reversed([(value is None, row) for value, row in found]))
        for row in [*chosen.values()][:ROWS]:
            where = " AND ".join(f"{name} = ?" for name in key)
            keyed = [row[names.index(name)] for name in key]
            for other in islice(others(row[place], column, values), ROWS):
                yield column, f"UPDATE {table.name} SET {column.name} = ? WHERE {where}", (other, *keyed)


def unseen(fetch: Fetch, table: Table, check: Callable[[], bool], put_back: Any) -> set[str]:
    """Damage a table in every way; returns the columns whose damage was not found; each is mended again."""
    missed: set[str] = set()
    for column, text, params in [*damages(fetch, table)]:
        with put_back():
            try:
                fetch(text, params)
            except (sqlite3.IntegrityError, psycopg.IntegrityError):
                continue
            if not check():
                missed.add(f"{table.name}.{column.name}")
    return missed


def test_a_store_that_is_not_damaged_is_right(lived: Target, keys: AuditKeys) -> None:
    with closing(sqlite3.connect(lived.directory / FILE, isolation_level=None)) as connection:
        assert _checked(Looking(embedded(connection)), keys, "").findings == []


@pytest.mark.parametrize("name", TABLES)
def test_no_value_of_the_embedded_store_changes_unseen(lived: Target, keys: AuditKeys, name: str) -> None:
    with closing(sqlite3.connect(lived.directory / FILE, isolation_level=None)) as connection:
        fetch = embedded(connection)

        @contextmanager
        def put_back() -> Iterator[None]:
            connection.execute("BEGIN")
            yield
            connection.execute("ROLLBACK")

        table = metadata.tables[name]
        assert name in FORGOTTEN or fetch(f"SELECT 1 FROM {name} LIMIT 1", ())
        missed = unseen(fetch, table, lambda: finds_one(LookingForOne(fetch), keys), put_back)
    assert missed - UNPROVED.keys() == set()


@pytest.mark.parametrize("name", SAMPLE)
def test_no_value_of_a_shared_store_changes_unseen(shared: Target, keys: AuditKeys, name: str) -> None:
    assert shared.url is not None
    with psycopg.connect(shared.url) as connection:

        def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
            cursor = connection.execute(text.replace("?", "%s").encode(), params)
            return cursor.fetchall() if cursor.description is not None else []

        @contextmanager
        def put_back() -> Iterator[None]:
            yield
            connection.rollback()

        missed = unseen(
            fetch,
            metadata.tables[name],
            lambda: finds_one(LookingForOne(fetch, connection.transaction), keys),
            put_back,
        )
    assert missed - UNPROVED.keys() == set()


def test_reasons_are_given_for_columns_that_there_are() -> None:
    known = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    assert UNPROVED.keys() - known == set()


def test_a_shared_store_says_whether_the_database_could_check_itself(shared: Target) -> None:
    assert shared.url is not None
    assert "amcheck is not installed" in check_database(shared.url).summary
    with psycopg.connect(shared.url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION amcheck")
        report = check_database(shared.url)
        assert report.findings == []
        assert f"amcheck looked at {len(TABLES) + 1} tables" in report.summary
        # An index whose order is another one than it was made in, as after an upgrade of the system's locales.
        for text in (
            "CREATE FUNCTION up(a int4, b int4) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp(a, b)'",
            "CREATE FUNCTION down(a int4, b int4) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp(b, a)'",
            TURNED,
            "CREATE TABLE beside AS SELECT g AS number FROM generate_series(1, 2000) g",
            "CREATE INDEX beside_number ON beside (number turned)",
            "UPDATE pg_amproc SET amproc = 'down'::regproc WHERE amproc = 'up'::regproc",
        ):
            connection.execute(text.encode())
    assert any("index beside_number" in finding for finding in check_database(shared.url).findings)


def test_text_that_is_none_a_table_that_is_gone_and_rows_of_other_kinds_are_named(
    lived: Target, tmp_path: Path
) -> None:
    spoiled = tmp_path / "data"
    spoiled.mkdir()
    (spoiled / FILE).write_bytes((lived.directory / FILE).read_bytes())
    with closing(sqlite3.connect(spoiled / FILE)) as connection, connection:
        connection.execute("UPDATE services SET description = CAST(x'ff41' AS TEXT) WHERE seq = 1")
        connection.execute("UPDATE units SET placements = '[[' WHERE seq = 2")
        connection.execute("UPDATE units SET status = 'Runnin' WHERE seq = 3")
        connection.execute("UPDATE order_rows SET count = 'many' WHERE seq = 1")
        connection.execute("DROP TABLE quotes")
        connection.execute("UPDATE posting_rows SET amount = amount + 1 WHERE seq = 1")
    findings = check_directory(spoiled).findings
    for said in (
        "table quotes is missing",
        "services seq=1 has the description b'\\xffA', which it cannot have",
        "units seq=2 cannot be read",
        "units seq=3 has the status 'Runnin', which it cannot have",
        "orders seq=1 has the count 'many', which it cannot have",
    ):
        assert any(said in finding for finding in findings), said
    assert any("its postings sum up to" in finding for finding in findings), "the rest is checked all the same"
