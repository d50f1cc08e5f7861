"""Codes of a second factor: those of an authenticator (TOTP, RFC 6238), and those that replace a lost one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Final

from pyotp import TOTP, random_base32

from leasebook.domain.commands.console.second_factor import Proof

STEP_S: Final = 30
"""Seconds that an authenticator shows a code."""
DRIFT: Final = 1
"""Steps that the clock of an authenticator may be early or late."""
RECOVERY_CODES: Final = 10
ISSUER: Final = "Leasebook"
GROUP: Final = 4
"""Letters that are written together, so that a person can copy them."""
_DIGITS: Final = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY: Final = re.compile(r"[a-z2-7]{16}", re.ASCII)
_RECOVERY_BYTES: Final = 10
_TYPED_MAX: Final = 100


def new_secret() -> str:
    """Draw the secret of an authenticator: 160 bits in base32."""
    return random_base32()


def address_of(secret: str, login: str) -> str:
    """Return the address (``otpauth:``) by which an authenticator takes over a secret."""
    return TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """Draw ten recovery codes of 80 bits each, as they are shown."""
    drawn = (base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return [grouped(code, "-") for code in drawn]


def grouped(text: str, between: str) -> str:
    """Write a text in groups of four letters."""
    return between.join(text[first : first + GROUP] for first in range(0, len(text), GROUP))


def digest_of(user_id: str, recovery_code: str) -> str:
    """Return what the store keeps of a recovery code, in hex. With 80 random bits it needs no slow hash."""
    return hashlib.sha256(f"leasebook recovery code\n{user_id}\n{_plain(recovery_code)}".encode()).hexdigest()


def step_of(secret: str, typed: str, now_s: int) -> int | None:
    """Return the step (half minute since 1970 UTC) that a code is of; None: it is wrong, or too early or late.

    All steps are compared, each in constant time, so that the time taken says nothing of the code.
    """
    code = _plain(typed)
    if _DIGITS.fullmatch(code) is None:
        return None
    totp, now, found = TOTP(secret), now_s // STEP_S, None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def recovery_of(digests: Sequence[str], user_id: str, typed: str) -> str | None:
    """Return the digest of a recovery code if it is among those; None: it is none, or was used."""
    if not is_recovery(typed):
        return None
    given, found = digest_of(user_id, typed), None
    for digest in digests:
        if hmac.compare_digest(digest.encode(), given.encode()):
            found = digest
    return found


def is_recovery(typed: str) -> bool:
    """Whether a text looks like a recovery code."""
    return _RECOVERY.fullmatch(_plain(typed)) is not None


def proof_of(secret: str, digests: Sequence[str], user_id: str, typed: str, now_s: int) -> Proof | None:
    """Return what a typed code proves; None: it is neither a code of this time nor a recovery code."""
    if (digest := recovery_of(digests, user_id, typed)) is not None:
        return Proof(recovery=digest)
    step = step_of(secret, typed, now_s)
    return None if step is None else Proof(step=step)


def _plain(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed[:_TYPED_MAX]).lower()
