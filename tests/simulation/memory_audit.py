"""The audit log in memory: the simplest thing that keeps what a store keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leasebook.domain.record.audit_log import NOTHING, Audit, AuditPage, Head, PruneReceipt, Sealed, read_body
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.across import is_of
from leasebook.ports.queries.read_repository import AuditFilter, AuditFound, AuditLine, EventPlace, Numbered

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryAudit:
    """Pages by their number in the store, ends of chains, closures, and which instances are named where."""

    def __init__(self) -> None:
        self.pages: dict[int, AuditPage] = {}
        self.chains: dict[str, Sealed] = {}
        self.closures: dict[int, PruneReceipt] = {}
        self.units: set[tuple[str, int]] = set()
        self._last = 0

    def check(self, audit: Audit) -> None:
        """Take nothing that does not fit."""
        taken = {(page.chain, page.number) for page in self.pages.values()}
        again = [page for page in audit.pages if (page.chain, page.number) in taken]
        assert not again, f"these pages exist already: {again}"
        if audit.closing is not None:
            assert set(audit.closing.pages) <= set(self.pages), "pages are closed that are not there"

    def write(self, audit: Audit, owners: Mapping[str, str]) -> None:
        """Write it; ``owners`` are the accounts of instances."""
        numbers: dict[str, int] = {}
        for page in audit.pages:
            self._last += 1
            self.pages[self._last] = page
            numbers[page.account_id] = self._last
        if audit.head is not None:
            self.chains[audit.head.chain] = audit.head
        for account_id, name in audit.named:
            if owners.get(name) == account_id:
                self.units.add((name, numbers[account_id]))
        if audit.closing is not None:
            self.closures[len(self.closures) + 1] = audit.closing.closure
            for number in audit.closing.pages:
                del self.pages[number]
            self.units -= set(audit.closing.index)

    def heads(self) -> list[Head]:
        """Return the ends of all chains."""
        return [Head(end.chain, end.number, end.hash) for _, end in sorted(self.chains.items())]

    def oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages, and the hash that the first of them follows."""
        pages = sorted(self.pages.items())[:limit]
        if not pages:
            return [], NOTHING
        chain = pages[0][1].chain
        before = [one for one in self.closures.values() if one.chain == chain]
        return pages, max(before, key=lambda one: one.last_number).hash_after if before else NOTHING


class MemoryAuditQuestions:
    """Questions about the audit log."""

    _audit: MemoryAudit

    def audit(self, wanted: AuditFilter, *, after: EventPlace | None, limit: int) -> AuditFound:
        """Return an account's entries, newest first."""
        found = [
            AuditLine(EventPlace(seq, index), page.chain, page.number, entry, page.account_id)
            for seq, page in sorted(self._audit.pages.items(), reverse=True)
            if is_of(page.account_id, wanted.across or wanted.account_id)
            and (wanted.unit_id is None or (wanted.unit_id, seq) in self._audit.units)
            for index, entry in reversed([*enumerate(read_body(page.body).entries)])
            if wanted.has(entry) and (after is None or (seq, index) < after)
        ]
        return AuditFound(found[:limit], found[limit - 1].place if len(found) > limit else None)

    def audit_export(self, account_id: str | None, since: Instant | None, until: Instant | None) -> Iterator[AuditPage]:
        """Return pages with entries of a stretch of time, in the order of writing."""
        for _, page in sorted(self._audit.pages.items()):
            if (
                account_id in (None, page.account_id)
                and (since is None or page.last_at >= since)
                and (until is None or page.first_at < until)
            ):
                yield page

    def audit_chains(self, limit: int) -> list[Sealed]:
        """Return the ends of the chains, the one written last first."""
        return sorted(self._audit.chains.values(), key=lambda end: (end.last_at, end.chain), reverse=True)[:limit]

    def audit_closures(self, *, after: int | None, limit: int) -> list[Numbered]:
        """Return the closures of pages that were removed, newest first."""
        return [
            Numbered(seq, closure)
            for seq, closure in sorted(self._audit.closures.items(), reverse=True)
            if after is None or seq < after
        ][:limit]
