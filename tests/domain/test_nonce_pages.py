"""Pages of nonces that are kept as numbers are those that the store has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.record.signature import KNOWN_MAX, KnownPages, NoncePage, UsedNonces
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal

KEYS = ("key-1", "key-2")


def is_new(used: UsedNonces, value: str) -> bool:
    try:
        used.use(value)
    except Refusal:
        return False
    return True


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS),
            st.lists(st.integers(0, 12), max_size=4),
            st.sampled_from(("saved", "lost", "refused", "by another server")),
        ),
        max_size=40,
    )
)
def test_a_nonce_is_new_once_whatever_became_of_the_batches(batches: list[tuple[str, list[int], str]]) -> None:
    known, stored = KnownPages(), dict[str, NoncePage]()
    taken: dict[str, set[int]] = {key: set() for key in KEYS}
    for key, numbers, end in batches:
        pages = KnownPages() if end == "by another server" else known
        used = pages.open(stored.get(key, NoncePage(Instant(5), key, b"")))
        seen = set(taken[key])
        for number in numbers:
            assert is_new(used, f"nonce-{number}") == (number not in seen)
            seen.add(number)
        if end == "refused":
            continue
        page = used.written(pages)
        assert len(page.digests) == 8 * len(seen)
        if end != "lost":
            stored[key], taken[key] = page, seen


def test_few_pages_are_kept() -> None:
    known = KnownPages()
    for number in range(3 * KNOWN_MAX):
        used = known.open(NoncePage(Instant(number), "key", b""))
        used.use("nonce")
        used.written(known)
    assert len(known._pages) == KNOWN_MAX
