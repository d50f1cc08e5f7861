"""Runs the real server as a process on a store of its own, and at the end has the store checked."""

import http.client
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests import forked
from tests.copies import put_tables
from tests.log_stores import with_log_store
from tests.ports import free_port
from tests.postgres import shared_server

HOST = "127.0.0.1"
ACCESS_KEY = "AKCONFORMANCE0001"
SECRET_KEY = "conformance-secret-of-32-letters"
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class ConformanceServer:
    """A running server and where to reach it."""

    base_url: str
    store: tuple[str, ...]


def stores() -> list[str]:
    """The stores to run on: `sqlite`, `postgres` (a server of our own), or the address of one; separated by commas."""
    named = os.environ.get("LEASEBOOK_TEST_STORES", "sqlite,postgres")
    return [name.strip() for name in named.split(",") if name.strip()]


@contextmanager
def running(store: str, folder: Path, *more: str) -> Iterator[ConformanceServer]:
    """A fresh server with the demonstration catalogue. It must end well and leave consistent books."""
    with _options(store, folder) as options:
        port = free_port()
        log = folder / "server.log"
        with log.open("wb") as output, _started((*options, *more), port, output.fileno()) as process:
            _wait_until_ready(process, port, log)
            yield ConformanceServer(f"http://{HOST}:{port}", options)
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOP_SECONDS_MAX)
        assert code == 0, f"the server ended with {code}:\n{log.read_text()[-4000:]}"
        _check(options)


@contextmanager
def _options(store: str, folder: Path) -> Iterator[tuple[str, ...]]:
    if store == "sqlite":
        put_tables(folder / "data")
        yield ("--data", str(folder / "data"))
    elif store == "postgres":
        with shared_server().database(migrated=True) as address:
            yield ("--data", str(folder / "data"), "--store", address)
    else:
        with _database(store) as address:
            yield ("--data", str(folder / "data"), "--store", address)


@contextmanager
def _database(address: str) -> Iterator[str]:
    """A database of its own on the server at this address, gone afterwards."""
    import psycopg

    name = f"conformance_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield urlunsplit(urlsplit(address)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def _started(options: tuple[str, ...], port: int, output: int) -> Iterator[forked.Forked]:
    arguments = ["serve", "--host", HOST, "--port", str(port), *options, "--demo"]
    process = forked.Forked(arguments, env=_environment(), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """The caller's, without what it sets for a server of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEASEBOOK_")}
    return {
        **kept,
        **with_log_store(),
        "LEASEBOOK_ROOT_ACCESS_KEY": ACCESS_KEY,
        "LEASEBOOK_ROOT_SECRET_KEY": SECRET_KEY,
    }


def _wait_until_ready(process: forked.Forked, port: int, log: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS_MAX
    while not _is_ready(port):
        assert process.poll() is None, f"the server did not start:\n{log.read_text()[-4000:]}"
        assert time.monotonic() < give_up, f"the server is not ready:\n{log.read_text()[-4000:]}"
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _check(options: tuple[str, ...]) -> None:
    done = forked.run(["check", *options], env=_environment(), timeout=60)
    assert done.returncode == 0, f"leasebook check ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
