"""Where due work is kept, and what each way costs: ``python -m benchmarks.due_layouts [--store postgres]``.

Instances are bought, charged for three hours and released by statements alone, 64 to a commit, with this version's
tables and indexes of instances and orders, and with due work in five layouts:

- a row for each piece of due work, as up to version 0.1
- a row for the first piece of each instance, by time, kind and id
- the same by time, kind and number, which is looked up by id
- two columns of the instance, with an index of time, kind and id
- the same with an index of time, kind and number, and the release time

A purchase is postpaid and has a release time, so that three pieces of work are due. Printed for one instance:
processor time of the statements and of what makes them (with the database's own on PostgreSQL), and bytes of the log.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import psycopg
from sqlalchemy import Column, Dialect, SmallInteger, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from leasebook.api.ids import hex_id, unit_id
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due, agenda_of
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.store.postgres import statements
from leasebook.store.postgres.arrays import Arrays
from leasebook.store.rows import orders
from leasebook.store.rows import postings as posted
from leasebook.store.rows.codec import CODECS, UNIT_MUTABLE, Codec
from leasebook.store.rows.schema import metadata
from leasebook.store.rows.table import big, table, word
from leasebook.store.rows.updates import columns_of, updates
from leasebook.store.sqlite.statements import insert_text

BATCH: Final = 64
NOW: Final = Instant(1_900_000_000_000_000 // HOUR_US * HOUR_US)
LOG_MAX: Final = 60_000_000
STEPS: Final = ("purchase", "first charge", "second charge", "third charge", "release")
UNITS: Final = CODECS[INSTANCES]
FIELDS: Final = Codec(
    UNITS.name, UNITS.row, UNITS.key, to_column={"placements": str, "remind_before_us": str}, mutable=UNIT_MUTABLE
)
"""An instance without the columns that are derived from it."""
BY_ID: Final = table(
    "due_by_id",
    big("at", key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    word("unit_id", key=True),
    without_rowid=True,
)
BY_NUMBER: Final = table(
    "due_by_number",
    big("at", key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    big("seq", key=True),
    without_rowid=True,
)


class Layout(msgspec.Struct, frozen=True):
    """A way to keep due work: in a table, of all pieces or of the first ones, or in columns with an index."""

    name: str
    table: Table | None = None
    has_all: bool = False
    index: str = ""
    tables: tuple[str, ...] = ("account_numbers", "units", "order_rows")
    without: frozenset[str] = frozenset()

    @property
    def is_by_number(self) -> bool:
        """Whether work of the same moment is in the order of the purchases."""
        return self.table is BY_NUMBER or "seq" in self.index

    @property
    def codec(self) -> Codec[Instance]:
        """Return the codec of an instance's row."""
        return UNITS if self.table is None else FIELDS

    def rows(self, unit: Instance) -> set[Due]:
        """Return the rows of an instance in the table of due work."""
        agenda = agenda_of(unit)
        return set(agenda) if self.has_all or not agenda else {min(agenda)}

    def ddl(self, dialect: Dialect) -> Iterator[str]:
        """Yield the statements that create the tables."""
        for name in self.tables:
            declared = metadata.tables[name]
            yield str(CreateTable(declared).compile(dialect=dialect))
            for index in sorted(declared.indexes, key=lambda index: str(index.name)):
                if index.name != "units_due" and index.name not in self.without:
                    yield str(CreateIndex(index).compile(dialect=dialect))
        if self.table is None:
            yield f"CREATE INDEX units_due ON units ({self.index}) WHERE due_at IS NOT NULL"
        else:
            yield str(CreateTable(self.table).compile(dialect=dialect))


LAYOUTS: Final = (
    Layout("all pieces by id", BY_ID, has_all=True),
    Layout("first pieces by id", BY_ID),
    Layout("first pieces by number", BY_NUMBER),
    Layout("columns, index by id", index="due_at, due_kind, id"),
    Layout("columns, index by number", index="due_at, due_kind, seq, release_at"),
)


def bought(number: int) -> tuple[Instance, Order]:
    """Return an instance as a purchase leaves it, and its order."""
    owner, user, now = "0" * 32, "1" * 32, Instant(NOW + number)
    end = Instant(NOW + 30 * DAY_US + number * MINUTE_US)
    unit = Instance(
        unit_id(), owner, user, hex_id(), None, "bj", "gpu-1", 1, "Postpaid", "Running", now,
        started_at=now, meter_from=now, release_at=end, charge_at=Instant(NOW + HOUR_US),
        remind_at=Instant(end - DAY_US), remind_before_us=(DAY_US, HOUR_US),
    )  # fmt: skip
    return unit, Order(unit.order_id, owner, "Purchase", unit.id, "Postpaid", "bj", "gpu-1", 1, 0, Micro(0), now, user)


def charged(unit: Instance) -> Instance:
    """Return it after the charge of a full hour."""
    minutes, at = unit.metered_minutes + 60, Instant((unit.charge_at or NOW) + HOUR_US)
    return msgspec.structs.replace(
        unit, charge_at=at, metered_minutes=minutes, metered_peak=1, charged=Micro(500_000 * minutes)
    )


def released(unit: Instance) -> Instance:
    """Return it after its release."""
    at = unit.release_at
    return msgspec.structs.replace(unit, status="Released", ended_at=at, end_reason="Schedule", released_at=at)


class Bench(ABC):
    """A store in one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def buy(self, sales: Sequence[tuple[Instance, Order]]) -> None:
        """Write new instances and their orders, and commit."""
        units = [unit for unit, _ in sales]
        codec = self.layout.codec
        self.sell(codec, units)
        self.order([order for _, order in sales], units)
        if self.layout.table is not None:
            self.insert_due(_values(due for unit in units for due in self.layout.rows(unit)))
        self.commit()

    def change(self, before: Sequence[Instance], after: Sequence[Instance]) -> None:
        """Write the difference, and commit."""
        codec = self.layout.codec
        for changed, values in updates(codec, before, after).items():
            self.update(columns_of(codec, changed), values)
        if self.layout.table is not None:
            pairs = [(self.layout.rows(old), self.layout.rows(new)) for old, new in zip(before, after, strict=True)]
            self.delete_due(_values(due for old, new in pairs for due in old - new))
            self.insert_due(_values(due for old, new in pairs for due in new - old))
        self.commit()

    @abstractmethod
    def insert(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows into a table."""

    @abstractmethod
    def sell(self, codec: Codec[Instance], units: Sequence[Instance]) -> None:
        """Write new instances."""

    @abstractmethod
    def order(self, placed: Sequence[Order], units: Sequence[Instance]) -> None:
        """Write orders of new instances."""

    @abstractmethod
    def post(self, postings: Sequence[Posting]) -> None:
        """Write postings."""

    @abstractmethod
    def update(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Update instances; the values of each end with its id."""

    @abstractmethod
    def insert_due(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to the table of due work."""

    @abstractmethod
    def delete_due(self, rows: Sequence[Sequence[Any]]) -> None:
        """Delete rows from the table of due work."""

    @abstractmethod
    def commit(self) -> None:
        """Commit."""

    @abstractmethod
    def used(self) -> tuple[float, int]:
        """Return the processor time that was used so far, in seconds, and the bytes that the log got."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


def _values(work: Iterable[Due]) -> list[tuple[int, int, str]]:
    return [(due.at, int(due.kind), due.unit_id) for due in work]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


class Embedded(Bench):
    """SQLite, opened as the store opens it."""

    def __init__(self, layout: Layout, folder: str) -> None:
        super().__init__(layout)
        self._connection = sqlite3.connect(Path(folder) / "bench.db", isolation_level="IMMEDIATE")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0", "cache_size = -65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        for text in layout.ddl(sqlite.dialect()):
            self._connection.execute(text)
        self._connection.commit()
        self._log = Path(folder) / "bench.db-wal"
        self._bytes = 0
        self._checkpoint()
        self._bytes = 0

    def insert(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" for _ in columns)
        self._connection.executemany(f"INSERT INTO {name} ({_names(columns)}) VALUES ({marks})", rows)

    def sell(self, codec: Codec[Instance], units: Sequence[Instance]) -> None:
        self._connection.executemany(insert_text(codec), map(codec.values, units))

    def order(self, placed: Sequence[Order], units: Sequence[Instance]) -> None:
        self._connection.executemany(orders.INSERT, orders.values(placed, units))

    def post(self, postings: Sequence[Posting]) -> None:
        self._connection.executemany(posted.INSERT, map(posted.values, postings))

    def update(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        values = ", ".join(f'"{column}" = ?' for column in columns)
        self._connection.executemany(f"UPDATE units SET {values} WHERE id = ?", rows)

    def insert_due(self, rows: Sequence[Sequence[Any]]) -> None:
        text = (
            "INSERT INTO due_by_number (at, kind, seq) SELECT ?, ?, seq FROM units WHERE id = ?"
            if self.layout.table is BY_NUMBER
            else "INSERT INTO due_by_id (at, kind, unit_id) VALUES (?, ?, ?)"
        )
        self._connection.executemany(text, rows)

    def delete_due(self, rows: Sequence[Sequence[Any]]) -> None:
        text = (
            "DELETE FROM due_by_number WHERE at = ? AND kind = ? AND seq = (SELECT seq FROM units WHERE id = ?)"
            if self.layout.table is BY_NUMBER
            else "DELETE FROM due_by_id WHERE at = ? AND kind = ? AND unit_id = ?"
        )
        self._connection.executemany(text, rows)

    def commit(self) -> None:
        self._connection.commit()
        if self._log.stat().st_size > LOG_MAX:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._bytes += self._log.stat().st_size
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def used(self) -> tuple[float, int]:
        self._checkpoint()
        return time.process_time(), self._bytes

    def close(self) -> None:
        self._connection.close()


class Shared(Bench):
    """PostgreSQL, with the statements of the store: an array for each column."""

    def __init__(self, layout: Layout, url: str) -> None:
        super().__init__(layout)
        self._connection = psycopg.connect(url, prepare_threshold=1)
        self._process = Path(f"/proc/{self._connection.info.backend_pid}/stat")
        for text in layout.ddl(postgresql.dialect()):  # type: ignore[no-untyped-call]
            self._run(text)
        self.commit()

    def _run(self, text: str, params: Sequence[Any] = ()) -> None:
        self._connection.execute(cast("Any", text), params)

    def insert(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        arrays = _arrays(name, tuple(columns))
        self._run(f"INSERT INTO {name} ({_names(columns)}) SELECT * FROM {arrays.unnest}", arrays.write(rows))

    def sell(self, codec: Codec[Instance], units: Sequence[Instance]) -> None:
        arrays = _arrays("units", codec.written)
        self._run(statements.insert_text(codec, arrays.unnest), arrays.write([*map(codec.values, units)]))

    def order(self, placed: Sequence[Order], units: Sequence[Instance]) -> None:
        self._run(*statements.order(placed, units))

    def post(self, postings: Sequence[Posting]) -> None:
        self._run(*statements.posting(postings))

    def update(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        arrays = _arrays("units", (*columns, "id"))
        values = ", ".join(f'"{column}" = new."{column}"' for column in columns)
        new = f"{arrays.unnest} AS new({_names(arrays.columns)})"
        self._run(f"UPDATE units AS old SET {values} FROM {new} WHERE old.id = new.id", arrays.write(rows))

    def insert_due(self, rows: Sequence[Sequence[Any]]) -> None:
        arrays = _arrays("due_by_id", ("at", "kind", "unit_id"))
        new = f"{arrays.unnest} AS new(at, kind, unit_id)"
        if rows and self.layout.table is BY_NUMBER:
            found = f"SELECT new.at, new.kind, u.seq FROM {new} JOIN units u ON u.id = new.unit_id"
            self._run(f"INSERT INTO due_by_number (at, kind, seq) {found}", arrays.write(rows))
        elif rows:
            self._run(f"INSERT INTO due_by_id (at, kind, unit_id) SELECT * FROM {new}", arrays.write(rows))

    def delete_due(self, rows: Sequence[Sequence[Any]]) -> None:
        arrays = _arrays("due_by_id", ("at", "kind", "unit_id"))
        gone, same = f"{arrays.unnest} AS gone(at, kind, unit_id)", "old.at = gone.at AND old.kind = gone.kind"
        if rows and self.layout.table is BY_NUMBER:
            using = f"{gone} JOIN units u ON u.id = gone.unit_id WHERE {same} AND old.seq = u.seq"
            self._run(f"DELETE FROM due_by_number AS old USING {using}", arrays.write(rows))
        elif rows:
            using = f"{gone} WHERE {same} AND old.unit_id = gone.unit_id"
            self._run(f"DELETE FROM due_by_id AS old USING {using}", arrays.write(rows))

    def commit(self) -> None:
        self._connection.commit()

    def used(self) -> tuple[float, int]:
        ticks = self._process.read_text().rpartition(")")[2].split()[11:13]
        row = self._connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        self.commit()
        return time.process_time() + sum(map(int, ticks)) / 100, int(row[0])

    def close(self) -> None:
        self._connection.close()


@lru_cache
def _arrays(name: str, columns: tuple[str, ...]) -> Arrays:
    return Arrays(name, columns)


def play(bench: Bench, count: int) -> list[tuple[float, float]]:
    """Buy, charge and release; returns for each step the microseconds and the bytes of the log of one instance."""
    sales = [bought(number) for number in range(count)]
    warm = count // 4
    bench.insert("account_numbers", ("account_id",), [(sales[0][0].account_id,)])
    for at in range(0, warm, BATCH):
        bench.buy(sales[at : min(at + BATCH, warm)])
    found = []
    begun = bench.used()
    for at in range(warm, count, BATCH):
        bench.buy(sales[at : at + BATCH])
    found.append(_each(begun, bench.used(), count - warm))
    units = [unit for unit, _ in sales]
    if not bench.layout.is_by_number:
        units.sort(key=lambda unit: unit.id)
    for step in (charged, charged, charged, released):
        after = [step(unit) for unit in units]
        begun = bench.used()
        for at in range(0, count, BATCH):
            bench.change(units[at : at + BATCH], after[at : at + BATCH])
        found.append(_each(begun, bench.used(), count))
        units = after
    return found


def _each(begun: tuple[float, int], ended: tuple[float, int], count: int) -> tuple[float, float]:
    return (ended[0] - begun[0]) / count * 1e6, (ended[1] - begun[1]) / count


@contextmanager
def benches(store: str, layout: Layout, server: Any) -> Iterator[Bench]:
    """Open a new store in a layout, and remove it afterwards."""
    if store == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            bench: Bench = Embedded(layout, folder)
            yield bench
            bench.close()
        return
    with server.database() as url:
        bench = Shared(layout, url)
        yield bench
        bench.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = None
    if options.store == "postgres":
        from tests.postgres import PostgresServer

        server = PostgresServer(durable=True)
    least: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for layout in LAYOUTS:
            with benches(options.store, layout, server) as bench:
                found = play(bench, options.units)
            pairs = zip(found, least.get(layout.name, found), strict=True)
            least[layout.name] = [(min(new[0], old[0]), min(new[1], old[1])) for new, old in pairs]
    print(f"{'the least of all rounds':26}" + "".join(f"{step:>20}" for step in STEPS))
    for name, found in least.items():
        print(f"{name:26}" + "".join(f"{us:>9.1f} us {size:>6.0f} B" for us, size in found))


if __name__ == "__main__":
    main()
