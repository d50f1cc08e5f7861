"""The check of a release time."""

from __future__ import annotations

from leasebook.domain.model.limits import is_no_later
from leasebook.domain.values.calendar import SECOND_US, Instant, rfc3339
from leasebook.domain.values.refusal import BAD_VALUE, Refusal
from leasebook.domain.values.rule_settings import Rules


def check_release_time(
    release_at: Instant | None, rules: Rules, now: Instant, *, field: str, before: Instant | None = None
) -> None:
    """Raise Refusal (BAD_VALUE) unless the time is after now and within the operator's bounds (decision 2).

    ``before`` is the present release time: an earlier one is never too far ahead (decision 29).
    """
    if release_at is None:
        return
    horizon = rules.release_horizon_max_us
    if release_at <= now:
        problem = "is not in the future. Give a later time"
    elif release_at < now + rules.release_lead_min_us:
        problem = f"is too soon: a release is scheduled at least {rules.release_lead_min_us // SECOND_US} s ahead"
    elif horizon is not None and release_at > now + horizon and not is_no_later(release_at, before):
        problem = f"is too far away: a release is scheduled at most {horizon // SECOND_US} s ahead"
    else:
        return
    zone = rules.written_zone
    raise Refusal(BAD_VALUE, f"{rfc3339(release_at, zone)} {problem}; it is {rfc3339(now, zone)} now.", field=field)
