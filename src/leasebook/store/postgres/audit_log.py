"""A PostgreSQL batch's reads of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from leasebook.domain.record.audit_log import NOTHING, AuditPage, Head, Mark
from leasebook.domain.record.identity_log import LOG_END, read_mark
from leasebook.store.postgres.session import Row
from leasebook.store.postgres.statements import AUDIT_CLOSING, AUDIT_LOCK
from leasebook.store.queries.audit_log import FOLLOWS_TEXT, HEADS_TEXT, MARK_TEXT, OLDEST_TEXT, heads_of, pages_of


class AuditReads:
    """The part of a transaction that reads the audit log."""

    async def _rows(self, text: str, params: Sequence[str | int]) -> list[Row]:
        raise NotImplementedError

    async def audit_heads(self) -> list[Head]:
        """Return the ends of all chains of the audit log."""
        return heads_of(await self._rows(HEADS_TEXT, ()))

    async def audit_mark(self) -> Mark:
        """Return the end of the identity log."""
        found = await self._rows(MARK_TEXT.replace("?", "%s"), (LOG_END,))
        return read_mark(found[0][0] if found else None)

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log, and the hash before them; none if another server removes some."""
        if not (await self._rows(AUDIT_CLOSING, (AUDIT_LOCK,)))[0][0]:
            return [], NOTHING
        pages = pages_of(await self._rows(OLDEST_TEXT.replace("?", "%s"), (limit,)))
        follows = pages and await self._rows(FOLLOWS_TEXT.replace("?", "%s"), (pages[0][1].chain,))
        return pages, bytes(follows[0][0]) if follows else NOTHING
