"""Pages as they are stored: many lines that are almost alike, so that they take a tenth when they are compressed.

What a store writes, syncs and copies later is pages of its file; compressing takes less time than the pages that it
saves.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Final

PACK_MIN: Final = 1024
"""A shorter page stays as it is: it would not take less of the file."""
_LEVEL: Final = 1
_MAGIC: Final = b"\x78"
"""What is compressed, or has a sum, begins with this. Pages are JSON, which does not."""


def packed(page: bytes) -> bytes:
    """Return a page as it is stored."""
    return zlib.compress(page, _LEVEL) if len(page) >= PACK_MIN else page


def summed(page: bytes) -> bytes:
    """Return a page as it is stored that nothing else proves: a short one has a sum, too, which shows damage."""
    return zlib.compress(page, _LEVEL if len(page) >= PACK_MIN else 0)


def unpacked(stored: bytes | str) -> bytes:
    """Return a page of which that is stored; as it is where it was not compressed, or is damaged."""
    page = stored.encode() if isinstance(stored, str) else bytes(stored)
    if page.startswith(_MAGIC):
        reader = zlib.decompressobj()
        with suppress(zlib.error):
            whole = reader.decompress(page)
            if reader.eof and not reader.unused_data:
                return whole
    # Of what is damaged whoever reads it finds that it is no JSON, and the check says which page it is.
    return page
