"""How the deliveries of subscriptions go, from the delivery log: since when they fail, and how many were given up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from leasebook.console.desk import Desk
from leasebook.contract.action import NOTIFICATION

AT_ONCE: Final = 1000
PAGES_MAX: Final = 5
"""Pages of ``AT_ONCE`` deliveries that are read in each state."""


class Course(msgspec.Struct):
    """How the deliveries of a subscription go.

    ``waiting`` and ``given_up`` count its deliveries in these states; ``more`` has the states in which older ones
    were not read. ``failing_since`` is when the
    oldest of those that failed began to wait, ``next_try`` the next attempt, and ``failure`` why the last one failed.
    """

    waiting: int = 0
    given_up: int = 0
    more: set[str] = set()
    failing_since: str | None = None
    next_try: str | None = None
    answer: int | None = None
    failure: str | None = None


async def courses(desk: Desk, subscriptions: Iterable[str]) -> Mapping[str, Course]:
    """Return how the deliveries of subscriptions go, by their ids; none where the reader may not see deliveries."""
    found = {one: Course() for one in subscriptions}
    for state in ("Waiting", "GivenUp") if found else ():
        asked: dict[str, Any] = {"state": state, "maxKeys": AT_ONCE}
        if len(found) == 1:
            asked["subscriptionId"] = next(iter(found))
        for _ in range(PAGES_MAX):
            page, _fault = await desk.try_to(NOTIFICATION, "DescribeDeliveries", asked)
            if page is None:
                return {}
            _count(found, page)
            if not page.next_marker:
                break
            asked["marker"] = page.next_marker
        else:
            for course in found.values():
                course.more.add(state)
    return found


def _count(found: Mapping[str, Course], page: Any) -> None:
    """Add a page of deliveries, the newest first, to the courses of their subscriptions."""
    for one in page.deliveries:
        course = found.get(one.subscription_id)
        if course is None:
            continue
        if one.state == "GivenUp":
            course.given_up += 1
            continue
        course.waiting += 1
        if one.failure is not None or one.next_try_time is not None:
            if course.next_try is None or (one.next_try_time is not None and one.next_try_time < course.next_try):
                course.next_try = one.next_try_time
            course.failing_since, course.answer, course.failure = one.create_time, one.answer, one.failure
