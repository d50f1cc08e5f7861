"""Where the bytes and the processor time of a purchase go: ``python -m benchmarks.purchase_parts [--store postgres]``.

A service without sockets, and a crowd that buys the same offering for one account. Printed for one purchase: the bytes
of each table and index that grew, the statements of the batches with their time, and the bytes of the log. With
``--against OTHER/src`` another version takes turns with this one, and only processor time is compared: a signed no-op,
a purchase, and on PostgreSQL what the database takes for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

import psycopg

from benchmarks import history
from benchmarks.apart import (
    Version,
    answer_turns,
    call,
    compare,
    crowd,
    in_pairs,
    report_versions,
    serving,
    signed,
    sources,
)
from benchmarks.filling import stores
from benchmarks.signatures import ACTION, BODY, PATH

CROWD: Final = 128
NO_OP, PURCHASE, DATABASE = "no-op", "purchase", "database"
BLOCK: Final = 1024
"""Calls of a turn."""
PART: Final = re.compile(
    r"(INSERT)\s+INTO\s+(\w+)|(UPDATE)\s+(\w+)|(DELETE)\s+FROM\s+(\w+)|(SELECT)\b.*?\bFROM\s+(\w+)|^(\w+)", re.DOTALL
)
_FRAMES_AT: Final = 16
"""Where the index of SQLite's log has the number of its last frame: four bytes in the machine's order."""
_SIZES_SQLITE: Final = (
    "SELECT s.tbl_name, d.name, d.pgsize FROM dbstat d JOIN sqlite_schema s ON s.name = d.name WHERE d.aggregate = TRUE"
)
_SIZES_POSTGRES: Final = (
    "SELECT coalesce(t.relname, c.relname), c.relname, CASE c.relkind WHEN 'r' THEN pg_table_size(c.oid) "
    "ELSE pg_relation_size(c.oid) END FROM pg_class c "
    "LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid "
    "WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace"
)
_STATEMENTS: Final = (
    "SELECT query, calls, total_plan_time + total_exec_time, wal_bytes FROM pg_stat_statements s "
    "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()"
)

Sizes = dict[tuple[str, str], int]
Spent = dict[str, tuple[int, float, int]]
"""By statement: how often it ran, its seconds, and its bytes of the log."""


def part_of(text: str) -> str:
    """Return what a statement does to which table."""
    if text.startswith("WITH"):
        return " and ".join(f"insert {table}" for table in re.findall(r"INSERT INTO (\w+)", text)) or "with"
    found = PART.search(text)
    words = [] if found is None else [word for word in found.groups() if word]
    return f"{words[0].lower()} {' '.join(words[1:])}".strip() if words else text[:20]


class Timed(sqlite3.Connection):
    """A connection that notes the processor time of its statements."""

    spent: Final[Counter[str]] = Counter()
    """Nanoseconds by statement."""
    calls: Final[Counter[str]] = Counter()

    def execute(self, text: str, *params: Any) -> sqlite3.Cursor:
        """Run a statement."""
        return cast("sqlite3.Cursor", self._timed(text, partial(super().execute, text, *params)))

    def executemany(self, text: str, *params: Any) -> sqlite3.Cursor:
        """Run a statement for each row."""
        return cast("sqlite3.Cursor", self._timed(text, partial(super().executemany, text, *params)))

    def commit(self) -> None:
        """Commit."""
        self._timed("COMMIT", super().commit)

    def _timed(self, text: str, work: Callable[[], Any]) -> Any:
        began = time.thread_time_ns()
        try:
            return work()
        finally:
            self.spent[text] += time.thread_time_ns() - began
            self.calls[text] += 1


class Gauge:
    """Reads what a store has taken so far."""

    def sizes(self) -> Sizes:
        """Return the bytes of each table and index, by table and name."""
        raise NotImplementedError

    def spent(self) -> Spent:
        """Return the statements so far."""
        raise NotImplementedError

    def log_bytes(self) -> int:
        """Return the bytes that the log has got."""
        raise NotImplementedError


class EmbeddedGauge(Gauge):
    """Of SQLite: its pages by ``dbstat``, its statements by a connection of our own, its log by the log's index."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "leasebook.db"
        self._frames = 0
        self._last = 0

    def sizes(self) -> Sizes:
        """See ``Gauge``."""
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        try:
            return {(table, name): size for table, name, size in connection.execute(_SIZES_SQLITE)}
        finally:
            connection.close()

    def spent(self) -> Spent:
        """See ``Gauge``."""
        return {text: (Timed.calls[text], ns / 1e9, 0) for text, ns in Timed.spent.items()}

    def note_commit(self) -> None:
        """Count the frames of a commit: after a restart of the log they are numbered from the first again."""
        index = self._path.with_name(f"{self._path.name}-shm")
        with index.open("rb") as file:
            file.seek(_FRAMES_AT)
            (now,) = struct.unpack("=I", file.read(4))
        self._frames += now - self._last if now >= self._last else now
        self._last = now

    def log_bytes(self) -> int:
        """See ``Gauge``."""
        return self._frames * (4096 + 24)


class SharedGauge(Gauge):
    """Of PostgreSQL: by its catalogue, by ``pg_stat_statements``, and by the place in its log."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _rows(self, text: str) -> list[Any]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(cast("Any", text)).fetchall()

    def sizes(self) -> Sizes:
        """See ``Gauge``."""
        return {(table, name): int(size) for table, name, size in self._rows(_SIZES_POSTGRES)}

    def spent(self) -> Spent:
        """See ``Gauge``."""
        found: Spent = {}
        for text, calls, ms, log in self._rows(_STATEMENTS):
            before = found.get(text, (0, 0.0, 0))
            found[text] = (before[0] + calls, before[1] + ms / 1000, before[2] + int(log))
        return found

    def log_bytes(self) -> int:
        """See ``Gauge``."""
        ((place,),) = self._rows("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(place)


def database_ns(url: str | None) -> int:
    """Return the nanoseconds of processor time that the database's sessions took so far."""
    if url is None:
        return 0
    with psycopg.connect(url, autocommit=True) as connection:
        own = connection.info.backend_pid
        text = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        pids = [pid for (pid,) in connection.execute(text) if pid != own]
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def purchases(app: Any, amount: int, *, tokens: bool = False, numbers: Iterator[int] | None = None) -> list[Any]:
    """Return calls that buy."""
    headers = signed(PATH, ACTION, BODY)
    if not tokens:
        return [partial(call, app, PATH, ACTION, headers, BODY)] * amount
    made = []
    for number in range(amount) if numbers is None else (next(numbers) for _ in range(amount)):
        body = json.dumps({**json.loads(BODY), "clientToken": f"3f2a9c04-8d17-4e5b-9a60-{number:012d}"}).encode()
        made.append(partial(call, app, PATH, ACTION, signed(PATH, ACTION, body), body))
    return made


async def _table(folder: Path, url: str | None, units: int, *, tokens: bool) -> dict[str, float]:
    """Buy, and print what it took."""
    gauge: Gauge = EmbeddedGauge(folder) if url is None else SharedGauge(url)
    batches = _counted(gauge)
    async with serving(folder, url) as app:
        numbers = count()
        await crowd(CROWD, purchases(app, units // 4, tokens=tokens, numbers=numbers))
        buying = purchases(app, units, tokens=tokens, numbers=numbers)
        sizes, spent, log, before = gauge.sizes(), gauge.spent(), gauge.log_bytes(), batches["batches"]
        began = time.process_time()
        await crowd(CROWD, buying)
        server_us = (time.process_time() - began) / units * 1e6
        log, done = gauge.log_bytes() - log, batches["batches"] - before
        after = gauge.spent()
        grown = {key: size - sizes.get(key, 0) for key, size in gauge.sizes().items() if size > sizes.get(key, 0)}
    for (table, name), size in sorted(grown.items()):
        print(f"{table:<18}{name:<28}{size / units:>8.1f} B")
    total = sum(grown.values()) / units
    print(f"{'all':<46}{total:>8.1f} B; {log / units:,.0f} B of log, {log / done:,.0f} a batch of {units / done:.1f}")
    parts: dict[str, tuple[float, int]] = {}
    for text, (calls, seconds, written) in after.items():
        calls_before, seconds_before, written_before = spent.get(text, (0, 0.0, 0))
        if calls > calls_before:
            us, more = parts.get(part_of(text), (0.0, 0))
            parts[part_of(text)] = (us + (seconds - seconds_before) * 1e6, more + written - written_before)
    for name, (us, written) in sorted(parts.items(), key=lambda item: -item[1][0]):
        if us / units >= 0.05:
            print(f"{name:<46}{us / units:>8.2f} us{written / units:>8.0f} B of log")
    statements_us = sum(us for us, _ in parts.values()) / units
    print(f"{'all statements':<46}{statements_us:>8.2f} us; the process of the server {server_us:.1f} us")
    return {"bytes": total, "log bytes": log / units, "statements us": statements_us, "log bytes a batch": log / done}


def _counted(gauge: Gauge) -> Counter[str]:
    """Count the batches of this process from now on, with the frames of the log of the embedded store."""
    from leasebook.store.postgres.transaction import PostgresTransaction
    from leasebook.store.sqlite.store import SqliteTransaction

    found: Counter[str] = Counter()

    def counting(commit: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(self: Any, **how: Any) -> None:
            await commit(self, **how)
            found["batches"] += 1
            if isinstance(gauge, EmbeddedGauge):
                gauge.note_commit()

        return counted

    for kind in (SqliteTransaction, PostgresTransaction):
        kind.commit = counting(kind.commit)  # type: ignore[method-assign]
    sqlite3.connect = partial(sqlite3.connect, factory=Timed)  # type: ignore[assignment]
    return found


@contextmanager
def _one_store(kind: str, folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Make a store, on PostgreSQL in a server that counts statements."""
    if kind == "sqlite":
        yield folder / "store", None
        return
    from tests.postgres import PostgresServer

    server = PostgresServer(durable=True)
    try:
        for text in ("shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track_planning = on"):
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(cast("Any", f"ALTER SYSTEM SET {text}"))
            if text.startswith("shared"):
                server.stop()
                server.start()
        server.stop()
        server.start()
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE parts")
        with psycopg.connect(server.url("parts"), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA gauges")
            connection.execute("CREATE EXTENSION pg_stat_statements SCHEMA gauges")
            connection.execute("ALTER DATABASE parts SET search_path = public, gauges")
        yield folder / "store", server.url("parts")
    finally:
        server.remove()


async def _turn(folder: Path, url: str | None) -> None:
    async with serving(folder, url) as app:
        no_op = signed("/v2/clock", "DescribeClock", b"{}")

        async def block(kind: str) -> float:
            """Make calls; returns the microseconds of processor time of each."""
            calls = [partial(call, app, "/v2/clock", "DescribeClock", no_op, b"{}")] * BLOCK
            if kind != NO_OP:
                calls = purchases(app, BLOCK)
            in_database, began = database_ns(url), time.process_time()
            await crowd(CROWD, calls)
            took = time.process_time() - began
            if kind == DATABASE:
                return (database_ns(url) - in_database) / BLOCK / 1000
            return took / BLOCK * 1e6

        await answer_turns(block, _kinds(url))


def _kinds(url: str | None) -> tuple[str, ...]:
    return (NO_OP, PURCHASE) if url is None else (NO_OP, PURCHASE, DATABASE)


def _against(given: argparse.Namespace, folder: Path) -> tuple[dict[str, float], dict[str, Sequence[float]]]:
    compared = sources(given.against)
    with stores(given.store, folder, *compared, founded=False) as places:
        kinds = _kinds(places[0].url)
        versions = {
            version: Version(source, "benchmarks.purchase_parts", where.directory, where.url)
            for (version, source), where in zip(compared.items(), places, strict=True)
        }
        found = compare(versions, kinds, given.rounds)
    figures = {f"{given.store}: {what}": ratio for what, ratio in report_versions(found, kinds).items()}
    ratio = in_pairs(found["this", PURCHASE], found["this", NO_OP])
    print(f"purchase / no-op on {given.store}: {ratio:.3f}")
    figures[f"{given.store}: purchase / no-op"] = ratio
    return figures, {f"{version}, {kind}": times for (version, kind), times in found.items()}


def main() -> None:
    """Run it."""
    parser = history.parser_of("purchase_parts", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--tokens", action="store_true", help="give every purchase a client token")
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--turn", nargs="+", metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        asyncio.run(_turn(Path(given.turn[0]), *given.turn[1:2] or [None]))
        return
    with history.running("purchase_parts", given.json) as place, tempfile.TemporaryDirectory(dir=place.folder) as name:
        folder = Path(name).resolve()
        details: dict[str, Sequence[float]] = {}
        if given.against:
            figures, details = _against(given, folder)
        else:
            with _one_store(given.store, folder) as (directory, url):
                found = asyncio.run(_table(directory, url, given.units, tokens=given.tokens))
            figures = {f"{given.store}: {what}": value for what, value in found.items()}
        options = {name: getattr(given, name) for name in ("store", "units", "tokens", "rounds")}
        place.record(options, figures, details)


if __name__ == "__main__":
    main()
