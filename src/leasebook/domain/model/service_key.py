"""Keys for calling services: bearer keys, apart from the access keys that sign requests."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Final, Literal, NamedTuple

import msgspec

from leasebook.domain.model.account import User
from leasebook.domain.values.calendar import Instant

ServiceKeyStatus = Literal["Active", "Deleted"]
_TOKEN: Final = re.compile(r"lsk-([0-9a-z]{12})-([A-Za-z0-9_-]{43})", re.ASCII)


class ServiceKey(msgspec.Struct, frozen=True):
    """A key for calling the services of an account; with ``service_id`` for that one only.

    ``name`` is the app that its calls are counted under. Of the key itself only ``digest`` is kept, the SHA-256 of
    its text in hex: its 256 bits are random, so no slower digest would make it any harder to guess.
    """

    id: str
    account_id: str
    created_by: str
    name: str
    service_id: str | None
    digest: str
    created_at: Instant
    status: ServiceKeyStatus = "Active"

    def is_that(self, text: str) -> bool:
        """Whether this is the key, compared in a time that tells nothing of the digest."""
        return self.status == "Active" and hmac.compare_digest(self.digest, digest_of(text))

    def opens(self, service_id: str) -> bool:
        """Whether it is for that service of its account."""
        return self.service_id in (None, service_id)


Orphan = Literal["MakerGone", "MakerMayNot", "MakerHasNoKey"]
"""Why a key has nobody any more who answers for it: its maker is deleted, may not make keys any more, or has no active
access key left. It opens nothing in the first two cases. In the third it goes on, since whoever replaces an access key
has none for a moment."""
DEAD: Final = frozenset({"MakerGone", "MakerMayNot"})
"""What a key does not outlive."""


def orphan_of(
    key: ServiceKey, maker: User | None, makers: frozenset[str], *, has_access_key: bool = True
) -> Orphan | None:
    """Say why nobody answers for a key any more; None: somebody does. One of ``makers`` is the policy to make keys."""
    if maker is None or maker.account_id != key.account_id:
        return "MakerGone"
    if not maker.is_root and makers.isdisjoint(maker.policies):
        return "MakerMayNot"
    return None if has_access_key else "MakerHasNoKey"


class KeyText(NamedTuple):
    """A key as its holder has it, and the id that is in it."""

    id: str
    text: str


def key_text(key_id: str, secret: str) -> str:
    """Write a key: its id, by which it is looked up, and 43 random characters."""
    return f"lsk-{key_id.removeprefix('key-')}-{secret}"


def read_key(text: str) -> KeyText | None:
    """Read a key; None for what was never one."""
    found = _TOKEN.fullmatch(text)
    return KeyText(f"key-{found[1]}", text) if found else None


def digest_of(text: str) -> str:
    """Return what is kept of a key."""
    return sha256(text.encode()).hexdigest()
