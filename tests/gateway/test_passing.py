"""Calls through the gateway, in both directions, and how it holds when a caller or a replica breaks off."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leasebook.gateway.ports import Target
from tests.gateway.scene import SERVICE, UNITS, address_of, an_office, answer, body_of, bound, echo, raw, served, until
from tests.raw_connections import raw_connection

MIB = 2**20


async def test_a_call_arrives_as_it_was_sent_and_without_the_key(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        headers = {
            "Connection": "x-private, keep-alive",
            "X-Private": "for the gateway",
            "X-Forwarded-For": "192.0.2.1",
            "X-Request-Id": "call-1",
            "X-Twice": "a",
            "TE": "trailers",
        }
        async with office.call("POST", "/a%2Fb//c?d=%20e", headers=headers, data=b"\x00\xff") as found:
            assert found.status == 200
            assert found.headers["x-request-id"] == "call-1"
            said = json.loads(await found.read())
        assert (said["method"], said["path"], said["query"]) == ("POST", "/a%2Fb//c", "d=%20e")
        assert said["body"] == "\x00\xff"
        arrived = dict(said["headers"])
        assert arrived["host"] == replica
        assert not arrived.keys() & {"authorization", "x-private", "te", "connection"}
        assert arrived["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
        assert arrived["x-forwarded-host"] == office.base
        assert arrived["x-forwarded-proto"] == "http"
        assert arrived["x-forwarded-prefix"] == "/services/echo"
        assert (arrived["x-request-id"], arrived["x-twice"]) == ("call-1", "a")
        assert (await office.said(rest=""))[1]["path"] == "/"
        assert (await office.said(name=office.service, rest="/x"))[1]["path"] == "/x"


async def test_a_replica_that_shares_its_port_is_called_below_its_path_and_nobody_leaves_it(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as port:
        office.replicas(f"{port}/apps/one")
        said = (await office.said(rest="/v1/a%2Fb?c=d"))[1]
        assert (said["path"], said["query"]) == ("/apps/one/v1/a%2Fb", "c=d")
        assert (await office.said(rest=""))[1]["path"] == "/apps/one/"
        for out in ("/../two", "/%2e%2e/two", "/x/../../two"):
            head = f"GET /services/echo{out} HTTP/1.1\r\nHost: {office.base}\r\nConnection: close\r\n"
            async with raw_connection(office.base) as (reader, writer):
                writer.write(f"{head}Authorization: Bearer {office.key}\r\n\r\n".encode())
                answered = await reader.read()
            assert b"/apps/two" not in answered
            assert f'"/apps/one{out}"'.encode() in answered, "it arrives as it was written"


async def test_what_a_replica_answers_comes_back_as_it_is(tmp_path: Path) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            line = b"HTTP/1.1 404 Nowhere\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
            kept = b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nLocation: /elsewhere\r\nContent-Encoding: gzip\r\n"
            body = b"" if head.startswith(b"HEAD") else b"no"
            writer.write(line + kept + b"Content-Length: 2\r\n\r\n" + body)

    async def scene() -> None:
        async with an_office(tmp_path) as office, raw(handle) as replica:
            office.replicas(replica)
            for method, body in (("GET", b"no"), ("HEAD", b""), ("DELETE", b"no")):
                async with office.call(method) as found:
                    assert found.status == 404
                    assert await found.read() == body
                    assert found.headers.getall("set-cookie") == ["a=1", "b=2"]
                    assert found.headers["content-length"] == "2"
                    assert not found.headers.keys() & {"x-hop", "keep-alive"}

    await scene()


async def duplex(_scope: Any, receive: Any, send: Any) -> None:
    """Send every piece back as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def test_each_piece_comes_back_before_the_next_is_sent_in_a_hundred_calls_at_once(tmp_path: Path) -> None:
    async def talk(office: Any) -> None:
        turn = asyncio.Queue[bytes]()
        turn.put_nowait(b"0")

        async def pieces() -> AsyncIterator[bytes]:
            while (piece := await turn.get()) != b"":
                yield piece

        async with office.call("POST", data=pieces()) as found:
            for number in range(10):
                got = b""
                while len(got) < len(str(number)):
                    got += await found.content.readany()
                assert got == str(number).encode()
                turn.put_nowait(b"" if number == 9 else str(number + 1).encode())
            assert await found.read() == b""

    async def scene() -> None:
        async with an_office(tmp_path) as office, served(duplex) as one, served(duplex) as other:
            office.replicas(one, other)
            await asyncio.gather(*(talk(office) for _ in range(100)))
            metric = await office.counted(100)
            assert (metric["succeedCallTotal"], metric["failureCallTotal"]) == (100, 0)

    await scene()


async def test_a_caller_who_does_not_read_makes_the_replica_wait(tmp_path: Path) -> None:
    sent = 0

    async def source(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await body_of(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(128):
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
            sent += 1
        await send({"type": "http.response.body", "body": b""})

    async with an_office(tmp_path) as office, served(source) as replica:
        office.replicas(replica)
        async with office.call() as found:
            await at_rest(lambda: sent)
            assert 0 < sent < 64
            size = 0
            async for piece in found.content.iter_any():
                size += len(piece)
            assert size == 128 * MIB


async def test_a_replica_that_does_not_read_makes_the_caller_wait(tmp_path: Path) -> None:
    given = 0
    read = asyncio.Event()

    async def sink(_scope: Any, receive: Any, send: Any) -> None:
        await read.wait()
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]
        await answer(send, str(size).encode())

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(128):
            given += 1
            yield bytes(MIB)

    async with an_office(tmp_path) as office, served(sink) as replica:
        office.replicas(replica)
        call = asyncio.create_task(office.said("POST", data=pieces()))
        await until(lambda: given)
        await at_rest(lambda: given)
        assert 0 < given < 64
        read.set()
        assert await call == (200, 128 * MIB)


async def at_rest(number: Any) -> None:
    """Wait until a number has not changed for a hundred turns of the loop and a little while."""
    seen, same = number(), 0
    async with asyncio.timeout(20):
        while same < 30:
            await asyncio.sleep(0.01)
            same = same + 1 if number() == seen and seen else 0
            seen = number()


# --- replicas that fail ----------------------------------------------------------------------------------


async def test_a_replica_that_takes_no_connection_is_passed_over_and_the_body_arrives_whole(tmp_path: Path) -> None:
    with contextlib.closing(bound()) as nobody:
        async with an_office(tmp_path) as office, served(echo) as replica:
            office.replicas(address_of(nobody), replica)
            for _ in range(4):
                status, said = await office.said("POST", data=b"x" * 100_000)
                assert (status, len(said["body"])) == (200, 100_000)
            office.targets.found[office.service] = [Target("r9", address_of(nobody))]
            await office.do(SERVICE, "DeactivateService", {"serviceId": office.service})
            await office.do(SERVICE, "ActivateService", {"serviceId": office.service})
            status, said = await office.said("POST", data=b"x")
            assert (status, said["code"]) == (503, "NoCapacity")


@pytest.mark.parametrize(("method", "status", "asked"), [("GET", 200, 2), ("POST", 502, 1), ("DELETE", 502, 1)])
async def test_only_what_is_safe_is_sent_again_when_a_replica_breaks_off_before_it_answers(
    tmp_path: Path, method: str, status: int, asked: int
) -> None:
    seen = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1
        if seen > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        found, said = await office.said(method, data=b"once" if method == "POST" else None)
        assert found == status
        assert seen == asked
        if status == 502:
            assert said["code"] == said["error"]["code"] == "ReplicaFailed"
        metric = await office.counted(1)
        assert metric["succeedCallTotal"] == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    "framing", [b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"Content-Length: 10\r\n\r\nhello"]
)
async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(tmp_path: Path, framing: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing)
        await writer.drain()

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        async with office.call() as found:
            assert found.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await found.read()
        metric = await office.counted(1)
        assert (metric["succeedCallTotal"], metric["failureCallTotal"]) == (0, 1)


async def test_a_replica_that_does_not_begin_to_answer_is_given_up(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()

    async with an_office(tmp_path, first_byte_seconds="1") as office, raw(handle) as replica:
        office.replicas(replica)
        status, said = await office.said("POST", data=b"x")
        assert (status, said["code"]) == (504, "ReplicaTimeout")
        async with asyncio.timeout(10):
            await closed.wait()


async def test_an_answer_that_stands_still_is_broken_off(tmp_path: Path) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await reader.read()

    async with an_office(tmp_path, idle_seconds="1") as office, raw(handle) as replica:
        office.replicas(replica)
        async with office.call() as found:
            with pytest.raises(aiohttp.ClientPayloadError):
                await found.read()


@pytest.mark.parametrize("when", ["before", "while"])
async def test_a_caller_who_hangs_up_takes_the_replicas_connection_along(tmp_path: Path, when: str) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if when == "while":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        begun.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        closed.set()

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)

        async def call() -> None:
            async with office.call() as found:
                await found.read()

        task = asyncio.create_task(call())
        async with asyncio.timeout(10):
            await begun.wait()
            task.cancel()
            await closed.wait()
        metric = await office.counted(1)
        assert (metric["succeedCallTotal"], metric["failureCallTotal"]) == (0, 1)


# --- capacity --------------------------------------------------------------------------------------------


async def test_a_replica_that_is_drained_finishes_what_it_has_and_gets_nothing_more(tmp_path: Path) -> None:
    held, go = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        held.set()
        await go.wait()
        await answer(send, b'"slow"')

    async with an_office(tmp_path) as office, served(slow) as one, served(echo) as other:
        office.replicas(one)
        call = asyncio.create_task(office.said())
        await held.wait()
        office.targets.found[office.service] = [Target("r0", one, draining=True)]
        # Whatever concerns the service has it looked up again, as a commit about its replicas does.
        scaled = {"serviceId": office.service, "instanceId": office.unit, "deploymentReplicasCount": 1}
        await office.do(SERVICE, "ScaleService", scaled)
        assert (await office.said())[1]["code"] == "NoCapacity"
        office.targets.found[office.service].append(Target("r1", other))
        await office.do(SERVICE, "ScaleService", {**scaled, "deploymentReplicasCount": 2})
        for _ in range(3):
            assert (await office.said("POST"))[1]["method"] == "POST"
        go.set()
        assert await call == (200, "slow")


async def test_a_service_stops_answering_the_moment_its_unit_is_released(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        assert (await office.said())[0] == 200
        await office.do(UNITS, "ReleaseComputeUnit", {"instanceId": office.unit})
        status, said = await office.said()
        assert (status, said["code"]) == (503, "NoCapacity")
        assert "has no replicas" in said["message"]


async def test_a_release_time_ends_the_answers_too(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        assert (await office.said())[0] == 200
        when = {"instanceId": office.unit, "releaseTime": "2089-01-01 00:00:00"}
        await office.do(UNITS, "AutoReleaseComputeUnit", when)
        assert (await office.said())[0] == 200
        now = (await office.do("/v2/clock", "DescribeClock"))["now"]
        await office.do(
            UNITS, "AutoReleaseComputeUnit", {**when, "releaseTime": now.replace("T", " ")[:11] + "23:59:59"}
        )
        await office.desk.advance(now[:10] + " 23:59:59")
        assert (await office.said())[1]["code"] == "NoCapacity"


async def test_a_service_that_is_switched_off_says_so_and_answers_again_when_it_is_on(tmp_path: Path) -> None:
    async with an_office(tmp_path, engine="process") as office, served(echo) as replica:
        office.replicas(replica)
        assert (await office.said())[0] == 200
        await office.do(SERVICE, "DeactivateService", {"serviceId": office.service})
        status, said = await office.said()
        assert (status, said["code"]) == (503, "NoCapacity")
        assert "switched off" in said["message"]
        await office.do(SERVICE, "ActivateService", {"serviceId": office.service})
        assert (await office.said())[0] == 200
        office.targets.found.clear()
        await office.do(SERVICE, "DeactivateService", {"serviceId": office.service})
        await office.do(SERVICE, "ActivateService", {"serviceId": office.service})
        assert "None of the replicas of svco-" in (await office.said())[1]["message"]


async def test_more_calls_than_the_replicas_may_have_are_refused_at_once(tmp_path: Path) -> None:
    held, go = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        held.release()
        await go.wait()
        await answer(send, b"1")

    async with an_office(tmp_path, concurrency_max="1") as office, served(slow) as one, served(slow) as other:
        office.replicas(one, other)
        calls = [asyncio.create_task(office.said()) for _ in range(2)]
        for _ in calls:
            await held.acquire()
        async with office.call() as found:
            assert (found.status, found.headers["retry-after"]) == (503, "1")
            said = json.loads(await found.read())
            assert (said["code"], said["message"]) == ("Overloaded", found.headers["x-bce-error-message"])
        go.set()
        assert await asyncio.gather(*calls) == [(200, 1)] * 2


async def test_a_service_with_queries_per_second_takes_no_more(tmp_path: Path) -> None:
    async with an_office(tmp_path, qps=0.01) as office, served(echo) as one, served(echo) as other:
        office.replicas(one, other)
        assert (await office.said())[0] == 200
        async with office.call() as found:
            assert found.status == 429
            assert 40 <= int(found.headers["retry-after"]) <= 50
            assert json.loads(await found.read())["code"] == "TooManyCalls"


async def test_endless_headers_are_refused_in_words(tmp_path: Path) -> None:
    async with an_office(tmp_path, headers_max_bytes="2048") as office, served(echo) as replica:
        office.replicas(replica)
        status, said = await office.said(headers={"X-Long": "x" * 2048})
        assert (status, said["code"]) == (431, "HeadersTooLarge")
