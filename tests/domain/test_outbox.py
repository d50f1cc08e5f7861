"""The outbox as values: who gets what, when it is tried again, who may try, and when it ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import DELIVERIES, DELIVERY_QUEUES, SUBSCRIPTIONS, TABLES, Table
from leasebook.domain.commands.account.delivery import ClaimLanes, DeliveryDone, EnqueueDeliveries, LoggedEvent
from leasebook.domain.commands.account.subscription import (
    DeleteHook,
    EndHook,
    Redeliver,
    Redelivered,
    RedeliverGivenUp,
    SetHook,
)
from leasebook.domain.commands.command import Command, Decision, Engine, decide
from leasebook.domain.model.subscription import (
    BACK_OFF_MAX_US,
    BACK_OFF_MIN_US,
    Delivery,
    DeliveryQueue,
    Outcome,
    OutcomeKind,
    Subscription,
    back_off_us,
    delivery_of,
    settle,
    too_late,
)
from leasebook.domain.record.event import (
    BOUGHT,
    HOOK_CONFIRMING,
    HOOK_GAVE_UP,
    HOOK_PAUSED,
    HOOK_TESTED,
    REMINDED,
    RUNNING,
    TYPES,
    Event,
)
from leasebook.domain.values.calendar import DAY_US, HOUR_US, SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules

NOW = Instant(1_000 * DAY_US)
RULES = Rules()
TABLE_OF: dict[type, Table[Any]] = {Subscription: SUBSCRIPTIONS, DeliveryQueue: DELIVERY_QUEUES, Delivery: DELIVERIES}
IDS = st.text("abc0123456789-", min_size=1, max_size=20)


def hook(**changed: Any) -> Subscription:
    facts: dict[str, Any] = {
        "id": "sub-1",
        "account_id": "acc-1",
        "kind": "Webhook",
        "target": "https://x.example/",
        "sealed": b"s",
        "types": (),
        "unit_id": None,
        "status": "Active",
        "created_by": "u",
        "created_at": NOW,
        "since": NOW,
        "page": 0,
    }
    return Subscription(**(facts | changed))


def event(kind: str = BOUGHT, unit_id: str | None = "unit-1", **data: Any) -> Event:
    return Event(NOW, kind, unit_id, None, data)


def delivery(**changed: Any) -> Delivery:
    return msgspec.structs.replace(delivery_of(hook(), 1, 0, event(), NOW), **changed)


def book_of(*rows: Subscription | DeliveryQueue | Delivery) -> Book:
    book = Book()
    for row in rows:
        table: Table[Any] = TABLE_OF[type(row)]
        book.load(table, table.key_of(row), row)
    return book


def done(book: Book, command: Command, now: int = NOW) -> Decision:
    """Decide a command on a book; what it asks for and is not there is put down as missing."""
    for need in command.needs():
        assert isinstance(need, tuple)
        if not book.has(*need):
            book.load(*need, None)
    return decide(book, command, RULES, Instant(now), Engine())


@given(IDS, st.integers(1, 2000))
def test_the_wait_grows_from_five_seconds_to_an_hour_and_is_the_same_whenever_it_is_reckoned(
    delivery_id: str, attempts: int
) -> None:
    wait = back_off_us(delivery_id, attempts)
    assert BACK_OFF_MIN_US <= wait <= min(BACK_OFF_MIN_US * 2**attempts, BACK_OFF_MAX_US)
    assert wait == back_off_us(delivery_id, attempts)


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = [back_off_us(f"sub-1-{page}-0", 12) // (60 * SECOND_US) for page in range(2000)]
    # Every minute of the hour gets its share of them.
    assert all(5 < waits.count(minute) < 90 for minute in range(1, 59))


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("Delivered", "Delivered"),
        ("Retry", "Waiting"),
        ("Refused", "GivenUp"),
        ("Gone", "Waiting"),
        ("Dropped", "Dropped"),
        ("PutBack", "Waiting"),
    ],
)
def test_each_outcome_ends_where_it_should(kind: OutcomeKind, state: str) -> None:
    after = settle(delivery(), hook(), Outcome(kind, 1, "words"), RULES, NOW)
    assert after.state == state
    assert (after.done_at is None) == (after.clear_at is None) == (state == "Waiting")
    assert after.attempts == (0 if kind in ("Dropped", "PutBack") else 1)
    keep = {"Delivered": 7 * DAY_US, "Dropped": 7 * DAY_US, "GivenUp": 30 * DAY_US}.get(state)
    assert after.clear_at == (None if keep is None else NOW + keep)


@given(st.integers(0, 3 * DAY_US - 1), st.integers(0, 100), st.none() | st.integers(0, 10 * HOUR_US))
def test_a_failure_is_tried_again_within_the_hour_and_the_last_time_when_the_time_is_over(
    age: int, attempts: int, asked: int | None
) -> None:
    now = Instant(NOW + age)
    after = settle(delivery(attempts=attempts), hook(), Outcome("Retry", retry_after_us=asked), RULES, now)
    assert after.next_at is not None
    assert now < after.next_at <= min(now + BACK_OFF_MAX_US, NOW + 3 * DAY_US)
    assert settle(after, hook(), Outcome("Retry"), RULES, Instant(NOW + 3 * DAY_US)).state == "GivenUp"


def test_while_nobody_tried_no_time_to_give_up_runs() -> None:
    resumed = hook(since=Instant(NOW + 10 * DAY_US))
    after = settle(delivery(), resumed, Outcome("Retry"), RULES, Instant(NOW + 12 * DAY_US))
    assert after.state == "Waiting"


@pytest.mark.parametrize(
    ("which", "what", "wanted"),
    [
        ({}, event(), True),
        ({"types": (BOUGHT,)}, event(), True),
        ({"types": (RUNNING,)}, event(), False),
        ({"unit_id": "unit-1"}, event(), True),
        ({"unit_id": "unit-2"}, event(), False),
        ({"unit_id": "unit-2"}, event("account.arrears", None), False),
        ({"types": (RUNNING,), "unit_id": "unit-2"}, event(HOOK_TESTED, None, subscriptionId="sub-1"), True),
        ({}, event(HOOK_TESTED, None, subscriptionId="sub-2"), False),
        ({}, event(HOOK_GAVE_UP, None, subscriptionId="sub-2"), True),
        ({}, event(HOOK_GAVE_UP, None, subscriptionId="sub-1"), False),
        ({}, event(HOOK_PAUSED, None, subscriptionId="sub-1"), False),
        ({"status": "Pending"}, event(), False),
        ({"status": "Pending"}, event(HOOK_CONFIRMING, None, subscriptionId="sub-1"), True),
        ({"status": "Pending"}, event(HOOK_CONFIRMING, None, subscriptionId="sub-2"), False),
        ({"types": (RUNNING,)}, event(HOOK_CONFIRMING, None, subscriptionId="sub-1"), True),
    ],
)
def test_a_hook_gets_what_it_asked_for_and_not_what_went_wrong_with_itself(
    which: dict[str, Any], what: Event, *, wanted: bool
) -> None:
    assert hook(**which).wants(what) is wanted


@pytest.mark.parametrize(
    ("what", "is_late"),
    [
        (event(REMINDED, deadline=NOW), True),
        (event(REMINDED, deadline=NOW - 1), True),
        (event(REMINDED, deadline=NOW + 1), False),
        (event(REMINDED), False),
        (event(BOUGHT, deadline=NOW - 1), False),
    ],
)
def test_only_a_reminder_can_come_too_late(what: Event, *, is_late: bool) -> None:
    assert (too_late(what, NOW) is not None) is is_late


def test_pages_become_deliveries_once_whoever_is_at_it() -> None:
    book = book_of(hook(types=(BOUGHT,)))
    found = tuple(LoggedEvent(1, line, event(kind)) for line, kind in enumerate((BOUGHT, RUNNING, BOUGHT)))
    assert done(book, EnqueueDeliveries(hook_id="sub-1", after=0, page=1, found=found)).answer == 2
    assert done(book, EnqueueDeliveries(hook_id="sub-1", after=0, page=1, found=found)).answer == 0
    lane = book.get(DELIVERY_QUEUES, "sub-1", "unit-1")
    assert lane == DeliveryQueue("sub-1", "unit-1", 2, NOW)
    assert {row.line for row in book.rows[DELIVERIES].values()} == {0, 2}


def test_a_lane_is_had_by_one_until_the_lease_is_over() -> None:
    book = book_of(hook(), DeliveryQueue("sub-1", "unit-1", 1, NOW))

    def claim(holder: str, now: int, **more: Any) -> Any:
        command = ClaimLanes(lanes=(("sub-1", "unit-1"),), holder=holder, lease_us=60, **more)
        return done(book, command, now).answer

    assert claim("a", NOW - 1) == []
    assert claim("a", NOW) == [("sub-1", "unit-1")]
    assert claim("a", NOW) == claim("b", NOW + 59) == []
    assert claim("b", NOW + 60) == [("sub-1", "unit-1")]
    # A server that has the store alone knows that all others are gone.
    assert claim("b", NOW + 61, alone=True) == []
    assert claim("c", NOW + 61, alone=True) == [("sub-1", "unit-1")]
    # Where the service's clock does not move, the machine's counts.
    assert claim("d", NOW, machine_now=Instant(NOW + 120)) == []
    assert claim("d", NOW, machine_now=Instant(NOW + 121)) == [("sub-1", "unit-1")]


@pytest.mark.parametrize("status", ["Paused", "Deleted"])
def test_nothing_is_taken_for_a_hook_that_is_not_active(status: str) -> None:
    book = book_of(hook(status=status), DeliveryQueue("sub-1", "unit-1", 1, NOW))
    assert done(book, ClaimLanes(lanes=(("sub-1", "unit-1"),), holder="a", lease_us=60)).answer == []


def noted(book: Book, holder: str, kind: OutcomeKind, now: int = NOW) -> Any:
    command = DeliveryDone(hook_id="sub-1", lane="unit-1", page=1, line=0, holder=holder, outcome=Outcome(kind))
    return done(book, command, now).answer


def test_whoever_lost_the_lane_has_nothing_to_say() -> None:
    book = book_of(hook(), DeliveryQueue("sub-1", "unit-1", 1, NOW, "b", Instant(NOW + 60)), delivery())
    assert noted(book, "a", "Delivered") is None
    assert noted(book, "b", "Delivered").state == "Delivered"
    assert noted(book, "b", "Retry") is None
    assert book.get(DELIVERY_QUEUES, "sub-1", "unit-1") == DeliveryQueue("sub-1", "unit-1")


def test_the_next_in_a_lane_is_due_at_once_when_the_first_is_done_and_with_it_when_it_failed() -> None:
    lane = DeliveryQueue("sub-1", "unit-1", 2, NOW, "a", Instant(NOW + 60))
    book = book_of(hook(), lane, delivery())
    waits = noted(book, "a", "Retry")
    assert book.get(DELIVERY_QUEUES, "sub-1", "unit-1") == DeliveryQueue("sub-1", "unit-1", 2, waits.next_at)
    book = book_of(hook(), lane, delivery())
    noted(book, "a", "Delivered", NOW + 5)
    assert book.get(DELIVERY_QUEUES, "sub-1", "unit-1") == DeliveryQueue("sub-1", "unit-1", 1, Instant(NOW + 5))


def test_giving_up_is_an_event_but_not_for_what_tells_of_giving_up() -> None:
    for kind, told in ((BOUGHT, [HOOK_GAVE_UP]), (HOOK_GAVE_UP, []), (HOOK_PAUSED, []), (HOOK_TESTED, [])):
        lane = DeliveryQueue("sub-1", "unit-1", 1, NOW, "a", Instant(NOW + 60))
        book = book_of(hook(), lane, delivery(type=kind))
        noted(book, "a", "Refused")
        assert [one.type for one in book.events.get("acc-1", [])] == told


def test_gone_pauses_the_hook_with_an_event_and_the_delivery_waits() -> None:
    book = book_of(hook(), DeliveryQueue("sub-1", "unit-1", 1, NOW, "a", Instant(NOW + 60)), delivery())
    assert noted(book, "a", "Gone").state == "Waiting"
    after = book.get(SUBSCRIPTIONS, "sub-1")
    assert after is not None
    assert (after.status, after.reason) == ("Paused", "The receiver answered 410 Gone.")
    assert [one.type for one in book.events["acc-1"]] == [HOOK_PAUSED]
    # Paused by hand it is no event.
    book = book_of(hook())
    done(book, SetHook(account_id="acc-1", hook_id="sub-1", status="Paused"))
    assert book.events == {}


@pytest.mark.parametrize("state", ["Waiting", "Delivered", "GivenUp", "Dropped", None])
def test_by_hand_an_event_begins_anew_and_is_counted_once(state: str | None) -> None:
    waiting = 1 if state == "Waiting" else 0
    lane = DeliveryQueue("sub-1", "unit-1", waiting, Instant(NOW + HOUR_US) if waiting else None)
    rows = [] if state is None else [delivery(state=state, attempts=9, done_at=NOW, clear_at=NOW)]
    book = book_of(hook(page=1), lane, *rows)
    command = Redeliver(account_id="acc-1", hook_id="sub-1", logged=LoggedEvent(1, 0, event()))
    answer = done(book, command, NOW + 5).answer
    assert (answer.state, answer.attempts, answer.since, answer.clear_at) == ("Waiting", 0, NOW + 5, None)
    assert book.get(DELIVERY_QUEUES, "sub-1", "unit-1") == DeliveryQueue("sub-1", "unit-1", 1, Instant(NOW + 5))


@pytest.mark.parametrize("state", ["Waiting", "Delivered", "GivenUp", "Dropped", None])
@pytest.mark.parametrize("status", ["Active", "Paused"])
def test_in_bulk_only_what_is_given_up_by_now_begins_anew_and_once(state: str | None, status: str) -> None:
    waiting = 1 if state == "Waiting" else 0
    lane = DeliveryQueue("sub-1", "unit-1", waiting, Instant(NOW + HOUR_US) if waiting else None)
    found = delivery(state="GivenUp", attempts=9, done_at=NOW, clear_at=NOW)
    rows = [] if state is None else [msgspec.structs.replace(found, state=state)]
    book = book_of(hook(page=1, status=status), lane, *rows)
    command = RedeliverGivenUp(account_id="acc-1", hook_id="sub-1", found=(found,), more=True)
    given_up = state == "GivenUp"
    assert done(book, command, NOW + 5).answer == Redelivered(int(given_up), True)
    after = book.get(DELIVERY_QUEUES, "sub-1", "unit-1")
    assert after == (DeliveryQueue("sub-1", "unit-1", 1, Instant(NOW + 5)) if given_up else lane)
    row = book.get(DELIVERIES, "sub-1", found.page, found.line)
    if given_up:
        assert row is not None
        assert (row.state, row.attempts, row.since, row.done_at, row.clear_at) == ("Waiting", 0, NOW + 5, None, None)
    assert done(book, command, NOW + 9).answer == Redelivered(0, True)
    assert (book.get(DELIVERY_QUEUES, "sub-1", "unit-1"), book.get(DELIVERIES, "sub-1", found.page, found.line)) == (
        after,
        row,
    )


def test_a_refusal_changes_nothing() -> None:
    for command in (
        Redeliver(account_id="acc-2", hook_id="sub-1", logged=LoggedEvent(1, 0, event())),
        Redeliver(account_id="acc-1", hook_id="sub-1", logged=LoggedEvent(2, 0, event())),
        RedeliverGivenUp(account_id="acc-2", hook_id="sub-1", found=(), more=False),
        SetHook(account_id="acc-2", hook_id="sub-1", status="Paused"),
        DeleteHook(account_id="acc-2", hook_id="sub-1"),
    ):
        book = book_of(hook(page=1))
        assert done(book, command).refusal is not None
        assert not book.changes()


def test_deleting_takes_the_secrets_at_once_and_ends_when_nothing_waits() -> None:
    book = book_of(hook(sealed_before=b"t"))
    assert done(book, DeleteHook(account_id="acc-1", hook_id="sub-1")).answer is True
    gone = book.get(SUBSCRIPTIONS, "sub-1")
    assert gone is not None
    assert (gone.status, gone.sealed, gone.sealed_before, gone.target) == ("Deleting", b"", b"", "")
    assert done(book, DeleteHook(account_id="acc-1", hook_id="sub-1")).refusal is not None
    assert [done(book, EndHook(account_id="", hook_id="sub-1")).answer for _ in range(2)] == [True, False]


def test_the_bits_of_all_types_fit_the_column_of_a_page() -> None:
    assert len(TYPES) < 63


def test_hooks_are_locked_before_lanes_and_lanes_before_deliveries() -> None:
    places = [TABLES.index(table) for table in (SUBSCRIPTIONS, DELIVERY_QUEUES, DELIVERIES)]
    assert places == sorted(places)
