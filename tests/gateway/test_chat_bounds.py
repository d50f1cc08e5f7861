"""Bounds of calls that name their service in the body: memory and time, while replicas and callers are slow."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from yarl import URL

from tests.copies import STORES, empty
from tests.gateway.scene import SERVICE, GatewayHarness, an_office, answer, echo, raw, served, until
from tests.gateway.test_chat import CHAT, asked, in_shape
from tests.raw_connections import raw_connection

BIG = 15 << 20
"""More than the buffers of two sockets hold."""


async def test_a_body_counts_until_it_was_written_also_if_the_replica_answers_before_it_reads(tmp_path: Path) -> None:
    may_read, may_end = asyncio.Event(), asyncio.Event()
    got = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/v1/models" in head:
            writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
        await may_read.wait()
        while got < BIG:
            got += len(await reader.read(1 << 20))
        await may_end.wait()
        writer.write(b"}")

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        rooms = office.desk.service.app._passing.rooms  # type: ignore[union-attr]
        headers = {"Authorization": f"Bearer {office.key}"}
        body = b'{"model":"echo","x":"' + b"x" * BIG + b'"}'
        async with office.http.post(f"http://{office.base}{CHAT}", data=io.BytesIO(body), headers=headers) as found:
            assert await found.content.readany() == b"{"
            await asyncio.sleep(0.2)
            assert rooms.used >= BIG
            may_read.set()
            await until(lambda: rooms.used == 0)
            may_end.set()
            assert await found.read() == b"}"
        assert (await asked(office, {"model": "nowhere"}))[0] == 404


async def late(office: GatewayHarness, key: str, meanwhile: Callable[[], Awaitable[Any]]) -> int:
    """Send a head, do something, and send the body; returns the status."""
    body = b'{"model":"echo"}'
    head = f"POST {CHAT} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with raw_connection(office.base) as (reader, writer):
        writer.write(head.encode() + body[:1])
        await asyncio.sleep(0.3)
        await meanwhile()
        writer.write(body[1:])
        return int((await reader.readline()).split()[1])


async def test_a_key_that_is_deleted_before_the_body_has_come_starts_no_call(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        made = await office.do(SERVICE, "CreateServiceKey", {"name": "x"})

        async def nothing() -> None:
            pass

        async def deleted() -> None:
            await office.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})

        assert await late(office, made["key"], nothing) == 200
        assert await late(office, made["key"], deleted) == 401


async def test_an_error_whose_body_does_not_end_is_passed_on_with_its_status_and_the_call_ends(tmp_path: Path) -> None:
    may_end = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/v1/models" in head:
            writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 429 Slow\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
        while not may_end.is_set():
            # A piece now and then does not make it endless.
            writer.write(b" ")
            await asyncio.sleep(0.1)

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        passing: Any = office.desk.service.app._passing
        passing._limits = msgspec.structs.replace(passing._limits, idle_s=0.5)
        try:
            async with asyncio.timeout(5):
                status, said = await asked(office, {"model": "echo"})
        finally:
            may_end.set()
        assert (status, in_shape(said)) == (429, True)


@pytest.mark.parametrize("where", STORES)
async def test_a_word_that_no_service_can_have_is_not_found(tmp_path: Path, where: str) -> None:
    with empty(where, tmp_path / "data", migrated=True) as store:
        async with an_office(store, opened=False) as office:
            office.key = (await office.do(SERVICE, "CreateServiceKey", {"name": "x"}))["key"]
            for model in ("a\0b", "\0", "/services/\0/v1"):
                assert (await asked(office, {"model": model}))[0] == 404, model
            headers = {"Authorization": f"Bearer {office.key}"}
            for word in ("%00", "a%00b", "x" * 2000):
                url = URL(f"http://{office.base}/v2/models/{word}", encoded=True)
                async with office.http.get(url, headers=headers) as found:
                    assert found.status == 404, word


async def test_calls_at_once_ask_a_replica_once_for_its_names_and_only_some_of_them_are_kept(tmp_path: Path) -> None:
    lists = 0

    async def slow_list(scope: Any, receive: Any, send: Any) -> None:
        nonlocal lists
        if scope["path"] != "/v1/models":
            await echo(scope, receive, send)
            return
        lists += 1
        await asyncio.sleep(0.5)
        names = ["x" * 257, *(f"n{number}" for number in range(100))]
        await answer(send, json.dumps({"data": [{"id": name} for name in names]}).encode())

    async with an_office(tmp_path) as office, served(slow_list) as replica:
        office.replicas(replica)
        found = await asyncio.gather(*(asked(office, b'{"model":"echo"}') for _ in range(8)))
        assert [said["body"] for _, said in found] == ['{"model":"n0"}'] * 8
        assert lists == 1
        known = office.desk.service.app._passing.served_names._known  # type: ignore[union-attr]
        assert [len(names) for _, names in known.values()] == [64]
