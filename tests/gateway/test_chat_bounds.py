"""Bounds of calls that name their service in the body: memory and time, while replicas and callers are slow."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from tests.gateway.scene import an_office, raw, until
from tests.gateway.test_chat import CHAT, asked

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
