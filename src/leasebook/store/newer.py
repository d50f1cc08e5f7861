"""Whether a server may still write to its store: not where a newer version changed that to what it does not know."""

from __future__ import annotations

from typing import Final

from leasebook.batch import Outdated
from leasebook.store import revisions

WRITABLE_FROM: Final = "schema_writable_from"
"""The fact that names the oldest revision whose servers may go on writing; none: only those that know the store's."""

REVISION_NOW: Final = "SELECT (SELECT max(version_num) FROM alembic_version), (SELECT value FROM facts WHERE name = ?)"
MIGRATION_LOCK: Final = 0x1EA5E401D
"""On PostgreSQL whoever changes the schema has this lock alone, and each batch has it together with others."""


def may_write(revision: str, writable_from: str | None) -> bool:
    """Whether this version may write to a store at that revision."""
    return revision in revisions.known() or writable_from in revisions.known()


class Schema:
    """What a server knows of its store's schema, with every batch. It is a concern of monitors, too."""

    def __init__(self) -> None:
        self._outdated: str | None = None

    def require(self) -> None:
        """Raise Outdated where it was seen before that this server may not write any more."""
        if self._outdated is not None:
            raise Outdated(self._outdated)

    def see(self, revision: str, writable_from: str | None) -> None:
        """Take what a batch found. Raises Outdated where this server may not write, now and ever after."""
        if may_write(revision, writable_from):
            return
        self._outdated = (
            f"the store was brought to schema {revision} by a newer version, and this server knows up to "
            f"{revisions.latest()}: it writes no more. Start the newer version in its place"
        )
        raise Outdated(self._outdated, is_news=True)

    def unready(self) -> str | None:
        """Nothing that would pass by itself."""
        return None

    def broken(self) -> str | None:
        """Why this server will not write again."""
        return None if self._outdated is None else f"{self._outdated[:1].upper()}{self._outdated[1:]}."
