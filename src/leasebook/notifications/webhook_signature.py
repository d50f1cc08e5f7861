"""How webhooks are signed: the Standard Webhooks form, which libraries of many languages verify."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def new_secret() -> str:
    """Draw a secret: 32 bytes, written as receivers expect it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(message_id: str, timestamp: int, body: bytes, keys: Sequence[str]) -> str:
    """Return the signature header: one signature for each secret; a receiver needs only one of them to match.

    ``timestamp`` is the time of sending in seconds since 1970 by the machine's clock; receivers can refuse old ones.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(content, key)}" for key in keys)


def _signature(content: bytes, key: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), content, "sha256")).decode()
