"""A right that ends between two statements of one read: PostgreSQL answers each statement as of its own time."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from leasebook.store.queries.read_repository import Queries
from tests.api.conftest import a_copy
from tests.api.scene import EVENTS, IAM, Caller, ServiceHarness
from tests.api.test_links import FULL, OPERATE, READ, RELEASED, REMINDED, ask, links_of, shown
from tests.copies import STORES


@pytest.fixture(params=[store for store in STORES if store == "postgres"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceHarness]:
    """A service on PostgreSQL: the embedded store answers all statements of a read as of one time."""
    with a_copy(request, tmp_path / "data") as scene:
        yield scene


class Between:
    """Detaches a policy at one query, once: before the query is answered, or after."""

    def __init__(self, scene: ServiceHarness, owner: Caller, user: Caller, policy: str) -> None:
        self.scene = scene
        self.owner = owner
        self.body = {"userId": user_of(owner, user), "policyName": policy}
        self.is_done = False

    def __call__(self) -> None:
        if self.is_done:
            return
        self.is_done = True
        call = self.owner.desk.call(IAM, "DetachPolicy", self.body)
        assert self.scene.runner.run_meanwhile(call).result is True


def user_of(owner: Caller, user: Caller) -> str:
    """Return the id of the user whose key a caller has."""
    users = owner.do(IAM, "DescribeUsers")["users"]
    keys = {key["accessKeyId"]: one["userId"] for one in users for key in one["accessKeys"]}
    return str(keys[user.desk.access_key])


def test_events_of_users_are_not_read_with_a_right_that_ended_before(
    served: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = served.customer()
    manager = served.user(customer, FULL, READ)
    between, events = Between(served, customer, manager, FULL), Queries.events_across

    def later(self: Queries, *args: Any, **options: Any) -> Any:
        between()
        return events(self, *args, **options)

    monkeypatch.setattr(Queries, "events_across", later)
    shown = manager.do(EVENTS, "DescribeEvents")["events"]
    assert between.is_done
    assert [event["type"] for event in shown if event["type"].startswith("iam.")] == []


def test_a_link_does_nothing_with_a_right_that_ended_after_it_was_looked_at(
    served: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = served.customer("10000")
    buyer = served.user(customer, OPERATE, READ)
    unit = buyer.buy(release=RELEASED)
    served.advance(REMINDED)
    keep = links_of(buyer)["keep"]
    sends = shown(served, keep)[1].sends
    between, users = Between(served, customer, buyer, OPERATE), Queries.users

    def earlier(self: Queries, *args: Any, **options: Any) -> Any:
        found = users(self, *args, **options)
        between()
        return found

    monkeypatch.setattr(Queries, "users", earlier)
    answer = ask(served, keep, sends)
    assert between.is_done
    assert answer.status == HTTPStatus.FORBIDDEN, answer.body
    assert customer.unit(unit)["releaseTime"] == RELEASED
