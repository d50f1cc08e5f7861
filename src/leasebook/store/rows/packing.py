"""Compression of stored pages: their lines are so similar that they take a tenth of the space.

The store writes, syncs and copies fewer pages of its file; that saves more time than compressing takes. A page with the
lines of a single call has nothing in it that is there twice. So pages are compressed with a dictionary, which has what
nearly every page has: the names of fields and types, and what purchases say.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Final

PACK_MIN: Final = 1024
"""Bytes from which a page is long: it gets the memory that compresses long pages best, which takes longer to set up."""
_LEVEL: Final = 1
# The base-2 logarithm of the bytes that a page is searched back, and the size of the compressor's tables.
_LONG: Final = (15, 8)
_SHORT: Final = (12, 5)
_MAGIC: Final = (0x78, 0x48)
"""The first byte of a compressed page, long or short. Pages are JSON, which never begins with one of them."""

# Stored pages can only be read with the very dictionary with which they were written. So this text never changes; a
# better one would be a second one, beside it.
DICTIONARY: Final = (
    b'"subscription.test","account.budgetCrossed","engine.trouble","account.recovered","balance":"account.arrears",'
    b'"resource.tagged",{"resourceId":"name":null,"tags":{"before":{"iam.userChanged","iam.accessKeyCreated",'
    b'"unit.createFailed","unit.resizing","unit.resized","unit.renewed",{"expires_at":"unit.renewalFailed",{"nextTry":'
    b'"unit.billingChanged","unit.stopped",{"status":"Stopped"}"unit.resumed","unit.releaseSet","unit.releaseCleared",'
    b'"unit.releaseMoved",{"release_at":"unit.reminder",{"deadline":"offsetSeconds":86400,"what":"release","buyerId":'
    b'"projectId":"prj-"failure":"Expiry""Arrears""User""endedAt":"charged":0}],'
    b'"unit.releasing",null,{"status":"Releasing","reason":"Schedule","endedAt":'
    b'"unit.released",null,{"status":"Released"}]]'
    b'","127.0.0.1","/v2/service","/v2/account","/v2/computeunit","ReleaseComputeUnit",404,"InstanceNotFound","'
    b'"PurchaseComputeUnit",200,"OK","","{\\"billing\\":{\\"paymentTiming\\":\\"Prepaid\\",\\"reservation\\":'
    b'\\"paymentTiming\\":\\"Postpaid\\",\\"releaseTime\\":\\"2026-01-01T00:00:00Z\\"},\\"computeUnitConfig\\":'
    b'{\\"region\\":\\"bj\\",\\"type\\":\\"gpu-1\\"},\\"computeUnitCount\\":1,\\"clientToken\\":\\"\\"}",[],true]],[],'
    b'null,"[],false]],[],null,"'
    b'"Prepaid","expires_at":"unit.bought","unit-","'
    b'",{"status":"Creating","count":1,"payment_timing":"Postpaid","release_at":17,"region":"bj","type":"gpu-1",'
    b'"orderId":""}],[17,"unit.running","unit-",null,{"status":"Running"}]]'
)


def packed(page: bytes) -> bytes:
    """Return the stored form of a page, with a checksum that shows damage."""
    window, memory = _LONG if len(page) >= PACK_MIN else _SHORT
    writer = zlib.compressobj(_LEVEL, zlib.DEFLATED, window, memory, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return writer.compress(page) + writer.flush()


def unpacked(stored: bytes | str) -> bytes:
    """Return the page from its stored form; the stored bytes if they were not compressed, or are damaged."""
    page = stored.encode() if isinstance(stored, str) else bytes(stored)
    if page and page[0] in _MAGIC:
        # Earlier versions compressed without a dictionary, which is not asked for then.
        reader = zlib.decompressobj(zdict=DICTIONARY)
        with suppress(zlib.error):
            whole = reader.decompress(page)
            if reader.eof and not reader.unused_data:
                return whole
    # A damaged page fails to parse as JSON, and the check names the page.
    return page
