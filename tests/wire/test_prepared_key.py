"""A prepared key gives what the library's HMAC gives."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.contract.prepared_key import PreparedKey


@given(st.binary(max_size=64), st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_each_text_has_the_librarys_hmac_whatever_was_signed_before(key: bytes, texts: list[bytes]) -> None:
    prepared = PreparedKey(key)
    for text in texts:
        assert prepared.digest(text) == hmac.digest(key, text, "sha256")


def test_a_key_that_is_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 64 bytes"):
        PreparedKey(b"k" * 65)
