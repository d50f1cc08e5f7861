"""Words of tags: which characters they may have, whichever way the rule is checked."""

from __future__ import annotations

import unicodedata

from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import read_tags


def is_taken(word: str) -> bool:
    """Whether a word is taken as the key and as the value of a tag."""
    try:
        return read_tags({word: word}) == {word: word}
    except Refusal:
        return False


def test_every_character_but_controls_and_line_breaks_is_taken_alone_and_beside_one_beyond_ascii() -> None:
    for code in (*range(0x180), 0x2028, 0x2029, 0xFFFD):
        plain = unicodedata.category(chr(code)) not in ("Cc", "Zl", "Zp")
        assert [is_taken(f"a{chr(code)}b"), is_taken(f"a{chr(code)}\u00e9")] == [plain, plain], hex(code)
