"""Compares the digests of millions of rows with those in the audit log, in memory that does not grow with the store.

Digests are distributed over buckets by their first byte, in temporary files. Only one bucket is in memory at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Final

from leasebook.domain.record.row_digest import BYTES

BUCKETS: Final = 64
"""A store of ten million instances has some 400,000 digests in a bucket, which take 40 MB of memory."""
HELD_BYTES: Final = 1 << 16
"""Bytes of a bucket that are collected before they are written."""
SPOOL_BYTES: Final = 1 << 17
"""Upper bound of a file in memory, in bytes: a small store is checked without files on the disk."""


class _Buckets:
    """Digests in any order, by bucket."""

    def __init__(self) -> None:
        self._parts = [bytearray() for _ in range(BUCKETS)]
        self._files: list[IO[bytes]] = [
            tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed with the object
            for _ in range(BUCKETS)
        ]

    def add(self, digest: bytes) -> None:
        part = self._parts[digest[0] % BUCKETS]
        part += digest
        if len(part) >= HELD_BYTES:
            self._files[digest[0] % BUCKETS].write(part)
            part.clear()

    def read(self, bucket: int) -> Iterator[bytes]:
        """Yield the digests of a bucket; none may be added to it afterwards."""
        file = self._files[bucket]
        file.write(self._parts[bucket])
        file.seek(0)
        while piece := file.read(HELD_BYTES // BYTES * BYTES):
            yield from (piece[at : at + BYTES] for at in range(0, len(piece), BYTES))
        file.seek(0, 2)
        self._parts[bucket].clear()

    def close(self) -> None:
        for file in self._files:
            file.close()


class RowDigests:
    """The digests that rows have, and those that pages of the audit log have."""

    def __init__(self) -> None:
        self._of_rows = _Buckets()
        self._on_pages = _Buckets()
        self.has_rows = False
        """Whether a row has a digest."""

    def want(self, digest: bytes) -> None:
        """Take the digest of a row."""
        self._of_rows.add(digest)
        self.has_rows = True

    def note(self, digests: bytes) -> None:
        """Take the digests of a page of the audit log, one after another."""
        add = self._on_pages.add
        for at in range(0, len(digests), BYTES):
            add(digests[at : at + BYTES])

    def missing(self) -> set[bytes]:
        """Return the digests of rows that are on no page. In an undamaged store there are few of them."""
        found: set[bytes] = set()
        for bucket in range(BUCKETS):
            wanted = set(self._of_rows.read(bucket))
            wanted.difference_update(self._on_pages.read(bucket))
            found |= wanted
        return found

    def close(self) -> None:
        """Delete the files."""
        self._of_rows.close()
        self._on_pages.close()
