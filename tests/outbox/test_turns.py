"""Whose attempt is next, as values: no account takes what another needs, whatever its receivers do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from leasebook.notifications.fair_queue import ALL_MAX, OF_HOOK_MAX, Due, Places, Rota, Turns

PLACES = Places(quick=6, account=4, receiver=3, slow=3, slow_account=2, slow_us=2 * SECOND_US)


def due(account: str, number: int = 0, receiver: str | None = None, lane: str = "a") -> Due:
    return Due(f"{account}{number}", lane, account, receiver or f"{account}{number}.example")


def begin(turns: Turns, wanted: list[Due], now_us: int) -> list[Due]:
    chosen = turns.choose(wanted, now_us)
    for one in chosen:
        turns.begun(one, now_us)
    return chosen


def test_accounts_take_turns_whoever_was_due_first() -> None:
    wanted = [due("A", number) for number in range(9)] + [due("B", number) for number in range(2)]
    assert [one.hook_id for one in Turns(PLACES).choose(wanted, 0)] == ["A0", "B0", "A1", "B1", "A2", "A3"]
    rota: Rota[str] = Rota(lambda text: text[0])
    assert rota.take(["a1", "a2", "b1"], lambda _: True, 1) == ["a1"]
    # Who was served is last next time.
    assert rota.take(["a2", "b1", "c1"], lambda _: True, 2) == ["b1", "c1"]
    rota.keep({"b"})
    assert rota.take(["a2", "b1"], lambda _: True, 1) == ["a2"]


def test_subscriptions_of_an_account_take_turns_too() -> None:
    wanted = [due("A", 0, lane=str(n)) for n in range(9)] + [due("A", 1)]
    assert [one.key for one in Turns(PLACES).choose(wanted, 0)][:2] == [("A0", "0"), ("A1", "a")]


def test_an_account_has_at_most_so_many_and_so_has_a_receiver_but_for_the_first_of_each_account() -> None:
    turns = Turns(PLACES)
    assert len(begin(turns, [due("A", number) for number in range(9)], 0)) == 4
    assert turns.deferred == {"account": 5}
    turns = Turns(PLACES)
    shared = [due("A", number, "shared.example") for number in range(9)]
    assert len(begin(turns, shared, 0)) == 3
    assert turns.deferred == {"receiver": 6}
    assert begin(turns, [due("B", number, "shared.example") for number in range(2)], 0) == [
        due("B", 0, "shared.example")
    ]


def test_a_lane_that_is_under_way_is_not_begun_again_and_one_that_fails_goes_alone() -> None:
    turns = Turns(Places())
    lanes = [due("A", lane=str(number)) for number in range(20)]
    assert begin(turns, lanes[:1], 0) == lanes[:1]
    assert begin(turns, lanes[:1], 0) == []
    assert len(begin(turns, lanes, 0)) == OF_HOOK_MAX - 1
    for one in lanes[:8]:
        turns.ended(one.key, 1, failed=True)
    assert len(begin(turns, lanes, 1)) == 1
    assert turns.deferred == {"subscription": 19}
    assert turns.worth_a_look([due("A"), due("B")], 1) == {"B0"}
    turns.ended(lanes[0].key, 2, failed=False)
    assert len(begin(turns, lanes, 2)) == OF_HOOK_MAX


def test_whoever_has_nothing_quick_under_way_gets_a_place_though_all_are_taken() -> None:
    turns = Turns(PLACES)
    begin(turns, [due(account, number) for account in "ABCDEF" for number in range(4)], 0)
    assert turns.counts(0) == (6, 0)
    assert begin(turns, [due("A", 9), due("Z"), due("Z", 1)], 1) == [due("Z")]
    assert turns.deferred == {"all": 2}
    # Lingering deliveries take no quick place any more.
    assert turns.counts(2 * SECOND_US) == (1, 6)
    assert len(begin(turns, [due("Z", number) for number in range(2, 9)], 2 * SECOND_US)) == 3


def test_a_receiver_that_took_long_has_few_places_of_its_own_for_that_account_only() -> None:
    turns = Turns(PLACES)
    for account in "AB":
        for one in begin(turns, [due(account, number) for number in range(4)], 0):
            turns.ended(one.key, 3 * SECOND_US, failed=True)
    now = 4 * SECOND_US
    slow = [due("A", number) for number in range(4)]
    assert len(begin(turns, [*slow, due("A", 9), due("A", 10)], now)) == 4
    assert turns.deferred == {"slow": 2}
    # Three in all, of any account; another account may find the very same receiver quick.
    assert len(begin(turns, [due("B", number) for number in range(4)], now)) == 1
    assert begin(turns, [due("C", 0, "A2.example")], now) == [due("C", 0, "A2.example")]
    # A quick success ends it, and so does time.
    turns.ended(slow[0].key, now + 1, failed=False)
    turns.ended(slow[1].key, now + 1, failed=True)
    assert turns.counts(now + 1) == (3, 1)
    assert begin(turns, slow[:2], now + 2) == slow[:2]
    assert turns.counts(now + 2) == (4, 2)
    turns.ended(slow[1].key, now + 3, failed=True)
    later = 3 * SECOND_US + PLACES.slow_for_us
    assert begin(turns, slow[1:2], later) == slow[1:2]
    assert turns.counts(later) == (1, 5)


def test_what_is_gone_is_forgotten() -> None:
    turns = Turns(PLACES)
    (one,) = begin(turns, [due("A")], 0)
    assert turns.is_under_way("A0")
    turns.ended(one.key, 3 * SECOND_US, failed=True)
    assert not turns.is_under_way("A0")
    turns.keep({"A0"}, {"A"}, 4 * SECOND_US)
    begin(turns, [one], 4 * SECOND_US)
    assert turns.counts(4 * SECOND_US) == (0, 1)
    turns.ended(one.key, 5 * SECOND_US, failed=True)
    turns.keep(set(), set(), 5 * SECOND_US)
    assert len(begin(turns, [one, due("A", lane="b")], 6 * SECOND_US)) == 2
    assert turns.counts(6 * SECOND_US) == (2, 0)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=60))
def test_whatever_comes_no_limit_is_passed_and_nobody_quick_is_left_out(
    steps: list[tuple[str, int, int, bool]],
) -> None:
    turns, now = Turns(PLACES), 0
    under_way: dict[tuple[str, str], tuple[Due, int]] = {}
    for account, number, lane, ends in steps:
        now += SECOND_US
        if ends and under_way:
            key = sorted(under_way)[number % len(under_way)]
            del under_way[key]
            turns.ended(key, now, failed=bool(lane))
        wanted = [due(account, number, lane=str(one)) for one in range(lane + 1)] + [due("Z", number, lane=str(now))]
        chosen = begin(turns, wanted, now)
        under_way |= {one.key: (one, now) for one in chosen}
        for name in "ABCDEZ":
            assert sum(one.account_id == name for one, _ in under_way.values()) <= PLACES.account
        fresh = [one for one, began in under_way.values() if now - began < PLACES.slow_us and one.account_id == "Z"]
        of_z = [one for one, _ in under_way.values() if one.account_id == "Z"]
        assert fresh or len(of_z) == PLACES.account or set(turns.deferred) & {"slow", "subscription", "receiver"}
    assert len(under_way) <= ALL_MAX


def test_slow_is_for_ten_minutes() -> None:
    assert Places().slow_for_us == 10 * MINUTE_US
