"""Requests to the identity provider: bounded in time and size, encrypted, and without redirects.

The operator's setting names the provider, and the provider names its other addresses. They may lie in a private
network, where many providers are. An address is called by http only if it is on this machine.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpcore2
import httpx2
import msgspec

from leasebook import __version__
from leasebook.addressing.secure_web import secure_web_of
from leasebook.console.openid.failures import away
from leasebook.notifications.network import Network

TIMEOUT_S: Final = 10.0
"""Upper bound on one request, name lookup included, in seconds."""
ANSWER_MAX: Final = 256 * 1024
"""Upper bound on an answer, in bytes."""
CONNECTIONS_MAX: Final = 100
IDLE_S: Final = 5.0
"""How long an unused connection is kept, in seconds."""
OK: Final = 200


class Answer(msgspec.Struct, frozen=True):
    """The provider's answer: its status, and its JSON object, empty where an error has none."""

    status: int
    content: dict[str, Any]


class _Transport(httpx2.AsyncHTTPTransport):
    """The library's own, over connections that are closed however a TLS handshake ends."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        # There is no other way to say it.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S, network_backend=Network()
        )


class Fetcher:
    """Asks the identity provider. Proxies of the environment are not used; ``SSL_CERT_FILE`` is."""

    def __init__(self, tls: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(
            transport=_Transport(tls or ssl.create_default_context()),
            timeout=timeout_s,
            trust_env=False,
            headers={
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": f"Leasebook/{__version__}",
            },
        )

    async def get(self, url: str) -> Answer:
        """Return the JSON object at an address; raises SignInFailed."""
        answer = await self._ask("GET", url, None, None)
        if answer.status != OK:
            raise away(f"GET {url} was answered {answer.status}")
        return answer

    async def post(self, url: str, form: Mapping[str, str], authorization: str | None) -> Answer:
        """Send a form, and return the answer, whatever its status; raises SignInFailed."""
        return await self._ask("POST", url, form, authorization)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None, authorization: str | None) -> Answer:
        try:
            secure_web_of(url)
        except ValueError as error:
            raise away(f"the provider names an address that is not called: {error}") from None
        headers = {} if authorization is None else {"authorization": authorization}
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._client.stream(method, url, data=form, headers=headers) as response:
                    body = await _bounded(response)
        except TimeoutError:
            raise away(f"{method} {url}: no answer within {self._timeout_s:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise away(f"{method} {url}: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
        found = _object(body)
        if found is None and response.status_code == OK:
            raise away(f"{method} {url} was answered with something else than a JSON object")
        return Answer(response.status_code, found or {})


async def _bounded(response: httpx2.Response) -> bytes:
    """Read a body up to the bound; raises SignInFailed beyond it, and for one that would have to be unpacked."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise away("the provider packs its answers, and was asked not to")
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER_MAX:
            raise away(f"the provider answers with more than {ANSWER_MAX} bytes")
    return body


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
