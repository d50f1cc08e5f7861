"""A draft: one command's changes, which its batch sees only once they are accepted."""

from __future__ import annotations

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft, KeyTaken
from leasebook.domain.book.loads import NotLoaded
from leasebook.domain.book.tables import METADATA
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant

BEFORE, AFTER = StoreMetadata("clock", "real"), StoreMetadata("clock", "virtual")


def loaded() -> Book:
    book = Book()
    book.load(METADATA, ("clock",), BEFORE)
    book.load(METADATA, ("home",), None)
    return book


def test_a_command_reads_what_it_wrote_and_its_neighbours_do_not() -> None:
    book = loaded()
    draft = Draft(book)
    draft.put(METADATA, AFTER)
    assert draft.get(METADATA, "clock") == draft.require(METADATA, "clock") == AFTER
    assert book.get(METADATA, "clock") == Draft(book).require(METADATA, "clock") == BEFORE


def test_a_draft_that_is_accepted_is_what_the_next_command_reads() -> None:
    book = loaded()
    draft = Draft(book)
    draft.put(METADATA, AFTER)
    book.accept(draft, Instant(0), None)
    assert Draft(book).require(METADATA, "clock") == AFTER
    assert book.changes().updated == {METADATA: [AFTER]}


def test_a_row_that_does_not_exist_may_be_looked_for_and_not_required() -> None:
    draft = Draft(loaded())
    assert draft.get(METADATA, "home") is None
    with pytest.raises(LookupError, match="does not exist"):
        draft.require(METADATA, "home")


def test_a_row_that_no_command_named_is_not_loaded() -> None:
    draft = Draft(loaded())
    with pytest.raises(NotLoaded):
        draft.get(METADATA, "engine")
    with pytest.raises(NotLoaded):
        draft.require(METADATA, "engine")


def test_a_new_row_never_takes_the_place_of_one_that_is_there() -> None:
    book = loaded()
    with pytest.raises(KeyTaken, match="clock"):
        Draft(book).add(METADATA, AFTER)
    first = Draft(book)
    first.add(METADATA, StoreMetadata("home", "here"))
    with pytest.raises(KeyTaken):
        first.add(METADATA, StoreMetadata("home", "there"))
    book.accept(first, Instant(0), None)
    with pytest.raises(KeyTaken):
        Draft(book).add(METADATA, StoreMetadata("home", "there"))
