"""Compression of stored pages: their lines are so similar that they take a tenth of the space.

The store writes, syncs and copies fewer pages of its file; that saves more time than compressing takes.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Final

PACK_MIN: Final = 1024
"""Minimum size for compression in bytes: a shorter page would not take less of the file."""
_LEVEL: Final = 1
_MAGIC: Final = b"\x78"
"""The first byte of a page that is compressed or has a checksum. Pages are JSON, which never begins with it."""


def packed(page: bytes) -> bytes:
    """Return the stored form of a page."""
    return zlib.compress(page, _LEVEL) if len(page) >= PACK_MIN else page


def summed(page: bytes) -> bytes:
    """Return the stored form of a page that has no other proof: a short page gets a checksum, which shows damage."""
    return zlib.compress(page, _LEVEL if len(page) >= PACK_MIN else 0)


def unpacked(stored: bytes | str) -> bytes:
    """Return the page from its stored form; the stored bytes if they were not compressed, or are damaged."""
    page = stored.encode() if isinstance(stored, str) else bytes(stored)
    if page.startswith(_MAGIC):
        reader = zlib.decompressobj()
        with suppress(zlib.error):
            whole = reader.decompress(page)
            if reader.eof and not reader.unused_data:
                return whole
    # A damaged page fails to parse as JSON, and the check names the page.
    return page
