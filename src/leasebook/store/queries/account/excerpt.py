"""A private copy of what some accounts spent in a period, out of the embedded store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.store.errors import BadStore
from leasebook.store.rows.postings import DAY, VIEW
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.there import store_in

_NUMBERS: Final = (
    "CREATE TABLE account_numbers AS SELECT * FROM store.account_numbers WHERE account_id IN (SELECT id FROM accounts)"
)
_POSTINGS: Final = (
    # The accounts first, so that the indexes of an account's postings are used.
    "CREATE TABLE posting_rows AS "
    "SELECT p.* FROM account_numbers n CROSS JOIN store.posting_rows p ON p.account = n.seq AND p.at >= ? AND p.at < ? "
    "UNION ALL SELECT p.* FROM account_numbers n "
    "CROSS JOIN store.posting_rows p ON p.account = n.seq AND p.kind <> 'Usage' AND p.at < ?"
)
"""The postings of the period, and all earlier ones that are no hourly charges: terms reach into later months."""
_REST: Final = (
    "CREATE UNIQUE INDEX account_numbers_seq ON account_numbers (seq)",
    "CREATE UNIQUE INDEX account_numbers_account ON account_numbers (account_id)",
    "CREATE INDEX posting_rows_account ON posting_rows (account, at)",
    f"CREATE INDEX posting_rows_unit ON posting_rows (unit, {DAY}) WHERE unit IS NOT NULL",
    "CREATE INDEX posting_rows_unusual ON posting_rows (account, at, seq) WHERE kind <> 'Usage'",
    "CREATE TABLE units AS SELECT * FROM store.units WHERE seq IN (SELECT unit FROM posting_rows)",
    "CREATE UNIQUE INDEX units_id ON units (id)",
    "CREATE UNIQUE INDEX units_seq ON units (seq)",
    VIEW,
    "CREATE TABLE tags AS SELECT * FROM store.tags WHERE id IN (SELECT id FROM units)",
    "CREATE UNIQUE INDEX tags_id ON tags (id)",
    "CREATE TABLE projects AS SELECT * FROM store.projects WHERE account_id IN (SELECT id FROM accounts)",
    "CREATE TABLE alembic_version AS SELECT * FROM store.alembic_version",
)


class Excerpt(msgspec.Struct, frozen=True):
    """Accounts (None: all) with their instances, and the postings from ``since`` to ``until``, to be copied."""

    accounts: tuple[str, ...] | None
    since: Instant
    until: Instant

    def of(self, path: Path) -> sqlite3.Connection:
        """Copy this as of one instant into a file of its own, and return a connection to the copy.

        A copy takes seconds where an export takes minutes, during which the log of the store could not be restarted.
        The file has no name, in TMPDIR, otherwise in /var/tmp. Raises BadStore if there is no store, or if it cannot be
        copied.
        """
        store_in(path.parent)
        # An empty name makes SQLite delete the file as soon as it is open.
        copy = sqlite3.connect("", isolation_level=None, uri=True, check_same_thread=False)
        try:
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            copy.execute(f"PRAGMA busy_timeout = {sqlite.BUSY_MS}")
            copy.execute("ATTACH ? AS store", (f"{path.absolute().as_uri()}?mode=ro",))
            copy.execute("BEGIN")
            self._fill(copy)
            copy.execute("COMMIT")
            copy.execute("DETACH store")
            copy.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            copy.close()
            raise BadStore(
                f"{path} cannot be read into a copy of its own: {error}. The copy is in the directory that TMPDIR "
                "names, otherwise in /var/tmp."
            ) from None
        return copy

    def _fill(self, copy: sqlite3.Connection) -> None:
        marks = "" if self.accounts is None else f" WHERE id IN ({', '.join('?' * len(self.accounts))})"
        ids: Sequence[str] = self.accounts or ()
        copy.execute(f"CREATE TABLE accounts AS SELECT * FROM store.accounts{marks}", ids)
        copy.execute(_NUMBERS)
        copy.execute(_POSTINGS, (self.since, self.until, self.since))
        for statement in _REST:
            copy.execute(statement)
