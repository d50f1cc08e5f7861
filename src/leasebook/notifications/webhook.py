"""Webhooks: a signed POST to exactly the address that was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore2

from leasebook import __version__
from leasebook.addressing.webhook import Address, Allowed, BadAddress, check_address, check_url
from leasebook.domain.model.subscription import Outcome, Subscription
from leasebook.domain.values.calendar import SECOND_US, from_datetime
from leasebook.notifications.name_lookup import Lookups
from leasebook.notifications.network import Network
from leasebook.notifications.ports import Parcel
from leasebook.notifications.webhook_signature import signed
from leasebook.ports.clock import wall_us

ANSWER_MAX: Final = 4096
"""Bytes of an answer's body that are read; the rest is of no interest."""
ANSWER_S: Final = 1.0
"""Upper bound on the wait for the body of a successful answer, in seconds."""
USER_AGENT: Final = f"Leasebook/{__version__}"
_GONE: Final = 410

Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Looks up every address of a host name; raises OSError."""


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to an address that it has just checked.

    The name is looked up only once, since a second lookup could return an unchecked address. TLS and the Host header
    still use the name.
    """

    def __init__(self, allowed: Allowed, look_up: Resolve) -> None:
        self._allowed = allowed
        self._resolve = look_up
        self._network = Network()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Try each address in turn. If one is not allowed, none is tried."""
        addresses = await self._addresses(host, port)
        for address in addresses:
            try:
                check_address(address, self._allowed)
            except BadAddress:
                # The message must not show the address: the name may exist only in this network.
                raise BadAddress("The host's address is not a public one.") from None
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(host.strip("[]"))]
        except ValueError:
            return await self._resolve(host, port)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)


@cache
def _trusting() -> ssl.SSLContext:
    """Return the context that trusts the machine's authorities. A process reads them once: it takes 20 ms and more."""
    return ssl.create_default_context()


class WebhookSender:
    """Sends events to URLs. Every delivery has a new connection, so that its address is checked each time.

    Proxies of the environment are ignored: a proxy would connect to unchecked addresses. ``timeout_s`` covers the name
    lookup, connecting, sending, and the head of the answer, whose status is the outcome.
    """

    def __init__(
        self,
        allowed: Allowed,
        open_secret: Callable[[Subscription, bytes], str],
        *,
        look_up: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._allowed = allowed
        self._open_secret = open_secret
        self._timeout_s = timeout_s
        self._lookups = Lookups()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or _trusting(),
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=_Checked(allowed, look_up or self._lookups.resolve),
        )

    async def send(self, parcel: Parcel) -> Outcome:
        """POST the event once."""
        try:
            check_url(parcel.hook.target, self._allowed)
            return await self._post(parcel)
        except TimeoutError:
            return Outcome("Retry", failure=f"There was no answer within {self._timeout_s:g} s.")
        except BadAddress as error:
            return Outcome("Retry", failure=str(error))
        except socket.gaierror as error:
            return Outcome("Retry", failure=f"The name cannot be looked up: {error.strerror or error}.")
        except ssl.SSLError as error:
            return Outcome("Retry", failure=f"TLS failed: {error.reason or error}.")
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
            return Outcome("Retry", failure=f"There is no connection, or it broke: {_words(error)}.")

    async def rest(self, hook: Subscription) -> None:
        """Wait until the name is not looked up any more: who gave up waiting for that cannot end it."""
        await self._lookups.rest(urlsplit(hook.target).hostname or "")

    async def close(self) -> None:
        """Let go of every connection."""
        await self._pool.aclose()

    async def _post(self, parcel: Parcel) -> Outcome:
        async with AsyncExitStack() as open_now:
            async with asyncio.timeout(self._timeout_s):
                answer = await open_now.enter_async_context(
                    self._pool.stream("POST", parcel.hook.target, headers=self._headers(parcel), content=parcel.body)
                )
            outcome = _judged(answer.status, dict(answer.headers))
            if outcome.kind == "Delivered":
                await _heard_out(answer)
            return outcome

    def _headers(self, parcel: Parcel) -> list[tuple[str, str]]:
        hook, message_id, timestamp = parcel.hook, parcel.delivery.id, wall_us() // SECOND_US
        keys = [self._open_secret(hook, hook.sealed)]
        if hook.sealed_before and hook.before_until is not None and parcel.now < hook.before_until:
            keys.append(self._open_secret(hook, hook.sealed_before))
        return [
            ("content-type", "application/cloudevents+json; charset=utf-8"),
            ("user-agent", USER_AGENT),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", signed(message_id, timestamp, parcel.body, keys)),
        ]


async def _heard_out(answer: httpcore2.Response) -> None:
    """Wait for a little of a body, since who hangs up at once is an error to some receivers.

    The status was the answer: a body that comes late, cut or never takes nothing of it back.
    """
    size = 0
    with suppress(TimeoutError, httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError):
        async with asyncio.timeout(ANSWER_S):
            async for piece in answer.aiter_stream():
                size += len(piece)
                if size > ANSWER_MAX:
                    break


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _judged(status: int, headers: dict[bytes, bytes]) -> Outcome:
    if 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls a success
        return Outcome("Delivered", status)
    if status == _GONE:
        return Outcome("Gone", status, "The receiver wants nothing any more.")
    if 300 <= status < 400:  # noqa: PLR2004
        return Outcome("Retry", status, f"The receiver answered {status}, and redirects are not followed.")
    after = next((value for name, value in headers.items() if name.lower() == b"retry-after"), None)
    return Outcome("Retry", status, f"The receiver answered {status}.", None if after is None else _wait_us(after))


def _wait_us(text: bytes) -> int | None:
    """Read Retry-After: seconds, or a date; None for anything else."""
    given = text.decode("latin-1").strip()
    if given.isascii() and given.isdigit():
        return int(given[:9]) * SECOND_US
    try:
        return max(0, from_datetime(parsedate_to_datetime(given)) - wall_us())
    except (ValueError, TypeError, OverflowError):
        return None
