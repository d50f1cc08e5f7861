"""The keys of the audit log: derived from the master key, so that there is no other key to keep."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
# Part of what every seal and signature is: they never change.
_SEALS: Final = b"leasehold audit head seals 1"
_SIGNATURES: Final = b"leasehold audit closure signatures 1"


class AuditKeys:
    """Seals ends of chains (HMAC-SHA256) and signs closures (Ed25519), under keys of the master key (HKDF-SHA256)."""

    __slots__ = ("_private", "_seal", "public_key")

    def __init__(self, master_key: bytes) -> None:
        self._seal = _derived(master_key, _SEALS)
        self._private = Ed25519PrivateKey.from_private_bytes(_derived(master_key, _SIGNATURES))
        self.public_key = self._private.public_key().public_bytes_raw().hex()
        """In hexadecimal; anybody may know it."""

    def seal(self, message: bytes) -> bytes:
        """Return the seal of a message, which only the master key can make and tell from another."""
        return hmac.digest(self._seal, message, "sha256")

    def seal_under(self, fingerprint: str | None, message: bytes) -> bytes:  # noqa: ARG002 - there is one key
        """Return the seal of a message under the master key with that fingerprint."""
        return self.seal(message)

    def is_sealed(self, message: bytes, seal: bytes) -> bool:
        """Whether that is the message's seal."""
        return hmac.compare_digest(self.seal(message), seal)

    def is_identity_sealed(self, number: int, message: bytes, seal: bytes) -> bool:  # noqa: ARG002 - there is one key
        """Whether that is the seal of the identity event with that number."""
        return self.is_sealed(message, seal)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, which the public key proves."""
        return self._private.sign(message)


def is_signed(public_key: str, message: bytes, signature: bytes) -> bool:
    """Whether that is the message's signature for that public key (hexadecimal); a damaged key proves nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _derived(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(master_key)
