"""Checks of the audit log: no page was changed, removed, inserted or moved, as far as the store can show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.record.audit_log import (
    NOTHING,
    AuditPage,
    Head,
    Mark,
    PruneReceipt,
    Sealed,
    chain_hash,
    closure_message,
    head_message,
    read_body,
)
from leasebook.security.audit_keys import AuditKeys, is_signed
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import AUDIT_CHAINS, AUDIT_CLOSURES, AUDIT_PAGES
from leasebook.store.verify.digests import RowDigests

PAGES: Final = 200
"""Pages in memory at once."""
FOREVER: Final = 2**63
FOUND_MAX: Final = 100
"""Upper bound of the findings of one chain."""
_PAGES_TEXT: Final = (
    f"SELECT {columns(AUDIT_PAGES)}, seq FROM audit_pages WHERE chain = ? AND number > ? ORDER BY number LIMIT ?"
)
_CLOSURES_TEXT: Final = (
    f"SELECT seq, {columns(AUDIT_CLOSURES)} FROM audit_closures WHERE chain = ? AND last_number > ? "
    "ORDER BY last_number LIMIT ?"
)
_NEXT_CHAIN: Final = (
    "SELECT min(chain) FROM (SELECT min(chain) AS chain FROM audit_pages WHERE chain > ? "
    "UNION ALL SELECT min(chain) FROM audit_chains WHERE chain > ? "
    "UNION ALL SELECT min(chain) FROM audit_closures WHERE chain > ?) AS found"
)


class NotedRows(msgspec.Struct):
    """The rows whose digests are on the pages of the audit log, as far as pages were read."""

    digests: RowDigests
    founded_at: int | None = None
    """When the store was created, on its own clock."""
    closed_until: int | None = None
    """The last time of removed pages; the digests on them are gone."""
    older_seq: int = -1
    """The last page that a server of an earlier version wrote, without digests of rows."""
    noting: list[tuple[int, int]] = []
    """For each chain whose server wrote digests: the number and the time of its first page."""

    def note(self, digests: bytes) -> None:
        """Take a page's digests."""
        self.digests.note(digests)

    @property
    def unnoted_until(self) -> int | None:
        """The time until which rows may have no digest on a page; None: all rows have one.

        A server of an earlier version may have written rows until another one replaced it.
        """
        first = min((at for _, at in self.noting), default=None)
        # A new store's first page is as old as the store. A store of an earlier version may have no page from that
        # time.
        was_older = self.founded_at is not None and first is not None and first > self.founded_at
        # If pages were removed, that first page may be among them, and its digests are gone with it.
        if self.older_seq < 0 and (self.closed_until is not None or not was_older):
            return self.closed_until
        after = [at for seq, at in self.noting if seq > self.older_seq]
        return max(min(after, default=FOREVER), self.closed_until or 0)


NOT_KEYED: Final = "their seals were not checked, for want of the master key"


class Audited(msgspec.Struct):
    """The progress and the results of the check."""

    rows: NotedRows
    chains: int = 0
    entries: int = 0
    closed: int = 0
    public_key: str | None = None
    turned: bool = False
    """Whether the master key was ever replaced: then receipts are signed for several public keys."""
    marks: list[Mark] = []
    """The ends of the identity log that pages record."""
    is_torn: bool = False
    """Whether a chain is broken: then its digests are incomplete."""

    def summary(self, *, keyed: bool) -> str:
        """Return the result, and the parts that could not be verified, in words."""
        text = f"{self.entries} audit entries in {self.chains} chains"
        if self.closed:
            text = (
                f"{self.entries} audit entries in {self.chains} chains ({self.closed} more are closed, signed for the "
                f"public key {self.public_key})"
            )
        return text if keyed or not self.chains else f"{text}; {NOT_KEYED}"


def check_audit(fetch: Fetch, keys: AuditKeys | None, done: Audited) -> Iterator[str]:
    """Check every chain, a few pages in memory at a time; yields one line for each fault.

    Without the ``keys``, the seals of the chains' ends are not verified. Of receipts only the signature by the named
    key is verified then, not whose key it is.
    """
    chain = ""
    while True:
        ((following,),) = fetch(_NEXT_CHAIN, (chain, chain, chain))
        if following is None:
            break
        chain = str(following)
        done.chains += 1
        walk = _Walk(fetch, keys, chain, done)
        for count, finding in enumerate(walk.findings()):
            if count == FOUND_MAX:
                yield f"audit chain {chain}: more is wrong than {FOUND_MAX} things"
                break
            yield finding
    for unit_id, page in fetch(
        "SELECT u.unit_id, u.page FROM audit_units u LEFT JOIN audit_pages p ON p.seq = u.page "
        "WHERE p.seq IS NULL LIMIT ?",
        (FOUND_MAX,),
    ):
        yield f"audit index of unit {unit_id} has page {page}, which does not exist"


class _Walk:
    """The check of one chain, from its beginning to its end."""

    def __init__(self, fetch: Fetch, keys: AuditKeys | None, chain: str, done: Audited) -> None:
        self._fetch = fetch
        self._keys = keys
        self._chain = chain
        self._done = done
        self._number = 0
        self._hash = NOTHING
        self._notes_rows = False
        self._first: tuple[int, int] | None = None
        self._last_seq = -1

    def findings(self) -> Iterator[str]:
        for what in self._wrong():
            self._done.is_torn = True
            yield f"audit chain {self._chain}: {what}"

    def _wrong(self) -> Iterator[str]:
        for seq, closure in self._closures():
            yield from self._closed(seq, closure)
        for seq, page in self._pages():
            self._first = self._first or (seq, page.last_at)
            self._last_seq = seq
            yield from self._page(page)
        yield from self._end()
        if self._first is not None and self._notes_rows:
            self._done.rows.noting.append(self._first)
        elif not self._notes_rows:
            self._done.rows.older_seq = max(self._done.rows.older_seq, self._last_seq)

    def _closures(self) -> Iterator[tuple[int, PruneReceipt]]:
        last = 0
        while rows := self._fetch(_CLOSURES_TEXT, (self._chain, last, PAGES)):
            for row in rows:
                closure = AUDIT_CLOSURES.read(row[1:])
                last = closure.last_number
                yield row[0], closure

    def _pages(self) -> Iterator[tuple[int, AuditPage]]:
        # From the first page on: pages that a receipt replaces must be gone.
        last = 0
        while rows := self._fetch(_PAGES_TEXT, (self._chain, last, PAGES)):
            for row in rows:
                page = AUDIT_PAGES.read(row[:-1])
                last = page.number
                yield row[-1], page

    def _closed(self, seq: int, closure: PruneReceipt) -> Iterator[str]:
        place = f"the closure of pages {closure.first_number} to {closure.last_number}"
        if closure.first_number != self._number + 1 or closure.last_number < closure.first_number:
            yield f"{place} does not go on from page {self._number}"
        if closure.hash_before != self._hash:
            yield f"{place} does not follow what comes before it"
        if not is_signed(closure.public_key, closure_message(closure), closure.signature):
            yield f"{place} does not have its signature: it was altered"
        if self._keys is not None:
            if not self._keys.may_sign(closure.public_key, seq):
                yield f"{place} is signed by another key than that of the master key"
        elif self._done.public_key not in (None, closure.public_key) and not self._done.turned:
            yield f"{place} is signed by another key than others are"
        self._done.public_key = closure.public_key
        self._done.closed += closure.size
        noted = self._done.rows
        noted.closed_until = max(closure.last_at, noted.closed_until or 0)
        self._number, self._hash = closure.last_number, closure.hash_after

    def _page(self, page: AuditPage) -> Iterator[str]:
        if page.number <= self._number:
            yield f"page {page.number} is closed, and there is one all the same"
            return
        if page.number != self._number + 1:
            gone = (
                f"{self._number + 1} to {page.number - 1}" if page.number > self._number + 2 else f"{page.number - 1}"
            )
            yield f"page {gone} was removed"
        elif chain_hash(self._hash, self._chain, page.number, page.body) != page.hash:
            yield f"page {page.number} is not what was written, or does not follow page {page.number - 1}"
        yield from self._content(page)
        # Pages after a fault are checked on their own.
        self._number, self._hash = page.number, page.hash
        self._done.entries += page.size

    def _content(self, page: AuditPage) -> Iterator[str]:
        try:
            body = read_body(page.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield f"page {page.number} cannot be read"
            return
        times = [entry.at for entry in body.entries]
        if body.rows is not None:
            self._notes_rows = True
            self._done.rows.note(body.rows)
        if body.mark is not None:
            self._done.marks.append(body.mark)
        # A page without entries exists for its mark, and its time is arbitrary.
        said = (body.account_id, len(times), min(times, default=page.first_at), max(times, default=page.last_at))
        if said != (page.account_id, page.size, page.first_at, page.last_at):
            yield f"page {page.number} stands under another account, number or time than it has"
        for head in body.heads:
            yield from self._known(head)

    def _known(self, head: Head) -> Iterator[str]:
        """Check that a chain that existed when this one began still exists, unchanged up to its end at that time."""
        rows = self._fetch("SELECT hash FROM audit_pages WHERE chain = ? AND number = ?", (head.chain, head.number))
        if not rows:
            rows = self._fetch(
                "SELECT CASE WHEN last_number = ? THEN hash_after ELSE NULL END FROM audit_closures "
                "WHERE chain = ? AND first_number <= ? AND last_number >= ?",
                (head.number, head.chain, head.number, head.number),
            )
        if not rows:
            yield f"chain {head.chain} had {head.number} pages when this one began, and they are gone"
        elif rows[0][0] is not None and bytes(rows[0][0]) != head.hash:
            yield f"chain {head.chain} was another one when this one began, up to page {head.number}"

    def _end(self) -> Iterator[str]:
        rows = self._fetch(f"SELECT {columns(AUDIT_CHAINS)} FROM audit_chains WHERE chain = ?", (self._chain,))
        if not rows:
            yield "nothing says where it ends: its head was removed"
            return
        head: Sealed = AUDIT_CHAINS.read(rows[0])
        if head.number > self._number:
            yield f"it ends with page {head.number}, and pages after {self._number} were removed"
        elif (head.number, head.hash) != (self._number, self._hash):
            yield f"it ends with another page than its head says ({head.number})"
        if self._keys is not None and not self._keys.is_sealed(
            head_message(head.chain, head.number, head.hash), head.seal
        ):
            yield "its head does not have the seal of the master key: somebody else wrote it"
