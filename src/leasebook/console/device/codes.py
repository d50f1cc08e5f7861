"""The two codes of a machine: one that it keeps to itself, and one that a person reads and types."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants only, so that codes are no words and no letter looks like a digit (RFC 8628, 6.1)."""
LENGTH: Final = 8
_BITS: Final = 256


def new_device_code() -> str:
    """Draw the code that the machine keeps to itself: 43 characters with 256 random bits."""
    return secrets.token_urlsafe(_BITS // 8)


def digest_of(device_code: str) -> str:
    """Return what the store keeps of a machine's own code: its SHA-256, in hex."""
    return hashlib.sha256(device_code.encode()).hexdigest()


def user_code_of(device_code: str) -> str:
    """Return the code for the person, which follows from the machine's own: eight of twenty letters, 34 bits."""
    number = int.from_bytes(hashlib.sha256(b"leasebook user code\n" + device_code.encode()).digest())
    letters = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


def shown(user_code: str) -> str:
    """Write a code for reading: ``BCDF-GHJK``."""
    return f"{user_code[: LENGTH // 2]}-{user_code[LENGTH // 2 :]}"


def typed(text: str) -> str | None:
    """Return the code that a person typed, whatever the case and whatever separates the letters; None: it is none."""
    code = "".join(letter for letter in text[:100].upper() if letter.isalnum())
    return code if len(code) == LENGTH and set(code) <= set(LETTERS) else None
