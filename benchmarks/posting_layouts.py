"""Postings as rows, or a batch's postings of an account as one row: ``python -m benchmarks.posting_layouts``.

Hourly charges are written hour by hour, 256 to a commit, in two layouts: this version's table with its indexes, and
pages, which have an account's charges of a commit in one compressed value, with an index by account and time and one
by instance. Then three questions are asked of both: the newest hundred charges of an account, the month's sums of an
account by instance (a statement), and the charges of one instance. Printed: bytes for each posting, and processor time,
with the database's on PostgreSQL. Accounts and instances are numbers, so that no look-up is part of it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import psycopg
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from leasebook.domain.values.calendar import HOUR_US
from leasebook.store.rows.postings import DAY
from leasebook.store.rows.schema import metadata

BATCH: Final = 256
BEGIN: Final = 1_900_000_000_000_000 // HOUR_US * HOUR_US
COLUMNS: Final = ("at", "amount", "price", "since", "unit", "count", "account", "minutes", "kind")
PAGE: Final = 100
PAGES: Final = (
    "CREATE TABLE pages (seq {number}, first_at BIGINT, last_at BIGINT, account INT NOT NULL, charges {blob} NOT NULL)",
    "CREATE INDEX pages_account ON pages (account, last_at)",
    "CREATE TABLE page_units (unit BIGINT NOT NULL, page BIGINT NOT NULL, PRIMARY KEY (unit, page)) {without}",
)
Charge = tuple[Any, ...]

_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(list[tuple[int, int, int, int, int, int, int, int, str]]).decode


class Store(ABC):
    """A store of one layout."""

    @abstractmethod
    def run(self, text: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run a statement; returns its rows."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""

    @abstractmethod
    def commit(self) -> None:
        """Commit."""

    @abstractmethod
    def cpu_s(self) -> float:
        """Return the processor time so far, with the database's."""

    @abstractmethod
    def sizes(self) -> int:
        """Return the bytes of the layout's tables and indexes."""


class Embedded(Store):
    """SQLite, opened as the store opens it."""

    def __init__(self, folder: str, ddl: Sequence[str]) -> None:
        self._connection = sqlite3.connect(Path(folder) / "bench.db", isolation_level="IMMEDIATE")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        for text in ddl:
            self._connection.execute(text)
        self._connection.commit()

    def run(self, text: str, params: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(text, params).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" for _ in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def commit(self) -> None:
        self._connection.commit()

    def cpu_s(self) -> float:
        return time.process_time()

    def sizes(self) -> int:
        ((size,),) = self.run("SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name <> 'sqlite_schema'")
        return int(size)


class Shared(Store):
    """PostgreSQL, with an array for each column."""

    _TYPES: Final = {"kind": "text", "charges": "bytea", "account": "int", "minutes": "int"}

    def __init__(self, url: str, ddl: Sequence[str]) -> None:
        self._connection = psycopg.connect(url, prepare_threshold=1)
        self._process = Path(f"/proc/{self._connection.info.backend_pid}/schedstat")
        for text in ddl:
            self.run(text)
        self.commit()

    def run(self, text: str, params: Sequence[Any] = ()) -> list[Any]:
        cursor = self._connection.execute(cast("Any", text.replace("?", "%s")), params)
        return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        arrays = ", ".join(f"?::{self._TYPES.get(name, 'bigint')}[]" for name in columns)
        text = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"
        self.run(text, [list(column) for column in zip(*rows, strict=True)])

    def commit(self) -> None:
        self._connection.commit()

    def cpu_s(self) -> float:
        return time.process_time() + int(self._process.read_text().split()[0]) / 1e9

    def sizes(self) -> int:
        ((size,),) = self.run(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
            "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        )
        return int(size)


class Layout(ABC):
    """A way to keep postings."""

    name: str

    @abstractmethod
    def ddl(self, kind: str) -> list[str]:
        """Return the statements that create it."""

    @abstractmethod
    def write(self, store: Store, charges: Sequence[Charge]) -> None:
        """Write a commit's charges."""

    @abstractmethod
    def newest(self, store: Store, account: int) -> list[Charge]:
        """Return the newest hundred charges of an account."""

    @abstractmethod
    def sums(self, store: Store, account: int, since: int, until: int) -> dict[int, int]:
        """Return what the instances of an account cost in a time."""

    @abstractmethod
    def of_unit(self, store: Store, unit: int) -> list[Charge]:
        """Return all charges of an instance."""


class Rows(Layout):
    """A row for each posting."""

    name = "rows"

    def ddl(self, kind: str) -> list[str]:
        dialect = sqlite.dialect() if kind == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
        table = metadata.tables["posting_rows"]
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        orders: list[CreateTable | CreateIndex] = [CreateTable(table), *map(CreateIndex, indexes)]
        return [str(made.compile(dialect=dialect)) for made in orders]

    def write(self, store: Store, charges: Sequence[Charge]) -> None:
        store.insert("posting_rows", COLUMNS, charges)

    _SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM posting_rows"

    def newest(self, store: Store, account: int) -> list[Charge]:
        return store.run(f"{self._SELECT} WHERE account = ? ORDER BY at DESC, seq DESC LIMIT {PAGE}", (account,))

    def sums(self, store: Store, account: int, since: int, until: int) -> dict[int, int]:
        text = "SELECT unit, sum(amount) FROM posting_rows WHERE account = ? AND at >= ? AND at < ? GROUP BY unit"
        return {unit: int(total) for unit, total in store.run(text, (account, since, until))}

    def of_unit(self, store: Store, unit: int) -> list[Charge]:
        return store.run(f"{self._SELECT} WHERE unit = ? AND {DAY} >= 0 ORDER BY {DAY}", (unit,))


class Pages(Layout):
    """A row for an account's postings of a commit."""

    name = "pages"

    def ddl(self, kind: str) -> list[str]:
        if kind == "sqlite":
            words = {"number": "INTEGER PRIMARY KEY", "blob": "BLOB", "without": "WITHOUT ROWID"}
        else:
            words = {"number": "BIGSERIAL PRIMARY KEY", "blob": "BYTEA", "without": ""}
        return [text.format(**words) for text in PAGES]

    def __init__(self) -> None:
        self._last = 0

    def write(self, store: Store, charges: Sequence[Charge]) -> None:
        owners: dict[int, list[Charge]] = {}
        for charge in charges:
            owners.setdefault(charge[6], []).append(charge)
        rows, units = [], []
        for account, own in owners.items():
            self._last += 1
            times = [charge[0] for charge in own]
            rows.append((self._last, min(times), max(times), account, zlib.compress(_write(own), 1)))
            units += [(charge[4], self._last) for charge in own]
        store.insert("pages", ("seq", "first_at", "last_at", "account", "charges"), rows)
        store.insert("page_units", ("unit", "page"), units)

    def newest(self, store: Store, account: int) -> list[Charge]:
        found: list[Charge] = []
        below = 2**62
        while len(found) < PAGE:
            text = (
                "SELECT seq, charges FROM pages WHERE account = ? AND seq < ? ORDER BY last_at DESC, seq DESC LIMIT 8"
            )
            pages = store.run(text, (account, below))
            if not pages:
                break
            below = pages[-1][0]
            found += [charge for _, stored in pages for charge in reversed(_unpacked(stored))]
        return found[:PAGE]

    def sums(self, store: Store, account: int, since: int, until: int) -> dict[int, int]:
        found: Counter[int] = Counter()
        text = "SELECT charges FROM pages WHERE account = ? AND last_at >= ? AND first_at < ?"
        for (stored,) in store.run(text, (account, since, until)):
            for charge in _unpacked(stored):
                if since <= charge[0] < until:
                    found[charge[4]] += charge[1]
        return dict(found)

    def of_unit(self, store: Store, unit: int) -> list[Charge]:
        text = "SELECT charges FROM pages WHERE seq IN (SELECT page FROM page_units WHERE unit = ?) ORDER BY seq"
        return [charge for (stored,) in store.run(text, (unit,)) for charge in _unpacked(stored) if charge[4] == unit]


def _unpacked(stored: bytes) -> list[Any]:
    return _read(zlib.decompress(stored))


def charges_of(units: Sequence[int], hours: int) -> Iterator[list[Charge]]:
    """Yield the charges of each commit; ``units`` has the account of each instance."""
    for hour in range(hours):
        at = BEGIN + hour * HOUR_US
        for begin in range(0, len(units), BATCH):
            yield [
                (at, 30_000_000, 500_000, at - HOUR_US, unit, 1, account, 60, "Usage")
                for unit, account in enumerate(units[begin : begin + BATCH], begin + 1)
            ]


@contextmanager
def opened(kind: str, layout: Layout, server: Any) -> Iterator[Store]:
    """Open a new store with the tables of a layout."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield Embedded(folder, layout.ddl(kind))
        return
    with server.database() as url:
        yield Shared(url, layout.ddl(kind))


def _timed(store: Store, ask: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        began = store.cpu_s()
        ask()
        store.commit()
        took.append(store.cpu_s() - began)
    return statistics.median(took) * 1e6


def measured(kind: str, layout: Layout, server: Any, units: Sequence[int], hours: int) -> dict[str, float]:
    """Write and ask; returns the figures."""
    with opened(kind, layout, server) as store:
        began = store.cpu_s()
        for charges in charges_of(units, hours):
            layout.write(store, charges)
            store.commit()
        amount = len(units) * hours
        found = {"write us": (store.cpu_s() - began) / amount * 1e6}
        if kind == "postgres":
            for table in ("posting_rows",) if isinstance(layout, Rows) else ("pages", "page_units"):
                store.run(f"ANALYZE {table}")
            store.commit()
        found["bytes"] = store.sizes() / amount
        account = units[len(units) // 2]
        end = BEGIN + hours * HOUR_US
        assert len(layout.newest(store, account)) == PAGE
        assert sum(layout.sums(store, account, BEGIN, end).values()) == units.count(account) * hours * 30_000_000
        assert len(layout.of_unit(store, 7)) == hours
        found["newest us"] = _timed(store, lambda: layout.newest(store, account), 40)
        found["statement us"] = _timed(store, lambda: layout.sums(store, account, BEGIN, end), 10)
        found["instance us"] = _timed(store, lambda: layout.of_unit(store, 7), 20)
        return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--units", type=int, default=1_000)
    parser.add_argument("--hours", type=int, default=200)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = None
    if options.store == "postgres":
        from tests.postgres import PostgresServer

        server = PostgresServer(durable=True)
    dice = random.Random(1)
    units = [dice.randrange(1, options.accounts + 1) for _ in range(options.units)]
    least: dict[str, dict[str, float]] = {}
    try:
        for _ in range(options.rounds):
            for layout in (Rows(), Pages()):
                found = measured(options.store, layout, server, units, options.hours)
                before = least.get(layout.name, found)
                least[layout.name] = {name: min(value, before[name]) for name, value in found.items()}
    finally:
        if server is not None:
            server.remove()
    print(f"{'the least of all rounds':<26}{'rows':>12}{'pages':>12}{'pages / rows':>14}")
    for name, value in least["rows"].items():
        print(f"{name:<26}{value:>12,.1f}{least['pages'][name]:>12,.1f}{least['pages'][name] / value:>14.2f}")


if __name__ == "__main__":
    main()
