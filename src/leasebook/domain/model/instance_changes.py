"""The fields of an instance that a rule may change, so that a wrong name or value is found without running it."""

from __future__ import annotations

from typing import TypedDict

from leasebook.domain.model.instance import EndReason, InstanceStatus, Placement
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro


class InstanceChanges(TypedDict, total=False):
    """Fields of ``Instance`` with the values that they get. Whose it is and what it is of never changes."""

    count: int
    payment_timing: PaymentTiming
    status: InstanceStatus
    target_count: int | None
    resize_paid: Micro
    placements: tuple[Placement, ...]
    term_months: int
    term_from: Instant | None
    term_anchor: Instant | None
    auto_renew: bool
    auto_renew_months: int
    renew_at: Instant | None
    started_at: Instant | None
    meter_from: Instant | None
    metered_minutes: int
    metered_peak: int
    sized_at: Instant | None
    price_number: int | None
    quoted_price: Micro | None
    quoted_count: int
    quoted_number: int
    release_at: Instant | None
    charge_at: Instant | None
    expires_at: Instant | None
    stop_at: Instant | None
    resume_at: Instant | None
    retire_at: Instant | None
    charged: Micro
    ended_at: Instant | None
    end_reason: EndReason | None
    released_at: Instant | None
    extensions: int
    generation: int
    failure: str | None
    remind_at: Instant | None
    remind_before_us: tuple[int, ...]
    reminded_at: Instant | None
