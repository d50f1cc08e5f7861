"""How an instance ends, and what it pays until then, for every status."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from leasehold.commands.command import Engine, decide
from leasehold.commands.confirm import ConfirmReleased, ConfirmRunning
from leasehold.commands.release import DoDue
from leasehold.domain.account import Account
from leasehold.domain.agenda import Due, DueKind
from leasehold.domain.book import ACCOUNTS, OFFERINGS, PRICES, SERVICES, UNITS, Book, Draft
from leasehold.domain.calendar import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant
from leasehold.domain.catalogue import Offering, PriceChange, PriceList
from leasehold.domain.ending import begin_release, charge_usage, finish_release
from leasehold.domain.money import Micro
from leasehold.domain.rules import Rules
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit, UnitStatus

START = Instant(1_893_456_000_000_000)
PRICE = 500_000
COUNT = 3
RULES = Rules()
STATUSES: tuple[UnitStatus, ...] = get_args(UnitStatus)

# Status: may it be released, does it hold units, does it pay by the minute.
ENDS: dict[UnitStatus, tuple[bool, bool, bool]] = {
    "Creating": (True, True, False),
    "CreateFailed": (False, False, False),
    "Running": (True, True, True),
    "Stopped": (True, True, False),
    "Releasing": (False, True, False),
    "Released": (False, False, False),
    "Reconfiguring": (True, True, False),
    "ReconfigureFailed": (True, True, False),
    "BillingChanging": (True, True, False),
}


def unit(**changed: Any) -> Unit:
    facts: dict[str, Any] = {
        "id": "unit-1",
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": "order-1",
        "service_id": "svco-1",
        "region": "bj",
        "type": "gpu-1",
        "count": COUNT,
        "replicas": 2,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": START,
        "started_at": START,
    }
    return Unit(**(facts | changed))


def book_with(row: Unit) -> Book:
    book = Book()
    book.load(UNITS, (row.id,), row)
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "Asia/Kathmandu", Micro(0), START))
    book.load(OFFERINGS, row.offering, Offering(*row.offering, 1, Micro(PRICE), None, 10, 10 - COUNT))
    book.load(PRICES, row.offering, PriceList(*row.offering, (PriceChange(START, Micro(PRICE)),)))
    service = Service("svco-1", "acc-1", "user-1", "demo", "", "demo", "am-1", "amv-1", "GPU-1-1", None, None, 5, START)
    book.load(SERVICES, ("svco-1",), service)
    return book


def after(us: int) -> Instant:
    return Instant(START + us)


def test_the_table_names_every_status() -> None:
    assert set(ENDS) == set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
def test_which_statuses_hold_units(status: UnitStatus) -> None:
    assert unit(status=status).holds == ENDS[status][1]


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_runs_pays_by_the_minute(status: UnitStatus) -> None:
    row = unit(status=status)
    draft = Draft(book_with(row))
    charged = charge_usage(draft, row, after(90 * SECOND_US))
    if ENDS[status][2]:
        assert (charged.metered_minutes, charged.charged) == (2, 2 * COUNT * PRICE)
        assert [(made.amount, made.minutes, made.at) for made in draft.postings] == [
            (2 * COUNT * PRICE, 2, after(90 * SECOND_US))
        ]
    else:
        assert charged == row
        assert draft.changed == {}
        assert draft.postings == []


def test_what_is_prepaid_pays_nothing_by_the_minute() -> None:
    row = unit(payment_timing="Prepaid")
    draft = Draft(book_with(row))
    assert charge_usage(draft, row, after(HOUR_US)) == row
    assert draft.postings == []


def test_a_minute_is_charged_once_however_often_it_is_asked_for() -> None:
    row = unit()
    draft = Draft(book_with(row))
    for until in (30 * SECOND_US, 30 * SECOND_US, MINUTE_US, MINUTE_US + 1, 10 * SECOND_US, 5 * MINUTE_US):
        row = charge_usage(draft, row, after(until))
    assert [made.minutes for made in draft.postings] == [1, 1, 3]
    assert row.metered_minutes == 5
    assert row.charged == 5 * COUNT * PRICE == sum(made.amount for made in draft.postings)


def test_minutes_that_are_free_are_metered_and_not_posted() -> None:
    row = unit()
    book = book_with(row)
    book.load(PRICES, row.offering, PriceList(*row.offering, (PriceChange(START, Micro(0)),)))
    draft = Draft(book)
    assert charge_usage(draft, row, after(HOUR_US)).metered_minutes == 60
    assert draft.postings == []


@pytest.mark.parametrize("status", STATUSES)
def test_which_statuses_can_be_released(status: UnitStatus) -> None:
    row = unit(status=status, charge_at=after(HOUR_US), retire_at=after(DAY_US))
    book = book_with(row)
    draft = Draft(book)
    if not ENDS[status][0]:
        with pytest.raises(AssertionError, match=f"unit-1 is {status} and cannot be released"):
            begin_release(draft, row, "User", after(MINUTE_US))
        return
    gone = begin_release(draft, row, "User", after(MINUTE_US))
    assert draft.require(UNITS, "unit-1") == gone
    assert (gone.status, gone.ended_at, gone.end_reason) == ("Releasing", after(MINUTE_US), "User")
    assert (gone.charge_at, gone.retire_at, gone.released_at) == (None, None, None)
    # Its units are still out of the stock: that the engine confirms.
    assert draft.require(OFFERINGS, "bj", "gpu-1") == book.get(OFFERINGS, "bj", "gpu-1")
    running = status in ("Creating", "Running")
    assert draft.require(SERVICES, "svco-1").replicas == (3 if running else 5)
    assert gone.charged == (COUNT * PRICE if status == "Running" else 0)


# Scheduled for, done at: ended at, minutes paid.
CUT = [
    (None, 150 * SECOND_US, 150 * SECOND_US, 3),
    (120 * SECOND_US, 120 * SECOND_US, 120 * SECOND_US, 2),
    (120 * SECOND_US, 3 * HOUR_US, 120 * SECOND_US, 2),  # the work ran late
    (120 * SECOND_US, 30 * SECOND_US, 30 * SECOND_US, 1),  # the user was earlier
    (120 * SECOND_US + 1, 3 * HOUR_US, 120 * SECOND_US + 1, 3),
]


@pytest.mark.parametrize(("scheduled", "done", "ended", "minutes"), CUT)
@pytest.mark.parametrize("reason", ["User", "Schedule"])
def test_nobody_pays_beyond_the_release_time(
    scheduled: int | None, done: int, ended: int, minutes: int, reason: Any
) -> None:
    row = unit(release_at=None if scheduled is None else after(scheduled))
    draft = Draft(book_with(row))
    gone = begin_release(draft, row, reason, after(done))
    assert (gone.ended_at, gone.metered_minutes) == (after(ended), minutes)
    assert [(made.at, made.minutes) for made in draft.postings] == [(after(ended), minutes)]


def test_the_units_come_back_when_the_engine_confirms_and_not_before() -> None:
    row = unit(status="Releasing", ended_at=after(5))
    draft = Draft(book_with(row))
    finish_release(draft, row, after(9))
    assert draft.require(UNITS, "unit-1") == msgspec.structs.replace(row, status="Released", released_at=after(9))
    assert draft.require(OFFERINGS, "bj", "gpu-1").stock_free == 10


@pytest.mark.parametrize("status", STATUSES)
def test_a_confirmation_counts_in_its_own_transition_only(status: UnitStatus) -> None:
    for command, counts in (
        (ConfirmRunning(unit_id="unit-1"), status == "Creating"),
        (ConfirmReleased(unit_id="unit-1"), status == "Releasing"),
    ):
        book = book_with(unit(status=status))
        assert decide(book, command, RULES, after(MINUTE_US), Engine()).answer is counts
        assert bool(book.changes()) is counts


def test_an_instance_that_runs_has_its_meter_or_its_term_counted_from_the_confirmation() -> None:
    row = unit(status="Creating", started_at=None)
    book = book_with(row)
    decide(book, ConfirmRunning(unit_id="unit-1"), RULES, after(MINUTE_US), Engine())
    running = book.get(UNITS, "unit-1")
    # In Kathmandu it is 05:46.
    assert running == msgspec.structs.replace(
        row, status="Running", started_at=after(MINUTE_US), charge_at=after(15 * MINUTE_US)
    )
    row = unit(status="Creating", started_at=None, payment_timing="Prepaid", term_months=1)
    book = book_with(row)
    decide(book, ConfirmRunning(unit_id="unit-1"), RULES, after(MINUTE_US), Engine())
    running = book.get(UNITS, "unit-1")
    assert running == msgspec.structs.replace(
        row, status="Running", started_at=after(MINUTE_US), expires_at=after(31 * DAY_US + MINUTE_US)
    )


# Due work is done only while the instance says that it is due then.

DUE_AT = after(HOUR_US)
FIELD = {
    DueKind.RELEASE: "release_at",
    DueKind.EXPIRE: "expires_at",
    DueKind.RETIRE: "retire_at",
    DueKind.CHARGE: "charge_at",
}
# Kind: in which statuses it is done, where the instance's own time for it is the due time.
DONE_IN: dict[DueKind, set[UnitStatus]] = {
    DueKind.RELEASE: {"Creating", "Running", "Stopped", "Reconfiguring", "ReconfigureFailed", "BillingChanging"},
    DueKind.EXPIRE: {"Running"},
    DueKind.RETIRE: {"Stopped"},
    DueKind.CHARGE: {"Running"},
}
OTHER_TIMES = (None, Instant(DUE_AT - 1), Instant(DUE_AT + 1))


@pytest.mark.parametrize("kind", list(DueKind))
@pytest.mark.parametrize("status", STATUSES)
def test_due_work_is_done_in_these_statuses_and_in_no_others(kind: DueKind, status: UnitStatus) -> None:
    row = unit(status=status, **{FIELD[kind]: DUE_AT})
    book = book_with(row)
    done = decide(book, DoDue(due=Due(DUE_AT, kind, "unit-1")), RULES, DUE_AT, Engine()).answer
    assert done is (status in DONE_IN[kind])
    assert bool(book.changes()) is done


@pytest.mark.parametrize("kind", list(DueKind))
@pytest.mark.parametrize("moved_to", OTHER_TIMES)
def test_due_work_that_was_moved_or_cleared_meanwhile_is_not_done(kind: DueKind, moved_to: Instant | None) -> None:
    for status in STATUSES:
        book = book_with(unit(status=status, **{FIELD[kind]: moved_to}))
        assert decide(book, DoDue(due=Due(DUE_AT, kind, "unit-1")), RULES, DUE_AT, Engine()).answer is False
        assert not book.changes()


@pytest.mark.parametrize("kind", list(DueKind))
def test_due_work_on_an_instance_that_is_none_is_not_done(kind: DueKind) -> None:
    book = Book()
    book.load(UNITS, ("unit-1",), None)
    assert decide(book, DoDue(due=Due(DUE_AT, kind, "unit-1")), RULES, DUE_AT, Engine()).answer is False


# Kind, status before: status after, why it ended, minutes charged, retired at.
OUTCOMES = [
    (DueKind.RELEASE, "Running", "Releasing", "Schedule", 60, None),
    (DueKind.RELEASE, "Creating", "Releasing", "Schedule", 0, None),
    (DueKind.CHARGE, "Running", "Running", None, 60, None),
    (DueKind.EXPIRE, "Running", "Stopped", None, 0, Instant(DUE_AT + 7 * DAY_US)),
    (DueKind.RETIRE, "Stopped", "Releasing", "Expiry", 0, None),
]


@pytest.mark.parametrize(("kind", "before", "status", "reason", "minutes", "retire_at"), OUTCOMES)
def test_what_due_work_does(
    kind: DueKind, before: UnitStatus, status: UnitStatus, reason: str | None, minutes: int, retire_at: Instant | None
) -> None:
    timing = "Prepaid" if kind in (DueKind.EXPIRE, DueKind.RETIRE) else "Postpaid"
    started = None if before == "Creating" else START
    book = book_with(unit(status=before, payment_timing=timing, started_at=started, **{FIELD[kind]: DUE_AT}))
    decide(book, DoDue(due=Due(DUE_AT, kind, "unit-1")), RULES, DUE_AT, Engine())
    row = book.get(UNITS, "unit-1")
    assert row is not None
    assert (row.status, row.end_reason, row.metered_minutes, row.retire_at) == (status, reason, minutes, retire_at)
    assert row.ended_at == (None if reason is None else DUE_AT)
    replicas = 5 if before == "Stopped" or kind is DueKind.CHARGE else 3
    assert book.get(SERVICES, "svco-1").replicas == replicas  # type: ignore[union-attr]
    # Full hours of Kathmandu: 06:45 is followed by 07:00.
    assert row.charge_at == (after(HOUR_US + 15 * MINUTE_US) if kind is DueKind.CHARGE else None)
