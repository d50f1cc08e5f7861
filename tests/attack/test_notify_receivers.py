"""Receivers that hang, and names that do not resolve, of some accounts: another account's events go out at once."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.store.opening import Target
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, OK, ReceivedDelivery, Receiver, a_receiver, buy, subscribe, until
from tests.postgres import shared_server
from tests.raw_connections import raw_server

TIMEOUT_S = 4
ENVIRONMENT = LOCAL | {
    "LEASEBOOK_MASTER_KEY": "5ea1" * 16,
    "LEASEBOOK_WEBHOOK_TIMEOUT_SECONDS": str(TIMEOUT_S),
    "LEASEBOOK_WEBHOOK_SLOW_SECONDS": "1",
}
AT_ONCE_S = 4.0 * TIMEOUT_S
"""Seconds within which another account's event has to arrive, beside other work. Without a fair share it takes six
timeouts and more here, and with one a fraction of a second."""


async def customer(desk: Client, name: str) -> Client:
    """An account of its own, with money."""
    made = (await desk.call("/v2/iam", "CreateAccount", {"name": name})).result
    _ = (await desk.call("/v2/account", "TopUpAccount", {"amount": "10000", "accountId": made["accountId"]})).result
    return desk.as_user(made["accessKeyId"], made["secretAccessKey"])


@asynccontextmanager
async def hanging(count: int) -> AsyncIterator[Receiver]:
    """A receiver at ``count`` addresses that takes everything and never answers."""
    receiver = Receiver()

    async def hang(_got: ReceivedDelivery) -> bytes:
        await asyncio.Event().wait()
        return OK

    receiver.answer = hang
    async with raw_server(receiver.serve, host="0.0.0.0", backlog=4096) as port:  # noqa: S104 - all of 127.0.0.0/8
        receiver.url = " ".join(f"http://127.0.{n // 250}.{n % 250 + 1}:{port}/" for n in range(count))
        yield receiver


async def receives_event(good: Receiver, victim: Client, *, within_s: float = AT_ONCE_S) -> None:
    """Have something happen to the victim, and see that its receiver gets it."""
    unit = await buy(victim)
    await until("the victim's event arrives", lambda: ("unit.bought", unit) in good.events, within_s=within_s)


async def crowd(desk: Client, urls: list[str], accounts: int, events: int) -> None:
    """Have accounts with a subscription to each address, and events for all of them."""
    for number in range(accounts):
        hostile = await customer(desk, f"hostile {number}")
        await asyncio.gather(*(subscribe(hostile, url, types=["unit.bought"]) for url in urls))
        for _ in range(events):
            await buy(hostile)


@pytest.mark.parametrize(("accounts", "events"), [(1, 4), (10, 1)])
async def test_fifty_hanging_receivers_of_an_account_or_of_ten_keep_nobody_else_waiting(
    tmp_path: Path, accounts: int, events: int
) -> None:
    async with (
        hanging(50) as bad,
        a_receiver() as good,
        a_service(tmp_path, clock="real", demo=True, environment=ENVIRONMENT) as desk,
    ):
        victim = await customer(desk, "victim")
        await subscribe(victim, good.url)
        await crowd(desk, bad.url.split(), accounts, events)
        await until("many hang", lambda: bad.under_way >= 16)
        await receives_event(good, victim)
        # The receiver notices late which connections were given up, so it counts some of them besides; without a
        # bound it would be all fifty of each account.
        assert bad.most_under_way <= 2 * 16 * accounts
        # Those that timed out are slow now, and have few places; the events are tried again meanwhile.
        await until("some have timed out", lambda: len(bad.got) > 16 * accounts)
        for _ in range(3):
            await receives_event(good, victim)
        page = (await desk.send("/metrics", "", b"", method="GET", headers=[])).body
        assert 'leasebook_deliveries_held_total{limit="account"}' in page
        assert 'leasebook_delivery_attempts{pace="slow"}' in page


async def test_on_several_servers_too(tmp_path: Path) -> None:
    async def scene(url: str) -> None:
        async with AsyncExitStack() as parts:
            bad = await parts.enter_async_context(hanging(50))
            good = await parts.enter_async_context(a_receiver())
            desks = [
                await parts.enter_async_context(
                    a_service(Target(tmp_path / str(number), url), clock="real", demo=True, environment=ENVIRONMENT)
                )
                for number in range(2)
            ]
            victim = await customer(desks[0], "victim")
            await subscribe(victim, good.url)
            await crowd(desks[0], bad.url.split(), 1, 4)
            await until("many hang", lambda: bad.under_way >= 16)
            await receives_event(good, victim)
            await receives_event(good, Client(desks[1].service, victim.access_key, victim.secret_key))
            assert bad.most_under_way <= 48  # of fifty; 32 and some that were given up

    with shared_server().database(migrated=True) as url:
        await scene(url)


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """A resolver that gives no answer about some names for as long as the test lasts; returns those asked for."""
    asked: set[str] = set()
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).startswith("hangs-"):
            asked.add(host)
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("127.0.0.1" if host == "good.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


async def test_names_that_nobody_answers_for_keep_no_other_from_being_looked_up(
    tmp_path: Path, unanswered: set[str]
) -> None:
    async with (
        a_receiver() as good,
        a_service(tmp_path, clock="real", demo=True, environment=ENVIRONMENT) as desk,
    ):
        victim = await customer(desk, "victim")
        await subscribe(victim, good.url.replace("127.0.0.1", "good.example"))
        await crowd(desk, [f"https://hangs-{n}.example/" for n in range(50)], 1, 2)
        await until("many hang", lambda: len(unanswered) >= 16)
        await receives_event(good, victim)
        # The attempts have timed out, and the threads that hang still count as attempts.
        await asyncio.sleep(TIMEOUT_S + 0.5)
        await receives_event(good, victim)
        assert len(unanswered) <= 16
        assert sum(one.name.startswith("look up hangs-") for one in threading.enumerate()) <= 16
