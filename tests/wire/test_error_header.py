"""The header with an error's message: every message fits, and is found again."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.contract.error_header import LENGTH_MAX, value_of


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("There is no instance 'unit-1'.", b"There is no instance 'unit-1'."),
        ("100% of it\r\nX-Evil: 1\x00", b"100%25 of it%0D%0AX-Evil: 1%00"),
        ("没有", b"%E6%B2%A1%E6%9C%89"),
        ("half of a letter: \ud800", b"half of a letter: ?"),
        (" outside ", b"outside"),
        ("", b""),
    ],
)
def test_a_message_is_printable_ascii(message: str, value: bytes) -> None:
    assert value_of(message) == value


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=3000) | st.from_regex(r"[ %\r\n键]{0,600}"))
def test_a_message_is_found_again_or_its_beginning_is(message: str) -> None:
    value = value_of(message)
    assert len(value) <= LENGTH_MAX
    assert all(0x20 <= byte < 0x7F for byte in value)
    found = unquote(value.decode())
    if found != message.strip(" "):
        assert found.endswith("...")
        assert message.lstrip(" ").startswith(found.removesuffix("..."))
        assert len(value) > LENGTH_MAX - 20 or len(message) > LENGTH_MAX


def test_a_message_as_long_as_the_header_is_not_cut() -> None:
    assert value_of("a" * LENGTH_MAX) == b"a" * LENGTH_MAX
    assert value_of("a" * (LENGTH_MAX + 1)) == b"a" * (LENGTH_MAX - 3) + b"..."
    assert value_of("键" * 1000) == b"%E9%94%AE" * 113 + b"..."
