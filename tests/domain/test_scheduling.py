"""When a release may be scheduled for."""

from __future__ import annotations

import pytest

from leasebook.domain.rules.release_time import check_release_time
from leasebook.domain.values.calendar import DAY_US, SECOND_US, Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal
from leasebook.domain.values.rule_settings import Rules

NOW = Instant(1_893_456_000_000_000)
FREE = Rules()
LEAD = Rules(release_lead_min_us=60 * SECOND_US)
HORIZON = Rules(release_horizon_max_us=DAY_US)
BOTH = Rules(release_lead_min_us=60 * SECOND_US, release_horizon_max_us=DAY_US)

ALLOWED = [
    (FREE, None),
    (FREE, 1),
    (FREE, 3650 * DAY_US),
    (LEAD, None),
    (LEAD, 60 * SECOND_US),
    (LEAD, 3650 * DAY_US),
    (HORIZON, 1),
    (HORIZON, DAY_US),
    (BOTH, 60 * SECOND_US),
    (BOTH, DAY_US),
]

REFUSED = [
    (FREE, 0, "is not in the future"),
    (FREE, -1, "is not in the future"),
    (FREE, -DAY_US, "is not in the future"),
    (LEAD, 0, "is not in the future"),
    (LEAD, 1, "is too soon: a release is scheduled at least 60 s ahead"),
    (LEAD, 60 * SECOND_US - 1, "is too soon"),
    (HORIZON, DAY_US + 1, "is too far away: a release is scheduled at most 86400 s ahead"),
    (BOTH, 60 * SECOND_US - 1, "is too soon"),
    (BOTH, DAY_US + 1, "is too far away"),
]


@pytest.mark.parametrize(("rules", "ahead"), ALLOWED)
def test_a_release_is_scheduled_ahead_and_within_the_bounds(rules: Rules, ahead: int | None) -> None:
    check_release_time(None if ahead is None else Instant(NOW + ahead), rules, NOW, field="releaseTime")


@pytest.mark.parametrize(("rules", "ahead", "why"), REFUSED)
def test_another_time_is_a_bad_value_of_the_field_that_gave_it(rules: Rules, ahead: int, why: str) -> None:
    with pytest.raises(Refusal, match=why) as caught:
        check_release_time(Instant(NOW + ahead), rules, NOW, field="billing.releaseTime")
    assert (caught.value.reason, caught.value.field) == (BAD_VALUE, "billing.releaseTime")


def test_the_message_shows_both_times_in_the_zone_of_the_service() -> None:
    with pytest.raises(Refusal) as caught:
        check_release_time(NOW, FREE, NOW, field="releaseTime")
    assert caught.value.message.count("2030-01-01T08:00:00+08:00") == 2


@pytest.mark.parametrize("before", [DAY_US + 2, 3650 * DAY_US])
@pytest.mark.parametrize("wanted", [DAY_US + 1, DAY_US + 2])
def test_a_release_that_is_too_far_away_by_a_newer_setting_can_come_nearer(before: int, wanted: int) -> None:
    check_release_time(Instant(NOW + wanted), HORIZON, NOW, field="releaseTime", before=Instant(NOW + before))
    with pytest.raises(Refusal, match="too far away"):
        check_release_time(Instant(NOW + before + 1), HORIZON, NOW, field="x", before=Instant(NOW + before))
