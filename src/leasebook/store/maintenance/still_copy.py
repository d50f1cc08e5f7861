"""A private copy of the embedded store, which does not change and can be read for any length of time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from leasebook.store.errors import BadStore
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.there import store_in


def still(path: Path) -> sqlite3.Connection:
    """Copy a store as of one instant into a file of its own, and return a connection to the copy.

    The store's log cannot be restarted during a long read, and grows by every write meanwhile: copying takes a small
    part of the time of a check or an export. SQLite creates the file in TMPDIR, otherwise in /var/tmp. The file has no
    name, so it vanishes however this process ends. Raises BadStore if there is no store, or if it cannot be copied.
    """
    store_in(path.parent)
    source = sqlite.connect(path, read_only=True)
    # An empty name makes SQLite delete the file as soon as it is open.
    copy = sqlite3.connect("", isolation_level=None)
    try:
        copy_whole(source, copy)
        copy.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        copy.close()
        raise BadStore(
            f"{path} cannot be copied, to be read while servers go on: {error}. The copy is as large as the store, in "
            "the directory that TMPDIR names, otherwise in /var/tmp."
        ) from None
    finally:
        source.close()
    return copy


def copy_whole(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Copy a store in one piece, without waiting for the disk; in several pieces, every write would restart it."""
    # An incomplete copy is useless, so there is no journal to go back to; the caller syncs a copy that it keeps.
    copy.execute("PRAGMA journal_mode = OFF")
    copy.execute("PRAGMA synchronous = OFF")
    source.backup(copy, pages=-1)
