"""Cases that chance seldom makes: quotes, tries to renew, days of a month and debts, each at its edge."""

from __future__ import annotations

import pytest

from leasebook.domain.book.tables import INSTANCES, QUOTES
from leasebook.domain.commands.command import Engine
from leasebook.domain.model.service import resource_type_of
from leasebook.domain.values.calendar import DAY_US, Instant, parse_time
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.asks import (
    Ask,
    Buy,
    BuyQuoted,
    Deploy,
    Drop,
    Fund,
    Offer,
    PlaceReplicas,
    Quoted,
    Renew,
    Report,
    Resize,
    Step,
    SwitchBilling,
    Wait,
)
from tests.simulation.history import DAY, HOUR
from tests.simulation.lives import MINUTELY, MONTH, MONTHLY, found, lived, played

MINUTE = 60
QUOTE = Ask(Quoted(Buy(0, "bj", "gpu-1", 1, 0, None), keep=True))
DEARER, DEARER_STILL = (Ask(Offer("bj", "gpu-1", price, None, None)) for price in (700_000, 900_000))
SLOW = Engine()


# --- quotes --------------------------------------------------------------------------------------------------


def test_a_quoted_price_holds_from_the_purchase_until_the_price_changes_again() -> None:
    (unit,) = lived(
        found(QUOTE, Wait(30), DEARER, Wait(30), Ask(BuyQuoted(0, "same")), Wait(10 * MINUTE), DEARER_STILL, Wait(HOUR))
    )
    # Bought at 09:31, dearer from 09:41 on, and charged at ten o'clock.
    assert unit.charged == 10 * 500_000 + 19 * 900_000


@pytest.mark.parametrize(("waited", "is_good"), [(15 * MINUTE - 1, True), (15 * MINUTE, False), (HOUR, False)])
def test_a_quote_is_good_until_its_last_moment(waited: int, is_good: bool) -> None:  # noqa: FBT001
    assert len(lived(found(QUOTE, Wait(waited), Ask(BuyQuoted(0, "same")), Wait(1)))) == is_good


@pytest.mark.parametrize(
    ("steps", "bought"),
    [
        ((Ask(BuyQuoted(0, "same")), Ask(BuyQuoted(0, "same"))), 1),
        ((Ask(BuyQuoted(0, "more")), Ask(BuyQuoted(0, "stranger"))), 0),
        ((Ask(BuyQuoted(0, "more")), Ask(BuyQuoted(0, "anywhere"))), 1),
        ((QUOTE, Ask(BuyQuoted(0, "same")), Ask(BuyQuoted(-1, "same"))), 2),
    ],
)
def test_a_quote_is_for_one_purchase_just_like_it(steps: tuple[Step, ...], bought: int) -> None:
    books, _ = played(found(QUOTE, Wait(1), *steps, Wait(1)))
    assert sum(quote.used_by is not None for quote in books.table(QUOTES)) == bought
    assert len(books.table(INSTANCES)) == bought


# --- terms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("money_comes", "renewed"),
    [(31, 7), (8, 7), (7, 7), (6, 6), (3, 3), (0.5, 0.5), (0, 0), (-0.5, -0.5), (-3, -3), (-6.5, -6.5)],
)
def test_a_term_is_renewed_a_week_before_its_end_or_when_the_money_comes(money_comes: float, renewed: float) -> None:
    buy = Ask(Buy(0, "bj", "gpu-1", 1, 1, None, 1))
    wait = int((31 - money_comes) * DAY)
    history = found(buy, Wait(wait), Ask(Fund(0, MONTH)), Wait(40 * DAY - wait), funds=MONTH)
    books, _ = played(history)
    (posting,) = (posting for posting in books.postings if posting.kind == "Renewal")
    assert posting.since is not None
    assert posting.at == posting.since - renewed * DAY_US


def utc(text: str) -> Instant:
    return parse_time(f"{text}T09:30:00Z", "UTC")


@pytest.mark.parametrize(
    ("months", "day", "ends", "months_paid"),
    [
        (1, None, "2030-03-15", 2),
        (0, 15, "2030-03-15", 2),  # it ends on that day already: the next one
        (1, 15, "2030-03-15", 2),  # a month more, and there it is
        (0, 16, "2030-02-16", 1 + 1 / 31),
        (0, 31, "2030-02-28", 1 + 16 / 31),  # it is the thirty-first that is paid for
        (0, 14, "2030-03-14", 1 + 30 / 31),
        (1, 31, "2030-03-31", 2 + 16 / 31),
    ],
)
def test_a_renewal_ends_on_the_day_that_was_asked_for(
    months: int, day: int | None, ends: str, months_paid: float
) -> None:
    (unit,) = lived(found(MONTHLY, Ask(Renew(0, months, day)), Wait(1)))
    assert unit.expires_at == utc(ends)
    assert unit.charged == pytest.approx(MONTH * months_paid, abs=1)


@pytest.mark.parametrize("months", [1, 2, 12])
def test_who_turns_to_prepaid_pays_every_month_of_the_term(months: int) -> None:
    (unit,) = lived(found(MINUTELY, Wait(90), Ask(SwitchBilling(0, months)), Wait(1)))
    assert unit.charged == 2 * 500_000 + months * MONTH


# --- sizes ---------------------------------------------------------------------------------------------------


def test_units_that_are_about_to_go_take_no_more_replicas_and_those_about_to_come_none_yet() -> None:
    deploy, buy = Ask(Deploy((-1,), 1, 1)), Ask(Buy(0, "bj", "gpu-1", 3, 0, None))
    for size, placed, room in ((2, 3, 1), (2, 2, 2), (5, 4, 1), (5, 3, 3)):
        steps = (buy, Report(), deploy, Ask(Resize(-1, size)), Ask(PlaceReplicas(0, -1, placed)), Wait(1))
        (unit,) = lived(found(*steps, engine=SLOW))
        assert (unit.status, unit.used) == ("Reconfiguring", room)
    assert resource_type_of("gpu-1", 1) == "GPU-1-1"


def test_a_minute_in_which_it_shrinks_and_grows_is_paid_for_the_most_it_had() -> None:
    sizes = [Ask(Resize(0, number)) for number in (4, 1, 3, 2)]
    steps = [step for size in sizes for step in (Wait(10), size)]
    (unit,) = lived(found(MINUTELY, *steps, Wait(30 * MINUTE)))
    # The first minute for four units, and 29 for two, until ten o'clock.
    assert unit.charged == (4 + 29 * 2) * 500_000


# --- debts ---------------------------------------------------------------------------------------------------


def test_a_debt_that_was_paid_does_not_shorten_the_grace_of_the_next_one() -> None:
    rules = Rules(arrears_grace_us=DAY_US)
    # 300 last ten hours: in debt at eight in the evening, paid at ten, in debt again at eleven.
    steps = (MINUTELY, Wait(12 * HOUR + 30 * MINUTE), Ask(Fund(0, 75_000_000)), Wait(24 * HOUR))
    (running,) = lived(found(*steps, funds=MONTH, rules=rules))
    assert running.status == "Running"
    (stopped,) = lived(found(*steps, Wait(2 * HOUR), funds=MONTH, rules=rules))
    assert stopped.status == "Stopped"


def test_a_stop_that_was_planned_for_one_debt_does_not_come_for_another_that_is_young() -> None:
    rules = Rules(arrears_grace_us=DAY_US)
    # Three instances; the release of the second makes a debt at a quarter past ten, whose grace is over a day later.
    begun = (MINUTELY, MINUTELY, MINUTELY, Wait(45 * MINUTE), Ask(Drop(1)), Wait(23 * HOUR + 50 * MINUTE))
    # It is paid ten minutes before, and the release of the third makes another one.
    again = (Ask(Fund(0, 1_443_500_000)), Wait(5 * MINUTE), Ask(Drop(0)), Wait(10 * MINUTE))
    kept, *_ = lived(found(*begun, *again, funds=50_000_000, rules=rules))
    assert kept.status == "Running"
    unpaid, *_ = lived(found(*begun, Wait(15 * MINUTE), funds=50_000_000, rules=rules))
    assert unpaid.status == "Stopped"
    later, *_ = lived(found(*begun, *again, Wait(DAY), funds=50_000_000, rules=rules))
    assert later.status == "Stopped"
