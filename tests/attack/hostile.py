"""A replica that keeps to no rule: a program of its own, which the process engine runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import sys

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
LINE = b"X-Line: " + b"a" * 1000 + b"\r\n"
SHORT = {
    b"/": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"/101": SWITCH + b"\r\n",
    b"/999": b"HTTP/1.1 999 Far\r\nContent-Length: 2\r\n\r\nhi",
    b"/split": b"HTTP/1.1 200 OK\r\nX-A: a\r\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil",
    b"/nul": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nhi",
    b"/ahead": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    b"/headers": b"HTTP/1.1 200 OK\r\n" + LINE * 10_000 + b"\r\n",
}
ENDLESS = {
    b"/endless-headers": (b"HTTP/1.1 200 OK\r\n", LINE * 64),
    b"/endless-line": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65_536),
    b"/endless-100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    b"/endless-103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2000),
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request as its path says."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].partition(b"?")[0]
        if path in SHORT:
            writer.write(SHORT[path])
        elif path in ENDLESS:
            first, again = ENDLESS[path]
            writer.write(first)
            while True:
                writer.write(again)
                await writer.drain()
        elif path == b"/drip":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        else:
            await talk(path, head, reader, writer)
            return
        await writer.drain()


async def talk(path: bytes, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Agree to a WebSocket: ``/deaf`` reads nothing, ``/pour`` never stops, ``/say`` sends messages back."""
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    proof = base64.b64encode(hashlib.sha1(fields[b"Sec-WebSocket-Key"] + MAGIC, usedforsecurity=False).digest())
    writer.write(SWITCH + b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n")
    if path == b"/deaf":
        await asyncio.sleep(3600)
    while path == b"/pour":
        writer.write(b"\x82\x7e\xff\xff" + bytes(65_535))
        await writer.drain()
    while True:
        first, second = await reader.readexactly(2)
        mask, size = await reader.readexactly(4), second & 0x7F
        payload = bytes(one ^ mask[n % 4] for n, one in enumerate(await reader.readexactly(size)))
        writer.write(bytes((first, size)) + payload)
        await writer.drain()


async def serve(port: int) -> None:
    """Serve until ended."""

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(each, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
