"""Stores for tests, and copies of them: what takes long to live through is lived through once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leasehold.store.opening import Target
from tests.postgres import shared_server

STORES = ("sqlite", "postgres")


@contextmanager
def empty(kind: str, directory: Path, *, migrated: bool = False) -> Iterator[Target]:
    """Make a store of a kind with nothing in it; ``migrated``: a database has its tables, which is much quicker."""
    if kind == "sqlite":
        yield Target(directory)
        return
    with shared_server().database(migrated=migrated) as url:
        yield Target(directory, url)


@contextmanager
def copy_of(original: Target, directory: Path) -> Iterator[Target]:
    """Copy a store that nobody is connected to, with its directory."""
    shutil.copytree(original.directory, directory)
    if original.url is None:
        yield Target(directory)
        return
    with shared_server().database(like=original.url) as url:
        yield Target(directory, url)
