"""A compute-unit instance: a number of units of one offering, held by an account until it is released."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasehold.domain.calendar import Instant
from leasehold.domain.ledger import PaymentTiming
from leasehold.domain.money import Micro

UnitStatus = Literal[
    "Creating",
    "CreateFailed",
    "Running",
    "Stopped",
    "Releasing",
    "Released",
    "Reconfiguring",
    "ReconfigureFailed",
    "BillingChanging",
]
"""The documented statuses, and ours: Stopped (replicas down, capacity kept; decision 14)."""

EndReason = Literal["User", "Schedule", "Expiry"]

HOLDING: Final[frozenset[UnitStatus]] = frozenset(
    {"Creating", "Running", "Stopped", "Releasing", "Reconfiguring", "ReconfigureFailed", "BillingChanging"}
)
"""While in one of these an instance holds its units: its stock comes back only when it is gone (decision 6)."""

ENDABLE: Final[frozenset[UnitStatus]] = HOLDING - {"Releasing"}


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One purchase of ``count`` units is one instance (decision 7).

    Times are instants; None where the thing has not happened or never will. ``metered_minutes`` of a
    postpaid instance are charged already, and ``charge_at`` is when the next hour is. A prepaid instance
    is paid from ``started_at`` to ``expires_at``, which is ``term_months`` calendar months later.
    """

    id: str
    account_id: str
    created_by: str
    order_id: str
    service_id: str | None
    region: str
    type: str
    count: int
    replicas: int
    payment_timing: PaymentTiming
    status: UnitStatus
    created_at: Instant
    term_months: int = 0
    auto_renew: bool = False
    auto_renew_months: int = 1
    started_at: Instant | None = None
    release_at: Instant | None = None
    charge_at: Instant | None = None
    expires_at: Instant | None = None
    retire_at: Instant | None = None
    metered_minutes: int = 0
    charged: Micro = Micro(0)
    ended_at: Instant | None = None
    end_reason: EndReason | None = None
    released_at: Instant | None = None

    @property
    def holds(self) -> bool:
        """Whether its units are out of the stock."""
        return self.status in HOLDING

    @property
    def offering(self) -> tuple[str, str]:
        """(region, type)."""
        return self.region, self.type
