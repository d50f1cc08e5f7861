"""The replica's side of a call: one request to one address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

PIECE_BYTES: Final = 64 * 1024
"""So much of an answer is in memory at most twice over before the replica is made to wait."""
OWN: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that the client would add by itself where the caller sent none."""
SAFE: Final = frozenset({"GET", "HEAD"})


class NotConnected(Exception):
    """The address takes no connection: nothing was sent."""


class Lost(Exception):
    """The connection broke before any answer; the request may have arrived."""


class Upstream:
    """Connections to replicas, kept open between calls."""

    def __init__(self, *, connect_s: float, headers_max: int) -> None:
        self._connect_s = connect_s
        self._headers_max = headers_max
        self._open: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        """Open the connections' pool, which has to be done in the event loop that uses it."""
        if self._open is None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                auto_decompress=False,
                skip_auto_headers=OWN,
                read_bufsize=PIECE_BYTES,
                max_line_size=self._headers_max,
                max_field_size=self._headers_max,
                trust_env=False,
            )
            # It would send any idempotent request twice, body and all. What is sent again is decided here.
            session._retry_connection = False  # noqa: SLF001 - there is no other switch
            self._open = session
        return self._open

    async def ask(
        self,
        method: str,
        address: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: AsyncIterator[bytes] | None,
    ) -> aiohttp.ClientResponse:
        """Send a request; returns the answer once its headers are there. Raises NotConnected or Lost."""
        try:
            return await self._session().request(
                method,
                URL(f"http://{address}{target}", encoded=True),
                headers=CIMultiDict(headers),
                data=body,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected(str(error)) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise Lost(f"{type(error).__name__}: {error}"[:200]) from None

    async def close(self) -> None:
        """Close every connection."""
        if self._open is not None:
            await self._open.close()
