"""The replica's side of a call: one request to one address."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

import aiohttp
import structlog
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from leasebook.gateway.response_check import COUNT_MAX, BadAnswer

log = structlog.get_logger()

PIECE_BYTES: Final = 64 * 1024
"""So much of an answer is in memory at most twice over before the replica is made to wait."""
OWN: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that the client would add by itself where the caller sent none."""
SAFE: Final = frozenset({"GET", "HEAD"})
IDEMPOTENT: Final = SAFE | {"DELETE", "OPTIONS", "PUT"}
"""The methods whose second run changes nothing more."""
IDLE_S: Final = 1.5
"""How long an unused connection is kept. Model servers close theirs after 5 seconds (uvicorn, Node.js) or 2 (gunicorn),
and a request that is sent just then is lost. A new connection takes less than a millisecond where replicas run."""
VERSIONS: Final = (aiohttp.HttpVersion10, aiohttp.HttpVersion11)
SWITCHING: Final = 101
FINAL_MIN: Final = 200


class NotConnected(Exception):
    """The address takes no connection: nothing was sent."""


class Lost(Exception):
    """The connection broke before any answer; the request may have arrived.

    ``met_closing``: it had been used before, and not a byte came on it, so that the replica was most likely closing it.
    """

    def __init__(self, message: str, *, met_closing: bool = False) -> None:
        super().__init__(message)
        self.met_closing = met_closing


class _Unwritten(aiohttp.ClientError):
    """The connection was closed before a byte of the request was written to it."""


class _MetClosing(aiohttp.ClientError):
    """The connection had been used before, and ended without a byte of an answer."""


class Bounded(ResponseHandler):
    """A connection that allows a bounded number of bytes before an answer, and none after it.

    The client's own bounds are for each line. Answers that only prepare for another (100, 103) have no end by
    themselves, and count here, too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, before_max: int) -> None:
        super().__init__(loop=loop)
        self._before_max = before_max
        self._before = 0
        self._answered = True
        self.asked = 0
        """How many requests were sent on it, the present one among them."""

    @property
    def writing_paused(self) -> bool:
        """Have every request written by ``Request.write_bytes``, also one without a body."""
        return True

    def set_response_params(self, **params: Any) -> None:
        """Begin to wait for an answer."""
        self._before, self._answered = 0, False
        self.asked += 1
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless there are too many before an answer, or they come unasked."""
        if data and self._answered and not self._upgraded and self._over():
            # No call asked for it, and the next one must not get it.
            self.force_close()
            if self.transport is not None:
                self.transport.abort()
            return
        if not self._answered:
            self._before += len(data)
        super().data_received(data)
        if not self._answered and self._before > self._before_max and self.transport is not None:
            self.set_exception(aiohttp.ClientPayloadError(f"more than {self._before_max} bytes came before an answer"))
            self.transport.abort()

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """End the wait for an answer with an error that says whether the connection was about to be closed."""
        lost = isinstance(exc, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        if lost and self.asked > 1 and not self._answered and not self._before:
            exc = _MetClosing(f"{type(exc).__name__}: {exc}")
        super().set_exception(exc, *cause)

    def _over(self) -> bool:
        return self._payload is None or self._payload.is_eof()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Note an answer that has come."""
        if data[0].code >= FINAL_MIN or data[0].code == SWITCHING:
            self._answered = True
        super().feed_data(data, size)


class _Pool(aiohttp.TCPConnector):
    """Connections to all replicas. Unused ones make room for new ones.

    The client's own bound counts those in use only. They are as many as there are calls, which is bounded elsewhere;
    but each replica that was ever called may have left some open for a while.
    """

    def __init__(self, most: int | None, **options: Any) -> None:
        super().__init__(limit=0, **options)
        self._most = most

    async def _create_connection(self, *given: Any, **named: Any) -> ResponseHandler:
        self._make_room()
        return await super()._create_connection(*given, **named)

    def _make_room(self) -> None:
        """Close what has been idle for longest, until there is room for the one that is being made."""
        if self._most is None:
            return
        idle = sum(map(len, self._conns.values()))
        while idle and len(self._acquired) + idle > self._most:
            key = min(self._conns, key=lambda one: self._conns[one][0][1])
            unused, _ = self._conns[key].popleft()
            if not self._conns[key]:
                del self._conns[key]
            unused.close()
            idle -= 1


class Request(aiohttp.ClientRequest):
    """A request whose headers are written byte by byte: the client would write them in UTF-8."""

    async def write_bytes(self, writer: Any, conn: Any, content_length: int | None = None) -> None:
        """Write the head and the body, unless the connection was closed before."""
        protocol = conn.protocol
        if protocol is not None and not protocol.is_connected():
            protocol.set_exception(_Unwritten("nothing was written"))
            return
        # There is no other way in between. Line ends were refused when these headers were made.
        line = writer._headers_buf.partition(b"\r\n")[0]  # noqa: SLF001
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in self.headers.items()]
        writer._headers_buf = b"".join((line, b"\r\n", *lines, b"\r\n"))  # noqa: SLF001
        await super().write_bytes(writer, conn, content_length)


class Body:
    """The body of a request. Its first piece is there before a connection is chosen, and is kept until it was written.

    A connection that waited for the caller could be closed meanwhile.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._first: bytes | None = None

    async def begin(self) -> None:
        """Wait for the first piece, if it is not there; raises what the pieces raise."""
        if self._first is None:
            self._first = await anext(self._pieces, b"")

    async def sent(self) -> AsyncIterator[bytes]:
        """Yield the pieces. As long as none was asked for, this can be done again."""
        if self._first:
            yield self._first
            self._first = b""
        async for piece in self._pieces:
            yield piece


class Upstream:
    """Connections to replicas, kept open between calls."""

    def __init__(self, *, connect_s: float, headers_max: int, connections_max: int | None = None) -> None:
        self._most = connections_max
        self._connect_s = connect_s
        self._headers_max = headers_max
        self._open: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        """Open the connections' pool, which has to be done in the event loop that uses it."""
        if self._open is None:
            connector = _Pool(self._most, ttl_dns_cache=60, keepalive_timeout=IDLE_S)
            # There is no other way to say it.
            make = functools.partial(Bounded, asyncio.get_running_loop(), self._headers_max)
            connector._factory = make  # type: ignore[assignment]  # noqa: SLF001
            session = aiohttp.ClientSession(
                connector=connector,
                request_class=Request,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                auto_decompress=False,
                skip_auto_headers=OWN,
                read_bufsize=PIECE_BYTES,
                max_line_size=self._headers_max,
                max_field_size=self._headers_max,
                max_headers=COUNT_MAX,
                trust_env=False,
            )
            # It would send any idempotent request twice, with its body. This module decides which requests are sent
            # again.
            session._retry_connection = False  # noqa: SLF001 - there is no other switch
            self._open = session
        return self._open

    async def ask(
        self,
        method: str,
        address: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: Body | None,
    ) -> aiohttp.ClientResponse:
        """Send a request; returns the answer once its headers are there. Raises NotConnected, Lost or BadAnswer.

        A request that could not be written, because the connection was closed, is written to the next one.
        """
        url = URL(f"http://{address}{target}", encoded=True)
        try:
            if body is not None:
                await body.begin()
            while True:
                with suppress(_Unwritten):
                    answer = await self._session().request(
                        method,
                        url,
                        headers=CIMultiDict(headers),
                        data=None if body is None else body.sent(),
                        allow_redirects=False,
                    )
                    break
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected(str(error)) from None
        except aiohttp.ClientPayloadError as error:
            raise BadAnswer(str(error)) from None
        except aiohttp.ClientResponseError as error:
            # Its message has the address and a piece of what came, and neither is for callers.
            log.info("answer cannot be read", address=address, reason=error.message[:200])
            raise BadAnswer("it is not well-formed HTTP/1.1") from None
        except _MetClosing as error:
            raise Lost(str(error)[:200], met_closing=True) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise Lost(f"{type(error).__name__}: {error}"[:200]) from None
        if answer.version not in VERSIONS:
            answer.close()
            raise BadAnswer("it is not well-formed HTTP/1.1")
        return answer

    async def close(self) -> None:
        """Close every connection."""
        if self._open is not None:
            await self._open.close()
