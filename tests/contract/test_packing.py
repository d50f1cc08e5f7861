"""Pages are stored in a fraction of their room, read back as they were, and damage is found out, not fatal."""

from __future__ import annotations

import zlib
from contextlib import nullcontext, suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leasebook.store.rows.packing import DICTIONARY, PACK_MIN, packed, unpacked

USER, ORDER = "0e9a1c5f7b3d4826a4c0d2f6e8b19375", "7f3a9b1c5d2e4f608192a3b4c5d6e7f8"
AT = 1_796_068_800_123_456
DATA = {
    "status": "Creating", "count": 1, "payment_timing": "Postpaid", "release_at": 4_070_908_800_000_000,
    "region": "bj", "type": "gpu-1", "orderId": ORDER,
}  # fmt: skip
PURCHASE: list[Any] = [
    [AT, "unit.bought", "unit-4fGh1Kx0", USER, DATA],
    [AT, "unit.running", "unit-4fGh1Kx0", None, {"status": "Running"}],
]
STORED = bytes.fromhex(
    "482c6fe7d564ad90cb0d02310c445b1a7fe2d81570a0044ec9261625503e41ac844008ed011f47f268debbacb730983b402c"
    "5a6c2f7907d33c5de97cc3eac48c465bc9da65a8b335dd30386d7aa7905afe27405111782c7bde611d35a5455f23074f4d83"
    "537093ae2bb059d3775d5fb93fe4bdc07f48bc03e8fa6137"
)


@given(st.lists(st.text(max_size=40), max_size=200))
def test_a_page_is_read_as_it_was_written(lines: list[str]) -> None:
    page = msgspec.json.encode(lines)
    assert unpacked(packed(page)) == page


def test_a_long_page_takes_a_fraction_and_the_page_of_one_purchase_half() -> None:
    long = msgspec.json.encode([[n, "unit.bought", {"status": "Creating"}] for n in range(200)])
    assert len(packed(long)) < len(long) / 5
    short = msgspec.json.encode(PURCHASE)
    assert len(short) < PACK_MIN
    assert len(packed(short)) < len(short) / 2


def test_pages_of_every_version_with_the_dictionary_are_read() -> None:
    # Pages that are stored already have the sum of the dictionary in them. Another one could not read them.
    assert zlib.adler32(DICTIONARY) == 0x6FE7D564
    assert unpacked(STORED) == msgspec.json.encode(PURCHASE)


@pytest.mark.parametrize("lines", [1, 400])
@pytest.mark.parametrize("level", [0, 1])
def test_pages_that_earlier_versions_compressed_without_a_dictionary_are_read(lines: int, level: int) -> None:
    page = msgspec.json.encode(PURCHASE * lines)
    assert unpacked(zlib.compress(page, level)) == page


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
def test_no_byte_of_a_page_changes_unseen(length: int) -> None:
    page = msgspec.json.encode("a" * length)
    whole = packed(page)
    assert unpacked(whole) == page
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        # Some bits say nothing: then it is read as it was.
        with pytest.raises(msgspec.DecodeError) if unpacked(damaged) != page else nullcontext():
            msgspec.json.decode(unpacked(damaged))


@pytest.mark.parametrize("lines", [1, 400])
@pytest.mark.parametrize("cut", [1, 2, 20, -5, -1])
def test_a_page_that_was_cut_off_cannot_be_read(cut: int, lines: int) -> None:
    whole = packed(msgspec.json.encode(PURCHASE * lines))
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(unpacked(whole[:cut]))
