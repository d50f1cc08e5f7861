"""The file of an archive: how it is written, and what a file is worth that a killed run left."""

from __future__ import annotations

import fcntl
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from leasebook.domain.record.ledger import Posting
from leasebook.security.private_files import opened_private
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.beside import Run

ASKED_AT_ONCE: Final = 500
"""Postings that one query looks for."""


CHUNK_BYTES: Final = 1 << 20
"""Bytes of a file in memory at once."""


class Line(msgspec.Struct, frozen=True):
    """A line of the file: the posting's number, the number of the posting that replaces it, and the posting."""

    seq: int
    rolled_into: int
    posting: Posting


_write: Final = msgspec.json.Encoder().encode
_BEGIN: Final = b'{"seq":'
"""The first bytes of a line."""
_read: Final = msgspec.json.Decoder(Line).decode


class ArchiveFile:
    """A new file, which this run keeps locked until it ends."""

    def __init__(self, raw: IO[bytes], packed: gzip.GzipFile) -> None:
        self._raw = raw
        self._packed = packed

    def add(self, lines: list[Line]) -> None:
        """Write lines; returns when they are on the disk, and can be read there even if this process is killed."""
        self._packed.write(b"\n".join(map(_write, lines)) + b"\n")
        self._packed.flush()
        os.fsync(self._raw.fileno())


@contextmanager
def new_file(goal: Path) -> Iterator[ArchiveFile]:
    """Create the file; raises FileExistsError. The rest of the data is written at the end of the context."""
    with open(goal, "xb", opener=opened_private) as raw:
        fcntl.flock(raw, fcntl.LOCK_EX)
        if not os.fstat(raw.fileno()).st_nlink:
            # Another run took the file for a leftover before it was locked. Rows would go into a file without a name.
            raise FileExistsError(goal)
        with gzip.open(raw, "wb") as packed:
            yield ArchiveFile(raw, packed)


def clear_leftover(goal: Path, run: Run) -> None:
    """Delete the file of a run that was killed before it changed the books; raises BadStore for any other file there.

    The kernel released its lock when it was killed, and it has no end. If one of its postings is not in the books any
    more, the file has the only copy and stays.
    """
    try:
        found = goal.open("rb")
    except FileNotFoundError:
        return
    with found:
        lines = _unfinished(found)
        if lines is None:
            raise BadStore(f"{goal} exists already; an archive never writes over another.")
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadStore(f"{goal} is being written by another archive run; wait until that has ended.") from None
        gone = _gone(lines, run)
        if gone:
            raise BadStore(
                f"{goal} was left by an archive run that was killed: {gone} of its {len(lines)} postings are rolled "
                "up, and are only there. Keep the file (zcat shows its lines, and then says that its end is missing), "
                "and go on with another --to."
            )
        goal.unlink()


def _unfinished(file: IO[bytes]) -> list[tuple[int, int]] | None:
    """Return of each line its two numbers, if this is an archive without an end; None: any other file."""
    lines: list[tuple[int, int]] = []
    rest = b""
    with closing(gzip.GzipFile(fileobj=file)) as packed:
        try:
            while more := packed.read1(CHUNK_BYTES):
                *whole, rest = (rest + more).split(b"\n")
                lines += ((line.seq, line.rolled_into) for line in map(_read, whole))
        except EOFError:
            # The rest is the line that was being written when it was killed.
            return lines if _BEGIN.startswith(rest[: len(_BEGIN)]) else None
        except (OSError, zlib.error, msgspec.DecodeError):
            return None
    # An empty file is what a run leaves that was killed before its first line.
    return None if os.fstat(file.fileno()).st_size else []


def _gone(lines: list[tuple[int, int]], run: Run) -> int:
    """Return how many of the postings that a roll-up deletes are not in the books any more."""
    numbers = [seq for seq, rolled_into in lines if seq != rolled_into]
    left = 0
    for first in range(0, len(numbers), ASKED_AT_ONCE):
        some = numbers[first : first + ASKED_AT_ONCE]
        ((count,),) = run(f"SELECT count(*) FROM posting_rows WHERE seq IN ({', '.join('?' for _ in some)})", some)
        left += count
    return len(numbers) - left
