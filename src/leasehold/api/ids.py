"""New ids: the dice are thrown here, so that no rule has to."""

from __future__ import annotations

import secrets
import string

from leasehold.domain.service_key import KeyText, key_text

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


def hook_id() -> str:
    """Return ``sub-`` and twelve lower-case letters and digits: subscriptions."""
    return "sub-" + _throw(_BASE36, 12)


def model_set_id() -> str:
    """Return ``am-`` and twelve lower-case letters and digits, as the documents show them."""
    return "am-" + _throw(_BASE36, 12)


def model_id() -> str:
    """Return ``amv-`` and twelve lower-case letters and digits, as the documents show them."""
    return "amv-" + _throw(_BASE36, 12)


def service_key() -> KeyText:
    """Return a key for calling services, with ``key-`` and twelve lower-case letters and digits as its id."""
    key_id = "key-" + _throw(_BASE36, 12)
    return KeyText(key_id, key_text(key_id, secrets.token_urlsafe(32)))
