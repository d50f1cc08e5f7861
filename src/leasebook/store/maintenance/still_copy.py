"""A store that stands still, to be read for as long as it takes: a copy of the embedded one, which nobody else sees."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from leasebook.store.errors import BadStore
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.there import store_in


def still(path: Path) -> sqlite3.Connection:
    """Copy a store as it is at one moment into a file of its own, and return a connection to read that on.

    The store's log can't be begun anew while somebody reads it, and grows with all that is written meanwhile: a copy is
    made in a small part of the time that a check or an export takes. SQLite makes its file where TMPDIR says,
    otherwise in /var/tmp; it has no name, so that nothing is left of it however this process ends.

    Raises BadStore where there is no store, or it cannot be copied.
    """
    store_in(path.parent)
    source = sqlite.connect(path, read_only=True)
    # No name: SQLite's word for a file that it removes as soon as it has opened it.
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
    """Copy a store in one piece, and wait for no disk meanwhile; in several, every write would make it begin again."""
    # Nobody needs a copy that is not complete, so nothing is written down to go back to; and whoever keeps it syncs it.
    copy.execute("PRAGMA journal_mode = OFF")
    copy.execute("PRAGMA synchronous = OFF")
    source.backup(copy, pages=-1)
