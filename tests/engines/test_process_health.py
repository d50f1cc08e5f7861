"""Health checks go side by side, and one that hangs delays no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from leasebook.engines.process.health import FAILURES_MAX, Checks, Health, Target
from tests.raw_connections import raw_server

HOST = "127.0.0.1"
FOR_EVER_S = 600.0
"""A time that no test waits: the answers that would need it never come."""


class Servers:
    """Servers by port, each with a fixed answer."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes | None] = {}
        self.asked: list[bytes] = []
        self._stack = contextlib.AsyncExitStack()

    async def add(self, answer: bytes | None) -> int:
        """Start one; with an answer of None it hangs."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            now = self.answers[port]
            if now is None:
                await asyncio.Event().wait()
            else:
                writer.write(now)
                await writer.drain()

        port = await self._stack.enter_async_context(raw_server(serve))
        self.answers[port] = answer
        return port

    async def close(self) -> None:
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    made = Servers()
    try:
        yield made
    finally:
        await made.close()


def answer(status: int) -> bytes:
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(200), None),
        (answer(204), None),
        (answer(399), None),
        (answer(199), "/h was answered with 199"),
        (answer(400), "/h was answered with 400"),
        (answer(503), "/h was answered with 503"),
        (b"HTTP/1.0 200 OK\r\n\r\n", None),
        (b"SSH-2.0-OpenSSH\r\n", "/h was not answered with HTTP"),
        (b"HTTP/1.1 " + b"5" * 4000 + b"\r\n", "/h was not answered with HTTP"),
        (b"HTTP/1.1 two\r\n", "/h was not answered with HTTP"),
        (b"\r\n", "/h was not answered with HTTP"),
        (b"", "/h was not answered with HTTP"),
        (b"x" * 200_000, "Separator is not found, and chunk exceed the limit"),
    ],
    ids=lambda part: repr(part)[:30],
)
async def test_a_replica_is_healthy_if_it_answers_with_200_to_399(said: bytes, reason: str | None) -> None:
    async with servers() as made:
        port = await made.add(said)
        checks = Checks(wait_s=FOR_EVER_S, timeout_s=FOR_EVER_S)
        health = (await checks.look({"a": Target(HOST, port, "/h", was_ready=False)}))["a"]
        assert health.ready == (reason is None)
        assert (health.reason or "").endswith(reason or "")
        assert made.asked == [f"GET /h HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()]


async def test_without_a_path_a_connection_is_enough() -> None:
    async with servers() as made:
        port = await made.add(None)
        checks = Checks(wait_s=FOR_EVER_S)
        assert (await checks.look({"a": Target(HOST, port, None, was_ready=False)}))["a"].ready
        await made.close()
        refused = (await Checks(wait_s=FOR_EVER_S).look({"a": Target(HOST, 1, None, was_ready=False)}))["a"]
        assert not refused.ready
        assert "port 1" in (refused.reason or "")


async def test_a_hundred_are_checked_while_one_hangs() -> None:
    async with servers() as made:
        fine = {f"r{number}": Target(HOST, await made.add(answer(200)), "/", was_ready=False) for number in range(100)}
        hangs = Target(HOST, await made.add(None), "/", was_ready=False)
        # The one that hangs would take for ever; the look is over long before, with everybody else's answer.
        checks = Checks(wait_s=0.25, timeout_s=FOR_EVER_S)
        async with asyncio.timeout(30):
            found: dict[str, Health] = {}
            while not all(health.ready for name, health in found.items() if name != "hangs") or not found:
                found = dict(await checks.look({"hangs": hangs, **fine}))
        assert not found["hangs"].ready
        await checks.close()


async def test_what_was_ready_is_unhealthy_after_so_many_failures_in_a_row_and_no_sooner() -> None:
    async with servers() as made:
        port = await made.add(answer(200))
        target = {"a": Target(HOST, port, "/", was_ready=False)}
        checks = Checks(wait_s=FOR_EVER_S, every_s=0)
        assert (await checks.look(target))["a"].ready
        made.answers[port] = answer(500)
        failures = [(await checks.look(target))["a"].failures for _ in range(FAILURES_MAX - 1)]
        made.answers[port] = answer(200)
        assert (await checks.look(target))["a"].failures == 0
        made.answers[port] = answer(500)
        failures += [(await checks.look(target))["a"].failures for _ in range(FAILURES_MAX)]
        assert failures == [1, 2, 1, 2, 3]


async def test_what_is_ready_is_not_asked_again_before_its_time_and_what_is_not_always_is() -> None:
    async with servers() as made:
        port = await made.add(answer(500))
        target = {"a": Target(HOST, port, "/", was_ready=False)}
        checks = Checks(wait_s=FOR_EVER_S, every_s=FOR_EVER_S)
        for _ in range(3):
            await checks.look(target)
        assert len(made.asked) == 3
        made.answers[port] = answer(200)
        for _ in range(3):
            await checks.look(target)
        assert len(made.asked) == 4
        await checks.look({})
        await checks.look(target)
        assert len(made.asked) == 5, "what was forgotten is new"


async def test_what_is_forgotten_while_it_is_checked_is_not_waited_for() -> None:
    async with servers() as made:
        port = await made.add(None)
        checks = Checks(wait_s=0, timeout_s=FOR_EVER_S)
        await checks.look({"a": Target(HOST, port, "/", was_ready=False)})
        assert await checks.look({}) == {}
        await checks.close()
