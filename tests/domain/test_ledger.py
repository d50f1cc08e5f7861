"""The ledger: what does not balance cannot be written down."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import FUNDING, PREPAID_REVENUE, USAGE_REVENUE, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro

NOW = Instant(1_893_456_000_000_000)
ENDS = (FUNDING, PREPAID_REVENUE, USAGE_REVENUE, wallet("acc-1"), wallet("acc-2"))


def posting(**changed: Any) -> Posting:
    facts: dict[str, Any] = {
        "account_id": "acc-1",
        "at": NOW,
        "kind": "TopUp",
        "debit": FUNDING,
        "credit": wallet("acc-1"),
        "amount": Micro(1_000_000),
    }
    return Posting(**(facts | changed))


UNBALANCED: list[dict[str, Any]] = [
    {"amount": 0},
    {"amount": -1},
    {"debit": wallet("acc-1")},
    {"credit": FUNDING},
]
OUT_OF_RANGE = [MICRO_MAX, -MICRO_MAX, 2**63]


@pytest.mark.parametrize("changed", UNBALANCED)
def test_a_posting_that_does_not_balance_cannot_exist(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a posting moves a positive amount between two ledger accounts"):
        posting(**changed)


@pytest.mark.parametrize("changed", UNBALANCED)
def test_a_posting_cannot_be_made_unbalanced_by_a_copy_or_by_reading_one(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="positive amount between two"):
        msgspec.structs.replace(posting(), **changed)
    with pytest.raises(msgspec.ValidationError, match="positive amount between two"):
        msgspec.convert(msgspec.to_builtins(posting()) | changed, Posting)


@pytest.mark.parametrize("amount", OUT_OF_RANGE)
def test_a_posting_out_of_range_cannot_exist(amount: int) -> None:
    with pytest.raises(OverflowError):
        posting(amount=amount)


def test_a_posting_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        posting().amount = Micro(5)  # type: ignore[misc]


@given(st.sampled_from(ENDS), st.sampled_from(ENDS), st.integers(1, MICRO_MAX - 1))
def test_what_leaves_one_ledger_account_arrives_at_another(debit: str, credit: str, amount: int) -> None:
    if debit == credit:
        return
    made = posting(debit=debit, credit=credit, amount=amount)
    effects = {end: made.effect_on(end) for end in ENDS}
    assert effects[credit] == amount
    assert effects[debit] == -amount
    assert sum(effects.values()) == 0


def book_with(balance: int) -> Book:
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "UTC", Micro(balance), NOW))
    return book


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**12)), max_size=10))
def test_a_balance_is_the_sum_of_what_was_posted(movements: list[tuple[bool, int]]) -> None:
    draft = Draft(book_with(0))
    for arrives, amount in movements:
        ends = (FUNDING, wallet("acc-1")) if arrives else (wallet("acc-1"), USAGE_REVENUE)
        draft.post(posting(debit=ends[0], credit=ends[1], amount=amount))
    expected = sum(amount if arrives else -amount for arrives, amount in movements)
    assert draft.require(ACCOUNTS, "acc-1").balance == expected
    assert sum(made.effect_on(wallet("acc-1")) for made in draft.postings) == expected


def test_a_balance_out_of_range_is_an_overflow_and_nothing_is_posted() -> None:
    draft = Draft(book_with(MICRO_MAX - 1))
    with pytest.raises(OverflowError):
        draft.post(posting(amount=1))
    assert draft.postings == []
    assert draft.require(ACCOUNTS, "acc-1").balance == MICRO_MAX - 1
