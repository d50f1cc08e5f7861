"""Answers that take long are kept for as long as they cost, and as long as nothing has changed."""

from __future__ import annotations

import pytest

from leasebook.console.frame import kept
from leasebook.console.frame.kept import KEEP_FROM_S, KEEP_TIMES, KEPT_MAX, STAMPED_S, KeptAnswers


class StandingTime:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> StandingTime:
    made = StandingTime()
    monkeypatch.setattr(kept, "time", made)
    return made


def test_an_answer_is_kept_for_twenty_times_as_long_as_it_took(time: StandingTime) -> None:
    answers = KeptAnswers()
    answers.keep("a", "quick", KEEP_FROM_S / 2)
    assert answers.find("a") is None
    answers.keep("a", "slow", 2.0)
    time.now += KEEP_TIMES * 2.0 - 0.1
    assert (answers.find("a"), answers.find("b")) == ("slow", None)
    time.now += 0.2
    assert answers.find("a") is None


def test_an_answer_is_kept_while_its_stamp_says_that_nothing_has_changed(time: StandingTime) -> None:
    answers = KeptAnswers()
    answers.keep("a", "slow", 1.0, stamp=("row", 7))
    time.now += STAMPED_S - 0.1
    assert answers.find("a", ("row", 7)) == "slow"
    assert answers.find("a", ("row", 8)) is None
    time.now += 0.2
    assert answers.find("a", ("row", 7)) is None
    # One that became quick is not kept any more.
    answers.keep("a", "quick", 0.0, stamp=("row", 7))
    assert answers.find("a", ("row", 7)) is None
    answers.keep("a", "quick", 0.0, stamp=("row", 7), also_quick=True)
    assert (answers.find("a", ("row", 7)), answers.find("a", ("row", 8))) == ("quick", None)


def test_only_so_many_answers_are_in_memory(time: StandingTime) -> None:
    answers = KeptAnswers()
    for number in range(KEPT_MAX + 1):
        answers.keep(number, str(number), 1.0)
    assert time.now
    assert (answers.find(0), answers.find(1)) == (None, "1")
