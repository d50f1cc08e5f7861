"""How an instance ends, and what it pays until then, for every status."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.command import Engine, decide
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.commands.instance.engine_report import (
    ConfirmFailed,
    ConfirmReleased,
    ConfirmResized,
    ConfirmResizeFailed,
    ConfirmRunning,
)
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import UP, Instance, InstanceStatus, Placement
from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.model.service import Service
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.rules.metering import charge_usage
from leasebook.domain.rules.release import begin_release, finish_release
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules

START = Instant(1_893_456_000_000_000)
PRICE = 500_000
COUNT = 3
RULES = Rules()
STATUSES: tuple[InstanceStatus, ...] = get_args(InstanceStatus)

# Status: may it be released, does it hold units, does it pay by the minute.
ENDS: dict[InstanceStatus, tuple[bool, bool, bool]] = {
    "Creating": (True, True, False),
    "CreateFailed": (False, False, False),
    "Running": (True, True, True),
    "Stopped": (True, True, False),
    "Releasing": (False, True, False),
    "Released": (False, False, False),
    "Reconfiguring": (True, True, True),
    "ReconfigureFailed": (True, True, True),
    # Only a prepaid instance is in it, and that ends with its term.
    "BillingChanging": (False, True, True),
}


def unit(**changed: Any) -> Instance:
    facts: dict[str, Any] = {
        "id": "unit-1",
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": "order-1",
        "service_id": "svco-1",
        "region": "bj",
        "type": "gpu-1",
        "count": COUNT,
        "placements": (Placement("svco-1", 2, 1),),
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": START,
        "started_at": START,
        "meter_from": START,
    }
    return Instance(**(facts | changed))


def book_with(row: Instance) -> Book:
    book = Book()
    book.load(INSTANCES, (row.id,), row)
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "Asia/Kathmandu", Micro(0), START))
    book.load(ACCOUNT_LIMITS, ("acc-1",), None)
    book.load(OFFERINGS, row.offering, Offering(*row.offering, 1, Micro(PRICE), None, 10, 10 - COUNT))
    book.load(PRICES, row.offering, PriceList(*row.offering, (PriceChange(START, Micro(PRICE)),)))
    service = Service("svco-1", "acc-1", "user-1", "demo", "", "demo", "am-1", "amv-1", "GPU-1-1", None, None, 5, START)
    # Enough of everything that any instance can be taken off it.
    book.load(SERVICES, ("svco-1",), replace(service, deploying=5, prepaid_units=5, postpaid_units=5))
    book.load_suspended("acc-1", [row] if row.is_halted else [])
    return book


def after(us: int) -> Instant:
    return Instant(START + us)


def test_the_table_names_every_status() -> None:
    assert set(ENDS) == set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
def test_which_statuses_hold_units(status: InstanceStatus) -> None:
    assert unit(status=status).reserved == (COUNT if ENDS[status][1] else 0)
    # A growing instance reserves its later size; a shrinking one, its present size.
    assert unit(status=status, target_count=COUNT + 2).reserved == (COUNT + 2 if ENDS[status][1] else 0)
    assert unit(status=status, target_count=COUNT - 2).reserved == (COUNT if ENDS[status][1] else 0)


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_runs_pays_by_the_minute(status: InstanceStatus) -> None:
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
def test_which_statuses_can_be_released(status: InstanceStatus) -> None:
    row = unit(status=status, charge_at=after(HOUR_US), retire_at=after(DAY_US))
    book = book_with(row)
    draft = Draft(book)
    if not ENDS[status][0]:
        with pytest.raises(
            AssertionError, match=rf"unit-1 (is {status} and cannot be released|cannot go from {status} )"
        ):
            begin_release(draft, row, "User", after(MINUTE_US))
        return
    gone = begin_release(draft, row, "User", after(MINUTE_US))
    assert draft.require(INSTANCES, "unit-1") == gone
    assert (gone.status, gone.ended_at, gone.end_reason) == ("Releasing", after(MINUTE_US), "User")
    assert (gone.charge_at, gone.retire_at, gone.released_at) == (None, None, None)
    # Its units are still out of the stock: that the engine confirms.
    assert draft.require(OFFERINGS, "bj", "gpu-1") == book.get(OFFERINGS, "bj", "gpu-1")
    service = draft.require(SERVICES, "svco-1")
    assert (service.replicas, service.deploying) == (3 if status in UP else 5, 3 if status == "Creating" else 5)
    assert (service.prepaid_units, service.postpaid_units) == (5, 4)
    assert gone.placements == ()
    assert gone.charged == (COUNT * PRICE if ENDS[status][2] else 0)


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
    assert draft.require(INSTANCES, "unit-1") == replace(row, status="Released", released_at=after(9))
    assert draft.require(OFFERINGS, "bj", "gpu-1").stock_free == 10


@pytest.mark.parametrize("status", STATUSES)
def test_a_confirmation_counts_in_its_own_transition_only(status: InstanceStatus) -> None:
    for command, counts in (
        (ConfirmRunning(unit_id="unit-1"), status == "Creating"),
        (ConfirmFailed(unit_id="unit-1", reason="no card"), status == "Creating"),
        (ConfirmResized(unit_id="unit-1"), status == "Reconfiguring"),
        (ConfirmResizeFailed(unit_id="unit-1", reason="no card"), status == "Reconfiguring"),
        (ConfirmReleased(unit_id="unit-1"), status == "Releasing"),
    ):
        book = book_with(unit(status=status, target_count=COUNT if status == "Reconfiguring" else None))
        assert decide(book, command, RULES, after(MINUTE_US), Engine()).answer is counts
        assert bool(book.changes()) is counts


def test_an_instance_that_runs_has_its_meter_or_its_term_counted_from_the_confirmation() -> None:
    row = unit(status="Creating", started_at=None, meter_from=None)
    book = book_with(row)
    decide(book, ConfirmRunning(unit_id="unit-1"), RULES, after(MINUTE_US), Engine())
    running = book.get(INSTANCES, "unit-1")
    # In Kathmandu it is 05:46.
    now = after(MINUTE_US)
    started = {"started_at": now, "meter_from": now, "price_number": 0}
    assert running == replace(row, status="Running", charge_at=after(15 * MINUTE_US), **started)
    for auto_renew in (False, True):
        row = unit(
            status="Creating",
            started_at=None,
            meter_from=None,
            payment_timing="Prepaid",
            term_months=1,
            auto_renew=auto_renew,
        )
        book = book_with(row)
        decide(book, ConfirmRunning(unit_id="unit-1"), RULES, now, Engine())
        expires_at = after(31 * DAY_US + MINUTE_US)
        assert book.get(INSTANCES, "unit-1") == replace(
            row,
            status="Running",
            started_at=now,
            term_from=now,
            term_anchor=now,
            expires_at=expires_at,
            renew_at=Instant(expires_at - 7 * DAY_US) if auto_renew else None,
        )


def test_what_cannot_be_provided_costs_nothing_and_holds_nothing() -> None:
    paid = Micro(2 * PRICE)
    row = unit(status="Creating", started_at=None, meter_from=None, payment_timing="Prepaid", charged=paid)
    book = book_with(row)
    decide(book, ConfirmFailed(unit_id="unit-1", reason="no card is left"), RULES, after(5), Engine())
    assert book.get(INSTANCES, "unit-1") == replace(
        row, status="CreateFailed", charged=Micro(0), placements=(), failure="no card is left"
    )
    assert book.get(OFFERINGS, "bj", "gpu-1").stock_free == 10  # type: ignore[union-attr]
    assert book.get(ACCOUNTS, "acc-1").balance == paid  # type: ignore[union-attr]
    assert [(made.kind, made.amount, made.unit_id) for made in book.postings] == [("Refund", paid, "unit-1")]
    service = book.get(SERVICES, "svco-1")
    assert service is not None
    assert (service.replicas, service.deploying, service.prepaid_units) == (5, 3, 4)


# Due work is done only while the instance says that it is due then.

DUE_AT = after(HOUR_US)
FIELD = {
    DueKind.RENEW: "renew_at",
    DueKind.RELEASE: "release_at",
    DueKind.EXPIRE: "expires_at",
    DueKind.RETIRE: "retire_at",
    DueKind.CHARGE: "charge_at",
    DueKind.STOP: "stop_at",
    DueKind.RESUME: "resume_at",
    DueKind.REMIND: "remind_at",
}
RUNNING: set[InstanceStatus] = {"Running", "Reconfiguring", "ReconfigureFailed"}
# Kind: in which statuses it is done, where the instance's own time for it is the due time.
DONE_IN: dict[DueKind, set[InstanceStatus]] = {
    DueKind.RENEW: RUNNING | {"BillingChanging", "Stopped"},
    DueKind.RELEASE: RUNNING | {"Creating", "Stopped"},
    DueKind.EXPIRE: RUNNING | {"BillingChanging"},
    DueKind.RETIRE: {"Stopped"},
    DueKind.CHARGE: RUNNING | {"BillingChanging"},
    DueKind.STOP: RUNNING | {"BillingChanging"},
    DueKind.RESUME: {"Stopped"},
    DueKind.REMIND: RUNNING | {"Creating", "Stopped", "BillingChanging"},
}
DUE_OF = list(DONE_IN)
PREPAID_KINDS = (DueKind.RENEW, DueKind.EXPIRE, DueKind.RETIRE)
OTHER_TIMES = (None, Instant(DUE_AT - 1), Instant(DUE_AT + 1))


def due_unit(kind: DueKind, status: InstanceStatus, at: Instant | None = DUE_AT, **changed: Any) -> Instance:
    """An instance for which that kind of work is due, with the payment timing that the kind allows."""
    facts: dict[str, Any] = {"status": status, FIELD[kind]: at}
    if kind in PREPAID_KINDS or status == "BillingChanging":
        facts |= {"payment_timing": "Prepaid", "term_from": START, "term_anchor": START, "term_months": 1}
        facts |= {"meter_from": None, "auto_renew": kind is DueKind.RENEW}
        facts.setdefault("expires_at", after(31 * DAY_US))
    return unit(**(facts | changed))


def do(book: Book, kind: DueKind) -> Any:
    return decide(book, DoDue(due=Due(DUE_AT, kind, "unit-1")), RULES, DUE_AT, Engine()).answer


@pytest.mark.parametrize("kind", DUE_OF)
@pytest.mark.parametrize("status", STATUSES)
def test_due_work_is_done_in_these_statuses_and_in_no_others(kind: DueKind, status: InstanceStatus) -> None:
    if (kind, status) == (DueKind.RELEASE, "BillingChanging"):
        return  # it is prepaid, and nothing prepaid has a release time
    book = book_with(due_unit(kind, status))
    done = do(book, kind)
    assert done is (status in DONE_IN[kind])
    assert bool(book.changes()) is done
    if done:
        # It is not due once more: whatever came of it, that moment is over.
        assert do(book, kind) is False


@pytest.mark.parametrize("kind", DUE_OF)
@pytest.mark.parametrize("moved_to", OTHER_TIMES)
def test_due_work_that_was_moved_or_cleared_meanwhile_is_not_done(kind: DueKind, moved_to: Instant | None) -> None:
    for status in STATUSES:
        book = book_with(due_unit(kind, status, moved_to))
        assert do(book, kind) is False
        assert not book.changes()


@pytest.mark.parametrize("kind", DUE_OF)
def test_due_work_on_an_instance_that_is_none_is_not_done(kind: DueKind) -> None:
    book = Book()
    book.load(INSTANCES, ("unit-1",), None)
    assert do(book, kind) is False


SINCE = Instant(DUE_AT - RULES.arrears_grace_us)
RETIRED = Instant(DUE_AT + RULES.retention_us)
# Kind, status before: status after, why it ended, minutes charged, retired at; more of the instance; the account.
OUTCOMES: list[tuple[DueKind, InstanceStatus, str, str | None, int, Instant | None, dict[str, Any], dict[str, Any]]] = [
    (DueKind.RELEASE, "Running", "Releasing", "Schedule", 60, None, {}, {}),
    (DueKind.RELEASE, "Creating", "Releasing", "Schedule", 0, None, {"started_at": None, "meter_from": None}, {}),
    (DueKind.RELEASE, "Stopped", "Releasing", "Schedule", 0, None, {"meter_from": None}, {}),
    (DueKind.CHARGE, "Running", "Running", None, 60, None, {}, {}),
    (DueKind.EXPIRE, "Running", "Stopped", None, 0, RETIRED, {}, {}),
    (DueKind.RETIRE, "Stopped", "Releasing", "Expiry", 0, None, {}, {}),
    (DueKind.RETIRE, "Stopped", "Releasing", "Arrears", 0, None, {"payment_timing": "Postpaid"}, {}),
    # In debt for the whole grace: stopped. For less, or not any more: not yet, or not at all.
    (DueKind.STOP, "Running", "Stopped", None, 60, RETIRED, {}, {"balance": -1, "arrears_since": SINCE}),
    (DueKind.STOP, "Running", "Running", None, 0, None, {}, {"balance": -1, "arrears_since": Instant(SINCE + 1)}),
    (DueKind.STOP, "Running", "Running", None, 0, None, {}, {}),
    (DueKind.RESUME, "Stopped", "Running", None, 0, None, {"meter_from": None, "retire_at": RETIRED}, {}),
    (
        DueKind.RESUME,
        "Stopped",
        "Stopped",
        None,
        0,
        RETIRED,
        {"meter_from": None, "retire_at": RETIRED},
        {"balance": -1, "arrears_since": START},
    ),
    # Not sold by the month here, so it cannot be renewed now; the last try is at its end.
    (DueKind.RENEW, "Running", "Running", None, 0, None, {"expires_at": after(13 * HOUR_US)}, {}),
]


@pytest.mark.parametrize(("kind", "before", "status", "reason", "minutes", "retire_at", "facts", "account"), OUTCOMES)
def test_what_due_work_does(
    kind: DueKind,
    before: InstanceStatus,
    status: InstanceStatus,
    reason: str | None,
    minutes: int,
    retire_at: Instant | None,
    facts: dict[str, Any],
    account: dict[str, Any],
) -> None:
    book = book_with(due_unit(kind, before, **facts))
    owner = book.get(ACCOUNTS, "acc-1")
    assert owner is not None
    book.load(ACCOUNTS, ("acc-1",), replace(owner, **account))
    assert do(book, kind) is True
    row = book.get(INSTANCES, "unit-1")
    assert row is not None
    assert (row.status, row.end_reason, row.metered_minutes, row.retire_at) == (status, reason, minutes, retire_at)
    assert row.ended_at == (None if reason is None else DUE_AT)
    service = book.get(SERVICES, "svco-1")
    assert service is not None
    assert service.replicas == 5 + 2 * ((row.status in UP) - (before in UP))
    assert service.deploying == 5 - 2 * (before == "Creating")
    # Full hours of Kathmandu: 06:45 is followed by 07:00.
    again = kind is DueKind.CHARGE or (kind is DueKind.RESUME and status == "Running")
    assert row.charge_at == (after(HOUR_US + 15 * MINUTE_US) if again else None)


@pytest.mark.parametrize(
    ("debt_began", "stops"),
    [(None, None), (DUE_AT, 24 * HOUR_US), (START, 23 * HOUR_US), (Instant(DUE_AT - 30 * HOUR_US), 0)],
)
def test_an_hour_that_leaves_a_debt_is_followed_by_a_stop_after_the_grace(
    debt_began: Instant | None, stops: int | None
) -> None:
    book = book_with(due_unit(DueKind.CHARGE, "Running"))
    owner = book.get(ACCOUNTS, "acc-1")
    assert owner is not None
    # The balance covers the price of an hour to the last, or the hour makes the debt, or the debt is older.
    cost = 60 * COUNT * PRICE
    balance = cost if debt_began is None else cost - 1 if debt_began == DUE_AT else -1
    since = None if balance >= 0 else debt_began
    book.load(ACCOUNTS, ("acc-1",), replace(owner, balance=Micro(balance), arrears_since=since))
    assert do(book, DueKind.CHARGE) is True
    row, account = book.get(INSTANCES, "unit-1"), book.get(ACCOUNTS, "acc-1")
    assert row is not None
    assert account is not None
    assert (account.balance, account.arrears_since) == (balance - cost, debt_began)
    assert row.stop_at == (None if stops is None else DUE_AT + stops)


def test_what_stops_while_it_is_resized_has_its_new_size_from_then_on() -> None:
    row = due_unit(DueKind.STOP, "Reconfiguring", target_count=COUNT - 1)
    book = book_with(row)
    owner = book.get(ACCOUNTS, "acc-1")
    assert owner is not None
    book.load(ACCOUNTS, ("acc-1",), replace(owner, balance=Micro(-1), arrears_since=SINCE))
    assert do(book, DueKind.STOP) is True
    stopped = book.get(INSTANCES, "unit-1")
    assert stopped is not None
    assert (stopped.status, stopped.count, stopped.target_count) == ("Stopped", COUNT - 1, None)
    # Its use until then was of the old size.
    assert stopped.charged == 60 * COUNT * PRICE
    assert book.get(OFFERINGS, "bj", "gpu-1").stock_free == 10 - COUNT + 1  # type: ignore[union-attr]
