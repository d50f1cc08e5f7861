"""A file that one thread writes and the event loop reads while it grows."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES: Final = 256 * 1024
"""Bytes that are sent at a time, and those that are gathered before they are written."""


class AbandonedError(Exception):
    """The reader of the file is gone, so that writing it is no use."""


class _GrowingFile(io.FileIO):
    """Reports each of its lengths. It has no name, so it vanishes however this process ends."""

    def __init__(self, descriptor: int, report: Callable[[int], None]) -> None:
        super().__init__(descriptor, "r+b", closefd=False)
        self._report = report

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes at the end."""
        count = super().write(data)
        self._report(self.tell())
        return int(count)


class Spool:
    """A file on the way from the thread that writes it to the caller who reads it.

    The file is on a disk, in TMPDIR, otherwise in /var/tmp: a slow reader takes no memory, and does not keep the
    writer, nor the view of the store that it reads.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(dir=os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108, SIM115
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._length = 0
        self._is_gone = False
        self._writing: asyncio.Future[None] | None = None

    def check(self) -> None:
        """Raise AbandonedError if nothing reads the file any more; for the thread that writes."""
        if self._is_gone:
            raise AbandonedError

    def begin(self, threads: Executor, write: Callable[[BinaryIO], None]) -> None:
        """Have one of the threads write the file."""
        self._writing = self._loop.run_in_executor(threads, self._write, write)
        self._writing.add_done_callback(lambda _: self._changed.set())

    async def started(self) -> None:
        """Wait for the first bytes, or for a whole file without any; raises what writing raised before them."""
        while not self._length and not self._is_written():
            await self._change()
        if not self._length:
            self._result()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come; raises what writing raised."""
        sent = 0
        while True:
            is_whole = self._is_written()
            while sent < self._length:
                piece = await asyncio.to_thread(os.pread, self._file.fileno(), PIECE_BYTES, sent)
                sent += len(piece)
                yield piece
            if is_whole:
                self._result()
                return
            await self._change()

    def give_up(self) -> None:
        """Have writing end soon. A file that is complete stays readable."""
        self._is_gone = True

    def close(self) -> None:
        """Let go of the file; writing it ends soon."""
        self.give_up()
        if self._writing is None or self._writing.cancel() or self._writing.done():
            self._file.close()
        else:
            self._writing.add_done_callback(self._closed)

    def _closed(self, writing: asyncio.Future[None]) -> None:
        self._file.close()
        if not writing.cancelled():
            # An exception that is never asked for is logged.
            writing.exception()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _is_written(self) -> bool:
        return self._writing is not None and self._writing.done()

    def _result(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, write: Callable[[BinaryIO], None]) -> None:
        self.check()
        with io.BufferedRandom(_GrowingFile(self._file.fileno(), self._grown), PIECE_BYTES) as file:
            write(file)

    def _grown(self, length: int) -> None:
        self.check()
        self._length = length
        self._loop.call_soon_threadsafe(self._changed.set)
