"""Nonces that are kept from batch to batch are those that the store has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import NONCE_PAGES
from leasebook.domain.record import nonce as nonces
from leasebook.domain.record.nonce import KNOWN_MAX, KnownNonces, Nonce, NoncePage
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import REPLAYED, SIGNED_TOO_OFTEN

KEYS = ("key-1", "key-2")
UNTIL = Instant(5)
Stored = dict[tuple[int, str, int], NoncePage]


@pytest.fixture(autouse=True, scope="module")
def small_pages() -> Iterator[None]:
    """Pages of three nonces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonces, "PAGE_BYTES", 24)
        yield


def loaded(known: KnownNonces, stored: Stored, key: str) -> Book:
    """Return a book with what its batch needs of a store."""
    book = Book(known)
    while needs := list(book.nonce_needs(UNTIL, key)):
        for table, place in needs:
            book.load(table, place, stored.get(place))
    return book


def a_nonce(key: str, number: int) -> Nonce:
    return Nonce(key, f"nonce-{number}", UNTIL)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS),
            st.lists(st.integers(0, 12), max_size=7),
            st.sampled_from(("saved", "lost", "refused", "by another server")),
        ),
        max_size=40,
    )
)
def test_a_nonce_is_new_once_whatever_became_of_the_batches(batches: list[tuple[str, list[int], str]]) -> None:
    known, stored = KnownNonces(), Stored()
    taken: dict[str, set[int]] = {key: set() for key in KEYS}
    for key, numbers, end in batches:
        book = loaded(KnownNonces() if end == "by another server" else known, stored, key)
        refusals = book.use_nonces(enumerate(a_nonce(key, number) for number in numbers))
        seen = set(taken[key])
        for position, number in enumerate(numbers):
            assert (position in refusals) == (number in seen)
            seen.add(number)
        assert {refusal.reason for refusal in refusals.values()} <= {REPLAYED}
        if end == "refused":
            continue
        book.changes()
        if end != "lost":
            taken[key] = seen
            stored |= {place: page for place, page in book.rows[NONCE_PAGES].items() if page is not None}
        found = [page for (_, whose, _), page in sorted(stored.items()) if whose == key]
        assert sum(len(page.digests) for page in found) == 8 * len(taken[key])
        assert [page.number for page in found] == list(range(len(found)))
        assert all(page.is_full and len(page.digests) == 24 for page in found[:-1])


def test_a_page_of_an_earlier_version_may_hold_more_and_is_full() -> None:
    stored: Stored = {(UNTIL, "key-1", 0): NoncePage(UNTIL, "key-1", bytes(range(8 * 5)))}
    book = loaded(KnownNonces(), stored, "key-1")
    assert book.use_nonces([(0, a_nonce("key-1", 1))]) == {}
    (page,) = book.changes().inserted[NONCE_PAGES]
    assert (page.number, len(page.digests)) == (1, 8)


def test_many_pages_that_another_server_wrote_are_loaded_in_few_round_trips() -> None:
    pages = 64
    stored = {
        (UNTIL, KEYS[0], number): NoncePage(UNTIL, KEYS[0], number.to_bytes(2, "big") * 12, number)
        for number in range(pages)
    }
    book, trips = Book(KnownNonces()), 0
    while needs := list(book.nonce_needs(UNTIL, KEYS[0])):
        trips += 1
        for table, place in needs:
            book.load(table, place, stored.get(place))
    assert trips <= 8
    assert all(book.has(NONCE_PAGES, place) for place in stored)


def test_the_nonces_of_a_key_and_second_are_bounded() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonces, "NONCES_MAX", 7)
        book = loaded(KnownNonces(), {}, "key-1")
        found = book.use_nonces(enumerate(a_nonce("key-1", number) for number in (*range(9), 3)))
    assert {number: refusal.reason for number, refusal in found.items()} == {
        7: SIGNED_TOO_OFTEN,
        8: SIGNED_TOO_OFTEN,
        9: REPLAYED,
    }


def test_few_seconds_are_kept_and_a_batch_of_more_seconds_is_decided_all_the_same() -> None:
    known = KnownNonces()
    book = Book(known)
    seconds = [Instant(number) for number in range(3 * KNOWN_MAX)]
    for until in seconds:
        for table, place in book.nonce_needs(until, "key"):
            book.load(table, place, None)
    asked = [Nonce("key", "nonce", until) for until in seconds]
    assert book.use_nonces(enumerate(asked)) == {}
    assert set(book.use_nonces(enumerate(asked))) == set(range(len(asked)))
    assert len(book.changes().inserted[NONCE_PAGES]) == len(seconds)
    assert len(known._known) == KNOWN_MAX
