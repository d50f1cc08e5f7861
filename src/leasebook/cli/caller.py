"""Signing and sending one call: a client small enough for a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from leasebook.cli.terminal.texts import _

if TYPE_CHECKING:
    import httpx2

    from leasebook.client.caller import Sent

TIMEOUT_S = 60


class NoAnswer(OSError):
    """No answer arrived; the message says whether the call may have been done all the same."""


def signed(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Return the headers of a POST that are signed, with the signature; besides them Host is.

    The signature covers the body and a nonce: it is good for this body, and once. Raises ValueError for an address
    that is none.
    """
    headers = _sent(url, path, action, body, access_key, secret_key).headers
    return {name: value for name, value in headers.items() if name not in {"Host", "Content-Type"}}


def _sent(url: str, path: str, action: str, body: str, access_key: str, secret_key: str) -> Sent:
    # Commands that call nothing do not load it.
    from leasebook.client.caller import ActionOf, Keys
    from leasebook.client.caller import signed as request_of

    operation: ActionOf[Any] = ActionOf.with_names(path, action, {}, None, writes=False)
    return request_of(Keys(url, access_key, secret_key), operation, body.encode())


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
    sent = _sent(url, path, action, body, access_key, secret_key)
    return send(sent.url, body, sent.headers, connection)


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
        sys.stderr.write(_("Not known there, and passed over: {names}").format(names=ignored) + "\n")
    return answer.status_code, answer.text
