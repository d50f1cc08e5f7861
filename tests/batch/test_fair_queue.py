"""The queue of a batch, as rules: no party starves, order within a party is kept, the longest line pays."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from leasebook.batch import FairQueue

Item = tuple[str | None, int]

PARTIES = st.sampled_from([None, "a", "b", "c"])
PUTS = st.lists(PARTIES, max_size=40)
TAKES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=30)


def filled(parties: list[str | None], length_max: int = 1000) -> tuple[FairQueue[Item], list[Item]]:
    """Return a queue, and whom there was no room for."""
    queue: FairQueue[Item] = FairQueue(length_max)
    numbers: Counter[str | None] = Counter()
    refused = []
    for party in parties:
        numbers[party] += 1
        out = queue.put(party, (party, numbers[party]))
        if out is not None:
            refused.append(out)
    return queue, refused


@given(PUTS, TAKES)
def test_within_a_party_the_first_comes_first_and_nothing_is_lost_or_taken_twice(
    parties: list[str | None], takes: list[tuple[int, int]]
) -> None:
    queue, _ = filled(parties)
    taken: list[Item] = []
    for most, share in takes:
        before = len(queue)
        found = queue.take(most, share)
        assert len(found) <= most
        assert len(queue) == before - len(found)
        taken += found
    taken += queue.drain()
    assert len(queue) == 0
    assert not queue
    for party in set(parties):
        assert [number for who, number in taken if who == party] == list(range(1, parties.count(party) + 1))
    assert len(taken) == len(parties)


@given(PUTS, st.integers(1, 12), st.integers(1, 4))
def test_of_one_party_no_more_than_its_share_is_taken_while_others_wait(
    parties: list[str | None], most: int, share: int
) -> None:
    queue, _ = filled(parties)
    waiting = queue.parties
    had = Counter(party for party, _ in queue.take(most, share))
    if waiting > 1:
        assert max(had.values()) <= share
    else:
        assert sum(had.values()) == min(most, len(parties))


@given(PUTS, st.integers(1, 12), st.integers(1, 4))
def test_parties_take_turns_so_that_none_is_ahead_of_another_by_more_than_one(
    parties: list[str | None], most: int, share: int
) -> None:
    queue, _ = filled(parties)
    waiting = Counter(parties)
    had = Counter(party for party, _ in queue.take(most, share))
    if len(waiting) > 1:
        for party, count in waiting.items():
            # A party that had fewer than another had all that it wanted, or is next.
            assert had[party] == count or had[party] >= max(had.values()) - 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_whoever_comes_late_beside_an_endless_crowd_is_reached_in_the_next_take(takes: list[int]) -> None:
    queue: FairQueue[Item] = FairQueue(1000)
    for number in range(300):
        queue.put("crowd", ("crowd", number))
    for most in takes:
        queue.take(most, 4)
        queue.put("late", ("late", 0))
        assert ("late", 0) in queue.take(2, 4)


@given(PUTS, st.integers(1, 10))
def test_what_is_too_much_is_the_last_of_the_longest_line(parties: list[str | None], length_max: int) -> None:
    queue, refused = filled(parties, length_max)
    assert len(queue) == min(length_max, len(parties))
    left = Counter(party for party, _ in queue.drain())
    for party, _ in refused:
        # A party that was refused has no fewer places than an equal share, or all that others left.
        assert left[party] >= max(left.values()) - 1


def test_one_party_that_has_filled_the_queue_keeps_nobody_else_out() -> None:
    queue, refused = filled(["a"] * 10, 10)
    assert refused == []
    assert queue.put("b", ("b", 1)) == ("a", 10)
    assert queue.put(None, (None, 1)) == ("a", 9)
    assert queue.put("a", ("a", 11)) == ("a", 11)
    assert {party for party, _ in queue.take(3, 3)} == {"a", "b", None}


def test_whoever_had_their_turn_in_vain_goes_first_and_there_is_room_for_them() -> None:
    queue, _ = filled(["a"] * 3, 3)
    first = queue.take(2, 2)
    queue.put("a", ("a", 4))
    queue.put("a", ("a", 5))
    queue.requeue("a", first)
    assert len(queue) == 5
    assert queue.take(9, 9) == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5)]
