"""A file that one thread writes and the event loop reads while it grows."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

PIECE_BYTES: Final = 256 * 1024
"""Bytes that are sent at a time, and those that are gathered before they are written."""
LEFT_BYTES: Final = 256 * 1024 * 1024
"""Free space that files leave on the disk, which may be the one of the store."""


class AbandonedError(Exception):
    """The file was closed before its end, so that neither writing nor reading it is of use."""


class _GrowingFile(io.FileIO):
    """Reports each of its lengths, and leaves room on the disk."""

    def __init__(self, descriptor: int, report: Callable[[int], None]) -> None:
        super().__init__(descriptor, "r+b", closefd=False)
        self._report = report

    def write(self, data: Any, /) -> int:
        """Write bytes at the end."""
        disk = os.fstatvfs(self.fileno())
        if disk.f_bavail * disk.f_frsize < LEFT_BYTES:
            raise OSError(errno.ENOSPC, f"fewer than {LEFT_BYTES} bytes are free in the directory for temporary files")
        count = super().write(data)
        self._report(self.tell())
        return int(count)


class Spool:
    """A file on the way from the thread that writes it to the caller who reads it.

    The file is on a disk, in TMPDIR, otherwise in /var/tmp, so that a slow reader takes no memory and does not delay
    the writer. It has no name, so it vanishes however this process ends.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(dir=os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108, SIM115
        self._closing = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._length = 0
        self._is_gone = False
        self._writing: Future[None] | None = None

    def check(self) -> None:
        """Raise AbandonedError if the file is not to be completed; for the thread that writes."""
        if self._is_gone:
            raise AbandonedError

    def begin(self, threads: Executor, write: Callable[[BinaryIO], None]) -> None:
        """Have one of the threads write the file."""
        self._writing = threads.submit(self._write, write)
        self._writing.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._changed.set))

    async def started(self) -> None:
        """Wait for the first bytes, or for a whole file without any; raises what writing raised before them."""
        while not self._length and not self._is_written():
            await self._change()
        if not self._length:
            self._result()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come; raises what writing raised, and AbandonedError once the file is closed."""
        sent = 0
        while True:
            is_whole = self._is_written()
            while sent < self._length:
                piece = await asyncio.to_thread(self._read, sent)
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
        """Let go of the file; writing it ends soon, and reading it ends now."""
        self.give_up()
        self._changed.set()
        if self._writing is not None:
            self._writing.cancel()
        with self._closing:
            self._file.close()

    @contextmanager
    def _own_descriptor(self) -> Iterator[int]:
        """Give a thread a descriptor that only the thread closes.

        The file may be closed while a thread writes or reads, and the number of its descriptor be another file's then.
        """
        with self._closing:
            if self._file.closed:
                raise AbandonedError
            own = os.dup(self._file.fileno())
        try:
            yield own
        finally:
            os.close(own)

    def _read(self, at: int) -> bytes:
        with self._own_descriptor() as own:
            return os.pread(own, PIECE_BYTES, at)

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()
        if self._file.closed:
            raise AbandonedError

    def _is_written(self) -> bool:
        return self._writing is not None and self._writing.done()

    def _result(self) -> None:
        if self._writing is not None:
            if self._writing.cancelled():
                raise AbandonedError
            self._writing.result()

    def _write(self, write: Callable[[BinaryIO], None]) -> None:
        self.check()
        with (
            self._own_descriptor() as own,
            io.BufferedRandom(_GrowingFile(own, self._grown), PIECE_BYTES) as file,
        ):
            write(file)

    def _grown(self, length: int) -> None:
        self.check()
        self._length = length
        self._loop.call_soon_threadsafe(self._changed.set)
