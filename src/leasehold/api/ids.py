"""New ids: the dice are thrown here, so that no rule has to."""

from __future__ import annotations

import secrets
import string

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE36 = string.digits + string.ascii_lowercase


def _throw(alphabet: str, length: int) -> str:
    """Return random characters. One throw of the dice for all of them: one for each costs ten times as much."""
    # With 32 bits to spare no character is likelier than another by more than one part in four billion.
    number = secrets.randbits(6 * length + 32)
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        characters.append(alphabet[index])
    return "".join(characters)


def unit_id() -> str:
    """Return ``unit-`` and eight base62 characters (decision 7)."""
    return "unit-" + _throw(_BASE62, 8)


def quota_id() -> str:
    """Return ``tpm-`` and eight base62 characters, as the documents show them."""
    return "tpm-" + _throw(_BASE62, 8)


def package_id() -> str:
    """Return ``pkg-`` and twelve lower-case letters and digits."""
    return "pkg-" + _throw(_BASE36, 12)


def service_id() -> str:
    """Return ``svco-`` and twelve lower-case letters and digits, as the documents show them."""
    return "svco-" + _throw(_BASE36, 12)


def hex_id() -> str:
    """Return 32 lower-case hex characters: orders, accounts, users."""
    return secrets.token_hex(16)
