"""Addresses that only this server can reach are not reached through a webhook: by no spelling, no name, no redirect."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.model.subscription import Subscription
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, PATH, Receiver, a_receiver, buy, deliveries, status, subscribe, until

INSIDE = """
127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0x7f.1 127.0.0.1. 0 0.0.0.0 localhost@127.0.0.1 [::1] [::]
[::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [fe80::1%25lo]
[2a00:1450::5efe:127.0.0.1] [2a00:1450::200:5efe:127.0.0.1] [fec0::1] [3fff::1] [5f00::1] [100::1] [2001::1] [ff02::1]
168.63.129.16 169.254.169.254 100.100.100.200 192.0.0.192 192.88.99.1 198.18.0.1 240.0.0.1 255.255.255.255
[fd00:ec2::254] [::ffff:a9fe:a9fe] [64:ff9b::a83f:8110]
"""
BY_NAME = (
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "168.63.129.16",
    "64:ff9b::7f00:1",
    "2a00:1450::5efe:7f00:1",
    "3fff::1",
)


async def test_no_spelling_of_an_inner_address_makes_a_subscription(tmp_path: Path) -> None:
    async with (
        a_receiver() as canary,
        a_service(tmp_path, environment={"LEASEBOOK_WEBHOOK_ALLOW_HTTP": "yes"}) as desk,
    ):
        port = canary.url.split(":")[2].split("/")[0]
        for host in INSIDE.split():
            for scheme in ("http", "https"):
                body = {"kind": "Webhook", "url": f"{scheme}://{host}:{port}/"}
                answer = await desk.call(PATH, "CreateSubscription", body)
                assert answer.status == 400, host
                assert answer.code == "InappropriateJSON", host
        assert canary.got == []


async def test_no_name_of_an_inner_address_is_called_and_the_address_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name, _, domain = str(host).partition(".")
        if domain != "inner.example":
            return real(host, port, *rest, **more)
        # A public address beside it does not make it better.
        found = ("8.8.8.8", BY_NAME[int(name)])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with (
        a_receiver() as canary,
        a_service(tmp_path, demo=True, environment={"LEASEBOOK_WEBHOOK_ALLOW_HTTP": "yes"}) as desk,
    ):
        for number in range(len(BY_NAME)):
            url = canary.url.replace("127.0.0.1", f"{number}.inner.example")
            await subscribe(desk, url, types=["unit.bought"])
        rows = await tried(desk, len(BY_NAME))
        assert {row["failure"] for row in rows} == {"The host's address is not a public one."}
        assert canary.got == []


async def tried(desk: Client, count: int) -> list[Any]:
    """Have an event happen, and wait until ``count`` deliveries were tried."""
    await buy(desk)

    async def look() -> list[Any]:
        found = [row for row in await deliveries(desk) if row["attempts"]]
        return found if len(found) == count else []

    found: list[Any] = await until("it was tried", look)
    return found


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    codes = (301, 302, 303, 307, 308)
    async with (
        a_receiver() as outside,
        a_receiver() as canary,
        a_service(tmp_path, demo=True, environment=LOCAL) as desk,
    ):
        outside.answer = lambda got: status(int(got.head.split()[1].split("/")[-1]), f"location: {canary.url}")
        for code in codes:
            await subscribe(desk, f"{outside.url}/{code}", types=["unit.bought"])
        rows = await tried(desk, len(codes))
        said = "The receiver answered {}, and redirects are not followed."
        assert {row["failure"] for row in rows} == {said.format(code) for code in codes}
        assert canary.got == []


async def test_what_was_public_when_it_was_subscribed_and_is_inner_when_it_is_called_is_refused_then(
    tmp_path: Path,
) -> None:
    async def scene(canary: Receiver) -> None:
        # The operator has taken the network back meanwhile.
        async with a_service(tmp_path, demo=True, environment=LOCAL) as desk:
            hook = await subscribe(desk, canary.url, types=["unit.bought"])
        plain = {"LEASEBOOK_WEBHOOK_ALLOW_HTTP": "yes"}
        async with a_service(tmp_path, demo=True, environment=plain) as desk:
            (row,) = await tried(desk, 1)
            assert row["failure"] == "127.0.0.1 is not a public address."
            stored = await desk.service.store.read(lambda ask: ask.hook(hook["subscriptionId"]))
            assert isinstance(stored, Subscription)
        assert canary.got == []

    async def whole() -> None:
        async with a_receiver() as canary:
            await scene(canary)

    await whole()
