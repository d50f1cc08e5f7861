"""Calls of services, counted by the hour, and the token packages that accounts have for them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.money import MICRO_MAX

MINUTES_KEEP_US: Final = 2 * DAY_US
"""How long an hour's counts are shown by the minute, too."""


class UsageKey(NamedTuple):
    """The key of a row of ``ServiceUsage``."""

    service_id: str
    app_id: str
    hour: Instant


class MinuteCount(NamedTuple):
    """The calls in one minute of an hour: 0 to 59."""

    minute: int
    input_tokens: int
    output_tokens: int
    succeeded: int
    failed: int


class ServiceUsage(msgspec.Struct, frozen=True):
    """The calls that an app made of a service in the hour that began at ``hour``.

    ``minutes`` are the same calls by the minute, in order, without minutes that had none. Calls that were counted by an
    earlier version are not among them. After two days they are not shown any more, and are deleted: at once if the
    app's calls of the service are counted in the hour two days later, otherwise in the next hours (``ForgetMinutes``).
    """

    service_id: str
    app_id: str
    hour: Instant
    account_id: str
    input_tokens: int = 0
    output_tokens: int = 0
    succeeded: int = 0
    failed: int = 0
    minutes: tuple[MinuteCount, ...] = ()

    def plus(self, input_tokens: int, output_tokens: int, succeeded: int, failed: int, *, minute: int) -> ServiceUsage:
        """Add to the counts of the hour and of its minute. Each stops at the largest number that a store can hold."""
        by_minute = {one.minute: one for one in self.minutes}
        before = by_minute.get(minute, MinuteCount(minute, 0, 0, 0, 0))
        added = (input_tokens, output_tokens, succeeded, failed)
        by_minute[minute] = MinuteCount(
            minute, *(min(old + new, MICRO_MAX) for old, new in zip(before[1:], added, strict=True))
        )
        return msgspec.structs.replace(
            self,
            input_tokens=min(self.input_tokens + input_tokens, MICRO_MAX),
            output_tokens=min(self.output_tokens + output_tokens, MICRO_MAX),
            succeeded=min(self.succeeded + succeeded, MICRO_MAX),
            failed=min(self.failed + failed, MICRO_MAX),
            minutes=tuple(by_minute[one] for one in sorted(by_minute)),
        )


PackageStatus = Literal["Pending", "Active", "Exhausted", "Expired"]


class TokenPackage(msgspec.Struct, frozen=True):
    """A number of single tokens for an account, to be used from ``started_at`` to before ``expires_at``.

    It is for a service or model by name, and belongs to the project ``project_id`` (None: the default project).
    """

    id: str
    account_id: str
    created_by: str
    service_name: str
    specification: int
    used: int
    started_at: Instant
    expires_at: Instant
    project_id: str | None = None

    def left(self) -> int:
        """Return how many tokens are left in it."""
        return max(0, self.specification - self.used)

    def status(self, now: Instant) -> PackageStatus:
        """Return the package's status at an instant."""
        if now < self.started_at:
            return "Pending"
        if self.used >= self.specification:
            return "Exhausted"
        return "Active" if now < self.expires_at else "Expired"
