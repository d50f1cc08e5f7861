"""Stores for tests, and copies of them: what takes long to live through is lived through once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from leasebook.security.private_files import create_private
from leasebook.store.opening import Target, upgrade
from leasebook.store.sqlite.store import FILE
from tests.depth import ROUNDS as ROUNDS  # noqa: PLC0414 - many tests take it from here
from tests.postgres import shared_server

STORES = ("sqlite", "postgres")


@contextmanager
def empty(kind: str, directory: Path, *, migrated: bool = False) -> Iterator[Target]:
    """Make a store of a kind with nothing in it; ``migrated``: it has its tables, which is much quicker."""
    if kind == "sqlite":
        if migrated:
            put_tables(directory)
        yield Target(directory)
        return
    with shared_server().database(migrated=migrated) as url:
        yield Target(directory, url)


@cache
def _embedded() -> bytes:
    """Return the file of an embedded store with its tables. To write it again takes next to nothing."""
    with tempfile.TemporaryDirectory() as folder:
        upgrade(Target(Path(folder)))
        return (Path(folder) / FILE).read_bytes()


def put_tables(directory: Path) -> None:
    """Make a data directory whose store has its tables, for a server that then founds it."""
    directory.mkdir(mode=0o700, parents=True)
    _write_tables(directory)


def give_tables(directory: Path) -> None:
    """Put the tables where a service is about to found its store. Where anything is already, nothing is done.

    A service would make the same tables by itself, which takes longer than most tests.
    """
    if not directory.exists():
        put_tables(directory)
    elif not any(directory.iterdir()):
        _write_tables(directory)


def _write_tables(directory: Path) -> None:
    create_private(directory / FILE)
    (directory / FILE).write_bytes(_embedded())


@contextmanager
def copy_of(original: Target, directory: Path) -> Iterator[Target]:
    """Copy a store that has no connections, with its directory."""
    shutil.copytree(original.directory, directory)
    if original.url is None:
        yield Target(directory)
        return
    with shared_server().database(like=original.url) as url:
        yield Target(directory, url)
