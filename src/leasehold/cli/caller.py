"""Signing and sending one call: a client small enough for a shell."""

from __future__ import annotations

import hashlib
import secrets
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

from leasehold.wire.signing import sign

EXPIRES_S = 1800
TIMEOUT_S = 60


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Return the headers of a POST that are signed, with the signature; besides them Host is.

    The signature covers the body and a nonce: it is good for this body, and once.
    """
    parts = urlsplit(url)
    covered = {
        "x-bce-content-sha256": hashlib.sha256(body.encode()).hexdigest(),
        "x-bce-nonce": secrets.token_hex(16),
    }
    authorization = sign(
        access_key=access_key,
        secret_key=secret_key,
        method="POST",
        path=parts.path + path,
        query=f"Action={action}",
        headers={"host": parts.netloc, **covered},
        timestamp=_now(),
        expires_s=EXPIRES_S,
        signed_headers=("host", *covered),
    )
    return {"Authorization": authorization, **covered}


def post(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> tuple[int, str]:
    """Call an action; returns the status and the body of the answer. Raises OSError where nobody answers."""
    headers = {**signed(url, path, action, body, access_key, secret_key), "Content-Type": "application/json"}
    return send(f"{url}{path}?Action={action}", body, headers)


def send(url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    """POST a body; returns the status and the body of the answer. Raises OSError where nobody answers."""
    # Every command would pay for loading it, a fifth of a second, and two need it.
    import httpx

    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise OSError(f"{url} does not answer: {error}") from None
    ignored = answer.headers.get("x-leasehold-ignored")
    if ignored is not None:
        sys.stderr.write(f"Not known there, and passed over: {ignored}\n")
    return answer.status_code, answer.text
