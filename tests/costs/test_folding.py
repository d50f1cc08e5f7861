"""Sums of postings: the same whether they are added at once or in any parts, refunds among them."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any

from leasebook.domain.costs.folding import Fold, Groups, Payment, fold_payments, months_of
from leasebook.domain.costs.rows import Alike
from leasebook.domain.costs.spread import Course, Spread
from leasebook.domain.record.ledger import PREPAID_REVENUE, Posting, PostingKind, wallet
from leasebook.domain.values.calendar import DAY_US, Instant, parse_time
from leasebook.domain.values.money import Micro
from tests.copies import ROUNDS
from tests.depth import few

ZONE = "Europe/Berlin"
START = parse_time("2030-01-15T09:30:00Z", "UTC")


def alike(kind: str, tags: str = "{}") -> Alike:
    return Alike(kind, "bj", "gpu-1", "user-1", None, None, tags)


def payment(seq: int, kind: PostingKind, at: int, amount: int, days: int | None = None) -> Payment:
    """Make a payment, or a refund, of one instance."""
    ends = (wallet("acc-1"), PREPAID_REVENUE)
    debit, credit = ends[::-1] if kind == "Refund" else ends
    since, until = (None, None) if days is None else (Instant(at - DAY_US), Instant(at + days * DAY_US))
    posting = Posting(
        "acc-1", Instant(at), kind, debit, credit, Micro(amount), unit_id="unit-1", since=since, until=until
    )
    return Payment(seq, posting, alike(kind))


def summed(payments: list[Payment], cuts: list[int]) -> dict[Any, int]:
    """Add payments in parts, each cut off after a number of them."""
    found: Counter[Any] = Counter()
    known: set[str] = set()
    for begin, end in zip([0, *cuts], [*cuts, len(payments)], strict=True):
        groups = Groups({"acc-1": known}, 100)
        fold = Fold(groups, {"acc-1": ZONE})
        fold_payments(fold, payments[begin:end], {"unit-1": payments[:begin]})
        folded = fold.folded()
        known |= {group.id for group in folded.groups}
        for part in folded.parts:
            found[part.level, part.since, part.group_id, "billed"] += part.sums.billed
            found[part.level, part.since, part.group_id, "spread"] += part.sums.spread
    return {key: amount for key, amount in found.items() if amount}


def test_payments_and_refunds_make_the_same_sums_in_any_parts() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    for _ in range(few(10, 40) * ROUNDS):
        payments: list[Payment] = []
        at = int(START)
        for seq in range(dice.randint(1, 8)):
            at += dice.randrange(40 * DAY_US)
            kind: PostingKind = dice.choice(["Purchase", "Resize", "Renewal", "Refund"])
            amount = dice.choice([7, 100_000_001])
            payments.append(payment(seq, kind, at, amount, None if kind == "Refund" else dice.choice([0, 3, 31, 400])))
        cuts = sorted(dice.sample(range(len(payments) + 1), min(2, len(payments))))
        whole = summed(payments, [])
        assert summed(payments, cuts) == whole
        billed = sum(amount for key, amount in whole.items() if key[0] == "Month" and key[3] == "billed")
        assert billed == sum(one.charge.amount for one in payments)
        # All of it is used in the end, but for what was paid back.
        assert billed == sum(amount for key, amount in whole.items() if key[3] == "spread")


def test_the_months_of_a_payment_make_up_the_payment() -> None:
    dice = random.Random(2)  # noqa: S311 - no secret
    for _ in range(few(10, 50) * ROUNDS):
        begin = START + dice.randrange(500 * DAY_US)
        end = begin + dice.choice([0, 1, DAY_US, dice.randrange(900 * DAY_US)])
        posting = payment(1, "Purchase", begin, 1).posting
        spread = Spread(posting, dice.randrange(10**12), Instant(begin), Instant(end))
        assert sum(amount for _, amount in months_of(spread, ZONE)) == spread.amount


def test_an_account_with_too_many_groups_keeps_kind_region_type_and_user() -> None:
    groups = Groups({"acc-1": []}, 2)
    first, second, third, fourth = (groups.of("acc-1", alike("Usage", f'{{"job":"{number}"}}')) for number in range(4))
    assert len({first, second, third}) == 3
    assert third == fourth
    assert [(group.tags, group.rest) for group in groups.new] == [
        ({"job": "0"}, False),
        ({"job": "1"}, False),
        ({}, True),
    ]
    # Groups that are known stay what they are, and other accounts have a number of their own.
    again = Groups({"acc-1": [first, second, third]}, 2)
    assert again.of("acc-1", alike("Usage", '{"job":"1"}')) == second
    assert again.of("acc-1", alike("Usage", '{"job":"2"}')) == third
    assert again.of("acc-2", alike("Usage", '{"job":"2"}')) not in (first, second, third)
    assert again.of("acc-1", alike("Renewal")) not in (first, second, third)


def test_the_parts_of_many_payments_are_the_sums_of_the_parts_of_each() -> None:
    dice = random.Random(3)  # noqa: S311 - no secret
    for _ in range(few(10, 50) * ROUNDS):
        moments = [Instant(START + hours * DAY_US // 24) for hours in sorted(dice.sample(range(200), 9))]
        course, spreads = Course(moments), []
        for _ in range(6):
            # Some begin or end at one of the moments.
            begin = dice.choice([*moments, START + dice.randrange(-3 * DAY_US, 9 * DAY_US)])
            end = dice.choice([*(at for at in moments if at > begin), begin + 1 + dice.randrange(9 * DAY_US)])
            posting = payment(1, "Purchase", begin, 1).posting
            spreads.append(Spread(posting, dice.randrange(10**12), Instant(begin), Instant(end)))
            course.add(spreads[-1])
        assert course.parts() == [sum(one.part(*span) for one in spreads) for span in pairwise(moments)]
