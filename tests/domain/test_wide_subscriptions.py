"""Subscriptions over several accounts: each event once, in queues of its account, and by the rights of the owner."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.contract.policies import BILLING_READ, FLEET_READ, OPERATOR, SUPPORT
from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import ACCOUNT_PLACES, DELIVERIES, DELIVERY_QUEUES, SUBSCRIPTIONS, USERS
from leasebook.domain.commands.account.delivery import ClaimLanes, EnqueueAcross, LoggedEvent
from leasebook.domain.commands.account.subscription import Redeliver, SetHook
from leasebook.domain.model.account import User
from leasebook.domain.model.subscription import AccountPlace, DeliveryQueue, Subscription
from leasebook.domain.record.event import ACCOUNT_CLOSED, ARREARS, BOUGHT, HOOK_TESTED, RUNNING, Event
from leasebook.domain.record.event_rights import hidden_across, hidden_from_subscriber, without_money
from leasebook.domain.record.identity_event import IAM_TYPES
from leasebook.domain.values.calendar import Instant
from tests.domain.test_outbox import NOW, done, event, hook

FOUND = (LoggedEvent(7, 0, event(BOUGHT)), LoggedEvent(7, 1, event(RUNNING, None)), LoggedEvent(9, 0, event(ARREARS)))


def wide(*accounts: str, **changed: Any) -> Subscription:
    return hook(accounts=accounts or ("*",), page=3, **changed)


def owner(*policies: str, **changed: Any) -> User:
    return msgspec.structs.replace(User("u", "acc-1", "u", False, policies, NOW), **changed)


def book_of(of: Subscription, user: User | None, *places: AccountPlace) -> Book:
    book = Book()
    book.load(SUBSCRIPTIONS, (of.id,), of)
    book.load(USERS, ("u",), user)
    for place in places:
        book.load(ACCOUNT_PLACES, (place.hook_id, place.account_id), place)
    return book


def enqueue(after: int = 3, of: str = "acc-2", owner: str = "u") -> EnqueueAcross:
    return EnqueueAcross(hook_id="sub-1", owner=owner, of=of, after=after, page=9, found=FOUND)


def test_events_become_deliveries_once_in_queues_of_their_account() -> None:
    book = book_of(wide(), owner(OPERATOR))
    assert done(book, enqueue()).answer is True
    made = [row for row in book.rows[DELIVERIES].values() if row is not None]
    assert [(row.page, row.line, row.account_id, row.lane) for row in made] == [
        *((7, 0, "acc-1", "unit-1"), (7, 1, "acc-1", "account acc-2"), (9, 0, "acc-1", "unit-1"))
    ]
    assert book.rows[ACCOUNT_PLACES]["sub-1", "acc-2"] == AccountPlace("sub-1", "acc-2", 9)
    # Another server with the same pages changes nothing, and asks again.
    for stale in (3, 8, 10):
        assert done(book, enqueue(stale)).answer is False
    assert book.rows[DELIVERY_QUEUES]["sub-1", "unit-1"].waiting == 2
    # The place in another account is its own, and none is before the page of the subscription: so far was skipped.
    book.load(ACCOUNT_PLACES, ("sub-1", "acc-3"), AccountPlace("sub-1", "acc-3", 1))
    assert done(book, enqueue(1, of="acc-3")).answer is False
    assert done(book, enqueue(of="acc-3")).answer is True


@pytest.mark.parametrize(
    ("user", "kinds"),
    [
        (owner(OPERATOR), [BOUGHT, RUNNING, ARREARS]),
        (owner(SUPPORT), [BOUGHT, RUNNING]),
        (owner(SUPPORT, BILLING_READ), [BOUGHT, RUNNING, ARREARS]),
        (owner(FLEET_READ, BILLING_READ), None),
        (owner(OPERATOR, deleted_at=NOW), None),
        (None, None),
    ],
)
def test_the_owners_rights_of_that_moment_decide(user: User | None, kinds: list[str] | None) -> None:
    book = book_of(wide(), user)
    # A paused one was not looked through: another operator may have activated it before the caller looks again.
    assert done(book, enqueue()).answer is (kinds is not None)
    after = book.rows[SUBSCRIPTIONS]["sub-1",]
    made = [row.type for row in book.rows[DELIVERIES].values() if row is not None]
    assert (after.status, made) == (("Paused", []) if kinds is None else ("Active", kinds))
    assert ("u" in (after.reason or "").split()) == (kinds is None)


def test_an_address_that_was_not_confirmed_is_not_paused_for_that_could_be_undone() -> None:
    book = book_of(wide(kind="Email", status="Pending"), None)
    assert done(book, enqueue()).answer is True
    assert book.rows[SUBSCRIPTIONS]["sub-1",].status == "Pending"
    # Once the address is confirmed, it gets what comes from then on, and this is not looked through again.
    assert book.rows[ACCOUNT_PLACES]["sub-1", "acc-2"].page == 9
    assert not any(book.rows[DELIVERIES].values())


@pytest.mark.parametrize("status", ["Paused", "Deleting", "Deleted"])
def test_what_came_while_it_receives_nothing_is_looked_through_later(status: str) -> None:
    book = book_of(wide(status=status), owner(OPERATOR))
    assert done(book, enqueue()).answer is False
    assert book.rows.get(ACCOUNT_PLACES, {}).get(("sub-1", "acc-2")) is None


def test_it_is_not_enqueued_by_the_rights_of_a_former_owner() -> None:
    book = book_of(wide(created_by="other"), owner(OPERATOR))
    assert done(book, enqueue()).answer is False
    assert not any(book.rows[DELIVERIES].values())


@pytest.mark.parametrize("policies", [(), (FLEET_READ,), (SUPPORT,), (OPERATOR,)])
def test_a_queue_is_claimed_for_an_owner_with_the_right_only(policies: tuple[str, ...]) -> None:
    book = book_of(wide(), owner(*policies))
    book.load(DELIVERY_QUEUES, ("sub-1", "a"), DeliveryQueue("sub-1", "a", 1, NOW))
    claim = ClaimLanes(lanes=(("sub-1", "a"),), holder="s", lease_us=9, owners=("u",))
    # A server that did not ask for the owner claims nothing.
    assert done(book, msgspec.structs.replace(claim, owners=())).answer == []
    may = bool({SUPPORT, OPERATOR} & set(policies))
    assert done(book, claim).answer == ([("sub-1", "a")] if may else [])
    assert book.rows[SUBSCRIPTIONS]["sub-1",].status == ("Active" if may else "Paused")


def test_who_activates_it_is_the_owner_and_no_manager_without_the_right_acts_on_it() -> None:
    book = book_of(wide(status="Paused"), None)
    change = SetHook(account_id="acc-1", hook_id="sub-1", status="Active", by="v")
    assert done(book, change).refusal is not None
    assert done(book, msgspec.structs.replace(change, kinds=frozenset({"wide"}))).refusal is None
    assert book.rows[SUBSCRIPTIONS]["sub-1",].created_by == "v"


def test_an_event_is_redelivered_once_the_place_in_its_account_is_past_it() -> None:
    book = book_of(wide(), None, AccountPlace("sub-1", "acc-2", 7))
    again = Redeliver(account_id="acc-1", hook_id="sub-1", logged=FOUND[1], of="acc-2", kinds=frozenset({"wide"}))
    assert done(book, again).answer.lane == "account acc-2"
    assert done(book, msgspec.structs.replace(again, logged=FOUND[2])).refusal is not None
    assert done(book, msgspec.structs.replace(again, of="acc-3")).refusal is not None


def test_a_subscription_is_over_its_accounts_and_gets_its_own_tests() -> None:
    some = wide("acc-2")
    tested = Event(NOW, HOOK_TESTED, None, None, {"subscriptionId": "sub-1"})
    assert some.wants(event(), "acc-2")
    assert not some.wants(event(), "acc-1")
    assert not some.wants(event(), "acc-3")
    assert some.wants(tested, "acc-1")
    assert not wide().wants(msgspec.structs.replace(tested, data={"subscriptionId": "sub-2"}), "acc-2")
    assert wide().wants(event(), "acc-9")
    assert [one for one in ("acc-1", "acc-2", "acc-3") if some.looks_through(one)] == ["acc-1", "acc-2"]


def test_who_reads_only_sees_what_the_policies_show_and_subscribes_to_nothing() -> None:
    assert hidden_across([BILLING_READ]) is None
    assert hidden_across([OPERATOR]) == frozenset()
    assert (hidden_across([FLEET_READ]) or frozenset()) > set(IAM_TYPES)
    assert (hidden_across([FLEET_READ, BILLING_READ]) or frozenset()) == set(IAM_TYPES)
    assert hidden_from_subscriber([FLEET_READ, BILLING_READ]) is None
    assert hidden_from_subscriber([SUPPORT]) == hidden_across([SUPPORT])
    closed = Event(Instant(1), ACCOUNT_CLOSED, None, None, {"balance": 5, "more": 1})
    assert without_money(closed).data == {"more": 1}
