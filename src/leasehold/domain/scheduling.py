"""When a release may be scheduled for."""

from __future__ import annotations

from leasehold.domain.calendar import SECOND_US, Instant, rfc3339
from leasehold.domain.refusal import BAD_VALUE, Refusal
from leasehold.domain.rules import Rules


def check_release_time(release_at: Instant | None, rules: Rules, now: Instant, *, field: str) -> None:
    """Raise Refusal unless the time lies after now and within the operator's bounds (decision 2)."""
    if release_at is None:
        return
    shown, time = rfc3339(release_at, rules.time_zone), rfc3339(now, rules.time_zone)
    if release_at <= now:
        raise Refusal(BAD_VALUE, f"{shown} is not in the future: it is {time} now. Give a later time.", field=field)
    if release_at < now + rules.release_lead_min_us:
        seconds = rules.release_lead_min_us // SECOND_US
        raise Refusal(
            BAD_VALUE,
            f"{shown} is too soon: a release is scheduled at least {seconds} s ahead, and it is {time} now.",
            field=field,
        )
    horizon = rules.release_horizon_max_us
    if horizon is not None and release_at > now + horizon:
        raise Refusal(
            BAD_VALUE,
            f"{shown} is too far away: a release is scheduled at most {horizon // SECOND_US} s ahead, "
            f"and it is {time} now.",
            field=field,
        )
