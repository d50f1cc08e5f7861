"""The keys of the audit log: derived from the master key, so that there is no other key to keep."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leasebook.domain.values.former_name import SEALED
from leasebook.security.vault import BadMasterKey, fingerprint

KEY_BYTES: Final = 32
# Part of what every seal and signature is: they never change.
_SEALS: Final = SEALED + b"audit head seals 1"
_SIGNATURES: Final = SEALED + b"audit closure signatures 1"


class PastKey(msgspec.Struct, frozen=True):
    """The audit keys of an earlier master key. They prove what was sealed under it, and nothing newer.

    ``identities`` is the number of the last identity event that it sealed, and ``closures`` that of the last closure
    that it may have signed; None: servers still use it. ``seal_key`` is a secret.
    """

    fingerprint: str
    public_key: str
    seal_key: bytes
    identities: int
    closures: int | None = None


class AuditKeys:
    """Seals ends of chains (HMAC-SHA256) and signs closures (Ed25519), under keys of the master key (HKDF-SHA256).

    While a master key takes the place of another both are known (``others``), and ``past`` are those before. With
    ``rotating`` the ends of chains may still have the seal of the one before.
    """

    def __init__(self, master_key: bytes, *others: bytes, past: Sequence[PastKey] = (), rotating: bool = False) -> None:
        self._of: dict[str, _Keys] = {}
        for key in (master_key, *others):
            self.learn(key)
        self.fingerprint = fingerprint(master_key)
        self._past = tuple(past)
        self._rotating = rotating

    def learn(self, master_key: bytes) -> None:
        """Seal and sign under that key, too, where it is its turn."""
        self._of[fingerprint(master_key)] = _Keys(
            _derived(master_key, _SEALS), Ed25519PrivateKey.from_private_bytes(_derived(master_key, _SIGNATURES))
        )

    def turn(self, to: str) -> None:
        """Seal and sign under the master key with that fingerprint from now on; it must be known."""
        self.fingerprint = to

    def forget(self) -> None:
        """Know no other key any more than the one that seals."""
        self._of = {self.fingerprint: self._of[self.fingerprint]}

    @property
    def public_key(self) -> str:
        """In hexadecimal; anybody may know it."""
        return self._of[self.fingerprint].public_key

    def seal(self, message: bytes) -> bytes:
        """Return the seal of a message, which only the master key can make and tell from another."""
        return hmac.digest(self._of[self.fingerprint].seal, message, "sha256")

    def seal_under(self, fingerprint: str | None, message: bytes) -> bytes:
        """Return the seal of a message under the master key with that fingerprint; raises BadMasterKey."""
        if fingerprint is None:
            return self.seal(message)
        if fingerprint not in self._of:
            raise BadMasterKey(f"the store is sealed under the master key {fingerprint[:8]}…, which is not here")
        return hmac.digest(self._of[fingerprint].seal, message, "sha256")

    def is_sealed(self, message: bytes, seal: bytes) -> bool:
        """Whether that is the message's seal."""
        keys = [self._of[self.fingerprint].seal]
        if self._rotating and self._past:
            keys.append(self._past[-1].seal_key)
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256"), seal) for key in keys)

    def was_sealed(self, message: bytes, seal: bytes) -> bool:
        """Whether that is the message's seal under any master key that is known, or was before them."""
        keys = [*(one.seal for one in self._of.values()), *(one.seal_key for one in self._past)]
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256"), seal) for key in keys)

    def is_identity_sealed(self, number: int, message: bytes, seal: bytes) -> bool:
        """Whether that is the seal of the identity event with that number: under the master key of its time."""
        past = next((one.seal_key for one in self._past if number <= one.identities), None)
        key = self._of[self.fingerprint].seal if past is None else past
        return hmac.compare_digest(hmac.digest(key, message, "sha256"), seal)

    def may_sign(self, public_key: str, number: int) -> bool:
        """Whether the closure with that number may be signed for that public key."""
        past = next((one for one in self._past if one.closures is None or number <= one.closures), None)
        if past is None or past.closures is None:
            return public_key == self.public_key or (past is not None and public_key == past.public_key)
        return public_key == past.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, which the public key proves."""
        return self._of[self.fingerprint].private.sign(message)

    def past_key(self, fingerprint: str, identities: int) -> PastKey:
        """Return the audit keys to keep when another master key replaces this one."""
        keys = self._of[fingerprint]
        return PastKey(fingerprint, keys.public_key, keys.seal, identities)


class _Keys(NamedTuple):
    seal: bytes
    private: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        return self.private.public_key().public_bytes_raw().hex()


def is_signed(public_key: str, message: bytes, signature: bytes) -> bool:
    """Whether that is the message's signature for that public key (hexadecimal); a damaged key proves nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _derived(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(master_key)
