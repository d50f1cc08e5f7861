"""Whether a server may still write to its store, or a newer version has changed the schema beyond its knowledge."""

from __future__ import annotations

from typing import Final

from leasebook.batch import Outdated
from leasebook.store import revisions

WRITABLE_FROM: Final = "schema_writable_from"
"""The metadata row with the oldest revision whose servers may go on writing; none: only those that know the store's."""

REVISION_NOW: Final = "SELECT (SELECT max(version_num) FROM alembic_version), (SELECT value FROM facts WHERE name = ?)"
MIGRATION_LOCK: Final = 0x1EA5E401D
"""On PostgreSQL a migration takes this lock alone, and batches share it."""


def may_write(revision: str, writable_from: str | None) -> bool:
    """Whether this version may write to a store at that revision."""
    return revision in revisions.known() or writable_from in revisions.known()


class Schema:
    """A server's knowledge of its store's schema, updated with every batch; also a concern of its health."""

    def __init__(self) -> None:
        self._outdated: str | None = None

    def require(self) -> None:
        """Raise Outdated if this server is known to be too old to write."""
        if self._outdated is not None:
            raise Outdated(self._outdated)

    def see(self, revision: str, writable_from: str | None) -> None:
        """Take the schema that a batch found. Raises Outdated if this server is too old to write, now and later."""
        if may_write(revision, writable_from):
            return
        self._outdated = (
            f"the store was brought to schema {revision} by a newer version, and this server knows up to "
            f"{revisions.latest()}: it writes no more. Start the newer version in its place"
        )
        raise Outdated(self._outdated, is_news=True)

    def unready(self) -> str | None:
        """Return None: no fault of the schema passes by itself."""
        return None

    def broken(self) -> str | None:
        """Return why this server will not write again; None: it may."""
        return None if self._outdated is None else f"{self._outdated[:1].upper()}{self._outdated[1:]}."
