"""The audit log: every call and its result, on pages of a hash chain that shows every manipulation.

Each page is hashed together with the hash of the page before it. To change, remove, insert or move a page, an attacker
has to rewrite all pages after it; and the last hash is sealed under a key that the store does not hold.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.former_name import SEALED

OK: Final = "OK"
"""The code of a call that succeeded; every other code is an error code."""
NEVER: Final = Instant(0)
BODY_MAX: Final = 2048
"""Characters of a request's body that an entry keeps."""
MESSAGE_MAX: Final = 300
"""Characters of a refusal's message that an entry keeps."""
NOTHING: Final = bytes(32)
"""The hash before the first page of a chain."""


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One call. ``user_id`` is None unless the signature was verified; ``access_key`` is the key that the caller named.

    ``names`` are the ids of instances and services in the request. ``token``: the request had a client token.
    """

    at: Instant
    request_id: str
    user_id: str | None
    access_key: str | None
    address: str
    path: str
    action: str
    status: int
    code: str
    message: str
    body: str
    names: tuple[str, ...]
    token: bool


Line = tuple[str, Entry]
"""An entry, and the account that it belongs to; "" for an unauthenticated call."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The end of a chain: the number and the hash of its last page."""

    chain: str
    number: int
    hash: bytes


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The end of the identity log: number and seal of its last event. Number 0: no event has a seal yet."""

    number: int
    seal: bytes


class PageBody(msgspec.Struct, frozen=True, array_like=True):
    """The content of a page.

    ``heads``: on a chain's first page, the ends of all other chains known at that time. ``mark``: the end of the
    identity log (``identity_log``), on the first page of every batch that wrote to it. ``rows``: the digests of rows
    that the batch wrote (``row_digest``), one after another, on its first page. None: this is a later page of a batch,
    or an earlier version without digests wrote it.
    """

    account_id: str
    entries: tuple[Entry, ...]
    heads: tuple[Head, ...]
    mark: Mark | None = None
    rows: bytes | None = None


class AuditPage(msgspec.Struct, frozen=True):
    """A page as it is stored: an account's entries of one batch. The hash covers the bytes of ``body``."""

    chain: str
    number: int
    account_id: str
    first_at: Instant
    last_at: Instant
    size: int
    hash: bytes
    body: bytes


class Sealed(msgspec.Struct, frozen=True):
    """The end of a chain as it is stored, replaced with every page, and sealed under the master key."""

    chain: str
    number: int
    hash: bytes
    last_at: Instant
    seal: bytes


class PruneReceipt(msgspec.Struct, frozen=True):
    """The receipt that replaces pages removed because of their age, signed so that the chain can still be verified.

    ``counts`` are the removed entries by code. ``public_key`` is the Ed25519 key of the signature, in hexadecimal.
    """

    chain: str
    first_number: int
    last_number: int
    first_at: Instant
    last_at: Instant
    size: int
    hash_before: bytes
    hash_after: bytes
    counts: dict[str, int]
    closed_at: Instant
    public_key: str
    signature: bytes


class Prune(msgspec.Struct, frozen=True):
    """A receipt, the pages that it replaces (their ``seq``), and those pages' rows in the index of instances."""

    closure: PruneReceipt
    pages: tuple[int, ...]
    index: tuple[tuple[str, int], ...]


class Audit(msgspec.Struct):
    """A batch's part of the audit log. ``named`` lists the ids that calls of an account name: account and id."""

    pages: list[AuditPage] = []
    head: Sealed | None = None
    named: list[tuple[str, str]] = []
    closing: Prune | None = None

    def __bool__(self) -> bool:
        return bool(self.pages) or self.closing is not None


class BrokenChainError(Exception):
    """Pages do not follow one another; the message says which."""


_write: Final = msgspec.json.Encoder().encode
read_body: Final = msgspec.json.Decoder(PageBody).decode


def chain_hash(before: bytes, chain: str, number: int, body: bytes) -> bytes:
    """Hash a page: SHA-256 of the hash before it, the chain, the number and the body."""
    return hashlib.sha256(b"%b%b\n%d\n%b" % (before, chain.encode(), number, body)).digest()


def head_message(chain: str, number: int, page_hash: bytes) -> bytes:
    """Return the message that the seal of a chain's end signs."""
    return SEALED + b"audit head\n%b\n%d\n%b" % (chain.encode(), number, page_hash)


def closure_message(closure: PruneReceipt) -> bytes:
    """Return the message that the signature of a receipt signs: all its fields but the signature."""
    return SEALED + b"audit closure\n" + _write(msgspec.structs.astuple(closure)[:-1])


def pages_of(
    end: Head,
    lines: Iterable[Line],
    heads: Sequence[Head] = (),
    mark: Mark | None = None,
    now: Instant = NEVER,
    rows: bytes | None = None,
) -> list[AuditPage]:
    """Put entries on pages, one page an account, after the end of a chain.

    The first page carries ``heads``, ``mark`` and ``rows``. A mark or digests get a page, with the time ``now``, even
    without entries.
    """
    accounts: dict[str, list[Entry]] = {}
    for account_id, entry in lines:
        accounts.setdefault(account_id, []).append(entry)
    if (mark is not None or rows) and not accounts:
        accounts[""] = []
    pages: list[AuditPage] = []
    number, before = end.number, end.hash
    for account_id, entries in accounts.items():
        number += 1
        first = (None, None) if pages else (mark, rows)
        said = PageBody(account_id, tuple(entries), tuple(heads) if number == 1 else (), *first)
        body = _write(msgspec.structs.astuple(said)[: _written_fields(said)])
        before = chain_hash(before, end.chain, number, body)
        times = [entry.at for entry in entries] or [now]
        pages.append(AuditPage(end.chain, number, account_id, min(times), max(times), len(entries), before, body))
    return pages


def _written_fields(said: PageBody) -> int:
    """Return how many of a page's fields are written: empty fields at the end are left out."""
    return 5 if said.rows is not None else 4 if said.mark is not None else 3


def day_before(now: Instant, keep_us: int) -> Instant:
    """Return the instant before which pages are removed: a midnight UTC, so that one receipt replaces many pages."""
    return Instant((now - keep_us) // DAY_US * DAY_US)


def _has(mark: Mark | None, older: Mark | None) -> bool:
    """Whether an identity log that ends at ``mark`` may have ended at ``older`` before, as far as the two show."""
    if mark is None or older is None or older.number < mark.number:
        return True
    return older == mark


ENTRIES_CLOSED_MAX: Final = 2000
"""Upper bound of entries removed in one batch: other commands wait some milliseconds for it."""


def closing_of(
    found: Sequence[tuple[int, AuditPage]],
    hash_before: bytes,
    before: Instant,
    now: Instant,
    public_key: str,
    mark: Mark | None = None,
) -> Prune | None:
    """Prepare the removal of the oldest pages of a chain that are old enough; the receipt is not signed yet.

    ``found`` are the store's oldest pages with their ``seq``, ``hash_before`` is the hash before the first of them, and
    ``mark`` is the end of the identity log. Raises BrokenChainError if the pages cannot be verified, or know of more
    events than the identity log has: pages that were tampered with are never removed.
    """
    closed: list[tuple[int, AuditPage]] = []
    counts: Counter[str] = Counter()
    index: list[tuple[str, int]] = []
    last = hash_before
    for seq, page in found:
        if page.last_at >= before or (closed and counts.total() + page.size > ENTRIES_CLOSED_MAX):
            break
        if page.chain != found[0][1].chain:
            continue
        if closed and page.number != closed[-1][1].number + 1:
            raise BrokenChainError(f"page {page.number} of chain {page.chain} comes after {closed[-1][1].number}")
        last = chain_hash(last, page.chain, page.number, page.body)
        if last != page.hash:
            raise BrokenChainError(f"page {page.number} of chain {page.chain} does not have its hash")
        body = read_body(page.body)
        entries = body.entries
        if not _has(mark, body.mark):
            raise BrokenChainError(f"page {page.number} of chain {page.chain} knows a log of identities that is gone")
        counts.update(entry.code for entry in entries)
        index += sorted({(name, seq) for entry in entries for name in entry.names})
        closed.append((seq, page))
    if not closed:
        return None
    pages = [page for _, page in closed]
    closure = PruneReceipt(
        chain=pages[0].chain,
        first_number=pages[0].number,
        last_number=pages[-1].number,
        first_at=min(page.first_at for page in pages),
        last_at=max(page.last_at for page in pages),
        size=counts.total(),
        hash_before=hash_before,
        hash_after=last,
        counts=dict(sorted(counts.items())),
        closed_at=now,
        public_key=public_key,
        signature=b"",
    )
    return Prune(closure, tuple(seq for seq, _ in closed), tuple(index))
