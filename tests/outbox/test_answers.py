"""Answers of a receiver that count, and the clock by which a delivery is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from leasebook.addressing.mail import server_of
from leasebook.domain.values.calendar import Instant
from leasebook.notifications import paused_clock as standing
from leasebook.notifications import webhook
from leasebook.notifications.mail import MailSender
from leasebook.store.opening import Target
from tests.harness import a_service
from tests.outbox.receivers import (
    FAILED,
    LOCAL,
    OK,
    ReceivedDelivery,
    a_receiver,
    buy,
    deliveries,
    settled,
    subscribe,
)
from tests.outbox.scenes import served, tried
from tests.outbox.test_mail import confirming, parcel
from tests.raw_connections import raw_server

HEAD = b"HTTP/1.1 200 OK\r\n"
BODIES = {
    "never": HEAD + b"content-length: 5\r\n\r\n",
    "late": HEAD + b"content-length: 5\r\n\r\nhel",
    "cut": HEAD + b"content-length: 5\r\n\r\nhel",
    "cut before its first byte": HEAD + b"content-length: 5\r\n\r\n",
    "cut in a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
    "no chunk at all": HEAD + b"transfer-encoding: chunked\r\n\r\nwhat is this",
    "a chunk that never comes": HEAD + b"transfer-encoding: chunked\r\n\r\n",
    "until the end, which never comes": HEAD + b"\r\nhello",
}
HELD = ("never", "late", "a chunk that never comes", "until the end, which never comes")


async def test_a_success_is_a_success_whatever_becomes_of_its_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "ANSWER_S", 0.05)

    async with served(tmp_path, LEASEBOOK_WEBHOOK_TIMEOUT_SECONDS="1") as (desk, receiver):
        names = iter(BODIES)

        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            name = next(names)
            writer.write(BODIES[name])
            await writer.drain()
            if name in HELD:
                await asyncio.Event().wait()

        del receiver
        async with raw_server(answering) as port:
            await subscribe(desk, f"http://127.0.0.1:{port}/hook", types=["unit.bought"])
            for count in range(1, len(BODIES) + 1):
                await buy(desk)
                await settled(desk, count)
            rows = await deliveries(desk)
            assert [(row["state"], row["attempts"], row["answer"]) for row in rows] == [("Delivered", 1, 200)] * len(
                BODIES
            )


async def _mail_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a message, and hang up after the goodbye, after a while that no test waits for."""
    writer.write(b"220 here\r\n")
    is_message = False
    while line := await reader.readline():
        if is_message:
            is_message = line != b".\r\n"
            if not is_message:
                writer.write(b"250 taken\r\n")
        elif line.upper().startswith(b"DATA"):
            is_message = True
            writer.write(b"354 go on\r\n")
        elif not line.upper().startswith(b"QUIT"):
            writer.write(b"250 fine\r\n")
    writer.close()


async def test_a_mail_that_was_taken_is_delivered_however_the_mail_server_says_goodbye() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _mail_server(reader, writer)
        await writer.wait_closed()
        left.set()

    async with raw_server(serve) as port:
        sender = MailSender(server_of(f"smtp://127.0.0.1:{port}"), "a@b.test", str, confirming, timeout_s=0.5)
        outcome = await sender.send(parcel("unit-1", "Schedule"))
        assert (outcome.kind, outcome.status) == ("Delivered", 250), outcome
        await left.wait()


def _at_once(waits: list[float]) -> Callable[[float, Callable[[], None]], asyncio.TimerHandle]:
    def call_later(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        waits.append(seconds)
        return asyncio.get_running_loop().call_later(0, call)

    return call_later


async def test_under_a_clock_that_stands_still_a_failure_is_tried_again_by_the_machines_clock(
    migrated: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(standing, "call_later", _at_once(waits))

    async with served(migrated) as (desk, receiver):
        answers = iter([FAILED] * 3)
        receiver.answer = lambda _got: next(answers, OK)
        await subscribe(desk, receiver.url, types=["unit.bought"])
        await buy(desk)
        (row,) = await settled(desk, 1)
        assert row["attempts"] == 4
        assert len({got.id for got in receiver.got}) == 1
        # The same waits as under a clock that runs; what has passed of one already is not waited again.
        assert len(waits) == 3
        assert 0 < waits[0] <= 10
        assert 0 < waits[1] <= 20
        assert 0 < waits[2] <= 40


async def test_under_a_clock_that_stands_still_what_waited_is_tried_at_the_next_start(tmp_path: Path) -> None:
    async with a_receiver() as receiver:
        receiver.answer = lambda _got: FAILED
        async with a_service(tmp_path, demo=True, environment=LOCAL) as desk:
            await subscribe(desk, receiver.url, types=["unit.bought"])
            await buy(desk)
            await tried(desk, 1)

        def fine(_got: ReceivedDelivery) -> bytes:
            return OK

        receiver.answer = fine
        async with a_service(tmp_path, demo=True, environment=LOCAL) as desk:
            (row,) = await settled(desk, 1)
            assert row["attempts"] == 2


async def test_a_lane_that_was_moved_meanwhile_is_left_alone(migrated: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    from leasebook.domain.commands.account.retry_deliveries import TryAgain, Waits

    monkeypatch.setattr(standing, "call_later", lambda _seconds, _call: asyncio.get_running_loop().call_later(99, int))

    async with served(migrated) as (desk, receiver):
        receiver.answer = lambda _got: FAILED
        hook = (await subscribe(desk, receiver.url, types=["unit.bought"]))["subscriptionId"]
        unit = await buy(desk)
        await tried(desk, 1)
        submit = desk.service.sequencer.submit
        assert await submit(TryAgain(lanes=(Waits(hook, unit, Instant(1)), Waits(hook, "unit-none", None)))) == 0
        assert len(receiver.got) == 1
        assert await submit(TryAgain(lanes=(Waits(hook, unit, None),))) == 1
        await tried(desk, 2)
