"""Calls of services, counted by the hour, and the token packages that accounts have for them."""

from __future__ import annotations

from typing import Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX


class ServiceUsage(msgspec.Struct, frozen=True):
    """The calls that an app made of a service in the hour that began at ``hour``."""

    service_id: str
    app_id: str
    hour: Instant
    account_id: str
    input_tokens: int = 0
    output_tokens: int = 0
    succeeded: int = 0
    failed: int = 0

    def plus(self, input_tokens: int, output_tokens: int, succeeded: int, failed: int) -> ServiceUsage:
        """Add to the counts. Each stops at the largest number that a store can hold."""
        return msgspec.structs.replace(
            self,
            input_tokens=min(self.input_tokens + input_tokens, MICRO_MAX),
            output_tokens=min(self.output_tokens + output_tokens, MICRO_MAX),
            succeeded=min(self.succeeded + succeeded, MICRO_MAX),
            failed=min(self.failed + failed, MICRO_MAX),
        )


PackageStatus = Literal["Pending", "Active", "Exhausted", "Expired"]


class TokenPackage(msgspec.Struct, frozen=True):
    """A number of single tokens for an account, to be used from ``started_at`` to before ``expires_at``.

    It is for a service or model by name.
    """

    id: str
    account_id: str
    created_by: str
    service_name: str
    specification: int
    used: int
    started_at: Instant
    expires_at: Instant

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
