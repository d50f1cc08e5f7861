"""Records of used nonces: a signature with a nonce is valid only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN, Refusal

DIGEST_BYTES: Final = 8
"""Bytes of a nonce's digest. Two nonces of one key and second have the same digest by chance once in 10^15 calls."""
PAGE_BYTES: Final = 1024
"""From this size on a page is full. A batch writes the whole page that it adds to, and its digest, so it is small."""
NONCES_MAX: Final = 8192
"""Upper bound on the nonces of one key in signatures that end at the same second: it could sign any number of them."""
KNOWN_MAX: Final = 16
"""Upper bound on the keys and seconds whose nonces are kept in memory, at most 800 KB each."""
REPLAYED_TEXT: Final = (
    "The signature carries a nonce (x-bce-nonce) that was used before, and a signature with a nonce is good once. "
    "Sign the request again with a new nonce."
)
TOO_MANY_TEXT: Final = (
    f"The access key has used {NONCES_MAX} nonces in signatures that end at the same second, and more are not taken. "
    "Nothing was done; sign the request again when you send it."
)


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
    """Some of the nonces that were used with an access key in signatures that end at the same second.

    ``digests`` are their digests, 8 bytes each, one after another. ``number`` counts the pages of a key and second from
    0: nonces are added to the last page until it is full, and a full page never changes. A batch that adds to a page
    has locked it. The row may be deleted an hour after ``until``.
    """

    until: Instant
    access_key_id: str
    digests: bytes
    number: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nonces are added to the next page instead. A page of an earlier version may hold more."""
        return len(self.digests) >= PAGE_BYTES


class UsedNonces:
    """The used nonces of one key and second, kept from batch to batch.

    The store decides: if a batch loads other pages than those known here, they replace them. Only full pages that were
    loaded once are not loaded again.
    """

    __slots__ = ("_added", "_full", "_rest", "_used")

    def __init__(self) -> None:
        self._full: list[bytes] = []
        """The full pages that the store has."""
        self._rest: list[bytes] = []
        """The pages after them as this server wrote or loaded them last."""
        self._used: set[bytes] = set()
        """The digests on all these pages, and those that are added."""
        self._added: list[bytes] = []
        """The digests that the batch adds, in their order."""

    @property
    def numbers(self) -> range:
        """The numbers of the pages that a batch must load, as far as is known before it has loaded any."""
        has_next = bool(self._rest) and len(self._rest[-1]) >= PAGE_BYTES
        first = len(self._full)
        return range(first, first + max(len(self._rest), 1) + has_next)

    def loaded(self, pages: Sequence[NoncePage]) -> None:
        """Take the pages that the store has, from the first of ``numbers`` on."""
        found = [page.digests for page in pages]
        if self._added or found != self._rest:
            # A batch before was not saved, or another server has added nonces.
            self._added = []
            self._used = {
                digests[begin : begin + DIGEST_BYTES]
                for digests in (*self._full, *found)
                for begin in range(0, len(digests), DIGEST_BYTES)
            }
        full = sum(page.is_full for page in pages)
        self._full += found[:full]
        self._rest = found[full:]

    def use(self, values: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Refusal]]:
        """Use up nonces that have numbers of the caller's.

        Yields a refusal with the number of each that was used before (REPLAYED), or that is one too many.
        """
        used, added = self._used, self._added
        for number, value in values:
            digest = sha256(value.encode()).digest()[:DIGEST_BYTES]
            if digest in used:
                yield number, Refusal(REPLAYED, REPLAYED_TEXT)
            elif len(used) >= NONCES_MAX:
                yield number, Refusal(SIGNED_TOO_OFTEN, TOO_MANY_TEXT, again_us=SECOND_US)
            else:
                used.add(digest)
                added.append(digest)

    def written(self, until: Instant, access_key_id: str) -> list[NoncePage]:
        """Return the pages to write: the last one with what the batch added, and new ones after it."""
        if not self._added:
            return []
        digests = b"".join((*self._rest, *self._added))
        self._rest = [digests[begin : begin + PAGE_BYTES] for begin in range(0, len(digests), PAGE_BYTES)]
        self._added = []
        return [
            NoncePage(until, access_key_id, page, number) for number, page in enumerate(self._rest, len(self._full))
        ]


class KnownNonces:
    """The used nonces of the keys and seconds that batches added to last."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Instant, str], UsedNonces] = {}

    def of(self, until: Instant, access_key_id: str) -> UsedNonces:
        """Return those of a key and second, which take the place of the oldest if there are many."""
        key = (until, access_key_id)
        used = self._known.get(key)
        if used is None:
            used = self._known[key] = UsedNonces()
            if len(self._known) > KNOWN_MAX:
                del self._known[next(iter(self._known))]
        return used


class FormerNonce(msgspec.Struct, frozen=True):
    """A used nonce as versions before pages of nonces wrote it; this version writes none.

    ``hour`` is the first full hour after the last instant at which the signature could have been accepted. The row may
    be deleted an hour after it.
    """

    access_key_id: str
    value: str
    hour: Instant
