"""How often mail may go to an address, and how an address is confirmed, as values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.tables import SUBSCRIPTIONS
from leasebook.domain.commands.account.subscription import ConfirmHook
from leasebook.domain.record.notice import Bound, NoticeRate, bounds_of_mails, bounds_of_tests, mail_name, taken
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from tests.domain.test_outbox import NOW, book_of, done, hook

BOUND = Bound("x", 3, HOUR_US, "words")


def asked(times: list[int]) -> Iterator[bool]:
    """Say of each moment whether one more was let through."""
    before: NoticeRate | None = None
    for at in times:
        rate = taken(BOUND, before, Instant(at))
        if isinstance(rate, NoticeRate):
            before = rate
            yield True
        else:
            assert rate > at
            # Right then it is let through, and not a moment before.
            assert isinstance(taken(BOUND, before, rate), NoticeRate)
            assert not isinstance(taken(BOUND, before, Instant(rate - 1)), NoticeRate)
            yield False


def test_so_many_come_at_once_and_then_one_every_hour() -> None:
    assert list(asked([NOW] * 4)) == [True, True, True, False]
    assert list(asked([NOW] * 3 + [NOW + HOUR_US - 1, NOW + HOUR_US, NOW + HOUR_US])) == [True] * 3 + [
        False,
        True,
        False,
    ]
    assert list(asked([NOW] * 3 + [NOW + 9 * HOUR_US] * 4)) == [True] * 6 + [False]


@given(st.lists(st.integers(0, DAY_US), max_size=40).map(sorted))
def test_in_no_span_there_are_more_than_its_hours_and_what_may_come_at_once(times: list[int]) -> None:
    through = [at for at, is_through in zip(times, asked(times), strict=True) if is_through]
    for first in range(len(through)):
        for last in range(first, len(through)):
            assert last - first + 1 <= 3 + (through[last] - through[first]) // HOUR_US


def test_an_address_is_known_however_it_is_spelled_and_never_written_down() -> None:
    assert mail_name("acc-1", "Ops@Example.org") == mail_name("acc-1", "ops@example.org")
    assert mail_name("acc-1", "ops@example.org") != mail_name("acc-2", "ops@example.org")
    assert "ops" not in mail_name("acc-1", "ops@example.org")
    names = [bound.name for bound in (*bounds_of_mails("a", "b@c", Rules()), *bounds_of_tests("a", "sub-1", Rules()))]
    assert names[1] == names[3] == "account a"
    assert names[2] == "test sub-1"


def test_only_the_newest_link_confirms_and_only_before_it_ends() -> None:
    until = Instant(NOW + DAY_US)
    pending = hook(kind="Email", status="Pending", confirms=2, confirm_until=until)
    for wrong, now in ((until - 1, NOW), (until, until), (until, until + 1)):
        decided = done(book_of(pending), ConfirmHook(hook_id="sub-1", until=Instant(wrong)), now)
        assert isinstance(decided.refusal, Refusal)
    book = book_of(pending)
    assert done(book, ConfirmHook(hook_id="sub-1", until=until), NOW + 5).answer is True
    after = book.get(SUBSCRIPTIONS, "sub-1")
    assert after is not None
    assert (after.status, after.since, after.confirm_until) == ("Active", NOW + 5, None)
    assert done(book, ConfirmHook(hook_id="sub-1", until=until)).answer is False
    for status in ("Deleting", "Deleted"):
        gone = done(book_of(hook(status=status)), ConfirmHook(hook_id="sub-1", until=until))
        assert isinstance(gone.refusal, Refusal)


@pytest.mark.parametrize("status", ["Active", "Paused"])
def test_a_paused_subscription_is_not_activated_by_an_old_link(status: str) -> None:
    book = book_of(hook(kind="Email", status=status, confirm_until=Instant(NOW + 9)))
    done(book, ConfirmHook(hook_id="sub-1", until=Instant(NOW + 9)))
    after = book.get(SUBSCRIPTIONS, "sub-1")
    assert after is not None
    assert after.status == status
