"""Frames as they pass, however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.gateway.websocket.frames import Frames, close_frame


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """Write a frame with the shortest length."""
    size = len(payload)
    length = (
        bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8)
    )
    second = length[0] | (0x80 if masked else 0)
    mask = b"\x01\x02\x03\x04" if masked else b""
    covered = bytes(one ^ mask[n % 4] for n, one in enumerate(payload)) if masked else payload
    return bytes(((0x80 if final else 0) | reserved | opcode, second)) + length[1:] + mask + covered


def reading(*, masked: bool = True, message_max: int = 100_000, deflated: bool = False) -> Frames:
    """Make a reader."""
    return Frames(masked=masked, message_max=message_max, deflated=deflated)


def cut(text: bytes, places: list[int]) -> list[bytes]:
    """Cut a text at places."""
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[before:after] for before, after in zip([0, *ends], ends, strict=False)]


messages = st.lists(
    st.tuples(st.sampled_from([1, 2, 9, 10]), st.sampled_from([0, 1, 5, 125, 126, 300]), st.booleans()), max_size=6
)


@settings(deadline=None)
@given(wanted=messages, places=st.lists(st.integers(0, 5000), max_size=20), masked=st.booleans())
def test_whole_frames_pass_byte_for_byte_however_they_are_cut(
    *, wanted: list[tuple[int, int, bool]], places: list[int], masked: bool
) -> None:
    text = b""
    for opcode, size, parted in wanted:
        size = min(size, 125) if opcode > 8 else size  # noqa: PLW2901 - a control frame is short
        if parted and opcode < 8:
            text += frame(opcode, b"a", final=False, masked=masked) + frame(9, b"p", masked=masked)
            text += frame(0, b"b" * size, masked=masked)
        else:
            text += frame(opcode, b"c" * size, masked=masked)
    text += frame(8, b"\x03\xe8bye", masked=masked)
    frames = reading(masked=masked)
    passed = b"".join(frames.feed(piece) for piece in cut(text + b"whatever follows", places))
    assert (passed, frames.closed, frames.violation) == (text, 1000, None)


WRONG = {
    "not masked": (frame(1, b"hi", masked=False), 1002),
    "an unknown kind": (frame(3, b""), 1002),
    "a reserved bit": (frame(1, b"", reserved=0x40), 1002),
    "a reserved bit of a part": (frame(1, b"", final=False) + frame(0, b"", reserved=0x40), 1002),
    "a reserved bit of a ping": (frame(9, b"", reserved=0x40), 1002),
    "a part of nothing": (frame(0, b"x"), 1002),
    "a message within another": (frame(1, b"", final=False) + frame(1, b""), 1002),
    "a ping in parts": (frame(9, b"", final=False), 1002),
    "a long ping": (frame(9, b"x" * 126), 1002),
    "half a code": (frame(8, b"\x03"), 1002),
    "a long way to write 5": (b"\x82\xfe\x00\x05" + bytes(9), 1002),
    "a longer way to write 300": (b"\x82\xff" + (300).to_bytes(8) + bytes(304), 1002),
    "a negative length": (b"\x82\xff" + b"\x80" + bytes(7) + bytes(4), 1002),
    "too long": (frame(2, bytes(1001)), 1009),
    "too long in its head alone": (b"\x82\xff" + (1 << 40).to_bytes(8) + bytes(4), 1009),
    "too long in parts": (frame(2, bytes(600), final=False) + frame(0, bytes(600), final=False), 1009),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_wrong_is_refused_at_its_head_and_what_passed_before_are_whole_frames(
    name: str, *, whole: bool
) -> None:
    text, code = WRONG[name]
    first = frame(2, bytes(1000))
    frames = reading(message_max=1000)
    pieces = [first + text] if whole else [bytes((one,)) for one in first + text]
    passed = b"".join(frames.feed(piece) for piece in pieces)
    assert frames.violation is not None
    assert frames.violation.code == code
    assert frames.between
    assert passed.startswith(first)
    assert len(passed) <= len(first) + 2 * 610
    assert frames.feed(b"more") == b""


def test_compressed_messages_pass_where_that_was_agreed_on() -> None:
    text = frame(1, b"x", final=False, reserved=0x40) + frame(0, b"y")
    frames = reading(deflated=True)
    assert (frames.feed(text), frames.violation) == (text, None)
    frames.feed(frame(1, b"", reserved=0x20))
    assert frames.violation is not None


def test_a_reader_that_is_to_finish_stops_at_the_end_of_a_frame_and_reads_on_when_asked() -> None:
    frames, text = reading(), frame(1, b"hello")
    assert frames.feed(text[:8]) == text[:8]
    assert not frames.between
    frames.finishing = True
    assert frames.feed(text[8:] + frame(8, b"")) == text[8:]
    assert frames.between
    frames.finishing = False
    assert frames.feed(b"") == frame(8, b"")
    assert frames.closed == 1005


def test_a_close_that_is_written_is_read() -> None:
    frames = reading()
    assert frames.feed(close_frame(4001, "x" * 200, b"\x09\x08\x07\x06")) != b""
    assert frames.closed == 4001
    frames = reading(masked=False)
    frames.feed(close_frame(1012, "bye", None))
    assert frames.closed == 1012


def test_a_flood_of_tiny_frames_is_looked_at_in_turns() -> None:
    frames, text = reading(), frame(9, b"") * 2000
    turns = [frames.feed(text)]
    while frames.behind:
        turns.append(frames.feed(b""))
    assert b"".join(turns) == text
    assert [len(turn) // 6 for turn in turns] == [512, 512, 512, 464]
