"""Mail servers of tests: real ones, each in a thread of its own, whose connections are closed before its loop ends."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.ports import free_port
from tests.raw_connections import ended


class Box:
    """The messages that the mail server got, and its answer to each receiver."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(  # noqa: N802 - the library's own interface
        self, _server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"lease@hold", b"pass:word"), handled=False)

    def message(self, index: int = 0) -> EmailMessage:
        content = self.envelopes[index].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=email.policy.default)


class _Mails(SMTP):
    """A connection, whose transports are noted: its own, and later the one of TLS over it."""

    def __init__(self, box: Box, opened: list[asyncio.BaseTransport], **options: Any) -> None:
        super().__init__(box, **options)
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._opened.append(transport)
        super().connection_made(transport)


class _MailServer(Controller):
    """The library's own leaves transports open: those of a TLS handshake that the client breaks off, and of callers
    whose end it has not heard of when it stops."""

    def __init__(self, box: Box, **options: Any) -> None:
        super().__init__(box, hostname="127.0.0.1", port=free_port(), **options)
        self._opened: list[asyncio.BaseTransport] = []

    def factory(self) -> SMTP:
        return _Mails(self.handler, self._opened, **self.SMTP_kwargs)

    async def end(self) -> None:
        """End every connection. The newest come first, since TLS lies over its connection."""
        assert self.server is not None
        self.server.close()
        await ended([])
        await ended(reversed(self._opened))


@contextmanager
def mail_server(box: Box, **options: Any) -> Iterator[int]:
    """Take mails into a box; yields the port. ``options`` are those of aiosmtpd."""
    server = _MailServer(box, authenticator=box.login, **options)
    server.start()
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.end(), server.loop).result()
        server.stop()
