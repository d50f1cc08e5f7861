"""New ids: the dice are thrown here, so that no rule has to."""

from __future__ import annotations

import secrets
import string

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE36 = string.digits + string.ascii_lowercase


def unit_id() -> str:
    """Return ``unit-`` and eight base62 characters (decision 7)."""
    return "unit-" + "".join(secrets.choice(_BASE62) for _ in range(8))


def service_id() -> str:
    """Return ``svco-`` and twelve lower-case letters and digits, as the documents show them."""
    return "svco-" + "".join(secrets.choice(_BASE36) for _ in range(12))


def hex_id() -> str:
    """Return 32 lower-case hex characters: orders, accounts, users."""
    return secrets.token_hex(16)
