"""Where due work is kept, and what each way costs: ``python -m benchmarks.due_layouts [--store postgres]``.

Instances are bought, charged for an hour, and released through statements alone, 64 to a commit, with the tables and
indexes of this version and due work in four layouts: a row for each piece (as up to version 0.1), a row for the earliest
piece of an instance, and two columns of the instance, with an index that ends with its id or with its number. A purchase
is postpaid and has a release time: three pieces of due work. Printed for one instance: processor time of the statements
(with the database's own on PostgreSQL), and bytes of the log.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import psycopg
from sqlalchemy import Column, SmallInteger
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from leasebook.api.ids import hex_id, unit_id
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due, agenda_of
from leasebook.domain.record.ledger import Order
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.store.postgres.arrays import Arrays
from leasebook.store.rows.codec import CODECS, ORDERS, UNIT_MUTABLE, Codec
from leasebook.store.rows.schema import metadata
from leasebook.store.rows.table import big, table, word
from leasebook.store.rows.updates import columns_of, updates

BATCH: Final = 64
NOW: Final = Instant(1_900_000_000_000_000 // HOUR_US * HOUR_US)
UNITS: Final = CODECS[INSTANCES]
FIELDS: Final = Codec(
    UNITS.name, UNITS.row, UNITS.key, to_column={"placements": str, "remind_before_us": str}, mutable=UNIT_MUTABLE
)
"""An instance without what is derived from it."""
LAYOUTS: Final = {
    "a row for each piece": None,
    "a row for each instance": None,
    "a row by number": None,
    "columns, index by id": "due_at, due_kind, id",
    "columns, index by number": "due_at, due_kind, seq",
}
_TABLES: Final = ("units", "orders")
_AGENDA: Final = table(
    "agenda",
    big("at", key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    word("unit_id", key=True),
    without_rowid=True,
)
"""The table of due work, as it was up to version 0.1."""


def bought(number: int) -> tuple[Instance, Order]:
    """Return an instance as a purchase leaves it, and its order."""
    name, order = unit_id(), hex_id()
    end = Instant(NOW + 30 * DAY_US + number * MINUTE_US)
    owner, user = "0" * 32, "1" * 32
    unit = Instance(
        name, owner, user, order, None, "bj", "gpu-1", 1, "Postpaid", "Running", Instant(NOW + number),
        started_at=Instant(NOW + number), meter_from=Instant(NOW + number), release_at=end,
        charge_at=Instant(NOW + HOUR_US), remind_at=Instant(end - DAY_US), remind_before_us=(DAY_US, HOUR_US),
    )  # fmt: skip
    return unit, Order(order, owner, "Purchase", name, "Postpaid", "bj", "gpu-1", 1, 0, Micro(0), unit.created_at, user)


def charged(unit: Instance) -> Instance:
    """Return it after a full hour's charge."""
    at = cast("Instant", unit.charge_at)
    minutes = unit.metered_minutes + 60
    return msgspec.structs.replace(
        unit, charge_at=Instant(at + HOUR_US), metered_minutes=minutes, metered_peak=1, charged=Micro(500_000 * minutes)
    )


def released(unit: Instance) -> Instance:
    """Return it after its release."""
    at = unit.release_at
    return msgspec.structs.replace(unit, status="Released", ended_at=at, end_reason="Schedule", released_at=at)


class Bench(ABC):
    """One store in one layout."""

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.index = LAYOUTS[layout]
        self.is_whole = layout == "a row for each piece"
        self.codec = FIELDS if self.index is None else UNITS

    def listed(self, unit: Instance) -> set[Due]:
        """Return the rows that the table of due work has of it."""
        agenda = agenda_of(unit)
        return set(agenda) if self.is_whole or not agenda else {min(agenda)}

    def buy(self, sales: Sequence[tuple[Instance, Order]]) -> None:
        """Write new instances and their orders."""
        units = [unit for unit, _ in sales]
        self.insert("units", self.codec.written, [*map(self.codec.values, units)])
        self.insert("orders", ORDERS.columns, [ORDERS.values(order) for _, order in sales])
        if self.index is None:
            self.due([], [due for unit in units for due in self.listed(unit)])

    def change(self, before: Sequence[Instance], after: Sequence[Instance]) -> None:
        """Write what differs."""
        for changed, values in updates(self.codec, before, after).items():
            self.update(columns_of(self.codec, changed), values)
        if self.index is None:
            pairs = [(self.listed(old), self.listed(new)) for old, new in zip(before, after, strict=True)]
            self.due([x for old, new in pairs for x in old - new], [x for old, new in pairs for x in new - old])

    @abstractmethod
    def insert(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""

    @abstractmethod
    def update(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Update instances; each row ends with the id."""

    @abstractmethod
    def due(self, gone: Sequence[Due], new: Sequence[Due]) -> None:
        """Change the table of due work."""

    @abstractmethod
    def commit(self) -> None:
        """Commit."""

    @abstractmethod
    def used(self) -> tuple[float, int]:
        """Return the processor time so far, and the bytes of the log."""

    @abstractmethod
    def size(self) -> int:
        """Return the bytes of tables and indexes."""


class Embedded(Bench):
    """SQLite, as the store opens it."""

    def __init__(self, layout: str, folder: str) -> None:
        super().__init__(layout)
        self._connection = sqlite3.connect(Path(folder) / "bench.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0", "cache_size = -65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._log = Path(folder) / "bench.db-wal"
        for text in SQLITE_DDL[layout]:
            self._connection.execute(text)
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._bytes = 0

    def _begun(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def insert(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._begun()
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" for _ in names)
        self._connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def update(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._begun()
        values = ", ".join(f'"{name}" = ?' for name in names)
        self._connection.executemany(f"UPDATE units SET {values} WHERE id = ?", rows)

    def due(self, gone: Sequence[Due], new: Sequence[Due]) -> None:
        self._begun()
        if "number" in self.layout:
            self._connection.executemany(
                "DELETE FROM agenda WHERE at = ? AND kind = ? AND seq = (SELECT seq FROM units WHERE id = ?)",
                [(d.at, int(d.kind), d.unit_id) for d in gone],
            )
            self._connection.executemany(
                "INSERT INTO agenda (at, kind, seq) SELECT ?, ?, seq FROM units WHERE id = ?",
                [(d.at, int(d.kind), d.unit_id) for d in new],
            )
            return
        if gone:
            self._connection.executemany(
                "DELETE FROM agenda WHERE at = ? AND kind = ? AND unit_id = ?",
                [(d.at, int(d.kind), d.unit_id) for d in gone],
            )
        if new:
            self._connection.executemany(
                "INSERT INTO agenda (at, kind, unit_id) VALUES (?, ?, ?)", [(d.at, int(d.kind), d.unit_id) for d in new]
            )

    def commit(self) -> None:
        self._connection.commit()
        if self._log.stat().st_size > 60_000_000:
            self._emptied()

    def _emptied(self) -> None:
        self._bytes += self._log.stat().st_size
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def used(self) -> tuple[float, int]:
        self._emptied()
        return time.process_time(), self._bytes

    def size(self) -> int:
        ((pages,),) = self._connection.execute("PRAGMA page_count").fetchall()
        return int(pages) * 4096


class Shared(Bench):
    """PostgreSQL, with the store's statements."""

    def __init__(self, layout: str, url: str) -> None:
        super().__init__(layout)
        self._connection = psycopg.connect(url, autocommit=False, prepare_threshold=1)
        self._pid = self._connection.info.backend_pid
        for text in POSTGRES_DDL[layout]:
            self._connection.execute(cast("Any", text))
        self._connection.commit()

    def insert(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        arrays = arrays_of(table, tuple(names))
        columns = ", ".join(f'"{name}"' for name in names)
        self._connection.execute(
            cast("Any", f"INSERT INTO {table} ({columns}) SELECT * FROM {arrays.unnest}"), arrays.write(rows)
        )

    def update(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        arrays = arrays_of("units", (*names, "id"))
        values = ", ".join(f'"{name}" = new."{name}"' for name in names)
        columns = ", ".join(f'"{name}"' for name in arrays.columns)
        self._connection.execute(
            cast(
                "Any", f"UPDATE units AS old SET {values} FROM {arrays.unnest} AS new({columns}) WHERE old.id = new.id"
            ),
            arrays.write(rows),
        )

    def due(self, gone: Sequence[Due], new: Sequence[Due]) -> None:
        arrays = arrays_of("agenda", ("at", "kind", "unit_id"))
        if "number" in self.layout:
            if gone:
                self._connection.execute(
                    cast(
                        "Any",
                        f"DELETE FROM agenda AS old USING {arrays.unnest} AS gone(at, kind, unit_id), units u "
                        "WHERE u.id = gone.unit_id AND old.at = gone.at AND old.kind = gone.kind AND old.seq = u.seq",
                    ),
                    arrays.write([(d.at, int(d.kind), d.unit_id) for d in gone]),
                )
            if new:
                self._connection.execute(
                    cast(
                        "Any",
                        f"INSERT INTO agenda (at, kind, seq) SELECT new.at, new.kind, u.seq FROM {arrays.unnest} AS new(at, kind, unit_id) JOIN units u ON u.id = new.unit_id",
                    ),
                    arrays.write([(d.at, int(d.kind), d.unit_id) for d in new]),
                )
            return
        if gone:
            self._connection.execute(
                cast(
                    "Any",
                    f"DELETE FROM agenda AS old USING {arrays.unnest} AS gone(at, kind, unit_id) "
                    "WHERE old.at = gone.at AND old.kind = gone.kind AND old.unit_id = gone.unit_id",
                ),
                arrays.write([(d.at, int(d.kind), d.unit_id) for d in gone]),
            )
        if new:
            self._connection.execute(
                cast("Any", f"INSERT INTO agenda (at, kind, unit_id) SELECT * FROM {arrays.unnest}"),
                arrays.write([(d.at, int(d.kind), d.unit_id) for d in new]),
            )

    def commit(self) -> None:
        self._connection.commit()

    def used(self) -> tuple[float, int]:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        row = self._connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        self._connection.commit()
        assert row is not None
        return time.process_time() + (int(fields[11]) + int(fields[12])) / 100, int(row[0])

    def size(self) -> int:
        row = self._connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relname IN ('units', 'orders', 'agenda')"
        ).fetchone()
        assert row is not None
        hot = self._connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'units'"
        ).fetchone()
        print(hot)
        return int(row[0])


@lru_cache
def arrays_of(table: str, names: tuple[str, ...]) -> Arrays:
    """Return the writer of some columns."""
    return Arrays(table, names)


def ddl(layout: str, dialect: Any) -> list[str]:
    return [*_ddl(layout, dialect)]


def _ddl(layout: str, dialect: Any) -> Iterator[str]:
    """Yield the statements that create the tables in a layout."""
    for name in _TABLES:
        declared = metadata.tables[name]
        yield str(CreateTable(declared).compile(dialect=dialect))
        for index in sorted(declared.indexes, key=lambda index: str(index.name)):
            if index.name != "units_due":
                yield str(CreateIndex(index).compile(dialect=dialect))
    columns = LAYOUTS[layout]
    if columns is None:
        if "number" in layout:
            yield (
                "CREATE TABLE agenda (at BIGINT NOT NULL, kind SMALLINT NOT NULL, seq BIGINT NOT NULL, "
                "PRIMARY KEY (at, kind, seq))"
            ) + (" WITHOUT ROWID" if dialect.name == "sqlite" else "")
            return
        yield str(CreateTable(_AGENDA).compile(dialect=dialect))
        return
    yield f"CREATE INDEX units_due ON units ({columns}) WHERE due_at IS NOT NULL"


SQLITE_DDL = {layout: ddl(layout, sqlite.dialect()) for layout in LAYOUTS}
POSTGRES_DDL = {layout: ddl(layout, postgresql.dialect()) for layout in LAYOUTS}
STEPS: Final = ("purchase", "hourly charge", "second", "third", "release")


def play(bench: Bench, count: int) -> list[tuple[float, float]]:
    """Buy, charge twice and release; returns for each step microseconds and bytes of the log for an instance."""
    sales = [bought(number) for number in range(count)]
    warm, rest = sales[: count // 4], sales[count // 4 :]
    for at in range(0, len(warm), BATCH):
        bench.buy(warm[at : at + BATCH])
        bench.commit()
    found = []
    seconds, size = bench.used()
    for at in range(0, len(rest), BATCH):
        bench.buy(rest[at : at + BATCH])
        bench.commit()
    found.append(_each(bench, seconds, size, len(rest)))
    units = [unit for unit, _ in sales]
    if "number" not in bench.layout:
        units.sort(key=lambda unit: unit.id)
    for step in (charged, charged, charged, released):
        after = [step(unit) for unit in units]
        seconds, size = bench.used()
        for at in range(0, count, BATCH):
            bench.change(units[at : at + BATCH], after[at : at + BATCH])
            bench.commit()
        found.append(_each(bench, seconds, size, count))
        units = after
    return found


def _each(bench: Bench, seconds: float, size: int, count: int) -> tuple[float, float]:
    now, bytes_now = bench.used()
    return (now - seconds) / count * 1e6, (bytes_now - size) / count


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--units", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'':26}" + "".join(f"{step:>26}" for step in STEPS) + f"{'bytes left':>14}")
    best: dict[str, list[tuple[float, float]]] = {}
    server = None
    if options.store == "postgres":
        from tests.postgres import PostgresServer

        server = PostgresServer(durable=True)
    for turn in range(options.rounds):
        for layout in LAYOUTS:
            with tempfile.TemporaryDirectory() as folder:
                bench: Bench
                if server is None:
                    bench = Embedded(layout, folder)
                else:
                    name = f"bench_{turn}_{[*LAYOUTS].index(layout)}"
                    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                        connection.execute(cast("Any", f"CREATE DATABASE {name}"))
                    bench = Shared(layout, server.url(name))
                found = play(bench, options.units)
                best[layout] = [min(pair) for pair in zip(found, best.get(layout, found), strict=True)]
                print(
                    f"{layout:26}"
                    + "".join(f"{us:>13.1f} us {size:>7.0f} B" for us, size in found)
                    + f"{bench.size() / options.units:>14.0f}",
                    flush=True,
                )
    print("the least of all rounds")
    for layout, found in best.items():
        print(f"{layout:26}" + "".join(f"{us:>13.1f} us {size:>7.0f} B" for us, size in found))
    if server is not None:
        server.remove()


if __name__ == "__main__":
    main()
