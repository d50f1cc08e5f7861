"""The chain of the audit log, and closing old pages, as values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.record.audit_log import (
    ENTRIES_CLOSED_MAX,
    NOTHING,
    AuditPage,
    BrokenChainError,
    Entry,
    Head,
    Line,
    Mark,
    Prune,
    chain_hash,
    closing_of,
    closure_message,
    day_before,
    head_message,
    pages_of,
    read_body,
)
from leasebook.domain.values.calendar import DAY_US, Instant

START = Head("chain-a", 0, NOTHING)
Found = list[tuple[int, AuditPage]]


def entry(at: int, **changed: Any) -> Entry:
    facts: dict[str, Any] = {
        "at": Instant(at),
        "request_id": "r",
        "user_id": "u",
        "access_key": "AK",
        "address": "192.0.2.1",
        "path": "/v2/computeunit",
        "action": "ReleaseComputeUnit",
        "status": 200,
        "code": "OK",
        "message": "",
        "body": "{}",
        "names": (),
        "token": False,
    }
    return Entry(**(facts | changed))


def chained(*batches: list[Line], end: Head = START) -> Found:
    """Pages of batches, one after another, each with a number of its row."""
    found: Found = []
    for batch in batches:
        for page in pages_of(end, batch):
            found.append((len(found) + 1, page))
            end = Head(page.chain, page.number, page.hash)
    return found


def test_a_batch_has_one_page_an_account_and_its_entries_keep_their_order() -> None:
    pages = pages_of(START, [("a", entry(3)), ("b", entry(1)), ("a", entry(2)), ("", entry(9))])
    assert [(page.number, page.account_id, page.size, page.first_at, page.last_at) for page in pages] == [
        (1, "a", 2, 2, 3),
        (2, "b", 1, 1, 1),
        (3, "", 1, 9, 9),
    ]
    assert [one.at for one in read_body(pages[0].body).entries] == [3, 2]


def test_only_the_first_page_of_a_chain_names_the_ends_of_the_others() -> None:
    others = [Head("chain-0", 7, b"x" * 32)]
    first, second = pages_of(START, [("a", entry(1)), ("b", entry(1))], others)
    assert list(read_body(first.body).heads) == others
    assert read_body(second.body).heads == ()
    (later,) = pages_of(Head("chain-a", 2, second.hash), [("a", entry(1))], others)
    assert read_body(later.body).heads == ()


@given(
    st.binary(min_size=32, max_size=32), st.text("ab1", min_size=1), st.integers(1, 2**62), st.binary(), st.integers(0)
)
def test_a_page_has_another_hash_where_anything_of_it_is_another(
    before: bytes, chain: str, number: int, body: bytes, place: int
) -> None:
    right = chain_hash(before, chain, number, body)
    at = place % 32
    other = before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :]
    for wrong in (
        chain_hash(other, chain, number, body),
        chain_hash(before, f"{chain}1", number, body),
        chain_hash(before, chain, number + 1, body),
        chain_hash(before, chain, number, body + b"\n"),
    ):
        assert wrong != right


def test_the_parts_of_what_is_hashed_cannot_be_taken_for_one_another() -> None:
    # The chain of 1 and page 12 is not the chain of 11 and page 2.
    assert chain_hash(NOTHING, "1", 12, b"") != chain_hash(NOTHING, "11", 2, b"")
    assert head_message("1", 12, b"") != head_message("11", 2, b"")


def closed(found: Found, before: int, hash_before: bytes = NOTHING) -> Prune | None:
    return closing_of(found, hash_before, Instant(before), Instant(99), "00")


def test_what_is_old_is_closed_from_the_oldest_on_and_counted_by_verdict() -> None:
    found = chained(
        [("a", entry(1)), ("b", entry(2, code="QuotaExceeded", names=("unit-1", "unit-2")))],
        [("a", entry(5, names=("unit-1",)))],
        [("a", entry(10))],
    )
    closing = closed(found, 6)
    assert closing is not None
    assert closing.pages == (1, 2, 3)
    assert closing.index == (("unit-1", 2), ("unit-2", 2), ("unit-1", 3))
    closure = closing.closure
    assert (closure.chain, closure.first_number, closure.last_number, closure.size) == ("chain-a", 1, 3, 3)
    assert (closure.first_at, closure.last_at) == (1, 5)
    assert closure.counts == {"OK": 2, "QuotaExceeded": 1}
    assert (closure.hash_before, closure.hash_after) == (NOTHING, found[2][1].hash)
    rest = closed(found[3:], 11, found[2][1].hash)
    assert rest is not None
    assert (rest.closure.first_number, rest.closure.last_number) == (4, 4)


@pytest.mark.parametrize("before", [0, 1, 5])
def test_what_is_not_old_enough_stays_and_keeps_what_comes_after_it(before: int) -> None:
    # The clock went back between them: the second is older, and stays behind the first.
    assert closed(chained([("a", entry(5))], [("a", entry(1))]), before) is None


def test_pages_of_other_chains_wait_for_a_closure_of_their_own() -> None:
    ours, theirs = chained([("a", entry(1))], [("a", entry(2))]), chained([("a", entry(1))], end=Head("b", 0, NOTHING))
    mixed = [(1, ours[0][1]), (2, theirs[0][1]), (3, ours[1][1])]
    closing = closed(mixed, 9)
    assert closing is not None
    assert closing.pages == (1, 3)


def test_no_more_is_closed_at_once_than_others_can_wait_for() -> None:
    crowd = [("a", entry(1))] * (ENTRIES_CLOSED_MAX - 1)
    found = chained(crowd, [("a", entry(1))], [("a", entry(1))])
    closing = closed(found, 9)
    assert closing is not None
    assert closing.pages == (1, 2)
    # One page is always closed, however much is on it.
    lone = closed(chained([*crowd, *crowd]), 9)
    assert lone is not None
    assert lone.pages == (1,)


@pytest.mark.parametrize("which", ["body", "gap", "before"])
def test_what_does_not_prove_is_never_closed(which: str) -> None:
    found = chained([("a", entry(1))], [("a", entry(2))], [("a", entry(3))])
    before = NOTHING
    if which == "body":
        forged = msgspec.structs.replace(found[1][1], body=found[1][1].body.replace(b"Release", b"Another"))
        found[1] = (2, forged)
    elif which == "gap":
        del found[1]
    else:
        before = b"x" * 32
    with pytest.raises(BrokenChainError, match="chain-a"):
        closed(found, 9, before)


def test_everything_in_a_closure_is_part_of_what_is_signed() -> None:
    closing = closed(chained([("a", entry(1))]), 9)
    assert closing is not None
    closure = closing.closure
    others = {int: 77, str: "other", bytes: b"other", dict: {"OK": 2}}
    for name in closure.__struct_fields__:
        if name != "signature":
            changed = msgspec.structs.replace(closure, **{name: others[type(getattr(closure, name))]})
            assert closure_message(changed) != closure_message(closure), name
    assert closure_message(msgspec.structs.replace(closure, signature=b"s")) == closure_message(closure)


def test_whole_days_are_closed() -> None:
    assert day_before(Instant(10 * DAY_US + 5), 3 * DAY_US) == 7 * DAY_US
    assert day_before(Instant(11 * DAY_US - 1), 3 * DAY_US) == 7 * DAY_US
    assert day_before(Instant(11 * DAY_US), 3 * DAY_US) == 8 * DAY_US


def test_a_mark_gets_a_page_also_where_there_are_no_entries() -> None:
    mark = Mark(3, b"seal")
    (page,) = pages_of(START, [], (), mark, Instant(7))
    assert (page.account_id, page.size, page.first_at, page.last_at) == ("", 0, 7, 7)
    assert read_body(page.body).mark == mark
    first, second = pages_of(START, [("a", entry(1)), ("b", entry(1))], (), mark, Instant(7))
    assert [read_body(one.body).mark for one in (first, second)] == [mark, None]


@pytest.mark.parametrize(
    ("end", "is_closed"),
    [
        (Mark(4, b"later"), True),
        (Mark(3, b"seal"), True),
        (Mark(3, b"another"), False),
        (Mark(2, b"seal"), False),
        (Mark(0, NOTHING), False),
    ],
)
def test_what_knows_of_more_identity_events_than_there_are_is_never_closed(end: Mark, is_closed: bool) -> None:  # noqa: FBT001
    found = [(1, page) for page in pages_of(START, [("a", entry(1))], (), Mark(3, b"seal"), Instant(1))]
    if is_closed:
        assert closing_of(found, NOTHING, Instant(9), Instant(99), "00", end) is not None
        return
    with pytest.raises(BrokenChainError, match="a log of identities that is gone"):
        closing_of(found, NOTHING, Instant(9), Instant(99), "00", end)
