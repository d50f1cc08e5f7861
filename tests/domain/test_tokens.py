"""Client tokens, and refusals that change nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import NotLoaded
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, METADATA, TABLES
from leasebook.domain.commands.command import Command, Decision, Engine, decide, token_needs
from leasebook.domain.model.idempotency import IdempotencyKey, IdempotencyRecord
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values import refusal as refusals
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import REASONS, TOKEN_MISMATCH, Refusal
from leasebook.domain.values.rule_settings import Rules

NOW, LATER = Instant(1_000), Instant(2_000)
MINE = IdempotencyKey("acc-1", "t-1", "digest")


class SetNote(Command, frozen=True, kw_only=True):
    """Write a fact, then perhaps refuse."""

    answer: ClassVar[type] = StoreMetadata

    value: str
    refuse: str | None = None

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> StoreMetadata:  # noqa: ARG002
        fact = StoreMetadata("noted", self.value)
        draft.put(METADATA, fact)
        if self.refuse is not None:
            raise Refusal(self.refuse, f"no {self.value}", field="value")
        return fact


def empty_book() -> Book:
    book = Book()
    book.load(METADATA, ("noted",), None)
    for account in ("acc-1", "acc-2"):
        for value in ("t-1", "t-2"):
            book.load(IDEMPOTENCY_RECORDS, (account, value), None)
    return book


def say(book: Book, command: Command, now: Instant = NOW) -> Decision:
    return decide(book, command, Rules(), now, Engine())


def written(book: Book) -> dict[str, list[Any]]:
    """The changes that are still to be written, table by table."""
    changes = book.changes()
    return {table.name: [*changes.inserted.get(table, ()), *changes.updated.get(table, ())] for table in TABLES}


def test_the_same_request_twice_has_one_effect_and_one_answer() -> None:
    book = empty_book()
    first = say(book, SetNote(token=MINE, value="a"))
    # New ids, as the rim makes them for each call, and a later time: it is the same request all the same.
    again = say(book, SetNote(token=MINE, value="made again"), LATER)
    assert again == first == Decision(answer=StoreMetadata("noted", "a"))
    assert book.get(METADATA, "noted") == StoreMetadata("noted", "a")
    kept = IdempotencyRecord("acc-1", "t-1", "digest", False, b'{"name":"noted","value":"a"}', NOW)
    assert written(book)["tokens"] == [kept]


def test_without_a_token_the_same_request_twice_has_two_effects() -> None:
    book = empty_book()
    assert say(book, SetNote(value="a")).answer == StoreMetadata("noted", "a")
    assert say(book, SetNote(value="b")).answer == StoreMetadata("noted", "b")
    assert written(book)["tokens"] == []


@pytest.mark.parametrize("refused_first", [False, True])
def test_the_same_token_with_other_parameters_is_refused_and_does_nothing(*, refused_first: bool) -> None:
    book = empty_book()
    first = say(book, SetNote(token=MINE, value="a", refuse=refusals.STOCK if refused_first else None))
    assert written(book)["tokens"] != []
    other = say(book, SetNote(token=IdempotencyKey("acc-1", "t-1", "another digest"), value="b"))
    assert other.refusal is not None
    assert (other.refusal.reason, other.refusal.field) == (TOKEN_MISMATCH, "clientToken")
    assert not any(written(book).values()), "it changed something"
    assert say(book, SetNote(token=MINE, value="a")) == first, "a mismatch does not overwrite the kept answer"


def test_a_token_belongs_to_its_account() -> None:
    book = empty_book()
    say(book, SetNote(token=MINE, value="a"))
    other = say(book, SetNote(token=IdempotencyKey("acc-2", "t-1", "another digest"), value="b"))
    assert other.answer == StoreMetadata("noted", "b")


KEPT = (
    "stock",
    "balance",
    "quota",
    "no_instance",
    "no_service",
    "no_resource",
    "not_supported",
    "wrong_state",
    "untrusted",
    "suspended",
    "approval",
    "tag_policy",
)
UNDECIDED = ("bad_value", "denied", "replayed", "signed_too_often")


def test_every_refusal_is_kept_or_was_never_decided() -> None:
    assert {*KEPT, *UNDECIDED, TOKEN_MISMATCH} == set(REASONS)


@pytest.mark.parametrize("reason", KEPT)
def test_a_refusal_is_remembered_like_an_answer(reason: str) -> None:
    book = empty_book()
    refused = say(book, SetNote(token=MINE, value="a", refuse=reason))
    assert refused == Decision(refusal=Refusal(reason, "no a", field="value"))
    # The missing stock or money may be there again by now, but the first answer said that nothing was done.
    assert say(book, SetNote(token=MINE, value="a")) == refused
    assert book.get(METADATA, "noted") is None


@pytest.mark.parametrize("reason", UNDECIDED)
def test_what_was_malformed_or_not_permitted_can_be_put_right_under_the_same_token(reason: str) -> None:
    book = empty_book()
    assert say(book, SetNote(token=MINE, value="a", refuse=reason)).refusal is not None
    assert not book.changes()
    assert say(book, SetNote(token=IdempotencyKey("acc-1", "t-1", "put right"), value="b")).answer == StoreMetadata(
        "noted", "b"
    )


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_changes_nothing(reason: str) -> None:
    book = empty_book()
    with pytest.raises(Refusal, match="no a"):
        say(book, SetNote(value="a", refuse=reason)).result()
    assert not book.changes()
    assert book.get(METADATA, "noted") is None


def test_what_goes_wrong_otherwise_is_raised_and_leaves_the_book_as_it_was() -> None:
    book = empty_book()
    with pytest.raises(NotLoaded, match="facts"):
        say(book, Lost(token=MINE))
    assert not book.changes()
    assert book.get(IDEMPOTENCY_RECORDS, "acc-1", "t-1") is None


class Lost(Command, frozen=True, kw_only=True):
    """Touch a row that was not asked for."""

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:  # noqa: ARG002
        draft.put(METADATA, StoreMetadata("noted", "a"))
        return draft.get(METADATA, "not loaded")


def test_a_command_needs_the_row_of_its_token() -> None:
    assert list(token_needs(SetNote(value="a"))) == []
    assert list(token_needs(SetNote(token=MINE, value="a"))) == [(IDEMPOTENCY_RECORDS, ("acc-1", "t-1"))]
