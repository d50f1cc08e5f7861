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
PAGE_MAX: Final = 8192
"""Upper bound on the nonces of one page, because each use writes the page: a key could sign any number in advance."""


class Nonce(msgspec.Struct, frozen=True):
    """The nonce of a signature.

    ``until`` is the last instant at which the signature could be accepted, in microseconds since 1970 UTC by the
    machine's clock: a full second. ``may_be_former``: a version that kept each nonce in a row may have taken it.
    """

    access_key_id: str
    value: str
    until: Instant
    may_be_former: bool = False

    @property
    def digest(self) -> int:
        """The digest that the page has of it, as a number. The access key and the end are those of the page."""
        return int.from_bytes(sha256(self.value.encode()).digest()[:DIGEST_BYTES], "little")


class NoncePage(msgspec.Struct, frozen=True):
    """The nonces that were used with an access key in signatures that end at the same second.

    ``digests`` are their digests, 8 bytes each, one after another. One row for all of them is written once a batch, and
    a batch that writes it has locked it. The row may be deleted an hour after ``until``.
    """

    until: Instant
    access_key_id: str
    digests: bytes


class UsedNonces:
    """A page while a batch adds to it."""

    __slots__ = ("_new", "_used", "page")

    def __init__(self, page: NoncePage) -> None:
        self.page = page
        self._used = set(struct.unpack(f"<{len(page.digests) // DIGEST_BYTES}Q", page.digests))
        self._new: list[int] = []

    def use(self, nonce: Nonce) -> None:
        """Use a nonce up; raises Refusal where it was used before, or the page is full."""
        digest = nonce.digest
        if digest in self._used:
            raise Refusal(REPLAYED, REPLAYED_TEXT)
        if len(self._used) >= PAGE_MAX:
            raise Refusal(SIGNED_TOO_OFTEN, FULL_TEXT, again_us=SECOND_US)
        self._used.add(digest)
        self._new.append(digest)

    def written(self) -> NoncePage:
        """Return the page with the new digests."""
        added = struct.pack(f"<{len(self._new)}Q", *self._new)
        return msgspec.structs.replace(self.page, digests=self.page.digests + added)


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
