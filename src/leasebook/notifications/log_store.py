"""The client of a log store: lines of replicas, posted as OTLP logs over HTTP in JSON."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import httpcore2
import msgspec
import structlog

from leasebook import __version__
from leasebook.notifications.network import Network
from leasebook.notifications.webhook import USER_AGENT

log = structlog.get_logger()

PROBE_S: Final = 5.0
SEND_S: Final = 30.0
ANSWER_MAX: Final = 65_536
"""Bytes of an answer's body that are read."""
REFUSED: Final = frozenset({400, 413, 422})
"""Statuses that say that the lines themselves will not do. The same lines would get the same answer again."""
AGAIN_MAX_S: Final = 300.0
"""Longest wait that a log store can ask for with Retry-After, in seconds."""
_FAILURES: Final = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, ssl.SSLError, OSError)


class LogLines(msgspec.Struct, frozen=True):
    """Lines of one replica, oldest first, and the attributes that say whose they are."""

    attributes: Mapping[str, str]
    lines: tuple[str, ...]


class LogOutcome(msgspec.Struct, frozen=True):
    """How a log store answered a request.

    Taken: it has the lines, all but ``rejected`` of them. Refused: it will never take these. Later: it took none of
    them now; ``again_s`` is how many seconds it wants to be left alone, None: it did not say. ``failure`` says why it
    did not take all. ``detail`` is for the operator's log only: it may name hosts of the operator's network.
    """

    kind: Literal["Taken", "Refused", "Later"]
    failure: str | None = None
    again_s: float | None = None
    rejected: int = 0
    detail: str | None = None


class _PartialSuccess(msgspec.Struct, rename="camel"):
    rejected_log_records: int | str = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None


_read_answer: Final = msgspec.json.Decoder(_Answer).decode


def encoded(batch: Sequence[LogLines], observed_ns: int) -> bytes:
    """Return an export request of OTLP in JSON.

    Lines have no times of their own. Each is observed a nanosecond after the one before it, so that a store that sorts
    by time keeps their order.
    """
    numbers = itertools.count(observed_ns)
    scope = {"name": "leasebook", "version": __version__}
    return msgspec.json.encode(
        {
            "resourceLogs": [
                {
                    "resource": {
                        "attributes": [
                            {"key": key, "value": {"stringValue": value}} for key, value in one.attributes.items()
                        ]
                    },
                    "scopeLogs": [
                        {
                            "scope": scope,
                            "logRecords": [
                                {"observedTimeUnixNano": str(next(numbers)), "body": {"stringValue": line}}
                                for line in one.lines
                            ],
                        }
                    ],
                }
                for one in batch
            ]
        }
    )


class LogStoreClient:
    """Posts lines to ``url``, one request at a time. Redirects are not followed, nor the proxies of the environment.

    ``headers`` go with each request.
    """

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self._url: Final = url
        self._tls: Final = tls or ssl.create_default_context()
        self._headers: Final = [("content-type", "application/json"), ("user-agent", USER_AGENT), *headers]
        self._pool: Final = self._own_pool()
        self._probing: asyncio.Task[LogOutcome] | None = None

    def _own_pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            self._tls, max_connections=1, keepalive_expiry=30.0, network_backend=Network()
        )

    async def probe(self) -> str | None:
        """Post a request without lines; returns None if it was taken within 5 s, else how it failed.

        Calls at the same time share one request: no number of callers can keep the log store busy.
        """
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe())
            self._probing.add_done_callback(self._probed)
        outcome = await asyncio.shield(self._probing)
        return None if outcome.kind == "Taken" else outcome.failure

    def _probed(self, _task: asyncio.Task[LogOutcome]) -> None:
        self._probing = None

    async def _probe(self) -> LogOutcome:
        # A connection of its own: one that is busy with lines may be slow.
        async with self._own_pool() as pool:
            outcome = await self._post(pool, encoded((), 0), PROBE_S)
        if outcome.detail is not None:
            log.warning("the log store cannot be reached", why=outcome.failure, detail=outcome.detail)
        return outcome

    async def send(self, batch: Sequence[LogLines], observed_ns: int) -> LogOutcome:
        """Post lines. ``observed_ns`` is when they were read, in nanoseconds since 1970 UTC."""
        return await self._post(self._pool, encoded(batch, observed_ns), SEND_S)

    async def close(self) -> None:
        """Close the connection."""
        await self._pool.aclose()

    async def _post(self, pool: httpcore2.AsyncConnectionPool, content: bytes, timeout_s: float) -> LogOutcome:
        try:
            async with (
                asyncio.timeout(timeout_s),
                pool.stream("POST", self._url, headers=self._headers, content=content) as answer,
            ):
                body = b""
                async for piece in answer.aiter_stream():
                    body += piece
                    if len(body) > ANSWER_MAX:
                        break
                return _outcome(answer.status, dict(answer.headers), body)
        except TimeoutError:
            return LogOutcome("Later", f"It did not answer within {timeout_s:g} s.")
        except httpcore2.LocalProtocolError:
            # Its text has the header that is at fault, and that may be a secret.
            return LogOutcome("Later", "The headers of the request are not allowed in HTTP.")
        except _FAILURES as error:
            words = " ".join(str(error).split())[:200] or type(error).__name__
            return LogOutcome("Later", "There is no connection, or it broke.", detail=words)


def _outcome(status: int, headers: Mapping[bytes, bytes], body: bytes) -> LogOutcome:
    if not 200 <= status < 300:  # noqa: PLR2004 - the statuses of success in HTTP
        again = next((value for name, value in headers.items() if name.lower() == b"retry-after"), b"")
        again_s = min(AGAIN_MAX_S, float(again[:9])) if again.isdigit() else None
        return LogOutcome("Refused" if status in REFUSED else "Later", f"It answered {status}.", again_s)
    try:
        partial = _read_answer(body).partial_success or _PartialSuccess()
        rejected = max(0, int(partial.rejected_log_records))
    except (msgspec.DecodeError, ValueError):
        # Some stores answer with an empty body, or with one of their own.
        return LogOutcome("Taken")
    return LogOutcome("Taken", " ".join(partial.error_message.split())[:200] or None, None, rejected)
