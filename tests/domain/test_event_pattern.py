"""Patterns of event types: what each covers, and which name is offered for one that covers nothing."""

from __future__ import annotations

import pytest

from leasebook.domain.model.subscription import Subscription
from leasebook.domain.record.event import TYPES, Event, types_mask
from leasebook.domain.record.event_pattern import GROUPS, covered, covers, unknown
from leasebook.domain.values.calendar import Instant

NOW = Instant(0)


def hook(*types: str) -> Subscription:
    return Subscription("sub-1", "acc", "Webhook", "", b"", types, None, "Active", "", NOW, NOW, 0)


def wants(of: Subscription, kind: str) -> bool:
    return of.wants(Event(NOW, kind, "unit-1", None, {}))


def test_every_type_is_covered_by_itself_its_group_and_the_star() -> None:
    for kind in TYPES:
        groups = [group for group in GROUPS if covers(group, kind)]
        assert groups == [f"{kind.partition('.')[0]}.*"]
        assert covers(kind, kind)
        assert covers("*", kind)
    assert covered(["*"]) == tuple(sorted(TYPES))
    assert covered(["engine.*", "unit.bought"]) == (
        *("engine.stockDiffers", "engine.stockFits", "engine.trouble"),
        "unit.bought",
    )


def test_the_types_have_bits_in_the_number_that_a_page_of_events_keeps() -> None:
    # Both stores keep it as a signed number of 64 bits.
    assert types_mask(TYPES) < 2**63, "a page needs a wider column before there are more types"


def test_a_subscription_with_a_pattern_gets_types_that_are_added_later() -> None:
    assert "unit.invented" not in TYPES
    assert wants(hook("unit.*"), "unit.invented")
    assert wants(hook("account.arrears", "unit.*"), "unit.bought")
    assert wants(hook("*"), "house.built")
    assert not wants(hook("unit.*"), "unitary.bought")
    assert not wants(hook("unit.*"), "account.arrears")
    assert not wants(hook("unit.bought"), "unit.running")


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("units.*", "unit.*"),
        ("unit.relased", "unit.released"),
        ("UNIT.BOUGHT", "unit.bought"),
        ("acount.*", "account.*"),
    ],
)
def test_a_pattern_that_covers_nothing_is_answered_with_the_nearest_name(given: str, nearest: str) -> None:
    message = unknown(given)
    assert message is not None
    assert f"{given!r}. Did you mean {nearest!r}?" in message
    assert unknown(nearest) is None


def test_a_name_like_no_other_is_answered_with_all_groups_in_few_words() -> None:
    message = unknown("qqq")
    assert message is not None
    assert all(f"{kind.split('.')[0]}.*" in message for kind in TYPES)
    assert len(message) < 500
