"""Signing and sending one call: a client small enough for a shell."""

from __future__ import annotations

import hashlib
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leasebook.addressing.host_port import web_of
from leasebook.cli.terminal.texts import _
from leasebook.contract.signing import sign

if TYPE_CHECKING:
    import httpx2

EXPIRES_S = 1800
TIMEOUT_S = 60


class NoAnswer(OSError):
    """No answer arrived; the message says whether the call may have been done all the same."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Return the headers of a POST that are signed, with the signature; besides them Host is.

    The signature covers the body and a nonce: it is good for this body, and once. Raises ValueError for an address
    that is none.
    """
    at = web_of(url)
    covered = {
        "x-bce-content-sha256": hashlib.sha256(body.encode()).hexdigest(),
        "x-bce-nonce": secrets.token_hex(16),
    }
    authorization = sign(
        access_key=access_key,
        secret_key=secret_key,
        method="POST",
        path=at.path + path,
        query=f"Action={action}",
        headers={"host": _host(url), **covered},
        timestamp=_now(),
        expires_s=EXPIRES_S,
        signed_headers=("host", *covered),
    )
    return {"Authorization": authorization, **covered}


def _host(url: str) -> str:
    """Return the host as it is signed, and as it is sent."""
    return str(web_of(url)).partition("://")[2].partition("/")[0]


def post(
    url: str,
    path: str,
    action: str,
    body: str,
    access_key: str,
    secret_key: str,
    connection: httpx2.Client | None = None,
) -> tuple[int, str]:
    """Call an action; returns the status and the body of the answer. Many calls may share a connection.

    Raises NoAnswer, and ValueError for an address that is none.
    """
    headers = signed(url, path, action, body, access_key, secret_key)
    # The library would write the host in lower case, which would not match the signature.
    headers |= {"Host": _host(url), "Content-Type": "application/json"}
    return send(f"{web_of(url)}{path}?Action={action}", body, headers, connection)


def send(url: str, body: str, headers: dict[str, str], connection: httpx2.Client | None = None) -> tuple[int, str]:
    """POST a body; returns the status and the body of the answer. Raises NoAnswer, and ValueError for no URL."""
    # Every command would pay for loading it, a fifth of a second, and two need it.
    import httpx2

    try:
        through = httpx2 if connection is None else connection
        answer = through.post(url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx2.InvalidURL as error:
        raise ValueError(f"{url}: {error}") from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise NoAnswer(_("{url} does not answer: {error}. Nothing was sent.").format(url=url, error=error)) from None
    except httpx2.HTTPError as error:
        said = str(error) or type(error).__name__
        raise NoAnswer(
            _(
                "{url} does not answer: {said}. The call was sent, and may have been done: look, or send it again "
                "with the clientToken that it had."
            ).format(url=url, said=said)
        ) from None
    ignored = answer.headers.get("x-leasebook-ignored")
    if ignored is not None:
        sys.stderr.write(f"Not known there, and passed over: {ignored}\n")
    return answer.status_code, answer.text
