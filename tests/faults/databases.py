"""PostgreSQL with a standby that is promoted, on a machine that vanishes, and one that freezes."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.crash.fleet import eventually
from tests.ports import free_port
from tests.postgres import NoPostgresError, PostgresServer, _somebody, binaries


def need_postgres() -> None:
    """Skip the test where there is no PostgreSQL, unless it must be there."""
    try:
        binaries()
    except NoPostgresError as error:
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            raise
        pytest.skip(str(error))


class Standby(PostgresServer):
    """A copy of another server that follows it, until it is promoted."""

    def __init__(self, primary: PostgresServer, port: int | None = None) -> None:
        self.binaries, self.words = binaries()
        self._as = _somebody()
        self._folder = Path(tempfile.mkdtemp(prefix="leasebook-standby-"))
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])
        self.port = port or free_port()
        self._durable = False
        atexit.register(self.remove)
        copied = ("-D", str(self._folder / "data"), "-R", "-X", "stream", "-c", "fast", "--no-sync")
        self._run("pg_basebackup", *copied, "-h", "127.0.0.1", "-p", str(primary.port), "-U", "leasebook")
        self.start()

    def has_all_of(self, primary: PostgresServer) -> bool:
        """Whether everything that the other has committed is here."""
        with psycopg.connect(primary.url("postgres")) as other, psycopg.connect(self.url("postgres")) as own:
            ((written,),) = other.execute("SELECT pg_current_wal_lsn()::text").fetchall()
            return bool(own.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,)).fetchall()[0][0])

    def promote(self) -> None:
        """Take writes from now on."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "promote")


def run_on(server: PostgresServer, *statements: str) -> None:
    """Run statements as the one who may do everything."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for text in statements:
            connection.execute(text.encode())


def pids_of(server: PostgresServer) -> list[int]:
    """Return the processes of a server, the first of them first."""
    first = int((server._folder / "data" / "postmaster.pid").read_text().split()[0])
    return [first, *_children(first)]


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextmanager
def frozen(server: PostgresServer) -> Iterator[Callable[[], None]]:
    """Pause every process of a server; they go on at the end, or when the yielded function is called."""
    pids = pids_of(server)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)

    def thaw() -> None:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    try:
        yield thaw
    finally:
        thaw()


class FarServer(PostgresServer):
    """A server in a network of its own, whose packets can be dropped in silence."""

    def __init__(self, number: int) -> None:
        self._space, self._near = f"lhfar{number}", f"lhfar{number}n"
        self._here, self.host = f"10.213.{number}.1", f"10.213.{number}.2"
        self._lay()
        atexit.register(self._unlay)
        super().__init__()

    def _lay(self) -> None:
        far = f"lhfar{number}f" if (number := self._space.removeprefix("lhfar")) else ""
        for command in (
            f"netns add {self._space}",
            f"link add {self._near} type veth peer name {far}",
            f"link set {far} netns {self._space}",
            f"addr add {self._here}/24 dev {self._near}",
            f"link set {self._near} up",
            f"-n {self._space} addr add {self.host}/24 dev {far}",
            f"-n {self._space} link set {far} up",
            f"-n {self._space} link set lo up",
        ):
            done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
            if done.returncode:
                self._unlay()
                pytest.skip(f"no network of its own can be made here: ip {command}: {done.stderr.strip()}")

    def _unlay(self) -> None:
        subprocess.run(["ip", "netns", "del", self._space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._near], capture_output=True, check=False)

    def _run(self, program: str, *arguments: str) -> None:
        who = self._as
        drop = ["setpriv", f"--reuid={who['user']}", f"--regid={who['group']}", "--clear-groups"] if who else []
        answer = subprocess.run(
            ["ip", "netns", "exec", self._space, *drop, self.binaries / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if answer.returncode != 0:
            raise NoPostgresError(f"{program} failed: {answer.stderr[-2000:]}")

    def start(self) -> None:
        """Start it where it can be reached from here."""
        data = self._folder / "data"
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.213.0.0/16 trust\n")
        options = f"-p {self.port} -k {self._folder} -c listen_addresses={self.host} -c fsync=off"
        self._run("pg_ctl", "-D", str(data), "-o", options, "-l", str(self._folder / "log"), "-w", "start")
        self._count_in()

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://leasebook@{self.host}:{self.port}/{database}"

    @contextmanager
    def vanished(self) -> Iterator[None]:
        """Drop whatever it says, as a machine does that lost its power: nothing comes back, and nothing is refused."""
        route = ["ip", "-n", self._space, "route"]
        subprocess.run([*route, "add", "blackhole", f"{self._here}/32"], check=True)
        try:
            yield
        finally:
            subprocess.run([*route, "del", "blackhole", f"{self._here}/32"], check=True)

    def remove(self) -> None:
        """End it and its network."""
        super().remove()
        self._unlay()
        atexit.unregister(self._unlay)


def pair() -> tuple[PostgresServer, Standby]:
    """Return a server and one that follows it."""
    need_postgres()
    primary = PostgresServer()
    return primary, Standby(primary)


def several(*servers: PostgresServer, database: str) -> str:
    """Return the address of a database that is on one of several servers."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://leasebook@{hosts}/{database}"


def patient(**seconds: Any) -> dict[str, str]:
    """Return settings under which little is waited for, so that a test does not wait long either."""
    short = {"connect": 1, "answer": 1, "away": 1, "lock_wait": 1, **seconds}
    return {f"LEASEBOOK_STORE_{name.upper()}_SECONDS": str(value) for name, value in short.items()}


def follows(standby: Standby, primary: PostgresServer) -> None:
    """Wait until a standby has everything."""
    eventually("the standby has everything", lambda: standby.has_all_of(primary))


__all__ = ["FarServer", "Standby", "follows", "frozen", "need_postgres", "pair", "patient", "run_on", "several"]
