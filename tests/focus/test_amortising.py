"""Spreading payments in advance: every part in its month, and nothing lost between them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.record.ledger import PREPAID_REVENUE, Posting, PostingKind, wallet
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant, from_datetime
from leasebook.domain.values.money import Micro
from leasebook.export.focus.amortization import refunded_posting, spreads_of


def at(year: int, month: int, day: int, hour: int = 0) -> Instant:
    return from_datetime(datetime(year, month, day, hour, tzinfo=UTC))


def paid(
    amount: int, when: Instant, since: Instant | None, until: Instant | None, kind: PostingKind = "Purchase"
) -> Posting:
    ends = (PREPAID_REVENUE, wallet("a")) if kind == "Refund" else (wallet("a"), PREPAID_REVENUE)
    return Posting(
        account_id="a",
        at=when,
        kind=kind,
        debit=ends[0],
        credit=ends[1],
        amount=Micro(amount),
        unit_id="u",
        since=since,
        until=until,
    )


def refund(amount: int, when: Instant) -> Posting:
    return paid(amount, when, None, None, "Refund")


def parts(postings: list[Posting], *bounds: Instant) -> list[int]:
    """The amounts that belong between each two bounds."""
    return [
        sum(spread.part(since, until) for spread in spreads_of(postings)) for since, until in pairwise(sorted(bounds))
    ]


BOUNDS = [at(2028, month, 1) for month in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("what", "postings", "expected"),
    [
        (
            "a month from the 16th of a leap February: 14 of its 29 days lie in it",
            [paid(29_000_000, at(2028, 2, 16), at(2028, 2, 16), at(2028, 3, 16))],
            [0, 14_000_000, 15_000_000, 0],
        ),
        (
            "three micro-units over four months: each comes when it is whole, and none is lost",
            [paid(3, at(2028, 1, 1), at(2028, 1, 1), at(2028, 5, 1))],
            [0, 1, 1, 1],
        ),
        (
            "paid in January for March",
            [paid(31_000_000, at(2028, 1, 20), at(2028, 3, 1), at(2028, 4, 1), "Renewal")],
            [0, 0, 31_000_000, 0],
        ),
        (
            "paid on 11 March for the time since 20 February: spread over what is left of it, since February is over",
            [paid(20_000_000, at(2028, 3, 11), at(2028, 2, 20), at(2028, 3, 21), "Renewal")],
            [0, 0, 20_000_000, 0],
        ),
        (
            "no time on record: it counts when it was paid",
            [paid(7_000_000, at(2028, 2, 29, 23), None, None)],
            [0, 7_000_000, 0, 0],
        ),
        (
            "paid back in the month in which it was paid: there never was a cost",
            [paid(60_000_000, at(2028, 1, 5), at(2028, 1, 5), at(2028, 3, 5)), refund(60_000_000, at(2028, 1, 9))],
            [0, 0, 0, 0],
        ),
        (
            "paid back later: what earlier months had is taken back, and nothing comes after it",
            [paid(60_000_000, at(2028, 1, 2), at(2028, 1, 2), at(2028, 3, 2)), refund(60_000_000, at(2028, 2, 9))],
            [30_000_000, -30_000_000, 0, 0],
        ),
        (
            "more units paid back: the last payment of that amount, and never a renewal",
            [
                paid(62_000_000, at(2028, 1, 1), at(2028, 1, 1), at(2028, 2, 1)),
                paid(31_000_000, at(2028, 1, 1), at(2028, 1, 1), at(2028, 2, 1), "Resize"),
                paid(31_000_000, at(2028, 1, 25), at(2028, 3, 1), at(2028, 4, 1), "Renewal"),
                refund(31_000_000, at(2028, 2, 3)),
            ],
            [93_000_000, -31_000_000, 31_000_000, 0],
        ),
        (
            "a refund of no payment on record counts when it was made",
            [refund(5_000_000, at(2028, 3, 3))],
            [0, 0, -5_000_000, 0],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_payment_is_spread_evenly_over_the_time_that_it_was_paid_for(
    what: str, postings: list[Posting], expected: list[int]
) -> None:
    assert parts(postings, *BOUNDS) == expected, what


def test_what_a_refund_pays_back_is_known_by_its_amount() -> None:
    bought = paid(60, at(2028, 1, 1), at(2028, 1, 1), at(2028, 2, 1))
    grown = paid(40, at(2028, 1, 2), at(2028, 1, 2), at(2028, 2, 1), "Resize")
    back = refund(40, at(2028, 1, 3))
    spreads = spreads_of([bought, grown, back])
    assert refunded_posting(spreads, back) is grown
    assert refunded_posting(spreads, grown) is None


MOMENTS = st.integers(0, 400 * 24).map(lambda hours: Instant(at(2028, 1, 1) + hours * HOUR_US + hours % 7))


KINDS: tuple[PostingKind, ...] = ("Purchase", "Resize", "Renewal", "Conversion", "Refund")


@st.composite
def histories(draw: st.DrawFn) -> list[Posting]:
    """Payments of any length before, after and around the moment at which they are made; some of them paid back."""
    postings: list[Posting] = []
    for when in sorted(draw(st.lists(MOMENTS, min_size=1, max_size=6))):
        kind = draw(st.sampled_from(KINDS))
        amount = draw(st.integers(1, 5))
        begin = Instant(when + draw(st.integers(-40, 40)) * DAY_US)
        end = Instant(begin + draw(st.integers(1, 3_000)) * HOUR_US)
        postings.append(
            refund(amount, when)
            if kind == "Refund"
            else paid(amount * 10 ** draw(st.integers(0, 9)), when, begin, end, kind)
        )
    return postings


@given(histories(), st.lists(MOMENTS))
def test_the_parts_between_any_moments_add_up_to_what_was_paid(postings: list[Posting], bounds: list[Instant]) -> None:
    everything = (Instant(0), *bounds, at(2040, 1, 1))
    assert sum(parts(postings, *everything)) == -sum(posting.effect_on(wallet("a")) for posting in postings)


@given(histories(), MOMENTS, MOMENTS)
def test_a_month_that_is_over_never_changes(postings: list[Posting], first: Instant, second: Instant) -> None:
    since, until = sorted((first, second))
    known = [posting for posting in postings if posting.at < until]
    # The payments before a refund, which are all there, determine the amounts that it pays back.
    assert parts(known, since, until) == parts(postings, since, until)
