"""Characters that Baidu's JavaScript SDK sends bare in a query and signs escaped: five characters, and nothing else."""

from __future__ import annotations

import pytest
from tests.wire.signed_requests import Sent, request_over


def _sent(query: bytes, canonical: str) -> Sent:
    return request_over(f"POST\n/\n{canonical}\nhost:h", path=b"/", query=query, headers=((b"host", b"h"),))


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"a=!'()*", "a=%21%27%28%29%2A"),
        (b"a(=~*&B!=%20", "B%21=%20&a%28=~%2A"),
        (b"Action=X&clientToken=it's(1)", "Action=X&clientToken=it%27s%281%29"),
        (b"a=(&b=%28", "a=%28&b=%28"),
    ],
)
def test_what_stands_bare_and_is_signed_escaped_is_accepted(query: bytes, canonical: str) -> None:
    assert _sent(query, canonical).accepted()


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"a=%28", "a=("),
        (b"a=(&b=%28", "a=%28&b=("),
        (b"a(=1&a%28=2", "a%28=1&a%28=2"),
        (b"a=(/", "a=%28%2F"),
        (b"a=(%7e", "a=%28%7E"),
        (b"a=(~", "a=%28%7E"),
        (b"a=+(", "a=%2B%28"),
    ],
)
def test_no_other_spelling_comes_with_it(query: bytes, canonical: str) -> None:
    assert not _sent(query, canonical).accepted()
