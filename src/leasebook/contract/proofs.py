"""Headers that prove a body, and the nonce that makes a signature valid only once."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

SHA256_NAME: Final = b"x-bce-content-sha256"
MD5_NAME: Final = b"content-md5"
NONCE_NAME: Final = b"x-bce-nonce"
NOT_SIGNED: Final = b"UNSIGNED-PAYLOAD"
"""A client sends this in place of the hash if the signature does not cover the body."""
NONCE: Final = re.compile(rb"[A-Za-z0-9._~+/=-]{16,64}")
"""A nonce is random: with fewer than 16 characters two of them would soon be the same."""
_HEX: Final = {SHA256_NAME: re.compile(rb"[0-9A-Fa-f]{64}"), MD5_NAME: re.compile(rb"[0-9A-Fa-f]{32}")}
_BYTES: Final = {SHA256_NAME: 32, MD5_NAME: 16}


class BadProof(Exception):
    """A header that cannot be read as a digest or nonce; the message names it and the form that it must have."""


class WrongDigest(Exception):
    """A body does not have the digest that a header gives; the message names the header."""


def check_body(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    """Check a body against the digests in ``x-bce-content-sha256`` and ``content-md5``, if they are sent.

    Both are digests of the body as it is sent: SHA-256 in 64 hexadecimal digits, as BCE's own clients write it, and
    MD5 in base64 (RFC 1864) or 32 hexadecimal digits; base64 is also accepted for SHA-256. ``UNSIGNED-PAYLOAD`` in
    place of the first means that it is left out.

    Raises BadProof for a value of another form, also an empty one, and WrongDigest if the body has another digest.
    """
    for name, value in headers:
        if name not in _BYTES or (name == SHA256_NAME and value == NOT_SIGNED):
            continue
        digest = _digest(name, value)
        found = hashlib.sha256(body) if name == SHA256_NAME else hashlib.md5(body, usedforsecurity=False)
        if digest != found.digest():
            raise WrongDigest(
                f"The body is not the one that {name.decode()} says: these {len(body)} bytes have "
                f"{found.hexdigest()}. Compute it of the bytes that are sent, and sign again."
            )


def _digest(name: bytes, value: bytes) -> bytes:
    if _HEX[name].fullmatch(value):
        return bytes.fromhex(value.decode())
    try:
        digest = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _BYTES[name]:
        what = (
            "64 hexadecimal digits, the SHA-256 of the body; leave the header out to send none"
            if name == SHA256_NAME
            else "base64 of 16 bytes, the MD5 of the body; leave the header out to send none"
        )
        raise BadProof(f"The header {name.decode()} must be {what}.")
    return digest


def signs_body(covered: Mapping[bytes, bytes]) -> bool:
    """Whether a signature covers the body. Only SHA-256 counts: MD5 collisions can be made."""
    value = covered.get(SHA256_NAME)
    return value is not None and value not in (b"", NOT_SIGNED)


def nonce_of(covered: Mapping[bytes, bytes]) -> str:
    """Return the nonce that a signature covers. Raises KeyError where it covers none.

    Raises BadProof for one that is too short, too long or of other characters.
    """
    value = covered[NONCE_NAME]
    if not NONCE.fullmatch(value):
        raise BadProof(
            "The header x-bce-nonce must be from 16 to 64 letters, digits and ._~+/=-, a new one for every request."
        )
    return value.decode()
