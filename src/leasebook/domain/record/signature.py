"""Records of signatures: nonces that were used, and calls whose signature was refused."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal

Requirement = Literal["SignedBody", "Nonce"]
"""The parts that a signature can be required to cover: the body's hash, and a nonce, which makes it valid only once."""
REQUIREMENTS: Final[tuple[Requirement, ...]] = ("SignedBody", "Nonce")


DIGEST_BYTES: Final = 8
"""Bytes of a nonce's digest on a page. Two nonces of one page have the same digest by chance once in 10^15 calls."""
KNOWN_MAX: Final = 16
"""Upper bound on the pages that are kept as numbers, which take 40 bytes each or 600 KB a page."""
_FIRST_BYTES: Final = struct.Struct("<Q").unpack_from
PAGE_MAX: Final = 8192
"""Upper bound on the nonces of one page, because each use writes the page: a key could sign any number in advance."""


class Nonce(msgspec.Struct, frozen=True, gc=False):
    """The nonce of a signature.

    ``until`` is the last instant at which the signature could be accepted, in microseconds since 1970 UTC by the
    machine's clock: a full second. ``may_be_former``: a version that kept each nonce in a row may have taken it.
    """

    access_key_id: str
    value: str
    until: Instant
    may_be_former: bool = False


class NoncePage(msgspec.Struct, frozen=True):
    """The nonces that were used with an access key in signatures that end at the same second.

    ``digests`` are their digests, 8 bytes each, one after another. One row for all of them is written once a batch, and
    a batch that writes it has locked it. The row may be deleted an hour after ``until``.
    """

    until: Instant
    access_key_id: str
    digests: bytes


class UsedNonces:
    """A page while a batch adds to it: the digests of its nonces as numbers."""

    __slots__ = ("_new", "_used", "page")

    def __init__(self, page: NoncePage, used: set[int]) -> None:
        """``used`` are the digests of the page; the batch adds to the set."""
        self.page = page
        self._used = used
        self._new: list[int] = []

    def use(self, value: str) -> None:
        """Use a nonce up; raises Refusal where it was used before, or the page is full."""
        digest: int = _FIRST_BYTES(sha256(value.encode()).digest())[0]
        used = self._used
        if digest in used:
            raise Refusal(REPLAYED, REPLAYED_TEXT)
        if len(used) >= PAGE_MAX:
            raise Refusal(SIGNED_TOO_OFTEN, FULL_TEXT, again_us=SECOND_US)
        used.add(digest)
        self._new.append(digest)

    def written(self, known: KnownPages) -> NoncePage:
        """Return the page with the new digests, which ``known`` is given too."""
        added = struct.pack(f"<{len(self._new)}Q", *self._new)
        page = msgspec.structs.replace(self.page, digests=self.page.digests + added)
        known.keep(page, self._used)
        return page


class KnownPages:
    """The pages that were written last, with their digests as numbers: a page of thousands takes long to read.

    A page that the store has since, or that was never saved, has other bytes, and is read.
    """

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[tuple[Instant, str], tuple[bytes, set[int]]] = {}

    def open(self, page: NoncePage) -> UsedNonces:
        """Return a page for a batch to add to."""
        known = self._pages.pop((page.until, page.access_key_id), None)
        if known is not None and known[0] == page.digests:
            return UsedNonces(page, known[1])
        return UsedNonces(page, set(struct.unpack(f"<{len(page.digests) // DIGEST_BYTES}Q", page.digests)))

    def keep(self, page: NoncePage, used: set[int]) -> None:
        """Keep a page as it is written, in the place of the oldest where there are many."""
        self._pages[page.until, page.access_key_id] = page.digests, used
        if len(self._pages) > KNOWN_MAX:
            del self._pages[next(iter(self._pages))]


REPLAYED_TEXT: Final = (
    "The signature carries a nonce (x-bce-nonce) that was used before, and a signature with a nonce is good once. "
    "Sign the request again with a new nonce."
)
FULL_TEXT: Final = (
    f"The access key has used {PAGE_MAX} nonces in signatures that end at the same second, and more are not taken. "
    "Nothing was done; sign the request again when you send it."
)


class FormerNonce(msgspec.Struct, frozen=True):
    """A used nonce as versions before pages of nonces wrote it; this version writes none.

    ``hour`` is the first full hour after the last instant at which the signature could have been accepted. The row may
    be deleted an hour after it.
    """

    access_key_id: str
    value: str
    hour: Instant


class RefusedCalls(msgspec.Struct, frozen=True):
    """Refused calls of one minute without a verified caller: their origin, their key, and their number.

    ``address`` and ``access_key_id`` are both "" in the row that counts the calls beyond the bound of rows;
    ``access_key_id`` alone is "" where the call named no key. ``account_id`` is the account of the key, if that key
    exists. ``codes`` are the calls by error code. Times are the machine's.
    """

    id: str
    minute: Instant
    address: str
    access_key_id: str
    account_id: str
    calls: int
    codes: dict[str, int]
    first_at: Instant
    last_at: Instant

    @property
    def is_overflow(self) -> bool:
        """Whether it counts the calls beyond the bound of rows a minute."""
        return not self.address and not self.access_key_id
