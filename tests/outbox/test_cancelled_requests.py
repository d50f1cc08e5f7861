"""Requests that are cancelled, by a timeout or by a server that stops: their connections are closed at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from leasebook.addressing.mail import server_of
from leasebook.client import AsyncClient
from leasebook.console.openid.fetching import Fetcher
from leasebook.notifications.log_store import LogStoreClient
from leasebook.notifications.mail import MailSender
from leasebook.notifications.webhook import WebhookSender
from leasebook.notifications.webhook_signature import new_secret
from tests.outbox import test_address, test_mail
from tests.outbox.test_address import LOCAL
from tests.raw_connections import raw_server

LATER_S = 60.0
"""A time that no test waits."""
WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def nothing_collected() -> Iterator[None]:
    """The collector would close what was forgotten."""
    gc.disable()
    yield
    gc.enable()


def webhook(port: int) -> Awaitable[Any]:
    sender = WebhookSender(LOCAL, lambda _hook, _sealed: new_secret(), timeout_s=LATER_S)
    return sender.send(test_address.parcel(f"https://127.0.0.1:{port}/"))


def log_store(port: int) -> Awaitable[Any]:
    return LogStoreClient(f"https://127.0.0.1:{port}/").send((), 0)


def identity_provider(port: int) -> Awaitable[Any]:
    return Fetcher().get(f"https://127.0.0.1:{port}/")


def mail(port: int, scheme: str = "smtps") -> Awaitable[Any]:
    server = server_of(f"{scheme}://127.0.0.1:{port}")
    sender = MailSender(server, "a@b.test", str, test_mail.confirming, timeout_s=LATER_S)
    return sender.send(test_mail.parcel("unit-1", "Schedule"))


def python_client(port: int) -> Awaitable[Any]:
    return AsyncClient(f"https://127.0.0.1:{port}", "key", "secret").describe_account()


def python_client_that_follows(port: int) -> Awaitable[Any]:
    return anext(AsyncClient(f"https://127.0.0.1:{port}", "key", "secret").follow_events())


@pytest.mark.parametrize(
    "client", [webhook, log_store, identity_provider, mail, python_client, python_client_that_follows]
)
async def test_a_connection_is_closed_whose_handshake_is_cancelled(client: Callable[[int], Awaitable[Any]]) -> None:
    greeted, closed = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            greeted.set()
        closed.set()

    async with raw_server(silent) as port, asyncio.timeout(WITHIN_S):
        sending = asyncio.ensure_future(client(port))
        await greeted.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        await closed.wait()


async def test_a_mail_server_that_does_not_take_a_message_keeps_no_stop_waiting() -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while not (await reader.readline()).startswith(b"MAIL"):
            writer.write(b"250 fine\r\n")
        asked.set()
        while await reader.read(4096):
            pass
        closed.set()

    async with raw_server(hanging) as port, asyncio.timeout(WITHIN_S):
        sending = asyncio.ensure_future(mail(port, "smtp"))
        await asked.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        await closed.wait()
