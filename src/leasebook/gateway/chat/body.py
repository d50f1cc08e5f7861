"""The body of a call that names its service: read whole, and the name in it replaced."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from typing import Final

import msgspec

from leasebook.batch import Overloaded
from leasebook.contract import errors as e
from leasebook.contract.routes.chat import MODEL_MAX
from leasebook.gateway import headers as h
from leasebook.gateway.caller import CallerGone, CallerSlow, Message, Receive
from leasebook.gateway.fault import Fault
from leasebook.gateway.ports import Room, Rooms
from leasebook.gateway.upstream import PIECE_BYTES

MODEL: Final = "model"
SMALL: Final = 16 * 1024
"""A body of up to this many bytes needs no room in the budget; every connection may use that much memory."""
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text: Final = msgspec.json.Decoder(str).decode


async def room_for(headers: h.Pairs, rooms: Rooms, party: str, most: int) -> Room | None:
    """Take memory for a body out of the account's budget; None if it needs none.

    Raises Fault if the body is announced to be larger than ``most`` bytes, and where there is no room.
    """
    length = h.value_of(headers, b"content-length") or b"0"
    chunked = h.value_of(headers, b"transfer-encoding") is not None
    # Nineteen digits say enough, and thousands would take long to read.
    size = most if chunked else int(length[:19]) if length.isdigit() else 0
    if size > most:
        raise _too_large(most)
    if size <= SMALL:
        return None
    try:
        return await rooms.room(party, size)
    except Overloaded:
        raise Fault(
            e.OVERLOADED,
            "The bodies of other calls take all memory for bodies. Nothing was done; try again in a moment.",
            retry_after_s=1,
        ) from None


async def read_whole(receive: Receive, most: int, idle_s: float) -> bytes:
    """Read a body of at most ``most`` bytes. Raises Fault beyond them, CallerGone, or CallerSlow."""
    pieces: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(idle_s):
                message = await receive()
        except TimeoutError:
            raise CallerSlow from None
        if message["type"] != "http.request":
            raise CallerGone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _too_large(most: int) -> Fault:
    return Fault(
        e.ENTITY_TOO_LARGE,
        f"The body is larger than {most} bytes, the setting gateway.chat_body_max_bytes. Calls of "
        "/services/NAME/v1/... have no such limit.",
    )


def _check_encoding(text: bytes) -> None:
    """Raise Fault where a body is not UTF-8. Decoded as a whole it could take four times its size."""
    if text.isascii():
        return
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(text)
    for start in range(0, len(text), PIECE_BYTES):
        carried = len(decoder.getstate()[0])
        try:
            decoder.decode(view[start : start + PIECE_BYTES], start + PIECE_BYTES >= len(text))
        except UnicodeDecodeError as error:
            at = start - carried + error.start
            raise Fault(
                e.MALFORMED_JSON,
                f"The body is not in UTF-8: the byte 0x{text[at]:02x} at position {at}, counted from 0, is part of no "
                "character. Send JSON in UTF-8.",
            ) from None


class Asked(msgspec.Struct, frozen=True):
    """A body, its top level taken apart, and the service that it names."""

    text: bytes
    parts: dict[str, msgspec.Raw]
    model: str

    def with_model(self, name: str) -> bytes:
        """Return the body with another name. Every other value keeps its bytes."""
        if name == self.model:
            return self.text
        return msgspec.json.encode({**self.parts, MODEL: name})


def asked_of(text: bytes) -> Asked:
    """Take a body apart. Raises Fault where it is no JSON object in UTF-8, or names no service."""
    _check_encoding(text)
    try:
        parts = _object(text or b"{}")
    except msgspec.ValidationError:
        raise Fault(e.INAPPROPRIATE_JSON, "The body is a JSON object.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Fault(e.MALFORMED_JSON, f"The body is not well-formed JSON: {error}.") from None
    if MODEL not in parts:
        raise Fault(e.INAPPROPRIATE_JSON, f"{NAMES} param[model]")
    try:
        model = _text(parts[MODEL])
    except msgspec.ValidationError:
        raise Fault(e.INAPPROPRIATE_JSON, f"The value is no string. {NAMES} param[model]") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Fault(e.MALFORMED_JSON, f"The value is not well-formed JSON: {error}. {NAMES} param[model]") from None
    if not model or len(model) > MODEL_MAX:
        raise Fault(
            e.INAPPROPRIATE_JSON,
            f"The value has {len(model)} characters, from 1 to {MODEL_MAX} are taken. param[model]",
        )
    return Asked(text, parts, model)


NAMES: Final = "`model` names the service: its id, its urlSuffix, its name, or its address (url)."


def given_again(text: bytes, receive: Receive, written: Callable[[], None]) -> Receive:
    """Return what gives the body in slices, and then what else comes of the caller.

    A connection that takes no more makes the next slice wait. ``Inbound`` asks for what comes behind the last one only
    when that has gone out: then ``written`` is called.
    """
    left = [text]
    size, at = len(text), 0
    del text

    async def again() -> Message:
        nonlocal at
        if not left:
            written()
            return await receive()
        piece = left[0][at : at + PIECE_BYTES]
        at += PIECE_BYTES
        if at >= size:
            left.clear()
        return {"type": "http.request", "body": piece, "more_body": at < size}

    return again


def with_body(scope: Message, text: bytes) -> Message:
    """Return the scope of the call with the length of the body that the replica gets.

    The replica is to answer uncompressed: the gateway reads errors and streams of these calls.
    """
    dropped = {b"content-length", b"transfer-encoding", b"accept-encoding"}
    kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
    return {**scope, "headers": [*kept, (b"content-length", str(len(text)).encode())]}
