"""Pages are stored in less room where they are long, read back as they were, and damage is found out, not fatal."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leasebook.store.rows.packing import PACK_MIN, packed, summed, unpacked


@given(st.lists(st.text(max_size=40), max_size=200))
def test_a_page_is_read_as_it_was_written(lines: list[str]) -> None:
    page = msgspec.json.encode(lines)
    assert unpacked(packed(page)) == page


def test_a_long_page_takes_a_fraction_and_a_short_one_stays_readable() -> None:
    long = msgspec.json.encode([[n, "unit.bought", {"status": "Creating"}] for n in range(200)])
    assert len(packed(long)) < len(long) / 5
    short = long[: PACK_MIN - 1]
    assert packed(short) == short
    assert packed(long[:PACK_MIN]) != long[:PACK_MIN]


@pytest.mark.parametrize("stored", ['[[1,"unit.bought"]]', b'[[1,"unit.bought"]]', memoryview(b'[[1,"unit.bought"]]')])
def test_what_an_earlier_version_wrote_is_read_in_whatever_form_the_driver_gives_it(stored: bytes | str) -> None:
    assert unpacked(stored) == b'[[1,"unit.bought"]]'


@given(st.integers(0, 200), st.binary(max_size=3))
@example(0, b"0")
def test_damage_is_never_taken_for_what_was_written(cut: int, more: bytes) -> None:
    lines = ["a line"] * 400
    whole = packed(msgspec.json.encode(lines))
    damaged = whole[:cut] + more
    if damaged == whole:
        return
    # The rest may be a page by chance, as the figure 0 is. Mostly it is none.
    with suppress(msgspec.DecodeError):
        assert msgspec.json.decode(unpacked(damaged)) != lines


@pytest.mark.parametrize("length", [2, PACK_MIN - 2, PACK_MIN, 5000])
def test_of_a_page_with_a_sum_no_byte_changes_unseen(length: int) -> None:
    page = msgspec.json.encode("a" * length)
    whole = summed(page)
    assert unpacked(whole) == page
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        # Some bits say nothing: then it is read as it was.
        with pytest.raises(msgspec.DecodeError) if unpacked(damaged) != page else nullcontext():
            msgspec.json.decode(unpacked(damaged))


@pytest.mark.parametrize("cut", [1, 2, 20, -5, -1])
def test_a_page_that_was_cut_off_cannot_be_read(cut: int) -> None:
    whole = packed(msgspec.json.encode(["a line"] * 400))
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(unpacked(whole[:cut]))
