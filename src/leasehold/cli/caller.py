"""Signing and sending one call: a client small enough for a shell."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from leasehold.wire.signing import sign

EXPIRES_S = 1800
TIMEOUT_S = 60


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def authorization(url: str, path: str, action: str, access_key: str, secret_key: str) -> str:
    """Return the Authorization header of a POST that sends no other signed header than Host."""
    parts = urlsplit(url)
    return sign(
        access_key=access_key,
        secret_key=secret_key,
        method="POST",
        path=parts.path + path,
        query=f"Action={action}",
        headers={"host": parts.netloc},
        timestamp=_now(),
        expires_s=EXPIRES_S,
        signed_headers=("host",),
    )


def post(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> tuple[int, str]:
    """Call an action; returns the status and the body of the answer. Raises OSError where nobody answers."""
    headers = {
        "Authorization": authorization(url, path, action, access_key, secret_key),
        "Content-Type": "application/json",
    }
    return send(f"{url}{path}?Action={action}", body, headers)


def send(url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    """POST a body; returns the status and the body of the answer. Raises OSError where nobody answers."""
    # Every command would pay for loading it, a fifth of a second, and two need it.
    import httpx

    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise OSError(f"{url} does not answer: {error}") from None
    return answer.status_code, answer.text
